"""Execution: a function runs once under a recorder, and from then on as the flat list of kernels that was seen."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polykeras import tree
from polykeras.backend.execution import ExecutionMethods, State, Step, StepRunner
from polykeras_torch.indexing import select
from polykeras_torch.replay import Recorded, contiguous, is_watched, record, signature


class TorchExecution(ExecutionMethods):
    """Functions of trees become programs over flat lists of tensors, one a set of shapes and dtypes."""

    def is_compiled(self) -> bool:
        return True

    def compile(self, fn: Callable[..., Any], donate_first: bool = False) -> Callable[..., Any]:
        return _Compiled(self, fn)

    def compile_steps(self, step: Step) -> StepRunner:
        return _Steps(step)

    def synchronize(self, x: Any = None) -> None:
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.synchronize()
        elif torch.backends.mps.is_available():
            torch.mps.synchronize()

    def seed_framework(self, seed: int) -> None:
        torch.manual_seed(seed)

    def place(self, x: Any) -> Tensor:
        array = self.asarray(x).detach()
        shares = isinstance(x, (np.ndarray, Tensor)) and array.device.type == "cpu"
        return array.clone(memory_format=torch.contiguous_format) if shares else array


class _Compiled:
    """A function of trees, recorded once for each structure, set of shapes and dtypes, and other (static) leaves."""

    def __init__(self, backend: ExecutionMethods, fn: Callable[..., Any]) -> None:
        self._backend = backend
        self._fn = fn
        self._recorded: dict[Hashable, Recorded] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves, definition = tree.flatten_with_def((args, kwargs))
        tensors: list[Tensor] = []
        statics: dict[int, Any] = {}
        for place, leaf in enumerate(leaves):
            if isinstance(leaf, Tensor):
                tensors.append(leaf)
            elif isinstance(leaf, (bool, int, float, complex)) or hasattr(leaf, "dtype"):
                tensors.append(self._backend.asarray(leaf))
            else:
                statics[place] = leaf
        if is_watched(tensors):
            return self._fn(*args, **kwargs)
        tensors = contiguous(tensors)
        key = (definition, tuple(statics.items()), signature(tensors))
        if key in self._recorded:
            return self._recorded[key](tensors)

        def flat(tensors: Sequence[Tensor]) -> Any:
            rest = iter(tensors)
            args, kwargs = tree.unflatten(
                definition, [statics[i] if i in statics else next(rest) for i in range(len(leaves))]
            )
            return self._fn(*args, **kwargs)

        result, self._recorded[key] = record(flat, tensors)
        return result


class _Steps:
    """The runner of a training step: a loop over what was recorded for a batch of this shape."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._recorded: dict[Hashable, Recorded] = {}

    def __call__(self, state: State, data: Any, indices: Tensor, start: int, stop: int) -> tuple[State, Any]:
        columns, definition = tree.flatten_with_def(data)
        state = contiguous(state)
        size = len(state)
        key = (definition, indices.shape[1], signature(state), signature([column[:1] for column in columns]))
        recorded = None if is_watched([*state, *columns]) else self._recorded.get(key)

        def flat(tensors: Sequence[Tensor]) -> Any:
            return self._step(list(tensors[:size]), tree.unflatten(definition, tensors[size:]))

        logs: Any = None
        for rows in indices[start:stop].to(torch.int64).unbind(0):
            tensors = [*state, *(select(column, 0, rows) for column in columns)]
            if recorded is not None:
                state, logs = recorded(tensors)
            elif is_watched(tensors):
                state, logs = flat(tensors)
            else:
                (state, logs), recorded = record(flat, tensors)
                self._recorded[key] = recorded
        return state, logs
