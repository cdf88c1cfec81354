"""Chunks of training steps: loops over what was recorded for batches of one shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any

import torch
from torch import Tensor

from polykeras.backend.steps import State, Step, StepParts, check_state, kinds_of
from polykeras.common import nested
from polykeras.common.lru_cache import LRUCache
from polykeras_torch.arrays import NAMES
from polykeras_torch.batches import Batches, Data
from polykeras_torch.compiler.global_state import global_state
from polykeras_torch.compiler.replay import Recording, are_blocks, contiguous, current, is_watched, record, signature
from polykeras_torch.private import below_autograd
from polykeras_torch.subnormals import subnormals_as_zero

# Steps that are looked at in one go at most. A look's kernels are cold each time: an AUC's takes 0.4 ms for 64 small
# steps and 0.75 for 256.
_TOGETHER = 256
_SEEN = 4 * 2**20  # bytes that are kept for that at most: they stay in the cache, and are little beside a model's own

Flat = Callable[[Sequence[Tensor]], Any]


class Steps:
    """The runner of a training step."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._loops: LRUCache[_Loop | _LoopInParts] = LRUCache()

    def __call__(self, state: State, data: Any, indices: Any, start: int, stop: int) -> tuple[State, Any]:
        if torch.is_inference_mode_enabled():  # its tensors could not be differentiated
            with torch.inference_mode(False):
                return self(state, data, indices, start, stop)
        data = data if isinstance(data, Data) else Data(data)
        batches = Batches(data, indices, start, stop)
        with subnormals_as_zero():
            if is_watched([*state, *data.columns]):
                return self._plainly(state, data.definition, batches)
            key = (data.definition, data.kind, indices.shape[1], signature(state), global_state())
            if (loop := self._loops.get(key)) is None:
                if not are_blocks([*state, *data.columns]):
                    return self._plainly(state, data.definition, batches)
                loop = self._loops.put(key, self._loop(len(state), data.definition))
            return loop.run(contiguous(state), batches)

    def _plainly(self, state: State, definition: Any, batches: Batches) -> tuple[State, Any]:
        logs: Any = None
        for batch in batches:
            state, logs = self._step(state, nested.unflatten(definition, list(batch)))
        return state, logs

    def _loop(self, size: int, definition: Any) -> _Loop | _LoopInParts:
        """Return what runs steps over batches of one shape and structure, with so many tensors of state."""
        return _Loop(_flat(self._step, size, definition))


class StepsInParts(Steps):
    """The runner of a step that comes in parts: what only looks on does so once for several steps."""

    def __init__(self, step: Step, parts: StepParts) -> None:
        super().__init__(step)
        self._parts = parts

    def _loop(self, size: int, definition: Any) -> _Loop | _LoopInParts:
        return _LoopInParts(_flat(self._parts.step, size, definition), self._parts)


class _Loop:
    """Repeats a step; of all but the last one only the new state is computed."""

    def __init__(self, step: Flat) -> None:
        self._step = step
        self._recording: Recording | None = None

    def run(self, state: State, batches: Batches) -> tuple[State, Any]:
        self._recording = current(self._recording)
        left, logs, steps = _left(batches, self._recording), None, len(batches)
        if self._recording is None:
            tensors = [*state, *next(left)]
            (state, logs), self._recording = record(self._step, tensors, donated=len(state), advances=True)
            steps -= 1
        if steps > 1 and self._recording.can_advance:
            packs = self._recording.pack(state)
            state = self._recording.advance(state, packs, repeat((), steps - 1), left)
            self._recording.unpack(state)
        for batch in left:
            state, logs = self._recording([*state, *batch])
        return state, logs


class _Room:
    """Room for what is seen in several steps, one after the other.

    What a step makes has its place in memory that is used again and again: kept as it is it would take what was freed
    of larger results, whose next memory then is not in the cache, and a step of 0.15 ms would be 3 % longer. Arrays of
    the batch are not kept at all, as holding them costs a small step as much; they are gathered again.

    Args:
        leaves: what is seen in one step, and in each other one in the same shapes; the first axis is the batch's.
        columns: which of the batch's arrays a leaf is, by its place; a step makes those that are none.
        steps: how many there is to be room for.

    Attributes:
        steps: as given.
        places: for each step, a tensor for each leaf that it makes.
        waiting: how many steps wait to be looked at.
    """

    def __init__(self, leaves: Sequence[Tensor], columns: dict[int, int], steps: int) -> None:
        self.steps = steps
        self.waiting = 0
        self._count = len(leaves)
        self._columns = columns
        self._made = [i for i in range(len(leaves)) if i not in columns]
        self._rows = [len(leaves[i]) for i in self._made]
        self._wholes = [leaves[i].new_empty((steps * len(leaves[i]), *leaves[i].shape[1:])) for i in self._made]
        splits = [whole.split(rows) for whole, rows in zip(self._wholes, self._rows, strict=True)]
        self.places = [[split[place] for split in splits] for place in range(steps)]

    def put(self, leaves: Sequence[Tensor]) -> None:
        """Copy what is kept of one step to its place in the room.

        Args:
            leaves: all tensors that were seen in the step.
        """
        with below_autograd():
            for room, i in zip(self.places[self.waiting], self._made, strict=True):
                room.copy_(leaves[i])
        self.waiting += 1

    def part(self, batches: Batches, done: int, start: int, steps: int) -> list[Tensor]:
        """Return what was seen in some steps.

        Args:
            batches: of the chunk.
            done: how many of its steps are done; the last of them are those that wait.
            start: the first step, among those that wait.
            steps: how many.
        """
        bounds = [(start * rows, (start + steps) * rows) for rows in self._rows]
        made = iter([whole[first:last] for whole, (first, last) in zip(self._wholes, bounds, strict=True)])
        first = done - self.waiting + start
        columns = self._columns
        return [batches.joined(columns[i], first, steps) if i in columns else next(made) for i in range(self._count)]


