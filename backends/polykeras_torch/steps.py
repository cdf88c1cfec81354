"""Chunks of training steps: loops over the recording for batches of one shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from polykeras.backend.steps import PureStep, State, check_state, specs_of
from polykeras.common import nested
from polykeras.common.lru_cache import LRUCache
from polykeras_torch.arrays import NAMES
from polykeras_torch.batches import Batches, Data
from polykeras_torch.compiler.global_state import global_state
from polykeras_torch.compiler.replay import (
    Recording,
    Unrecorded,
    are_blocks,
    contiguous,
    if_valid,
    is_watched,
    record,
    signature,
)

Flat = Callable[[Sequence[Tensor]], Any]


class StepLoop:
    """Runs a training step."""

    def __init__(self, step: PureStep) -> None:
        self._step = step
        self._loops: LRUCache[_Repeated] = LRUCache()

    def __call__(self, state: State, data: Any, indices: Any, start: int, stop: int) -> tuple[State, Any]:
        if torch.is_inference_mode_enabled():  # its tensors could not be differentiated
            with torch.inference_mode(False):
                return self(state, data, indices, start, stop)
        data = Data(data)
        batches = Batches(data, indices, start, stop)
        if is_watched([*state, *data.columns]):
            return self._plainly(state, data.definition, batches)
        key = (data.definition, data.signature, indices.shape[1], signature(state), global_state())
        if (loop := self._loops.get(key)) is None:
            if not are_blocks([*state, *data.columns]):
                return self._plainly(state, data.definition, batches)
            loop = self._loops.put(key, _Repeated(_flat(self._step, len(state), data.definition)))
        return loop.run(contiguous(state), batches)

    def _plainly(self, state: State, definition: Any, batches: Batches) -> tuple[State, Any]:
        logs: Any = None
        for batch in batches:
            state, logs = self._step(state, nested.unflatten(definition, list(batch)))
        return state, logs


class _Repeated:
    """Repeats a step. Only the last step computes its logs; the others compute the new state alone."""

    def __init__(self, step: Flat) -> None:
        self._step = step
        self._recording: Recording | Unrecorded | None = None

    def run(self, state: State, batches: Batches) -> tuple[State, Any]:
        self._recording = if_valid(self._recording)
        left, logs, steps = iter(batches), None, len(batches)
        if self._recording is None:
            tensors = [*state, *next(left)]
            (state, logs), self._recording = record(self._step, tensors, donated=len(state), advances=True)
            steps -= 1
        if steps > 1 and isinstance(self._recording, Recording) and self._recording.can_advance:
            state = self._recording.advance(state, left, steps - 1)
        for batch in left:
            state, logs = self._recording([*state, *batch])
        return state, logs


def _flat(function: Callable[[State, Any], Any], size: int, definition: Any) -> Flat:
    """Return a step, with a state of `size` arrays and a batch of a tree, as a function of a list of tensors."""

    def flat(tensors: Sequence[Tensor]) -> Any:
        state = list(tensors[:size])
        specs = specs_of(state, NAMES.__getitem__)
        new, given = function(state, nested.unflatten(definition, tensors[size:]))
        check_state(specs, specs_of(new, NAMES.__getitem__))
        return new, given

    return flat
