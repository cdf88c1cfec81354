"""Records the operator calls of a function on tensors, below autograd, as one flat list.

A training step of neutral code runs once under a `Recorder`. It sees the forward pass, gradients and updates as the
aten operators that torch finally runs. `polykeras_torch.compiler.program` makes a straight function of the list.

A tensor is identified by the memory that it describes (storage, offset, shape, strides), since autograd returns new
objects for the same values. The recorder keeps only the memory of constants, so a recorded step takes as much memory
as a plain one. A tensor from outside (*foreign*) is read again in each run, and values that depend on it are computed
again, since its owner may change it.

A run may not be repeated if Python looked at a value, if memory from outside was changed, if an operator may have other
effects, or if something cannot be recorded. The reason is stored in `refused`; the run itself goes on as without the
recorder.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor

from polykeras_torch.compiler.foreign import ForeignTensors
from polykeras_torch.compiler.generator import Generator
from polykeras_torch.compiler.guarded import Guarded
from polykeras_torch.compiler.hidden_reads import HiddenReads
from polykeras_torch.compiler.instructions import Instruction, Slot, TensorInfo, replace
from polykeras_torch.compiler.operators import (
    draws,
    is_collective,
    is_plain,
    makes_room_only,
    read,
    takes_shape_only,
    why_not,
    why_not_of_values,
    written,
)
from polykeras_torch.compiler.places import Places
from polykeras_torch.private import DispatchMode, storage_of, without_functions

T = TypeVar("T")

_active: ContextVar[Recorder | None] = ContextVar("polykeras_torch_recorder", default=None)


class Recorder(DispatchMode):
    """Records the operator calls of this thread in `instructions` within this context.

    Args:
        inputs: the tensor arguments of the function, no two of which share memory.
        guarded: how many of the first inputs can be restored if the function changes them.

    Attributes:
        guarded: the inputs that can be restored.
        instructions: the calls, in order.
        tensors: one for each slot, as it was in this run.
        refused: why the run may not be repeated from the list, or None if it may.
    """

    def __init__(self, inputs: Sequence[Tensor], guarded: int = 0) -> None:
        super().__init__()
        self.instructions: list[Instruction] = []
        self.tensors: list[TensorInfo] = []
        self.refused: str | None = None
        self._slots: dict[Hashable, Slot] = {}
        self._bases: dict[int, Slot] = {}  # the first slot of each storage
        self._offsets: dict[int, int] = {}  # the offset of that slot in its storage
        self._places = Places()
        self._variable: set[int] = set()  # storages with values that depend on inputs
        self._steady: set[int] = set()  # storages that depend on foreign tensors: constant within a run
        self._foreign = ForeignTensors()
        self._empty: set[int] = set()  # uninitialized storages
        self._is_fresh = False  # whether an argument is a copy that was made unseen
        self.guarded = Guarded(inputs[:guarded])
        self._host_reads = HiddenReads(self)
        self._generator = Generator()
        for tensor in inputs:
            self._new(tensor, constant=False)

    def __enter__(self) -> Recorder:
        super().__enter__()
        self._host_reads.__enter__()
        self._token = _active.set(self)
        return self

    def __exit__(self, *exc_info: Any) -> None:
        _active.reset(self._token)
        self._host_reads.__exit__(*exc_info)
        super().__exit__(*exc_info)

    def refuse(self, why: str) -> None:
        """Note that the recorded run may not be repeated. The first reason is kept."""
        self.refused = self.refused or why

    def is_constant(self, tensor: Tensor) -> bool:
        """Return whether the values of a tensor are the same in each run."""
        storage = _storage(tensor)
        return storage in self._bases and storage not in self._variable and storage not in self._steady

    def is_dependent(self, tensor: Tensor) -> bool:
        """Return whether a tensor has other values in other runs."""
        storage = None if self.refused else _storage(tensor)
        return storage in self._variable or storage in self._steady

    def is_variable(self, tensor: Tensor) -> bool:
        """Return whether the values of a tensor depend on inputs."""
        return storage_of(tensor) in self._variable

    def is_foreign(self, tensor: Tensor) -> bool:
        """Return whether a tensor came from outside."""
        storage = _storage(tensor)
        return storage in self._foreign.storages or storage not in self._bases

    def is_foreign_graph(self) -> bool:
        """Return whether tensors from outside that collect gradients took part."""
        return self._foreign.collects

    def foreign(self) -> list[Tensor]:
        """Return the tensors from outside, which others may move."""
        return self._foreign.tensors()

    def finish(self) -> None:
        """After the run, refuse it if it used tensors or random numbers that the dispatcher did not see being made."""
        if self._foreign.was_made_here([tensor.value for tensor in self.tensors]):
            self.refuse("it computes with a tensor that was made out of sight of the dispatcher")
        self._check_generator()

    def _check_generator(self) -> None:
        if self._generator.was_touched():
            self.refuse("torch's random numbers are seeded or drawn in it out of sight of the dispatcher")

    def slot(self, tensor: Tensor) -> Slot:
        """Return the slot of a tensor. A tensor with unknown memory comes from outside."""
        storage = storage_of(tensor)
        found = self._slots.get(_key(tensor))
        if found is not None:
            self._foreign.see(tensor, storage)
            return found
        if storage not in self._bases:
            return self._new_foreign(tensor, storage)
        # A view of known memory that was made unseen.
        base = self._bases[storage]
        if self.tensors[base.number].dtype != tensor.dtype:
            self.refuse("it views a tensor as another dtype out of sight of the dispatcher")
        if tensor.storage_offset() != self._offsets[storage]:
            self.refuse("it views a part of a tensor out of sight of the dispatcher")
        args = (base, tuple(tensor.shape), tensor.stride())  # relative to the base, which another run may move
        constant, steady = storage not in self._variable | self._steady, storage not in self._variable
        found = self._new(tensor, constant, steady)
        view = torch.ops.aten.as_strided.default
        self.instructions.append(Instruction(view, args, {}, [found], True, [], constant, steady=steady))
        return found

    def _new_foreign(self, tensor: Tensor, storage: int) -> Slot:
        if self._is_fresh:  # just made by `torch.tensor`
            return self._new(tensor, constant=True)
        if self._places.contains(tensor):
            self.refuse("it came to the memory of a tensor out of sight of the dispatcher")
        self._foreign.add(tensor, storage, self._host_reads.indexes)
        return self._new(tensor, constant=False, value=tensor)

    def copy(self, tensor: Tensor) -> Tensor:
        """Return a copy that is made again in each run, even of a constant."""
        copied = tensor.clone()
        if not self.refused:
            self.instructions[-1].constant = self.instructions[-1].steady = False
            self._variable.add(storage_of(copied))
        return copied

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with without_functions():
            self.guarded.keep(func, args, kwargs)
            call = self.followed(lambda: self._look_at(func, args, kwargs))
            result = func(*args, **kwargs)
            if call is not None:
                self.followed(lambda: self._note(func, *call, result))
            if draws(func):
                self._generator.drew()
        return result

    def followed(self, work: Callable[[], T]) -> T | None:
        """Return the result of `work`, which records something, or None after a refusal. An error is a refusal."""
        if self.refused:
            return None
        try:
            return work()
        except Exception as error:
            self.refuse(f"it could not be followed ({type(error).__name__}: {error})")
            return None

    def _look_at(self, func: Any, args: Any, kwargs: Any) -> tuple[Any, bool, bool, list[Tensor]] | None:
        """Return facts about a call before it happens: its arguments as slots, constant, steady, written."""
        if (why := why_not(func)) is not None:
            self.refuse(why)
            return None
        self._is_fresh = self._host_reads.copies and func is torch.ops.aten.lift_fresh.default
        slots: list[Slot] = []
        slotted = replace((args, kwargs), lambda tensor: slots.append(self._plain_slot(tensor)) or slots[-1], Tensor)
        memory = {self.tensors[slot.number].memory for slot in slots}
        drawn = draws(func)
        if drawn:
            self._check_generator()
            if kwargs.get("generator") is not None:
                self.refuse("random numbers are drawn from a generator that each run may seed (`torch.Generator`)")
        varies = drawn or is_collective(func)
        steady = not varies and (takes_shape_only(func) or memory.isdisjoint(self._variable))
        constant = steady and (takes_shape_only(func) or memory.isdisjoint(self._steady))
        if not constant and (why := why_not_of_values(func, args)) is not None:
            self.refuse(why)
        if self._empty:
            self._check_filled(read(func, args, kwargs), func)
        return slotted, constant, steady, written(func, args, kwargs)

    def _plain_slot(self, tensor: Tensor) -> Slot:
        self._check_plain(tensor, "computes with")
        return self.slot(tensor)

    def _check_plain(self, tensor: Tensor, does: str) -> None:
        if is_plain(tensor):
            return
        self.refuse(f"it {does} a tensor that is sparse, or of another kind ({type(tensor).__name__}, {tensor.layout})")
        raise _Refused

    def _check_filled(self, tensors: Sequence[Tensor], what: Any) -> None:
        if any(storage_of(tensor) in self._empty for tensor in tensors):
            self.refuse(f"memory was filled out of sight of the dispatcher (`{what}` reads it)")

    def output(self, leaf: Tensor) -> Slot:
        """Return the slot of a result."""
        self._check_filled([leaf], "result")
        return self.slot(leaf)

    def _note(self, func: Any, slotted: Any, constant: bool, steady: bool, written: list[Tensor], result: Any) -> None:
        for tensor in written:
            storage = storage_of(tensor)
            self._empty.discard(storage)
            if storage in self._foreign.storages:
                self.refuse(f"`{func}` changes a tensor that polykeras does not hold")
            if not constant:
                (self._steady if steady else self._variable).add(storage)
        single = not isinstance(result, (tuple, list))
        known = len(self.tensors)
        leaves = [result] if single else result
        outputs = [self._result(leaf, constant, steady) if isinstance(leaf, Tensor) else None for leaf in leaves]
        if makes_room_only(func) and result.numel():
            self._empty.add(storage_of(result))
        if not written and outputs and all(slot is not None and slot.number < known for slot in outputs):
            return  # the same memory in the same form: `detach`, or a view without a change
        writes = [self.slot(tensor) for tensor in written]
        args, kwargs = slotted
        self.instructions.append(Instruction(func, args, kwargs, outputs, single, writes, constant, steady=steady))

    def _result(self, tensor: Tensor, constant: bool, steady: bool) -> Slot:
        self._check_plain(tensor, "computes")
        return self._slots.get(_key(tensor)) or self._new(tensor, constant, steady)

    def _new(self, tensor: Tensor, constant: bool, steady: bool = False, value: Tensor | None = None) -> Slot:
        memory = storage_of(tensor)
        slot = self._slots[_key(tensor)] = Slot(len(self.tensors))
        storage = tensor.untyped_storage()
        if memory not in self._bases:
            self._bases[memory] = slot
            self._offsets[memory] = int(tensor.storage_offset())
            self._places.add(storage, ours=value is None)
        if not constant:
            (self._steady if steady or value is not None else self._variable).add(memory)
        whole = storage.nbytes() == tensor.nbytes
        layout = tensor.dtype, tensor.shape, tensor.device, memory, tensor.is_contiguous(), whole
        self.tensors.append(TensorInfo(*layout, tensor if constant else value))
        return slot


class _Refused(Exception):
    """Raised to stop the recording of a call, after its reason was noted."""


def is_recorded(x: Any) -> bool:
    """Return whether `x` has other values in other runs: a tensor that depends on the inputs of a recording."""
    recorder = _active.get()
    return recorder is not None and isinstance(x, Tensor) and recorder.is_dependent(x)


def refuse_recording(why: str) -> None:
    """If something is being recorded, note that it may not be repeated, and why."""
    if (recorder := _active.get()) is not None:
        recorder.refused = why  # also in place of what was found before: the caller knows what the user did


def _storage(tensor: Tensor) -> int | None:
    """Return the storage of a tensor, or None if it is sparse or otherwise special."""
    if not is_plain(tensor):
        return None
    with without_functions():
        return storage_of(tensor)


def _key(x: Tensor) -> Hashable:
    return storage_of(x), x.storage_offset(), tuple(x.shape), x.stride(), x.dtype, x.is_conj(), x.is_neg()
