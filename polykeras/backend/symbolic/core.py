"""Arrays, autodiff and elementwise operations without values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn

import numpy as np

from polykeras import config, dtypes
from polykeras.backend.axes import range_of
from polykeras.backend.families.arrays import Arrays
from polykeras.backend.families.autodiff import Autodiff
from polykeras.backend.families.bitwise import Bitwise
from polykeras.backend.families.elementwise import Elementwise
from polykeras.backend.families.logical import Logical
from polykeras.backend.spec import Shape
from polykeras.backend.symbolic.array import NeedsValues, SymbolicArray, combine, from_value, is_scalar
from polykeras.backend.symbolic.dims import UnknownDim, agree, as_dims, broadcast, stand_in
from polykeras.common import nested

Unary = Callable[..., SymbolicArray]


def _wrong_dtype(name: str, expected: str, received: str) -> NoReturn:
    raise TypeError(f"{name}: expected {expected}; received {received}. Cast first (ops.cast).")


def _unary(name: str, allowed: Sequence[str] = dtypes.ALL) -> Unary:
    """Return a method that keeps shape and dtype, and refuses dtypes that real backends do not support for it."""

    def method(self: Any, x: SymbolicArray) -> SymbolicArray:
        if x.dtype not in allowed:
            _wrong_dtype(name, f"a dtype of {', '.join(allowed)}", x.dtype)
        return x

    method.__name__ = name
    return method


def combine_strictly(name: str, *operands: Any) -> SymbolicArray:
    """Return the result of arrays of one dtype, and Python scalars that adopt it.

    Raises:
        TypeError: if the dtypes differ. The public ops promote at dispatch, so this is a bug in a composite.
    """
    result = combine(name, *operands)
    dtypes_of = [None if is_scalar(x) else from_value(x).dtype for x in operands]
    if any(dtype not in (None, result.dtype) for dtype in dtypes_of):
        received = [dtype or type(x).__name__ for dtype, x in zip(dtypes_of, operands, strict=True)]
        _wrong_dtype(name, "arrays of one dtype, or one beside a scalar that fits it", " and ".join(received))
    return result


def _binary(name: str, allowed: Sequence[str] = dtypes.ALL, result: str | None = None) -> Unary:
    """Return a broadcasting method of two operands. Its dtype is `result`, or that of the operands."""

    def method(self: Any, x1: Any, x2: Any) -> SymbolicArray:
        out = combine_strictly(name, x1, x2)
        if out.dtype not in allowed:
            _wrong_dtype(name, f"a dtype of {', '.join(allowed)}", out.dtype)
        return SymbolicArray(out.dims, result) if result else out

    method.__name__ = name
    return method


def _bitwise(name: str, allowed: Sequence[str]) -> Unary:
    """Return a binary method whose parameters are called `x` and `y`."""
    combined = _binary(name, allowed)

    def method(self: Any, x: Any, y: Any) -> SymbolicArray:
        return combined(self, x, y)

    method.__name__ = name
    return method


_INEXACT = dtypes.FLOATS + dtypes.COMPLEX
_NUMBERS = dtypes.INTEGERS + _INEXACT
_REAL_NUMBERS = dtypes.INTEGERS + dtypes.FLOATS
_REAL = (*dtypes.BOOL, *_REAL_NUMBERS)
_BITS = dtypes.BOOL + dtypes.INTEGERS
_PARTS = {"complex64": "float32", "complex128": "float64"}
_WHOLE = {part: whole for whole, part in _PARTS.items()}


def real_dtype(dtype: str) -> str:
    """Return the dtype of the parts of a complex dtype; a real dtype is returned unchanged."""
    return _PARTS.get(dtype, dtype)


def complex_dtype(dtype: str, name: str) -> str:
    """Return the complex dtype whose parts have this dtype.

    Raises:
        TypeError: if there is none.
    """
    if dtype not in _WHOLE:
        _wrong_dtype(name, "float32 or float64", dtype)
    return _WHOLE[dtype]


class SymbolicCore(Arrays, Elementwise, Logical, Bitwise, Autodiff):
    """Families arrays, autodiff, elementwise, logical and bitwise."""

    # ---- arrays, the host and devices --------------------------------------------------------------------------

    def asarray(self, x: Any, dtype: str | None = None) -> SymbolicArray:
        array = from_value(x)
        return self.cast(array, dtype) if dtype else array

    def to_numpy(self, x: SymbolicArray) -> np.ndarray:
        raise NeedsValues(f"{x} has no values: it stands for an array while shapes are inferred.")

    def array_types(self) -> tuple[type, ...]:
        return (SymbolicArray,)

    def is_tensor(self, x: Any) -> bool:
        return isinstance(x, SymbolicArray)

    def is_traced(self, x: Any) -> bool:
        return isinstance(x, SymbolicArray)

    def size_from(self, x: SymbolicArray, message: str) -> int:
        return x.sizes[0] if x.sizes is not None and len(x.sizes) == 1 else UnknownDim(stand_in.get())

    def shape(self, x: SymbolicArray) -> tuple[int, ...]:
        return x.shape

    def dtype(self, x: SymbolicArray) -> str:
        return x.dtype

    def cast(self, x: SymbolicArray, dtype: str) -> SymbolicArray:
        return x if x.dtype == dtype else SymbolicArray(x.dims, dtypes.standardize_dtype(dtype))

    def bitcast(self, x: SymbolicArray, dtype: str) -> SymbolicArray:
        if dtypes.bits(x.dtype) != dtypes.bits(dtype):
            _wrong_dtype("bitcast", f"a dtype as wide as {dtype}", x.dtype)
        return SymbolicArray(x.dims, dtype)

    def devices(self) -> list[str]:
        return ["symbolic:0"]

    def device_scope(self, device: str) -> AbstractContextManager[None]:
        return nullcontext()  # nothing is stored on a device

    def full(self, shape: Shape, fill_value: Any, dtype: str | None = None) -> SymbolicArray:
        value, dims = from_value(fill_value), as_dims(shape)
        if min(dims, default=0) < 0:
            raise ValueError(f"full: expected sizes of 0 or more; received shape {dims}.")
        if value.dims and (len(value.dims) > len(dims) or len(broadcast(value.dims, dims, where="full")) > len(dims)):
            raise ValueError(f"full: a value of shape {value.dims} does not broadcast to {dims}.")
        return SymbolicArray(dims, dtype or config.floatx())

    def arange(
        self, start: float, stop: float | None = None, step: float | None = None, dtype: str | None = None
    ) -> SymbolicArray:
        first, end, by, whole, dtype = range_of(start, stop, step, dtype)
        length: Any = -((first - end) // by) if whole else math.ceil((end - first) / by)
        return SymbolicArray((max(0, length),), dtype)

    # ---- autodiff ----------------------------------------------------------------------------------------------

    def stop_gradient(self, variable: SymbolicArray) -> SymbolicArray:
        return variable

    def value_and_grad(
        self, fn: Callable[[list[Any]], tuple[Any, Any]], arrays: list[Any]
    ) -> tuple[Any, Any, list[Any]]:
        for array in arrays:
            if array.dtype not in dtypes.FLOATS:
                _wrong_dtype("value_and_grad", "arrays of float dtypes", array.dtype)
        value, aux = fn(list(arrays))
        if value.dims or value.dtype not in dtypes.FLOATS:
            raise ValueError(f"value_and_grad: expected a float scalar to differentiate; received {value}.")
        return value, aux, list(arrays)

    def custom_gradient(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: f(*args, **kwargs)[0]

    def remat(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return f

    def vectorized_map(self, function: Callable[[Any], Any], elements: Any) -> Any:
        length = first_size(elements, "vectorized_map")
        return stacked(function(first_slices(elements)), length)

    # ---- elementwise: one argument -----------------------------------------------------------------------------

    negative = _unary("negative", _NUMBERS)
    floor = _unary("floor", _REAL)
    exp, expm1, log, log1p, sqrt, sin, cos, tanh = (
        _unary(name, _INEXACT) for name in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh")
    )
    erf, erfinv = _unary("erf", dtypes.FLOATS), _unary("erfinv", dtypes.FLOATS)

    def abs(self, x: SymbolicArray) -> SymbolicArray:
        return SymbolicArray(x.dims, real_dtype(x.dtype))

    def round(self, x: SymbolicArray, decimals: int = 0) -> SymbolicArray:
        return x

    def real(self, x: SymbolicArray) -> SymbolicArray:
        return SymbolicArray(x.dims, real_dtype(x.dtype))

    def imag(self, x: SymbolicArray) -> SymbolicArray:
        return SymbolicArray(x.dims, real_dtype(x.dtype))

    # ---- elementwise: two arguments, selection -----------------------------------------------------------------

    add, multiply, power = (_binary(name) for name in ("add", "multiply", "power"))
    subtract = _binary("subtract", _NUMBERS)
    divide = _binary("divide", _INEXACT)
    arctan2 = _binary("arctan2", dtypes.FLOATS)
    floor_divide = _binary("floor_divide", _REAL_NUMBERS)
    maximum, minimum = _binary("maximum", _REAL), _binary("minimum", _REAL)
    equal, less = _binary("equal", result="bool"), _binary("less", _REAL, result="bool")
    left_shift, right_shift = _bitwise("left_shift", dtypes.INTEGERS), _bitwise("right_shift", dtypes.INTEGERS)
    bitwise_and, bitwise_or, bitwise_xor = (
        _bitwise(name, _BITS) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    )

    def complex(self, real: Any, imag: Any) -> SymbolicArray:
        parts = combine_strictly("complex", real, imag)
        return SymbolicArray(parts.dims, complex_dtype(parts.dtype, "complex"))

    def where(self, condition: Any, x1: Any, x2: Any) -> SymbolicArray:
        chosen = combine_strictly("where", x1, x2)
        return SymbolicArray(broadcast(from_value(condition).dims, chosen.dims, where="where"), chosen.dtype)


def first_size(elements: Any, where: str) -> int:
    """Return the common length of the first axes in a tree of arrays.

    Raises:
        ValueError: if there is no array, one is a scalar, or the lengths differ.
    """
    leaves = nested.flatten(elements)
    if not leaves or any(not leaf.dims or not agree(leaf.dims[0], leaves[0].dims[0]) for leaf in leaves):
        raise ValueError(f"{where}: expected arrays with one length in their first axes; received {elements}.")
    return leaves[0].dims[0]


def first_slices(elements: Any) -> Any:
    """Return the shape and dtype of one slice along the first axes of a tree of arrays."""
    return nested.map_structure(lambda leaf: SymbolicArray(leaf.dims[1:], leaf.dtype), elements)


def stacked(elements: Any, length: int) -> Any:
    """Return a tree of arrays with a new first axis of size `length`."""
    return nested.map_structure(
        lambda leaf: SymbolicArray((length, *from_value(leaf).dims), from_value(leaf).dtype), elements
    )
