"""Repeated calls of a model on arrays, compiled from the third call for a shape on.

`model(x)` in a loop costs an eager operation for each step of each layer. If a backend says that these are slow, and
every layer of the model has the trait `pure_call`, the call is compiled as in `predict`. Everything else runs eagerly:
layers and models of users that do not state the trait (their Python code may do anything), calls in training mode, with
masks or keyword arguments, within a step or a gradient, and models that add losses.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from polykeras import fast
from polykeras.backend import Backend, registry
from polykeras.common import masks, nested
from polykeras.common.traits import trait
from polykeras.graph import KerasTensor
from polykeras.layers.base.context import current_context
from polykeras.training.steps import CompiledStep, Step, StepPlan
from polykeras.training.steps.cache import StepCache
from polykeras.variables import is_functional

EAGER_CALLS = 2  # eager calls for each shape, before it is compiled
SHAPES = 16  # the largest number of shapes that are compiled, because each takes time and memory


def _kind(backend: Backend, x: Any) -> Hashable | None:
    """Return a key for the arrays that can share a compiled call; None if `x` is not an array with values."""
    if type(x) is np.ndarray:
        return (x.shape, x.dtype) if x.dtype.kind in "biuf" and x.dtype.isnative else None
    return (backend.shape(x), backend.dtype(x)) if backend.is_tensor(x) and not backend.is_traced(x) else None


class RepeatedCalls:
    """The compiled calls of a model."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, int] = {}
        self._steps = StepCache()

    def __reduce__(self) -> tuple[type[RepeatedCalls], tuple[()]]:
        """Compile again for copies and pickles of a model."""
        return RepeatedCalls, ()

    def serve(self, model: Any, inputs: Any) -> tuple[Any] | None:
        """Return the outputs of `model(inputs)` in a tuple, or None if the call should run eagerly."""
        if current_context() is not None or is_functional() or model.run_eagerly:
            return None
        leaves = nested.flatten(inputs)
        if any(isinstance(x, KerasTensor) for x in leaves):
            return None  # without loading the current backend
        backend = registry.current()
        if not backend.execution.compiles_calls:
            return None
        if masks.are_kept() and any(masks.kept(x) is not None for x in leaves):
            return None
        kinds = [_kind(backend, x) for x in leaves]
        if None in kinds:
            return None
        key = (backend, *kinds)
        calls = self._seen.get(key, 0)
        if calls < EAGER_CALLS:
            if len(self._seen) < SHAPES or calls:
                self._seen[key] = calls + 1
            return None
        step = self._steps.get("call", backend, lambda: _fingerprint(model), lambda: _made(model, backend))
        return None if step is None else (step.run_batch(inputs),)


def _fingerprint(model: Any) -> tuple[Hashable, ...]:
    return *model._fingerprint(), _is_known(model)


def _made(model: Any, backend: Backend) -> Step | None:
    """Return the compiled call for the model in its present state, or None if it cannot be compiled."""
    if not _is_known(model):
        return None
    fast.explain(f"calls of model {model.name!r}", "compiled", "they are repeated, and all layers are known")
    return CompiledStep(lambda inputs: model(inputs, training=False), StepPlan(model, "call", backend, model.variables))


def _is_known(model: Any) -> bool:
    """Return whether the calls of all layers are pure, and none makes masks or losses."""
    return all(
        trait(type(layer), "pure_call")
        and not layer._makes_masks
        and layer.activity_regularizer is None
        and not layer._added_losses()
        for layer in model._flatten_layers()
    )
