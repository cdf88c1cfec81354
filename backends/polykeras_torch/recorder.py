"""Records what a function does with tensors, below autograd, as one flat list of operator calls.

A training step of neutral code is run once under a `Recorder`: forward pass, gradients and updates are seen as the
aten operators that torch runs in the end. `polykeras_torch.program` makes a straight function of the list.

A tensor is known by the memory that it describes (storage, offset, shape, strides), since autograd hands out new
objects for the same values. The recorder holds no memory but that of constants: a recorded step takes as much as a
plain one. What may not be repeated, because Python looked at a value or because memory from outside
was changed, is noted in `refused`; the run itself goes on as without the recorder.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextvars import ContextVar
from typing import Any
from weakref import ref

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from polykeras_torch.nodes import Node, Seen, Slot, replace
from polykeras_torch.private import (
    DispatchMode,
    StorageReference,
    schema_of,
    storage_of,
    version_of,
    without_functions,
)

_active: ContextVar[Recorder | None] = ContextVar("polykeras_torch_recorder", default=None)

# Of their first argument these take the shape, not the values.
_SHAPED = {getattr(torch.ops.aten, name) for name in ("zeros_like", "ones_like", "full_like")}
_READS_HOST = {Tensor.numpy, Tensor.tolist, Tensor.__array__, Tensor.__dlpack__}


class _HostReads(TorchFunctionMode):
    """Notes conversions to NumPy and lists, which no operator stands for."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _READS_HOST and not self._recorder.is_constant(args[0]):
            self._recorder.refuse(f"it reads the values of a tensor (`Tensor.{func.__name__}`)")
        return func(*args, **(kwargs or {}))


