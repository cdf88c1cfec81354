"""The base of preprocessing layers that also run in a map over a data set, of any framework."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import ops, random
from polykeras.backend import foreign_data, registry
from polykeras.backend.handles import Handle
from polykeras.backend.symbolic import SymbolicArray
from polykeras.common import nested
from polykeras.common.default_property import default_property
from polykeras.graph import KerasTensor
from polykeras.layers.base.layer import Layer


class DataLayer(Layer):
    """Base of layers for numbers that can also run in a map over a data set, of any framework.

    There they compute on the host, whatever the current backend is. Elsewhere they are ordinary layers.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer; see `Layer`."""
        if args and any(map(_is_foreign, nested.flatten(args[0]))):
            outputs = self._in_map(args, kwargs)
            if outputs is not NotImplemented:
                return outputs
        return super().__call__(*args, **kwargs)

    @default_property
    def backend(self) -> Any:
        """What Keras gives `call` for its computations, such as `self.backend.numpy.add`."""
        return _KerasBackend()

    def _in_map(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return arrays of the framework that traces the first argument, or NotImplemented if none does."""
        leaves, inputs = nested.flatten_with_def(args[0])
        call, outputs = super().__call__, None

        def function(*arrays: np.ndarray) -> list[np.ndarray]:
            with registry.use_backend("numpy"):
                made = call(nested.unflatten(inputs, arrays), *args[1:], **kwargs)
            return [np.asarray(x) for x in nested.flatten(made)]

        def specs(*shapes: tuple[int | None, ...]) -> list[tuple[Any, str]]:
            nonlocal outputs
            dtypes = [leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype for leaf in leaves]
            given = [KerasTensor(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
            found = self.compute_output_spec(nested.unflatten(inputs, given), *args[1:], **kwargs)
            tensors, outputs = nested.flatten_with_def(found)
            return [(tensor.shape, tensor.dtype) for tensor in tensors]

        made = foreign_data.on_host(function, leaves, specs)
        return made if made is NotImplemented else nested.unflatten(outputs, made)


class _KerasBackend:
    """The ops, by the name that Keras's preprocessing layers have for them."""

    random = random

    @property
    def name(self) -> str:
        return registry.backend()

    def __getattr__(self, name: str) -> Any:
        return getattr(ops, name)


def _is_foreign(x: Any) -> bool:
    """Return whether `x` is an array of another framework."""
    ours = isinstance(x, (np.ndarray, KerasTensor, SymbolicArray, Handle)) or registry.current().is_tensor(x)
    return hasattr(x, "shape") and not ours
