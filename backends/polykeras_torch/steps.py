"""Chunks of training steps: loops over what was recorded for batches of one shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from polykeras import tree
from polykeras.backend.execution import State, Step, StepParts
from polykeras_torch.batches import batches_at
from polykeras_torch.replay import Recording, contiguous, is_watched, record, signature
from polykeras_torch.subnormals import subnormals_as_zero

_TOGETHER = 64  # steps that are looked at in one go at most
_SEEN = 4 * 2**20  # bytes that are kept for that at most

Batches = Iterable[tuple[Tensor, ...]]
Flat = Callable[[Sequence[Tensor]], Any]


class Steps:
    """The runner of a training step."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._loops: dict[Hashable, Any] = {}

    def __call__(self, state: State, data: Any, indices: Any, start: int, stop: int) -> tuple[State, Any]:
        columns, definition = tree.flatten_with_def(data)
        state = contiguous(state)
        batches = batches_at(columns, indices, start, stop)
        with subnormals_as_zero():
            if is_watched([*state, *columns]):
                logs: Any = None
                for batch in batches:
                    state, logs = self._step(state, tree.unflatten(definition, list(batch)))
                return state, logs
            key = (definition, indices.shape[1], signature(state), signature([column[:1] for column in columns]))
            if key not in self._loops:
                self._loops[key] = self._loop(len(state), definition)
            return self._loops[key].run(state, batches, stop - start)

    def _loop(self, size: int, definition: Any) -> Any:
        """Return what runs steps over batches of one shape and structure, with so many tensors of state."""
        return _Loop(_flat(self._step, size, definition))


class StepsInParts(Steps):
    """The runner of a step that comes in parts: what only looks on does so once for several steps."""

    def __init__(self, step: Step, parts: StepParts) -> None:
        super().__init__(step)
        self._parts = parts

    def _loop(self, size: int, definition: Any) -> Any:
        return _LoopInParts(_flat(self._parts.step, size, definition), self._parts)


class _Loop:
    """Repeats a step; of all but the last one only the new state is computed."""

    def __init__(self, step: Flat) -> None:
        self._step = step
        self._recording: Recording | None = None

    def run(self, state: State, batches: Batches, steps: int) -> tuple[State, Any]:
        packs: list[Tensor] | None = None
        logs: Any = None
        for left, batch in zip(range(steps - 1, -1, -1), batches, strict=True):
            if self._recording is None:
                tensors = [*state, *batch]
                (state, logs), self._recording = record(self._step, tensors, donated=len(state), advances=True)
            elif left:
                packs = self._recording.pack(state) if packs is None else packs
                state = self._recording.advance([*state, *batch], packs)
            else:
                if packs is not None:
                    self._recording.unpack(state)
                state, logs = self._recording([*state, *batch])
        return state, logs


class _LoopInParts:
    """Repeats a step, and looks at what was seen in several of them at once."""

    def __init__(self, step: Flat, parts: StepParts) -> None:
        self._step = step
        self._parts = parts
        self._recording: Recording | None = None
        self._looks: dict[int, Recording] = {}  # by the number of steps
        self._report: Recording | None = None
        self._seen: Any = None  # its structure
        self._together = 1

    def run(self, state: State, batches: Batches, steps: int) -> tuple[State, Any]:
        packs: list[Tensor] | None = None
        waiting: list[list[Tensor]] = []
        size = len(state)
        for batch in batches:
            tensors = [*state, *batch]
            if self._recording is None:
                (state, seen), self._recording = record(self._step, tensors, donated=size, lends=True)
                leaves, self._seen = tree.flatten_with_def(seen)
                self._together = max(1, min(_TOGETHER, _SEEN // max(1, sum(leaf.nbytes for leaf in leaves))))
                waiting.append(leaves)
            else:
                if packs is None:
                    packs = self._recording.pack(state)
                    tensors[:size] = state
                results = self._recording.leaves(tensors, packs)
                state = results[:size]
                waiting.append(results[size:])
            if len(waiting) == self._together:
                self._look_at(state, waiting)
                waiting = []
        self._look_at(state, waiting)
        if packs is not None and self._recording is not None:
            self._recording.unpack(state)
        return state, self._logs(state)

    def _look_at(self, state: State, waiting: list[list[Tensor]]) -> None:
        """Look at all that waits, in groups of few sizes: there is a recording for each size."""
        while waiting:
            steps = 4 ** (math.frexp(len(waiting))[1] - 1 >> 1)  # the largest power of 4 that fits
            self._look(state, waiting[:steps])
            waiting = waiting[steps:]

    def _look(self, state: State, waiting: Sequence[Sequence[Tensor]]) -> None:
        """Exchange in the state what depends on what was seen."""
        steps = len(waiting)
        seen = waiting[0] if steps == 1 else [torch.cat(parts) for parts in zip(*waiting, strict=True)]
        tensors = [*state, *seen]
        if steps in self._looks:
            changes, _ = self._looks[steps](tensors)
        else:
            look = _flat(self._parts.look, len(state), self._seen)
            (changes, _), self._looks[steps] = record(look, tensors)
        for place, value in changes.items():
            state[place] = value

    def _logs(self, state: State) -> Any:
        if self._report is not None:
            return self._report(state)[1]
        (_, logs), self._report = record(lambda tensors: self._parts.report(list(tensors)), state)
        return logs


def _flat(function: Callable[[State, Any], Any], size: int, definition: Any) -> Flat:
    """Return a function of a state of a size and of a tree as one of a list of tensors."""
    return lambda tensors: function(list(tensors[:size]), tree.unflatten(definition, tensors[size:]))
