"""Execution: a function runs once under a recorder, and then as the flat list of recorded kernels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from polykeras import fast
from polykeras.backend.families.arrays import Arrays
from polykeras.backend.families.execution import Execution, FusedKernel, Rule, arrays_and_statics
from polykeras.backend.spec import Shape
from polykeras.backend.steps import PureStep, StepRunner
from polykeras.common import nested
from polykeras.common.lru_cache import LRUCache
from polykeras_torch.arrays import current_device, is_cut, torch_dtype
from polykeras_torch.compiler.global_state import global_state
from polykeras_torch.compiler.instructions import Slot
from polykeras_torch.compiler.program import text_of
from polykeras_torch.compiler.recorder import Recorder, is_recorded
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
from polykeras_torch.layouts import whole
from polykeras_torch.malloc import keep_freed_memory
from polykeras_torch.private import TensorWithoutValues, values_left_out
from polykeras_torch.steps import StepLoop
from polykeras_torch.updates import KERNELS, suits


class TorchExecution(Arrays, Execution):
    """Functions of trees become programs over flat lists of tensors, one for each set of shapes and dtypes.

    `is_traced` is a method of the family `Arrays`. It stands here since it asks the recorder, which is built on
    `arrays.py`.
    """

    def is_traced(self, x: Any) -> bool:
        return is_recorded(x) or isinstance(x, TensorWithoutValues)

    def sizes_from(self, x: Tensor, message: str) -> list[int]:
        if isinstance(x, TensorWithoutValues):
            raise TypeError(message)
        return x.tolist()  # a recording in which they may change is not repeated: the recorder sees the read

    def compile(
        self, fn: Callable[..., Any], donate_first: bool = False, collective: bool = False
    ) -> Callable[..., Any]:
        keep_freed_memory()
        return _Compiled(self, fn, donate_first)

    def compile_steps(self, step: PureStep, collective: bool = False) -> StepRunner:
        keep_freed_memory()
        return StepLoop(step)

    def map_elementwise(
        self,
        rule: Rule,
        lists: Sequence[Sequence[Tensor]],
        scalars: Sequence[Any] = (),
        fused_kernel: FusedKernel | None = None,
    ) -> list[list[Tensor]]:
        if any(is_cut(x) for column in lists for x in column):
            # The kernels have no rules for DTensors. The gradient of a whole variable may be one.
            rows = [row if all(map(is_cut, row)) else tuple(map(whole, row)) for row in zip(*lists, strict=True)]
            return super().map_elementwise(rule, list(zip(*rows, strict=True)), scalars)
        if fused_kernel is not None and fused_kernel.name in KERNELS and fast.enabled("fused-updates") and suits(lists):
            if is_recorded(lists[0][0]):  # only once, not in each step of plain Python
                fast.explain(
                    f"{fused_kernel.name}'s rule on torch", "its own kernel", "that updates all variables at once"
                )
            return KERNELS[fused_kernel.name](lists, scalars, **fused_kernel.numbers)
        return super().map_elementwise(rule, lists, scalars, fused_kernel)

    def infer_shapes(
        self,
        fn: Callable[[list[Tensor], Callable[[], AbstractContextManager[Any]]], Sequence[Tensor]],
        specs: Sequence[tuple[Shape, str]],
    ) -> list[tuple[tuple[int | None, ...], str]]:
        found = values_left_out()
        if found is None:
            return super().infer_shapes(fn, specs)
        mode, outside = found
        with mode:
            given = [torch.empty(tuple(n), dtype=torch_dtype(dtype), device=current_device()) for n, dtype in specs]
            return [(self.shape(x), self.dtype(x)) for x in fn(given, outside)]

    def synchronize(self, x: Any = None) -> None:
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.synchronize()
        elif torch.backends.mps.is_available():
            torch.mps.synchronize()


class _Compiled:
    """A function of trees, recorded for each structure, set of shapes and dtypes, and other (static) leaves."""

    def __init__(self, backend: Execution, fn: Callable[..., Any], donate_first: bool) -> None:
        self._backend = backend
        self._fn = fn
        self._donate_first = donate_first
        self._recorded: LRUCache[Recording | Unrecorded] = LRUCache()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if torch.is_inference_mode_enabled():  # its tensors could not be differentiated later
            with torch.inference_mode(False):
                return self(*args, **kwargs)
        leaves, definition = nested.flatten_with_def((args, kwargs))
        tensors, statics = arrays_and_statics(leaves, Tensor, self._backend.asarray)
        flat = self._flat(definition, statics)
        if is_watched(tensors):
            return flat(tensors)
        try:
            key = (definition, tuple(statics.items()), signature(tensors), global_state())
        except RuntimeError:  # nested tensors have no shape
            if are_blocks(tensors):
                raise
            return flat(tensors)
        return self._run(key, flat, tensors, args)

    def _flat(self, definition: Any, statics: dict[int, Any]) -> Callable[[Sequence[Tensor]], Any]:
        """Return the function in terms of the tensors among its arguments."""

        def flat(tensors: Sequence[Tensor]) -> Any:
            args, kwargs = nested.unflatten(definition, nested.interleave(tensors, statics))
            return self._fn(*args, **kwargs)

        return flat

    def program(self, stage: str, *args: Any) -> str | None:
        """Return as text what runs for these arguments. It is recorded on copies; see `Backend.compile`."""
        leaves, definition = nested.flatten_with_def((args, {}))
        tensors, statics = arrays_and_statics(leaves, Tensor, self._backend.asarray)
        if is_watched(tensors) or not are_blocks(tensors):
            return None
        copies = [tensor.clone() for tensor in contiguous(tensors)]
        donated = self._donated(args)
        found: list[str] = []

        def write(recorder: Recorder, outputs: list[Slot]) -> None:
            found.append(text_of(stage, recorder, len(copies), outputs, range(donated)))

        record(self._flat(definition, statics), copies, donated, when_recorded=write)
        return found[0] if found else None

    def _donated(self, args: Any) -> int:
        """Return how many tensors, the first ones, are donated."""
        return sum(isinstance(leaf, Tensor) for leaf in nested.flatten(args[0])) if self._donate_first else 0

    def _run(self, key: Hashable, flat: Callable[..., Any], tensors: list[Tensor], args: Any) -> Any:
        if (found := if_valid(self._recorded.get(key))) is not None:
            return found(contiguous(tensors))
        if not are_blocks(tensors):
            return flat(tensors)
        result, recording = record(flat, contiguous(tensors), self._donated(args))
        self._recorded.put(key, recording)
        return result