class Recorder(DispatchMode):
    """Within this context, calls of operators in this thread are noted in `nodes`.

    Args:
        inputs: the tensors that the function gets, no two of which share memory.
        guarded: how many of the first ones `restore` gives their values back, should the function have changed them.

    Attributes:
        nodes: the calls, in their order.
        seen: the tensor of each slot, as it was in this run.
        refused: why the run may not be repeated from the list; None where it may.
    """

    def __init__(self, inputs: Sequence[Tensor], guarded: int = 0) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.seen: list[Seen] = []
        self.refused: str | None = None
        self._slots: dict[Hashable, Slot] = {}
        self._bases: dict[int, Slot] = {}  # the first slot of each storage
        self._offsets: dict[int, int] = {}  # where it begins in there
        self._numbers: list[Any] = []  # while there is one, no other storage gets the same number
        self._variable: set[int] = set()  # storages whose values depend on inputs
        self._foreign: set[int] = set()  # storages that came from outside: not ours to change
        self._guarded = {storage_of(tensor): tensor for tensor in inputs[:guarded]}
        self._before: list[tuple[Tensor, Tensor]] = []  # of these: those that are changed, with a copy from before
        self._host_reads = _HostReads(self)
        self._token: Any = None
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
        """Note that the recorded run may not be repeated; the first reason stays."""
        self.refused = self.refused or why

    def is_constant(self, tensor: Tensor) -> bool:
        """Return whether the values of a tensor depend on no input."""
        return storage_of(tensor) not in self._variable

    def slot(self, tensor: Tensor) -> Slot:
        """Return the slot of a tensor; one whose memory was never seen is a constant from outside."""
        found = self._slots.get(_key(tensor))
        if found is not None:
            return found
        storage = storage_of(tensor)
        if storage not in self._bases:
            self._foreign.add(storage)
            return self._new(tensor, constant=True)
        # A view of memory we know that was made out of our sight.
        base = self._bases[storage]
        if self.seen[base.number].dtype != tensor.dtype:
            self.refuse("it views a tensor as another dtype out of sight of the dispatcher")
        if tensor.storage_offset() != self._offsets[storage]:
            self.refuse("it views a part of a tensor out of sight of the dispatcher")
        args = (base, tuple(tensor.shape), tensor.stride())  # from where the base begins, which another run may move
        constant = self.is_constant(tensor)
        found = self._new(tensor, constant)
        self.nodes.append(Node(torch.ops.aten.as_strided.default, args, {}, [found], True, [], constant))
        return found

    def folded(self) -> list[tuple[ref[Tensor], int]]:
        """Return the tensors from outside of which constants were computed, and the count of changes to each."""
        read = {slot.number for node in self.nodes if node.constant for slot in node.reads()}
        found = [self.seen[number].value for number in read if self.seen[number].memory in self._foreign]
        return [
            (ref(tensor), version_of(tensor)) for tensor in found if tensor is not None and not tensor.is_inference()
        ]

    def copy(self, tensor: Tensor) -> Tensor:
        """Return a copy that is made anew in each run, also of a constant."""
        copied = tensor.clone()
        self.nodes[-1].constant = False
        self._variable.add(storage_of(copied))
        return copied

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with without_functions():
            slots: list[Slot] = []
            slotted = replace((args, kwargs), lambda tensor: slots.append(self.slot(tensor)) or slots[-1], Tensor)
            constant = not _draws(func) and (
                func.overloadpacket in _SHAPED
                or all(self.seen[slot.number].memory not in self._variable for slot in slots)
            )
            if not constant:
                self._check(func, args)
            if torch.Tag.inplace_view in func.tags or func.overloadpacket is torch.ops.aten.resize_:
                self.refuse(f"it changes the shape of a tensor in place (`{func}`)")
            written = _written(func, args, kwargs)
            for tensor in written:
                if (given := self._guarded.pop(storage_of(tensor), None)) is not None:
                    self._before.append((given, given.clone()))
            result = func(*args, **kwargs)
            self._note(func, slotted, constant, written, result)
        return result

    def restore(self) -> None:
        """Give the guarded inputs the values that they had."""
        with torch.no_grad():
            for tensor, before in self._before:
                tensor.copy_(before)

    def _note(self, func: Any, slotted: Any, constant: bool, written: list[Tensor], result: Any) -> None:
        for tensor in written:
            if storage_of(tensor) in self._foreign:
                self.refuse(f"`{func}` changes a tensor that polykeras does not hold")
            if not constant:
                self._variable.add(storage_of(tensor))
        single = not isinstance(result, (tuple, list))
        known = len(self.seen)
        leaves = [result] if single else result
        outputs = [self._result(leaf, constant) if isinstance(leaf, Tensor) else None for leaf in leaves]
        if not written and outputs and all(slot is not None and slot.number < known for slot in outputs):
            return  # the same memory under the same name: `detach`, a view that changes nothing
        writes = [self.slot(tensor) for tensor in written]
        args, kwargs = slotted
        self.nodes.append(Node(func, args, kwargs, outputs, single, writes, constant))

    def _result(self, tensor: Tensor, constant: bool) -> Slot:
        return self._slots.get(_key(tensor)) or self._new(tensor, constant)

    def _new(self, tensor: Tensor, constant: bool) -> Slot:
        memory = storage_of(tensor)
        slot = self._slots[_key(tensor)] = Slot(len(self.seen))
        if memory not in self._bases:
            self._bases[memory] = slot
            self._offsets[memory] = int(tensor.storage_offset())
            self._numbers.append(StorageReference(tensor.untyped_storage()))
        if not constant:
            self._variable.add(memory)
        whole = tensor.untyped_storage().nbytes() == tensor.nbytes
        value = tensor if constant else None
        layout = tensor.dtype, tensor.shape, tensor.device, memory, tensor.is_contiguous(), whole
        self.seen.append(Seen(*layout, value))
        return slot

    def _check(self, func: Any, args: Any) -> None:
        if torch.Tag.data_dependent_output in func.tags or func is torch.ops.aten.equal.default:
            self.refuse(f"Python looks at a value that was computed (`{func}`)")
        elif func is torch.ops.aten.as_strided.default and args[3:] not in ((), (None,)):
            self.refuse("it views memory by a place in it (`as_strided` with an offset)")
        elif torch.Tag.dynamic_output_shape in func.tags and not _has_fixed_shape(func, args):
            self.refuse(f"the shape of a result depends on values (`{func}`)")


def _has_fixed_shape(func: Any, args: Any) -> bool:
    """Return whether a call indexes with integers: its result has the shape of the indices."""
    if func.overloadpacket is not torch.ops.aten.index:
        return False
    return all(index is None or index.dtype not in (torch.bool, torch.uint8) for index in args[1])


def is_recorded(x: Any) -> bool:
    """Return whether `x` stands for other values too: a tensor that depends on the inputs of a recording."""
    recorder = _active.get()
    return recorder is not None and isinstance(x, Tensor) and not recorder.is_constant(x)


def _key(tensor: Tensor) -> Hashable:
    return (
        storage_of(tensor),
        tensor.storage_offset(),
        tuple(tensor.shape),
        tensor.stride(),
        tensor.dtype,
        tensor.is_conj(),
        tensor.is_neg(),
    )


def _draws(func: Any) -> bool:
    return torch.Tag.nondeterministic_seeded in func.tags


def _written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """Return the tensors that a call changes in place."""
    if not schema_of(func).is_mutable:
        return []
    found: list[Tensor] = []
    for i, argument in enumerate(schema_of(func).arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[i] if i < len(args) else kwargs.get(argument.name)
            found += [x for x in (value if isinstance(value, (tuple, list)) else [value]) if isinstance(x, Tensor)]
    return found
