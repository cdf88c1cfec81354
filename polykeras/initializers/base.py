"""What an initializer is: the first values of a variable, as a function of its shape."""

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

    Those in this package compute their values with NumPy, so that a seed gives the same weights on every backend: they
    implement `host_values`. An initializer of yours may as well override `__call__`.

    Attributes:
        deferrable: whether any shape will do, and what is given for it depends on that and the arguments of the
            initializer alone. Then a variable calls it when its value is first needed, which saves time and memory
            where other weights are loaded. A subclass that computes values in its own way says so anew.
    """

    deferrable: bool = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not vars(cls).keys().isdisjoint(("__call__", "host_values", "sample")):
            cls.deferrable = vars(cls).get("deferrable", False)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = None) -> Array:
        """Return the values as an array of the current backend.

        Args:
            shape: ints.
            dtype: that of the result; by default the default float dtype.

        Raises:
            ValueError: the shape has an unknown or negative dimension, or does not suit the initializer.
        """
        dtype = dtypes.standardize_dtype(dtype)
        values = self.host_values(self._checked(shape))
        if dtypes.is_float(dtype) and dtype != "float64":
            values = values.astype(np.float32)  # 16-bit floats are rounded from there: once, and the same way by all
        return backends.current().asarray(values, dtype)

    def host_values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the values as a NumPy array, in whatever precision they were computed."""
        raise NotImplementedError(f"{type(self).__name__} must implement `host_values(shape)` or `__call__`.")

    def clone(self) -> Self:
        """Return a new initializer from this one's config; without a seed it draws another one."""
        return self.from_config(self.get_config())

    def _checked(self, shape: Sequence[int]) -> tuple[int, ...]:
        try:
            sizes = tuple(operator.index(n) for n in shape)
        except TypeError:
            sizes = (-1,)
        if any(n < 0 for n in sizes):
            raise ValueError(f"{type(self).__name__} needs a shape of whole numbers; received {shape!r}.")
        return sizes