class _LoopInParts:
    """Repeats a step, and looks at what was seen in several of them at once."""

    def __init__(self, step: Flat, parts: StepParts) -> None:
        self._step = step
        self._parts = parts
        self._recording: Recording | None = None
        self._looks: dict[int, Recording] = {}  # by the number of steps
        self._report: Recording | None = None
        self._structure: Any = None  # of what is seen
        self._room: _Room | None = None  # none where each step is looked at by itself

    def run(self, state: State, batches: Batches) -> tuple[State, Any]:
        done = 0
        if self._room is not None:
            self._room.waiting = 0  # of a chunk that failed
        self._recording = current(self._recording)
        left = iter(batches) if self._room is None else _left(batches, self._recording)
        if self._recording is None:
            tensors, size = [*state, *next(left)], len(state)
            (state, seen), recording = record(self._step, tensors, donated=size, lends=True)
            leaves, self._structure = nested.flatten_with_def(seen)
            self._room = self._room_for(leaves, recording, size)
            self._recording = recording
            self._see(state, leaves)
            done += 1
        if len(batches) - done > 1 and self._room is not None:
            state = self._advance(state, batches, left, done, self._recording, self._room)
            done = len(batches)
        for batch in left:  # one step, or steps with large results: not worth packs
            state, seen = self._recording([*state, *batch])
            self._see(state, nested.flatten(seen))
            done += 1
        if self._room is not None:
            self._look_at(state, self._room, batches, done)
        return state, self._logs(self._parts.part(state))

    def _advance(
        self,
        state: State,
        batches: Batches,
        left: Iterator[tuple[Tensor, ...]],
        done: int,
        recording: Recording,
        room: _Room,
    ) -> State:
        """Run the steps that are left, whose results find room; look at these when that is full, and at the end."""
        packs = recording.pack(state)
        while done < len(batches):
            places = room.places[room.waiting :][: len(batches) - done]
            state = recording.advance(state, packs, places, left)
            done += len(places)
            room.waiting += len(places)
            self._look_at(state, room, batches, done)
        recording.unpack(state)
        return state

    def _see(self, state: State, leaves: Sequence[Tensor]) -> None:
        """Keep what was seen in one step, of which few are alone in a chunk, or look at it at once."""
        if self._room is None:
            self._look(state, 1, leaves)
        else:
            self._room.put(leaves)

    def _room_for(self, leaves: Sequence[Tensor], recording: Recording, size: int) -> _Room | None:
        steps = min(_TOGETHER, _SEEN // max(1, sum(leaf.nbytes for leaf in leaves)))
        columns = {place - size: column for place, column in recording.handed.items()}
        return _Room(leaves, columns, steps) if recording.can_advance and steps > 1 else None

    def _look_at(self, state: State, room: _Room, batches: Batches, done: int) -> None:
        """Look at all that waits after some steps, in groups of few sizes: there is a recording for each size."""
        start = 0
        while start < room.waiting:
            steps = 4 ** (((room.waiting - start).bit_length() - 1) // 2)  # the largest power of 4 that fits
            self._look(state, steps, room.part(batches, done, start, steps))
            start += steps
        room.waiting = 0

    def _look(self, state: State, steps: int, seen: Sequence[Tensor]) -> None:
        """Exchange in the state what depends on what was seen in some steps."""
        known = self._parts.part(state)
        tensors = [*known, *seen]
        if (known_look := current(self._looks.get(steps))) is not None:
            part, _ = known_look(tensors)
        else:
            assert self._parts.look is not None  # or these steps would not be in parts
            look = _flat(self._parts.look, len(known), self._structure)
            (part, _), self._looks[steps] = record(look, tensors, donated=len(known))
        self._parts.exchange(state, part)

    def _logs(self, part: State) -> Any:
        if (known_report := current(self._report)) is not None:
            return known_report(part)
        logs, self._report = record(lambda tensors: self._parts.report(list(tensors))[1], part)
        return logs


def _left(batches: Batches, recording: Recording | None) -> Iterator[tuple[Tensor, ...]]:
    """Return the batches of a chunk, kept ones for kernels alone: where nothing is recorded, users' code gets them."""
    return batches.kept() if recording is not None and recording.can_advance else iter(batches)


def _flat(function: Callable[[State, Any], Any], size: int, definition: Any) -> Flat:
    """Return a step with a state of a size and a batch of a tree as a function of a list of tensors."""

    def flat(tensors: Sequence[Tensor]) -> Any:
        state = list(tensors[:size])
        kinds = kinds_of(state, NAMES.__getitem__)
        new, given = function(state, nested.unflatten(definition, tensors[size:]))
        check_state(kinds, kinds_of(new, NAMES.__getitem__))
        return new, given

    return flat
