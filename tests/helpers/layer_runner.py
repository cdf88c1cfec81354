"""Run the case of a layer on a backend: outputs and state, and gradients in inputs and trainable weights."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helpers.parity import RTOL
from helpers.runner import ONE_FUNCTION, all_kinds, host, latest, narrowed, running, weighted
from polykeras.backend import Backend
from polykeras.common import nested
from polykeras.graph import KerasTensor
from polykeras.layers import Layer
from polykeras.utils import set_random_seed
from polykeras.variables import functionalize, read_state

SEED = 20


@dataclass(frozen=True)
class LayerCase:
    """One call of one layer.

    Attributes:
        make: returns the layer, not built.
        inputs: one array, a list of them (one argument), or a tuple of them (several arguments): working floats, or of
            their own dtype.
        kwargs: of the call, such as `training=True`; arrays among them are converted.
        grad: whether gradients are compared.
        rtol: relative tolerance.
        atol: absolute tolerance.
        why: the reason of other tolerances.
        id: the name in test reports.
    """

    make: Callable[[], Layer]
    inputs: Any
    kwargs: dict[str, Any] = field(default_factory=dict)
    grad: bool = True
    rtol: float = RTOL
    atol: float = 2e-6
    why: str = ""
    id: str = ""

    @property
    def class_name(self) -> str:
        """The name of the layer's class."""
        return self.id.partition("-")[0]

    @property
    def row(self) -> str:
        """The name of its row in the parity matrix."""
        return f"layers.{self.class_name}"

    @property
    def kinds(self) -> list[str]:
        """What is compared."""
        return ["value", "gradient"] if self.grad else ["value"]

    def values(self, backend: Backend, width: int = 32) -> list[np.ndarray]:
        """Return the outputs, then the float state that is not trained, after the call."""
        return self._run(backend, width, "value")

    def gradients(self, backend: Backend, width: int = 32, order: int = 1) -> list[np.ndarray]:
        """Return the gradients of the weighted outputs in the trainable weights, then in the float inputs."""
        assert order == 1
        return self._run(backend, width, "gradient")

    def _run(self, backend: Backend, width: int, kind: str) -> list[np.ndarray]:
        with running(backend, width):
            key = (self.id, backend.name, width)
            if backend.name in ONE_FUNCTION and key in latest:
                return latest[key][kind]
            prepared = _Prepared(self, backend, width)
            arrays = [*prepared.state, *prepared.leaves]
            functions = {"value": prepared.results, "gradient": prepared.gradients}
            if backend.name in ONE_FUNCTION:
                return all_kinds(key, backend, {kind: functions[kind] for kind in self.kinds}, arrays)[kind]
            return [host(backend, leaf) for leaf in functions[kind](arrays)]

    def _inputs(self, backend: Backend, width: int) -> Any:
        return nested.map_structure(lambda x: backend.asarray(narrowed(x, width)), self.inputs)

    def _kwargs(self, backend: Backend, width: int) -> dict[str, Any]:
        def convert(value: Any) -> Any:
            return backend.asarray(narrowed(value, width)) if isinstance(value, np.ndarray) else value

        return {key: nested.map_structure(convert, value) for key, value in self.kwargs.items()}

    def run(self, layer: Layer, backend: Backend, width: int = 32) -> Any:
        """Return the outputs of a layer for the case's inputs."""
        return self._call(layer, self._inputs(backend, width), self._kwargs(backend, width))

    @staticmethod
    def _call(layer: Callable[..., Any], inputs: Any, kwargs: dict[str, Any]) -> Any:
        return layer(*inputs, **kwargs) if isinstance(inputs, tuple) else layer(inputs, **kwargs)

    def specs(self, layer: Layer) -> list[KerasTensor]:
        """Return what the layer would give, without values, for batches of an unknown size (or of its fixed one)."""

        def symbolic(x: Any) -> Any:
            if not isinstance(x, np.ndarray):
                return x
            batch = len(x) if getattr(layer, "stateful", False) else None
            return KerasTensor((batch, *x.shape[1:]), narrowed(x, 32).dtype)

        inputs, kwargs = nested.map_structure(symbolic, (self.inputs, self.kwargs))
        return nested.flatten(self._call(layer.compute_output_spec, inputs, kwargs))

    def built(self, backend: Backend, width: int = 32) -> Layer:
        """Return the layer with weights that the case's name gives, the same in all dtypes and on all backends."""
        set_random_seed(SEED)
        layer = self.make()
        if backend.name in ONE_FUNCTION:
            self.specs(layer)  # which compiles nothing
        else:
            self.run(layer, backend, width)
        if getattr(layer, "stateful", False):
            layer.reset_state()  # type: ignore[attr-defined]
        self.give_weights(layer)
        return layer

    def give_weights(self, layer: Layer) -> None:
        """Give a built layer the weights and seeds of the case."""
        set_random_seed(SEED)
        rng = np.random.default_rng(zlib.crc32(self.id.encode()))
        drawn = []
        for variable in layer.weights:
            value = (0.5 * rng.standard_normal(variable.shape)).astype(np.float32)
            drawn.append(np.abs(value) + 0.5 if "variance" in variable.name else value)
        layer.set_weights(drawn)
        for variable in layer.variables:
            if not variable.dtype.startswith("float") and not any(variable is w for w in layer.weights):
                variable.assign(np.full(variable.shape, 3, "int32"))


class _Prepared:
    """A built layer as pure functions of one list: all of its variables, then the leaves of its inputs."""

    def __init__(self, case: LayerCase, backend: Backend, width: int) -> None:
        self.case, self.backend, self.width = case, backend, width
        layer = case.built(backend, width)
        kwargs = case._kwargs(backend, width)
        self.variables = [*layer.variables, *nested.flatten(getattr(layer, "states", None))]
        self.state = read_state(self.variables, backend)
        self.leaves, self.structure = nested.flatten_with_def(case._inputs(backend, width))
        self.pure = functionalize(lambda inputs: case._call(layer, inputs, kwargs), self.variables)
        trained = {id(v) for v in layer.trainable_weights}
        self.kept = [i for i, v in enumerate(self.variables) if id(v) not in trained and v.dtype.startswith("float")]
        moved = [i for i, x in enumerate(self.leaves, len(self.state)) if backend.dtype(x).startswith("float")]
        self.varied = [i for i, v in enumerate(self.variables) if id(v) in trained] + moved

    def _outputs(self, values: list[Any]) -> tuple[list[Any], list[Any]]:
        """Return the new state and the leaves of the outputs."""
        split = len(self.state)
        state, outputs = self.pure(values[:split], nested.unflatten(self.structure, values[split:]))
        return state, nested.flatten(outputs)

    def results(self, values: list[Any]) -> list[Any]:
        """Return the outputs, then the float state that is not trained."""
        state, outputs = self._outputs(values)
        return [*outputs, *(state[i] for i in self.kept)]

    def gradients(self, values: list[Any]) -> list[Any]:
        """Return the gradients in all that varies."""

        def total(arrays: list[Any]) -> tuple[Any, None]:
            moved = list(values)
            for place, array in zip(self.varied, arrays, strict=True):
                moved[place] = array
            outputs = self._outputs(moved)[1]
            return weighted(self.case.id, self.backend, self.width, outputs, 0), None

        return self.backend.value_and_grad(total, [values[i] for i in self.varied])[2]
