"""Functions that pack whole numbers of few bits into bytes, and unpack them."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike

Packed = tuple[Any, tuple[int, ...], int]


def _check_int8(array: ArrayLike, dtype: str, what: str) -> Array:
    if dtype not in ("int8", "uint8"):
        raise ValueError(f"{what}: `dtype` must be 'int8' or 'uint8'; received {dtype!r}.")
    array = ops.convert_to_tensor(array)
    if ops.dtype(array) not in ("int8", "uint8"):
        raise TypeError(f"{what}: expected an array of int8 or uint8; received {ops.dtype(array)}.")
    return array


def _packed(digits: np.ndarray, axis: int, base: int, filling: int, dtype: str) -> Packed:
    """Return bytes of as many digits of a base as fit, the first one lowest; the last byte is filled up."""
    per = {16: 2, 4: 4, 3: 5}[base]
    digits = np.moveaxis(digits, axis, 0)
    size = len(digits)
    digits = np.pad(digits, [(0, -size % per), *[(0, 0)] * (digits.ndim - 1)], constant_values=filling)
    total = sum(digits[i::per].astype("int32") * base**i for i in range(per))
    packed = np.ascontiguousarray(np.moveaxis(np.asarray(total).astype("uint8").view(dtype), 0, axis))
    return ops.convert_to_tensor(packed), packed.shape, size


def _pack_bits(arr: ArrayLike, axis: int, dtype: str, bits: int) -> Packed:
    what = f"pack_int{bits}"
    arr = _check_int8(arr, dtype, what)
    if ops.dtype(arr) != dtype:
        raise TypeError(f"{what}: expected an array of {dtype}; received {ops.dtype(arr)}.")
    digits = np.ascontiguousarray(ops.convert_to_numpy(arr)).view("uint8") & (2**bits - 1)
    return _packed(digits, axis, 2**bits, 0, dtype)


def _unpack_bits(packed: ArrayLike, orig_len: int, axis: int, dtype: str, bits: int) -> Array:
    bytes_ = ops.cast(ops.moveaxis(_check_int8(packed, dtype, f"unpack_int{bits}"), axis, 0), "int32")
    shifted = [ops.right_shift(bytes_, place) if place else bytes_ for place in range(0, 8, bits)]
    digits = ops.stack([ops.bitwise_and(part, 2**bits - 1) for part in shifted], axis=1)
    numbers = ops.reshape(digits, (-1, *ops.shape(bytes_)[1:]))[:orig_len]
    if dtype == "int8":
        numbers = ops.where(numbers >= 2 ** (bits - 1), numbers - 2**bits, numbers)
    return ops.moveaxis(ops.cast(numbers, dtype), 0, axis)


def pack_int4(arr: ArrayLike, axis: int = 0, dtype: str = "int8") -> Packed:
    """Pack 4-bit numbers, two in each byte; the first is in the lower half.

    Args:
        arr: int8 in [-8, 7], or uint8 in [0, 15].
        axis: the axis along which two neighbours share a byte; the last of an odd number is paired with 0.
        dtype: the dtype of `arr`, and of the result.

    Returns:
        `(packed, its shape, the original size of the axis)`.

    Raises:
        ValueError: `dtype` is another one.
        TypeError: the array has another dtype.
    """
    return _pack_bits(arr, axis, dtype, 4)


def unpack_int4(packed: ArrayLike, orig_len: int, axis: int = 0, dtype: str = "int8") -> Array:
    """Return the numbers that `pack_int4` packed.

    Args:
        packed: an array of int8 or uint8.
        orig_len: the original size of the axis.
        axis: the axis along which two neighbours share a byte.
        dtype: the dtype of the numbers: int8 for [-8, 7], uint8 for [0, 15].

    Raises:
        ValueError: `dtype` is another one.
        TypeError: the array has another dtype.
    """
    return _unpack_bits(packed, orig_len, axis, dtype, 4)


def pack_int2(arr: ArrayLike, axis: int = 0, dtype: str = "int8") -> Packed:
    """Pack 2-bit numbers, four in each byte; the first is in the lowest bits.

    Args:
        arr: int8 in [-2, 1], or uint8 in [0, 3].
        axis: the axis along which four neighbours share a byte; the last byte is filled up with 0.
        dtype: the dtype of `arr`, and of the result.

    Returns:
        `(packed, its shape, the original size of the axis)`.

    Raises:
        ValueError: `dtype` is another one.
        TypeError: the array has another dtype.
    """
    return _pack_bits(arr, axis, dtype, 2)


def unpack_int2(packed: ArrayLike, orig_len: int, axis: int = 0, dtype: str = "int8") -> Array:
    """Return the numbers that `pack_int2` packed.

    Args:
        packed: an array of int8 or uint8.
        orig_len: the original size of the axis.
        axis: the axis along which four neighbours share a byte.
        dtype: the dtype of the numbers: int8 for [-2, 1], uint8 for [0, 3].

    Raises:
        ValueError: `dtype` is another one.
        TypeError: the array has another dtype.
    """
    return _unpack_bits(packed, orig_len, axis, dtype, 2)


def pack_ternary(arr: ArrayLike, axis: int = 0) -> Packed:
    """Pack numbers of -1, 0 and 1, five in each byte: 3 ** 5 is 243.

    A byte is the sum of `(number + 1) * 3 ** place`.

    Args:
        arr: numbers of any dtype; they are rounded, and clipped to [-1, 1].
        axis: the axis along which five neighbours share a byte; the last byte is filled up with 0.

    Returns:
        `(packed, its shape, the original size of the axis)`; packed is uint8.
    """
    numbers = ops.convert_to_numpy(ops.convert_to_tensor(arr)).astype("float32")
    digits = np.clip(np.rint(numbers), -1, 1).astype("int32") + 1
    return _packed(digits, axis, 3, 1, "uint8")


def unpack_ternary(packed: ArrayLike, orig_len: int, axis: int = 0) -> Array:
    """Return the numbers that `pack_ternary` packed, as int8.

    Args:
        packed: an array of uint8.
        orig_len: the original size of the axis.
        axis: the axis along which five neighbours share a byte.
    """
    bytes_ = ops.moveaxis(ops.cast(packed, "int32"), axis, 0)
    digits = ops.stack([ops.mod(ops.floor_divide(bytes_, 3**place), 3) for place in range(5)], axis=1)
    numbers = ops.reshape(digits, (-1, *ops.shape(bytes_)[1:]))[:orig_len] - 1
    return ops.moveaxis(ops.cast(numbers, "int8"), 0, axis)
