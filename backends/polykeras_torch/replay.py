"""Recording a function of a list of tensors, and repeating it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import ref

from torch import Tensor

from polykeras import fast, tree
from polykeras_torch.nodes import Slot
from polykeras_torch.packing import Pack, lay_side_by_side, take_apart
from polykeras_torch.private import below_autograd, can_record, count_modes, is_transformed, storage_of, version_of
from polykeras_torch.program import Program, Repetition, compile_program, compile_repetition
from polykeras_torch.recorder import Recorder
from polykeras_torch.rewriting import written_memory
from polykeras_torch.threads import one_thread, wants_one_thread

_AS_MANY = nullcontext()


def signature(tensors: Sequence[Tensor]) -> tuple[Hashable, ...]:
    """Return what a recording is good for: dtypes, shapes and devices."""
    return tuple([(x.dtype, x.shape, x.device) for x in tensors])


def contiguous(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors in row-major order, for which everything is recorded."""
    return [x.contiguous() for x in tensors]


def is_watched(tensors: Sequence[Tensor]) -> bool:
    """Return whether somebody else looks on: an outer recording, autograd, `torch.func`, or another mode of torch."""
    return count_modes() > 0 or is_transformed() or any(x.requires_grad for x in tensors)


class Recording:
    """A function of a list of tensors that has run once; calling it repeats what it did.

    Args:
        fn: the function. It is called itself where the run cannot be repeated.
        recorder: has run; None where the run cannot be repeated.
        inputs: the number of tensors.
        donated: how many of the first tensors give their memory away.
        leaves: the results of the run.
        outputs: the slots of those results that are tensors, by place.
        definition: the tree of the results.
        advances: how many of the first results `advance` computes; 0 where it is not going to be called.
        changed: the arguments that native code in a run that cannot be repeated changes in place: they are the
            caller's, and it gets copies.

    Attributes:
        handed: of the results after the state (the donated tensors) those that are arguments, handed through as they
            were: by place, which of the arguments after the donated ones. The others `advance` puts into given memory.
    """

    def __init__(
        self,
        fn: Callable[[Sequence[Tensor]], Any],
        recorder: Recorder | None,
        inputs: int,
        donated: int,
        leaves: Sequence[Any],
        outputs: dict[int, Slot],
        definition: Any,
        advances: int = 0,
        changed: Sequence[int] = (),
    ) -> None:
        self._fn = fn
        self._donated = donated
        self._definition = definition
        self._places = list(outputs)
        self._template = [None if i in outputs else leaf for i, leaf in enumerate(leaves)]
        self._program: Program | None = None
        self._repetition: Repetition | None = None
        self._packs: list[Pack] = []
        self.handed: dict[int, int] = {}
        self._wants_one_thread = recorder is not None and wants_one_thread(recorder.nodes, recorder.seen)
        if self._wants_one_thread:
            fast.explain("what was recorded on torch", "computed by one thread", "its products are too small for two")
        self._changed = list(changed)
        self._folded: list[tuple[ref[Tensor], int]] = []
        if recorder is None:
            return
        self._folded = recorder.folded()
        slots = list(outputs.values())
        written = written_memory(recorder.nodes, recorder.seen)
        self._changed = [i for i in range(donated, inputs) if recorder.seen[i].memory in written]
        self._program = compile_program(recorder, inputs, slots, range(donated))
        if advances and self._places[:advances] == list(range(advances)):
            others = range(donated, advances)
            numbers = {i: slots[i].number for i in others}
            self.handed = {
                i: number - donated
                for i, number in numbers.items()
                if number < inputs and recorder.seen[number].memory not in written
            }
            placed = [slots[i] for i in others if i not in self.handed]
            self._repetition = compile_repetition(recorder, inputs, slots[:donated], placed)
            self._packs = self._repetition.packs

    def _holds(self) -> bool:
        """Return whether tensors that others hold, of which constants were computed, are as they were.

        A layer's own tensor, for instance, that somebody changes in place between two steps.
        """
        return all((held := tensor()) is None or version_of(held) == version for tensor, version in self._folded)

    def _threads(self) -> AbstractContextManager[None]:
        return one_thread() if self._wants_one_thread else _AS_MANY

    @property
    def can_advance(self) -> bool:
        """Whether there is `advance`: what was recorded can be repeated, with results of the same shapes."""
        return self._repetition is not None

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        """Return what the function returns for these tensors."""
        tensors = _with_copies(tensors, self._changed)
        if self._program is None:
            return _plainly(self._fn, tensors, self._donated)
        with below_autograd(), self._threads():
            results = self._program(tensors)
        if len(results) != len(self._template):
            filled = list(self._template)
            for place, value in zip(self._places, results, strict=True):
                filled[place] = value
            results = filled
        return tree.unflatten(self._definition, results)

    def advance(
        self,
        state: list[Tensor],
        packs: Sequence[Tensor],
        places: Iterable[Sequence[Tensor]],
        batches: Iterator[Sequence[Tensor]],
    ) -> list[Tensor]:
        """Repeat what was recorded several times, each time with the state that the time before returned.

        Args:
            state: the first tensors, which were given to `pack`; the list is emptied.
            packs: what `pack` returned.
            places: for each time a tensor for each result that is not handed through, which takes its values.
            batches: the tensors after the state; as many are taken as there are places.

        Returns:
            The new state.
        """
        assert self._repetition is not None  # see `can_advance`
        if self._changed:
            columns = [i - self._donated for i in self._changed]
            batches = (_with_copies(batch, columns) for batch in batches)
        with below_autograd(), self._threads():
            return self._repetition.run(state, packs, places, batches)

    def pack(self, state: list[Tensor]) -> list[Tensor]:
        """Give the state the layout that `advance` wants, within the list, and return the packs for it."""
        return lay_side_by_side(state, self._packs)

    def unpack(self, state: list[Tensor]) -> None:
        """Give each tensor of the state memory of its own again, within the list."""
        take_apart(state, self._packs)


