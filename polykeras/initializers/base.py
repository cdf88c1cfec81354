"""The base of initializers, which compute the initial value of a variable from its shape."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from polykeras import dtypes
from polykeras.backend import registry as backends
from polykeras.backend.spec import Array
from polykeras.common.types import DTypeLike
from polykeras.saving.configurable import Configurable
from polykeras.saving.serialization import Registry

registry: Registry[Initializer] = Registry("initializer", "keras.initializers")


class Initializer(Configurable):
    """Base of initializers.

    The initializers of this package compute their values with NumPy in `host_values`, so a seed gives the same weights
    on every backend. Your own initializer may override `__call__` instead.

    Attributes:
        deferrable: whether the initializer accepts any shape, and its values depend only on the shape and on its
            arguments. A variable then calls it when its value is first needed, which saves time and memory if other
            weights are loaded instead. A subclass that computes its own values must state this again.
    """

    deferrable: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not vars(cls).keys().isdisjoint(("__call__", "host_values", "sample")):
            cls.deferrable = vars(cls).get("deferrable", False)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = None) -> Array:
        """Return the values as an array of the current backend.

        Args:
            shape: the shape, a sequence of ints.
            dtype: the dtype of the result; by default the configured float dtype.

        Raises:
            ValueError: the shape has an unknown or negative size, or does not fit the initializer.
        """
        dtype = dtypes.standardize_dtype(dtype)
        values = self.host_values(self._checked(shape))
        if dtypes.is_float(dtype) and dtype != "float64":
            values = values.astype(np.float32)  # all backends round to 16 bits from here, once and in the same way
        return backends.current().asarray(values, dtype)

    def host_values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the values as a NumPy array, in any precision."""
        raise NotImplementedError(f"{type(self).__name__} must implement `host_values(shape)` or `__call__`.")

    def clone(self) -> Self:
        """Return a new initializer with this one's config; without a seed, it draws a new one."""
        return self.from_config(self.get_config())

    def _checked(self, shape: Sequence[int]) -> tuple[int, ...]:
        try:
            sizes = tuple(operator.index(n) for n in np.atleast_1d(np.asarray(shape, dtype=object)))
        except TypeError:
            sizes = (-1,)
        if any(n < 0 for n in sizes):
            raise ValueError(f"{type(self).__name__} needs a shape of whole numbers; received {shape!r}.")
        return sizes
