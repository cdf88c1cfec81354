"""Calls of a model on arrays, one after the other: compiled from the third one of a shape on.

`model(x)` in a loop costs an eager operation for each step of each layer. Where a backend says that these are slow, and
every layer of the model has the trait `pure_call`, the call is compiled as `predict` compiles it. All else is left
alone: layers and models of users that do not state the trait (their Python code may do anything), calls in training
mode, with masks or keyword arguments, within a step or a gradient, and models that add losses.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from polykeras import fast
from polykeras.backend import Backend, registry
from polykeras.common import masks, nested, version_counter
from polykeras.common.traits import trait
from polykeras.graph import KerasTensor
from polykeras.layers.base.context import current_context
from polykeras.layers.base.tracking import PLAIN
from polykeras.training.steps import CompiledStep, Step
from polykeras.training.steps.cache import StepCache
from polykeras.variables import is_functional

EAGER_CALLS = 2  # of each shape, before it is compiled
SHAPES = 16  # that are compiled at most, and then no more: each takes time and memory


def _as_of() -> tuple[int, int]:
    return version_counter.version(), version_counter.settings_version()


class _Same:
    """An object, held, that is equal to itself alone."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __hash__(self) -> int:
        return id(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._value is other._value


def _identity(value: Any) -> Hashable:
    """Return what tells a value of an attribute from others: a number, string or flag by itself and its type."""
    return (type(value), value) if type(value) in PLAIN else _Same(value)


def _kind(backend: Backend, x: Any) -> Hashable | None:
    """Return what tells an array from those for which another call is compiled; None for what is no array of values."""
    if type(x) is np.ndarray:
        return (x.shape, x.dtype) if x.dtype.kind in "biuf" and x.dtype.isnative else None
    return (backend.shape(x), backend.dtype(x)) if backend.is_tensor(x) and not backend.is_traced(x) else None


class RepeatedCalls:
    """What is compiled of the calls of one model."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, int] = {}
        self._steps = StepCache()

    def __reduce__(self) -> tuple[type[RepeatedCalls], tuple[()]]:
        """Copies and pickles of a model are compiled anew."""
        return RepeatedCalls, ()

    def serve(self, model: Any, inputs: Any) -> tuple[Any] | None:
        """Return the outputs for `model(inputs)` in a tuple, or None where the call is to be made as it is."""
        if current_context() is not None or is_functional():
            return None
        leaves = nested.flatten(inputs)
        if any(isinstance(x, KerasTensor) for x in leaves):
            return None  # which does not load the current backend
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
        step = self._steps.get("call", backend, lambda: _fingerprint(model), lambda: _made(model, backend), _as_of)
        return None if step is None else (step.run_batch(inputs),)


def _fingerprint(model: Any) -> tuple[Hashable, ...]:
    """What a call depends on: also all that is set on its layers, which a call made as it is would see at once."""
    found = list(model._fingerprint())
    for layer in model._flatten_layers():
        found += [_identity(value) for name, value in vars(layer).items() if name not in layer._untracked]
    return tuple(found)


def _made(model: Any, backend: Backend) -> Step | None:
    """Return the compiled call for the model as it is now, or None where it is not to be compiled."""
    if not _is_known(model):
        return None
    fast.explain(f"calls of model {model.name!r}", "compiled", "they are repeated, and all layers are known")
    return CompiledStep(lambda inputs: model(inputs, training=False), model.variables, backend, donate=False)


def _is_known(model: Any) -> bool:
    """Return whether all layers say that their call is pure, and none makes masks or losses."""
    return not model.run_eagerly and all(
        trait(type(layer), "pure_call")
        and not layer._makes_masks
        and layer.activity_regularizer is None
        and not layer._added_losses()
        for layer in model._flatten_layers()
    )
