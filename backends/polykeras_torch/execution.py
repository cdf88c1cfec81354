"""Execution: torch runs eagerly, so that compiling returns the function and a chunk of steps is a Python loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polykeras import tree
from polykeras.backend.execution import ExecutionMethods, State, Step, StepRunner
from polykeras_torch.indexing import select


class TorchExecution(ExecutionMethods):
    """Nothing is traced."""

    def compile(self, fn: Callable[..., Any], donate_first: bool = False) -> Callable[..., Any]:
        return fn

    def compile_steps(self, step: Step) -> StepRunner:
        def run(state: State, data: Any, indices: Tensor, start: int, stop: int) -> tuple[State, Any]:
            leaves, definition = tree.flatten_with_def(data)
            logs: Any = None
            for rows in indices[start:stop].to(torch.int64).unbind(0):
                batch = tree.unflatten(definition, [select(leaf, 0, rows) for leaf in leaves])
                state, logs = step(state, batch)
            return state, logs

        return run

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
