"""Recording a function of a list of tensors, and repeating it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from itertools import islice
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from polykeras import fast
from polykeras.common import nested
from polykeras.common.global_draws import HostDraws
from polykeras_torch.arrays import is_cut
from polykeras_torch.compiler.foreign import ForeignMemory
from polykeras_torch.compiler.global_state import has_settings, is_looked_on, settings_applied, without_autocast_cache
from polykeras_torch.compiler.instructions import Slot
from polykeras_torch.compiler.modules import Modules
from polykeras_torch.compiler.operators import CUT, is_plain
from polykeras_torch.compiler.ownership import memory, own, with_copies, written_to
from polykeras_torch.compiler.program import Program, Repetition, compile_program, compile_repetition
from polykeras_torch.compiler.recorder import Recorder
from polykeras_torch.compiler.rewriting import written_memory
from polykeras_torch.compiler.threads import one_thread, wants_one_thread
from polykeras_torch.private import below_autograd, can_record, parametrizations_are_cached, without_functions

_AS_IT_IS = nullcontext()
_kind = attrgetter("__class__", "layout", "dtype", "shape", "device")
_requires_grad = attrgetter("requires_grad")


def signature(tensors: Sequence[Tensor]) -> tuple[Hashable, ...]:
    """Return the key of a recording: dtypes, shapes, devices and kinds of the tensors."""
    return tuple(map(_kind, tensors))


def contiguous(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors in row-major order, as recordings require; see `are_blocks`."""
    return list(map(Tensor.contiguous, tensors))


def are_blocks(tensors: Sequence[Tensor]) -> bool:
    """Return whether all tensors are plain blocks of memory.

    For others nothing is recorded. A warning says so, unless they are cut over processes, which has no other form.
    """
    if all(map(is_plain, tensors)):
        return True
    if not any(map(is_cut, tensors)):
        _warn("an argument is a tensor that is sparse, or of another class")
    return False


def is_watched(tensors: Sequence[Tensor]) -> bool:
    """Return whether something else observes the calls: an outer recording, autograd, `torch.func`, or a mode."""
    return is_looked_on() or any(map(_requires_grad, tensors))


def _warn(why: str) -> None:
    warnings.warn(
        f"On torch a function that should be compiled runs as plain Python, more slowly: {why}. Write it with "
        "polykeras.ops over polykeras variables to have it compiled.",
        RuntimeWarning,
        stacklevel=3,
    )


class Unrecorded:
    """A function of a list of tensors whose run cannot be repeated: each call runs it as plain Python.

    Args:
        fn: the function.
        donated: how many of the first tensors are donated.
        changed: the arguments that native code in it changes in place. They belong to the caller, so it gets copies.
    """

    def __init__(self, fn: Callable[[Sequence[Tensor]], Any], donated: int, changed: Sequence[int]) -> None:
        self._fn, self._donated, self._changed = fn, donated, changed

    def is_valid(self) -> bool:
        """Return True: it depends on nothing but its arguments."""
        return True

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        """Return what the function returns for these tensors."""
        return _plainly(self._fn, with_copies(tensors, self._changed), self._donated)


class Recording:
    """A function of a list of tensors that has run once. Calling it repeats the recorded calls.

    Args:
        recorder: the recorder after its run.
        modules: the torch modules that it called.
        inputs: the number of tensors.
        donated: how many of the first tensors are donated.
        leaves: the results of the run.
        outputs: the slots of the results that are tensors, by index.
        definition: the tree of the results.
        advances: whether `advance` will be called, for the donated state alone.
    """

    def __init__(
        self,
        recorder: Recorder,
        modules: Modules,
        inputs: int,
        donated: int,
        leaves: Sequence[Any],
        outputs: dict[int, Slot],
        definition: Any,
        advances: bool,
    ) -> None:
        self._donated = donated
        self._definition = definition
        self._places = list(outputs)
        self._template = [None if i in outputs else leaf for i, leaf in enumerate(leaves)]
        small = wants_one_thread(recorder.instructions, recorder.tensors)
        self._wants_one_thread = small and fast.enabled("one-thread")
        if self._wants_one_thread:
            fast.explain("what was recorded on torch", "computed by one thread", "its products are too small for two")
        self._make_context: Callable[[], AbstractContextManager[Any]] | None = self._context_maker()
        self._modules = modules
        self._foreign = ForeignMemory(recorder.foreign())
        slots = list(outputs.values())
        written = written_memory(recorder.instructions, recorder.tensors)
        self._changed = [i for i in range(donated, inputs) if recorder.tensors[i].memory in written]
        self._program: Program = compile_program(recorder, inputs, slots, range(donated))
        self._repetition: Repetition | None = None
        if advances and self._places[:donated] == list(range(donated)):
            self._repetition = compile_repetition(recorder, inputs, slots[:donated])

    def is_valid(self) -> bool:
        """Return whether the called modules are unchanged, and the memory of foreign tensors is in place."""
        return self._modules.is_valid() and self._foreign.is_valid()

    def _context_maker(self) -> Callable[[], AbstractContextManager[Any]] | None:
        """Return a function that makes the context for kernels, or None if the present one will do."""
        wanted = {
            settings_applied: has_settings(),
            one_thread: self._wants_one_thread,
            # Some kernels keep what `backward` needs only if gradients are enabled, as they were within the step.
            torch.enable_grad: not torch.is_grad_enabled(),
        }
        makers = [make for make, is_wanted in wanted.items() if is_wanted]
        if len(makers) < 2:
            return makers[0] if makers else None

        def together() -> AbstractContextManager[Any]:
            stack = ExitStack()
            for make in makers:
                stack.enter_context(make())
            return stack

        return together

    def _kernel_context(self) -> AbstractContextManager[Any]:
        return _AS_IT_IS if self._make_context is None else self._make_context()

    @property
    def can_advance(self) -> bool:
        """Whether `advance` is available: the recording can be repeated, with results of the same shapes."""
        return self._repetition is not None

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        """Return what the function returns for these tensors."""
        tensors = with_copies(tensors, self._changed)
        with below_autograd(), self._kernel_context():
            results = self._program(tensors)
        if len(results) != len(self._template):
            filled = list(self._template)
            for place, value in zip(self._places, results, strict=True):
                filled[place] = value
            results = filled
        return nested.unflatten(self._definition, results)

    def advance(self, state: list[Tensor], batches: Iterator[Sequence[Tensor]], times: int) -> list[Tensor]:
        """Repeat the recording several times, each time with the state that the previous time returned.

        Args:
            state: the first tensors; the list is emptied.
            batches: the tensors after the state, one item for each repetition.
            times: the number of repetitions.

        Returns:
            The new state.
        """
        assert self._repetition is not None  # see `can_advance`
        if self._changed:
            columns = [i - self._donated for i in self._changed]
            batches = (with_copies(batch, columns) for batch in batches)
        with below_autograd(), self._kernel_context():
            return self._repetition(state, islice(batches, times))