def current(recording: Recording | None) -> Recording | None:
    """Return a recording where it may be repeated; None where there is none, or it is out of date."""
    return recording if recording is not None and recording._holds() else None


def record(
    fn: Callable[[Sequence[Tensor]], Any],
    tensors: Sequence[Tensor],
    donated: int = 0,
    advances: bool = False,
    lends: bool = False,
) -> tuple[Any, Recording]:
    """Run a function, and return its result and a form of it that is repeated faster.

    Args:
        fn: a pure function of a list of tensors that returns a tree. It runs itself in each call where the run cannot
            be repeated, which a warning tells.
        tensors: row-major.
        donated: how many of the first tensors give their memory away; in their place, `fn` returns first a list of as
            many.
        advances: whether `Recording.advance` is going to be called, for the state alone.
        lends: whether it is, for all results, and those after the state may lie in the memory of arguments.
    """

    others = range(donated, len(tensors))
    if not can_record():
        given = _with_copies(tensors, others)
        result, changed = _plainly(fn, given, donated), _written_to(given, others)
        return result, Recording(fn, None, len(tensors), donated, [], {}, None, changed=changed)
    # The recorder knows tensors by their memory. What is donated nobody else holds; of the others the function may hold
    # views, so that they are copied always.
    inputs = [*_own(tensors[:donated], set()), *(x.clone() for x in tensors[donated:])]
    with Recorder(inputs, donated) as recorder:
        leaves, definition = tree.flatten_with_def(_run(fn, inputs, recorder))
        if any(isinstance(leaf, Tensor) and leaf.requires_grad for leaf in leaves):
            recorder.refuse("its result is to be differentiated by torch itself")
        else:
            count = donated if lends else len(leaves)
            owned = _own(leaves[:count], {storage_of(x) for x in inputs[donated:]}, recorder)
            lent = {storage_of(x) for x in (*inputs[:donated], *owned[:donated])}
            leaves = [*owned, *(_own([x], lent, recorder)[0] for x in leaves[count:])]
        outputs = {i: recorder.slot(leaf) for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
    if recorder.refused:
        warnings.warn(
            f"On torch a function that was to be compiled runs as plain Python, more slowly: {recorder.refused}. Write "
            "it with polykeras.ops over polykeras variables to have it compiled.",
            RuntimeWarning,
            stacklevel=2,
        )
    kept = None if recorder.refused else recorder
    advanced = len(leaves) if lends else donated if advances else 0
    changed = _written_to(inputs, others)
    recording = Recording(fn, kept, len(tensors), donated, leaves, outputs, definition, advanced, changed)
    return tree.unflatten(definition, leaves), recording


def _run(fn: Callable[[Sequence[Tensor]], Any], inputs: Sequence[Tensor], recorder: Recorder) -> Any:
    """Return what a function returns; where it raises, native code in it has not changed the donated state."""
    try:
        return fn(inputs)
    except BaseException:
        recorder.restore()
        raise


def _own(leaves: Sequence[Any], taken: set[int], recorder: Recorder | None = None) -> list[Any]:
    """Return results that callers may own: row-major, no two in the same memory, none in memory that is taken.

    Args:
        leaves: the results.
        taken: the storages of others.
        recorder: that sees it; then no result is in the memory of a constant either.
    """
    taken = set(taken)
    result = []
    for leaf in leaves:
        if isinstance(leaf, Tensor):
            leaf = leaf.contiguous()
            shared = storage_of(leaf) in taken or leaf.untyped_storage().nbytes() != leaf.nbytes
            if shared or (recorder is not None and recorder.is_constant(leaf)):
                leaf = leaf.clone() if recorder is None else recorder.copy(leaf)
            taken.add(storage_of(leaf))
        result.append(leaf)
    return result


def _plainly(fn: Callable[[Sequence[Tensor]], Any], tensors: Sequence[Tensor], donated: int) -> Any:
    """Return what a function returns, in memory that is not that of its (undonated) arguments."""
    leaves, definition = tree.flatten_with_def(fn(tensors))
    return tree.unflatten(definition, _own(leaves, {storage_of(x) for x in tensors[donated:]}))


def _written_to(copies: Sequence[Tensor], places: Sequence[int]) -> list[int]:
    """Return which of fresh copies were changed in place; in inference mode nobody counts that."""
    return [i for i in places if copies[i].is_inference() or version_of(copies[i]) > 0]


def _with_copies(tensors: Sequence[Tensor], places: Sequence[int]) -> Sequence[Tensor]:
    """Return tensors of which some are copies."""
    if not places:
        return tensors
    result = list(tensors)
    for i in places:
        result[i] = result[i].clone()
    return result
