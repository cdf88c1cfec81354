"""Run the case of a layer on a backend: outputs and state, and gradients in inputs and trainable weights."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from helpers.parity import RTOL
from helpers.runner import host, narrowed, running, weighted
from polykeras import tree
from polykeras.backend import Backend
from polykeras.layers import Layer
from polykeras.utils import set_random_seed
from polykeras.variables import functionalize, read_state

SEED = 20


def _call(layer: Layer, inputs: Any, kwargs: dict[str, Any]) -> Any:
    return layer(*inputs, **kwargs) if isinstance(inputs, tuple) else layer(inputs, **kwargs)


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
    def row(self) -> str:
        """The name of its row in the parity matrix."""
        return f"layers.{self.id.partition('-')[0]}"

    @property
    def kinds(self) -> list[str]:
        """What is compared."""
        return ["value", "gradient"] if self.grad else ["value"]

    def values(self, backend: Backend, width: int = 32) -> list[np.ndarray]:
        """Return the outputs, then the float state that is not trained, after the call."""
        with running(backend, width):
            layer = self._built(backend, width)
            outputs = _call(layer, self._inputs(backend, width), self._kwargs(backend, width))
            state = [v.numpy() for v in layer.non_trainable_weights if v.dtype.startswith("float")]
            return [*(host(backend, leaf) for leaf in tree.flatten(outputs)), *state]

    def gradients(self, backend: Backend, width: int = 32, order: int = 1) -> list[np.ndarray]:
        """Return the gradients of the weighted outputs in the trainable weights, then in the float inputs."""
        assert order == 1
        with running(backend, width):
            layer = self._built(backend, width)
            variables = layer.variables
            trained = [i for i, v in enumerate(variables) if any(v is t for t in layer.trainable_weights)]
            kwargs = self._kwargs(backend, width)
            pure = functionalize(lambda inputs: _call(layer, inputs, kwargs), variables)
            state = read_state(variables, backend)
            leaves, structure = tree.flatten_with_def(self._inputs(backend, width))
            moved = [i for i, leaf in enumerate(leaves) if backend.dtype(leaf).startswith("float")]

            def total(arrays: list[Any]) -> tuple[Any, None]:
                own, given = list(state), list(leaves)
                for place, array in zip(trained, arrays, strict=False):
                    own[place] = array
                for place, array in zip(moved, arrays[len(trained) :], strict=True):
                    given[place] = array
                _, outputs = pure(own, tree.unflatten(structure, given))
                return weighted(self.id, backend, width, tree.flatten(outputs), 0), None

            arrays = [*(state[i] for i in trained), *(leaves[i] for i in moved)]
            return [backend.to_numpy(g) for g in backend.value_and_grad(total, arrays)[2]]

    def _inputs(self, backend: Backend, width: int) -> Any:
        return tree.map_structure(lambda x: backend.asarray(narrowed(x, width)), self.inputs)

    def _kwargs(self, backend: Backend, width: int) -> dict[str, Any]:
        def convert(value: Any) -> Any:
            return backend.asarray(narrowed(value, width)) if isinstance(value, np.ndarray) else value

        return {key: tree.map_structure(convert, value) for key, value in self.kwargs.items()}

    def _built(self, backend: Backend, width: int) -> Layer:
        """Return the layer with weights that the case's name gives, the same in all dtypes and on all backends."""
        set_random_seed(SEED)
        layer = self.make()
        _call(layer, self._inputs(backend, width), self._kwargs(backend, width))
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
        return layer