def if_valid(recording: Recording | Unrecorded | None) -> Recording | Unrecorded | None:
    """Return a recording if it may be repeated, or None if it is missing or out of date."""
    return recording if recording is not None and recording.is_valid() else None


def record(
    fn: Callable[[Sequence[Tensor]], Any],
    tensors: Sequence[Tensor],
    donated: int = 0,
    advances: bool = False,
    when_recorded: Callable[[Recorder, list[Slot]], None] | None = None,
) -> tuple[Any, Recording | Unrecorded]:
    """Run a function, and return its result and a faster form that repeats it.

    Args:
        fn: a pure function of a list of tensors that returns a tree. If the run cannot be repeated, a warning says so
            and each call runs `fn` itself.
        tensors: the arguments, row-major.
        donated: how many of the first tensors are donated. If any, `fn` returns first a list of as many tensors.
        advances: whether `Recording.advance` will be called, for the state alone.
        when_recorded: called with the recorder and the slots of the results if the run can be repeated.
    """
    others = range(donated, len(tensors))
    if not can_record():
        given = with_copies(tensors, others)
        result = _plainly(fn, given, donated)
        return result, Unrecorded(fn, donated, written_to(given, others))
    # The recorder identifies tensors by their memory. Nobody else holds donated tensors. The function may hold views of
    # the others, so these are always copied.
    inputs = [*own(tensors[:donated], set()), *(x.clone() for x in tensors[donated:])]
    modules = Modules()
    with without_autocast_cache(), HostDraws() as host, modules, Recorder(inputs, donated) as recorder:
        leaves, definition = nested.flatten_with_def(_run(fn, inputs, recorder))
        with without_functions():  # a mode of functions would tell the recorder about every access to tensors here
            leaves = _owned(leaves, inputs, donated, recorder)
            arrays = [(i, leaf) for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
            outputs = recorder.followed(lambda: {i: recorder.output(leaf) for i, leaf in arrays})
    recorder.followed(recorder.finish)
    if host.names:
        recorder.refuse("random numbers of Python or NumPy are drawn in it, as they would be in each run")
    if parametrizations_are_cached():
        recorder.refuse("parametrized weights of modules are kept (`parametrize.cached`)")
    recorder.followed(lambda: recorder.refuse(why) if (why := modules.why_not()) else None)
    changed = written_to(inputs, others)
    recording: Recording | Unrecorded | None = recorder.followed(
        lambda: Recording(recorder, modules, len(tensors), donated, leaves, outputs or {}, definition, advances)
    )
    if recording is None or recorder.refused:
        if recorder.refused != CUT:
            _warn(recorder.refused or "nothing was recorded")
        recording = Unrecorded(fn, donated, changed)
    elif when_recorded is not None:
        when_recorded(recorder, list((outputs or {}).values()))
    return nested.unflatten(definition, leaves), recording


def _owned(leaves: Sequence[Any], inputs: Sequence[Tensor], donated: int, recorder: Recorder) -> list[Any]:
    """Return the results of a run in memory that callers may keep."""
    if any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in leaves):
        recorder.refuse("its result is to be differentiated by torch itself")
        return list(leaves)
    return own(leaves, memory(inputs[donated:]), recorder)


def _run(fn: Callable[[Sequence[Tensor]], Any], inputs: Sequence[Tensor], recorder: Recorder) -> Any:
    """Return the results of a function. If it raises, the donated state is restored."""
    try:
        return fn(inputs)
    except BaseException:
        recorder.guarded.restore()
        raise


def _plainly(fn: Callable[[Sequence[Tensor]], Any], tensors: Sequence[Tensor], donated: int) -> Any:
    """Return the results of a function, in memory that differs from that of its arguments that are not donated."""
    leaves, definition = nested.flatten_with_def(fn(tensors))
    return nested.unflatten(definition, own(leaves, memory(tensors[donated:])))
