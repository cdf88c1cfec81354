"""Arrays, the host, devices and creation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from polykeras import config, dtypes
from polykeras.backend.axes import range_of
from polykeras.backend.families.arrays import Arrays
from polykeras.backend.spec import Array, Shape
from polykeras.common.arguments import shape_tuple
from polykeras_numpy.private import ArrayVSpace
from polykeras_numpy.tape import ArrayBox, anp, fit, isbox, primitive, raw, rule

DEVICE = "cpu:0"

_NAMES = {np.dtype(name): name for name in dtypes.ALL if name != "bfloat16"}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}


def numpy_dtype(dtype: str) -> np.dtype[Any]:
    """Return the NumPy dtype of a name; on its first use, bfloat16 is registered with autograd."""
    found = _DTYPES.get(dtype)
    if found is None:
        found = dtypes.numpy_dtype(dtype)
        ArrayBox.register(found.type)
        ArrayVSpace.register(found.type)
        _DTYPES[dtype], _NAMES[found] = found, dtype
    return found


def seen_bfloat16() -> bool:
    """Return whether a bfloat16 array can exist, because an array or a dtype was requested."""
    return "bfloat16" in _DTYPES


def _leaves(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _leaves(value)
        else:
            yield value


@primitive
def _cast(x: Any, dtype: np.dtype[Any]) -> Any:
    return x.astype(dtype)


rule(_cast, lambda g, ans, x, dtype: _cast(fit(g, x), x.dtype))  # `fit`: a complex gradient of a float is real


class NumpyArrays(Arrays):
    """Arrays are `numpy.ndarray` or NumPy scalars; under differentiation, autograd's boxes of them."""

    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        if isbox(x):
            return x if dtype is None else self.cast(x, dtype)
        if isinstance(x, (np.ndarray, np.generic)):
            return self._checked(np.asarray(x), dtype)
        if isinstance(x, (bool, int, float, complex)):
            return np.asarray(x, numpy_dtype(dtype or dtypes.result_type(dtypes.weak(x))))
        if isinstance(x, (list, tuple)):
            return self._from_list(x, dtype)
        return self._checked(np.asarray(x), dtype)

    def _from_list(self, x: Any, dtype: str | None) -> Array:
        leaves = list(_leaves(x))
        if dtype is None and leaves:
            weak = (bool, int, float, complex)
            kinds = {dtypes.weak(v) if type(v) in weak else self.dtype(self.asarray(v)) for v in leaves}
            dtype = dtypes.result_type(*kinds)
        if any(isbox(leaf) for leaf in leaves):
            return self.stack([self.asarray(part, dtype) for part in x])
        return self._checked(np.asarray(x), dtype or config.floatx())

    def _checked(self, x: np.ndarray, dtype: str | None) -> np.ndarray:
        """Return a native NumPy array of a supported dtype: `dtype`, or its own if that is None."""
        name = x.dtype.name
        if name not in dtypes.ALL:
            raise TypeError(f"Expected numbers; received an array of dtype {x.dtype}. Convert it to one of the dtypes "
                            f"{', '.join(dtypes.ALL)}.")  # fmt: skip
        target = numpy_dtype(dtype or name)
        return x if x.dtype == target else self.cast(x, dtype or name)

    def to_numpy(self, x: Array) -> np.ndarray:
        if isbox(x):
            raise TypeError(
                "Cannot turn an array into a NumPy array while it is being differentiated: its gradient would be lost. "
                "Return it from the function instead (as part of `aux`), or call `stop_gradient` on it first."
            )
        return np.asarray(x)

    def place(self, x: Any) -> Array:
        return np.array(self.asarray(x))

    def array_types(self) -> tuple[type, ...]:
        return (ArrayBox,)  # NumPy's own arrays accept no attributes

    def is_tensor(self, x: Any) -> bool:
        return isinstance(x, (np.ndarray, np.generic, ArrayBox))

    def is_traced(self, x: Any) -> bool:
        return isbox(x)

    def shape(self, x: Array) -> tuple[int, ...]:
        return raw(x).shape

    def dtype(self, x: Array) -> str:
        dtype = raw(x).dtype
        return _NAMES.get(dtype) or self._rare_name(dtype)

    def _rare_name(self, dtype: np.dtype[Any]) -> str:
        if dtype.name == "bfloat16":
            numpy_dtype("bfloat16")
        return dtype.name

    def cast(self, x: Array, dtype: str) -> Array:
        target = numpy_dtype(dtype)
        if isbox(x) and dtype not in dtypes.FLOATS and dtype not in dtypes.COMPLEX:
            x = raw(x)
        if x.dtype == target:
            return x
        if x.dtype.kind == "c" and target.kind != "c" and target.kind != "b":
            x = anp.real(x)
        return _cast(x, target)

    def bitcast(self, x: Array, dtype: str) -> Array:
        return raw(x).view(numpy_dtype(dtype))

    def devices(self) -> list[str]:
        return [DEVICE]

    def device_scope(self, device: str) -> AbstractContextManager[None]:
        if device != DEVICE:
            raise ValueError(f"Unknown device {device!r}. The numpy backend has one: {DEVICE!r}.")
        return nullcontext()

    def full(self, shape: Shape | int, fill_value: Any, dtype: str | None = None) -> Array:
        shape, dtype = shape_tuple(shape), dtype or config.floatx()
        if isbox(fill_value):
            return self.broadcast_to(self.asarray(fill_value, dtype), shape)
        return np.full(shape, fill_value, numpy_dtype(dtype))

    def arange(
        self, start: float, stop: float | None = None, step: float | None = None, dtype: str | None = None
    ) -> Array:
        first, end, by, whole, dtype = range_of(start, stop, step, dtype)
        wide = None if not whole else np.int64 if dtype in dtypes.FLOATS else numpy_dtype(dtype)
        return np.arange(first, end, by, dtype=wide).astype(numpy_dtype(dtype), copy=False)
