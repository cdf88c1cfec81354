"""Functions that round floats to whole numbers with a scale, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from polykeras import dtypes, ops
from polykeras.backend.spec import Array, Axes
from polykeras.common.types import ArrayLike


def abs_max_quantize(
    inputs: ArrayLike,
    axis: Axes,
    value_range: Sequence[int] = (-127, 127),
    dtype: str = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[Any, Any]:
    """Scale floats so that the largest absolute value becomes the largest number, and round them to whole numbers.

    Args:
        inputs: floats.
        axis: the axes that share a scale.
        value_range: the smallest and the largest number.
        dtype: the dtype of the numbers.
        epsilon: a small number that keeps the divisor from being 0.
        to_numpy: kept for Keras code, which then computes in NumPy; the numbers are the same.

    Returns:
        `(numbers, scales)`; floats are multiplied by the scales, which have size 1 along `axis`.
    """
    inputs = ops.convert_to_tensor(inputs)
    scale = value_range[1] / (ops.max(ops.abs(inputs), axis=axis, keepdims=True) + epsilon)
    scale = ops.cast(scale, ops.dtype(inputs))
    return ops.cast(ops.clip(ops.round(inputs * scale), *value_range), dtype), scale


def abs_max_quantize_grouped_with_zero_point(
    inputs: ArrayLike,
    block_size: int,
    value_range: Sequence[int] = (-8, 7),
    dtype: str = "int8",
    epsilon: float = 1e-7,
    to_numpy: bool = False,
) -> tuple[Any, Any, Any]:
    """Quantize the columns of a matrix in blocks of rows, each with a step and a zero point.

    Args:
        inputs: floats `(rows, columns)`.
        block_size: the number of rows in a block; the last block is padded with zeros.
        value_range: the smallest and the largest number.
        dtype: the dtype of the numbers.
        epsilon: a small number added to the range of a block.
        to_numpy: whether to pad a single block with zeros too, as Keras does when it computes in NumPy.

    Returns:
        `(numbers, steps, zero points)`, of the shapes `(rows, columns)` and twice `(blocks, columns)`; a float is
        approximately `(number - zero point) * step`.
    """
    inputs = ops.convert_to_tensor(inputs)
    rows, columns = ops.shape(inputs)
    blocks = math.ceil(rows / block_size)
    padded = ops.pad(inputs, [(0, blocks * block_size - rows), (0, 0)]) if blocks > 1 or to_numpy else inputs
    grouped = ops.reshape(padded, (blocks, -1, columns))
    least, most = ops.min(grouped, axis=1, keepdims=True), ops.max(grouped, axis=1, keepdims=True)
    flat = ops.equal(least, most)
    least, most = ops.where(flat, least - 1.0, least), ops.where(flat, most + 1.0, most)
    low, high = value_range
    step = (most - least + epsilon) / float(high - low)
    zero = ops.clip(ops.round(-least / step) + low, low, high)
    numbers = ops.clip(ops.round(grouped / step) + zero, low, high)
    numbers = ops.reshape(ops.cast(numbers, dtype), (-1, columns))[:rows]
    return numbers, ops.squeeze(step, 1), ops.cast(ops.squeeze(zero, 1), "int8")


def fake_quant_with_min_max_vars(
    inputs: ArrayLike,
    min_vals: ArrayLike,
    max_vals: ArrayLike,
    num_bits: int = 8,
    narrow_range: bool = False,
    axis: int | None = None,
) -> Array:
    """Return floats rounded to evenly spaced values between two bounds, as whole numbers of few bits would be.

    The bounds are moved so that 0 is one of the values. The gradient goes to the float if it is inside
    the bounds, and to the bound otherwise. Source: Jacob et al., 2017, https://arxiv.org/abs/1712.05877.

    Args:
        inputs: floats.
        min_vals: the lower bound: a number, or one for each place along `axis`.
        max_vals: the upper bound, in the same form.
        num_bits: the number of bits.
        narrow_range: whether the whole numbers begin at 1 instead of 0.
        axis: the axis along which the bounds differ.
    """
    inputs = ops.convert_to_tensor(inputs)
    shape = [1] * len(ops.shape(inputs))
    if axis is not None:
        shape[axis] = -1
    least, most = (ops.reshape(ops.cast(bound, ops.dtype(inputs)), shape) for bound in (min_vals, max_vals))
    first, last = float(narrow_range), float(2**num_bits - 1)
    step = ops.stop_gradient((most - least) / (last - first))
    zero = ops.round(ops.clip(first - ops.stop_gradient(least) / step, first, last))
    low = (first - zero) * step + (least - ops.stop_gradient(least))
    high = (last - zero) * step + (most - ops.stop_gradient(most))
    clipped = ops.where(inputs < low, low, ops.where(inputs > high, high, inputs))
    origin = ops.floor(-(first - zero) + 0.5)
    number = ops.floor((clipped - low) / step - origin + 0.5)
    return clipped + ops.stop_gradient(number * step - clipped)


def quantize_and_dequantize(inputs: ArrayLike, scale: ArrayLike, quantized_dtype: str, compute_dtype: str) -> Array:
    """Return floats after a conversion to a small dtype and back.

    Args:
        inputs: floats.
        scale: the inputs are divided by it before, and multiplied by it afterwards.
        quantized_dtype: the name of an 8-bit float dtype.
        compute_dtype: the dtype of the result.
    """
    # No array of ours has such a dtype. Its numbers are found by rounding to the step that it has at each size.
    form = dtypes.float8_info(quantized_dtype)
    limit = float(form.max)
    scale = ops.cast(scale, compute_dtype)
    # `clip` is not used: torch's version, inside a custom gradient, prevents compilation of a step.
    x = ops.maximum(ops.minimum(ops.divide(ops.cast(inputs, compute_dtype), scale), limit), -limit)
    size = ops.maximum(ops.abs(x), float(form.smallest_normal))
    step = ops.power(2.0, ops.floor(ops.log2(size)) - form.nmant)
    return ops.multiply(ops.cast(ops.round(x / step) * step, compute_dtype), scale)


def compute_float8_scale(amax: ArrayLike, scale: ArrayLike, dtype_max: float, margin: int = 0) -> Array:
    """Return the scale with which numbers of sizes up to `amax` fit an 8-bit float.

    Args:
        amax: the largest absolute value; if it is 0 or not finite, the scale does not change.
        scale: the scale before.
        dtype_max: the largest number of the dtype.
        margin: the number of powers of two to keep free.
    """
    amax, scale = ops.convert_to_tensor(amax), ops.convert_to_tensor(scale)
    known = ops.logical_and(amax > 0.0, ops.isfinite(amax))
    return ops.where(known, amax * (2.0**margin / dtype_max), scale)


def compute_float8_amax_history(x: ArrayLike, amax_history: ArrayLike) -> Array:
    """Return a history of largest absolute values, shifted by one, with that of `x` at the front.

    Args:
        x: floats of any shape.
        amax_history: floats, `(length,)`, the newest first.
    """
    amax_history = ops.convert_to_tensor(amax_history)
    newest = ops.cast(ops.max(ops.abs(x)), ops.dtype(amax_history))
    return ops.concatenate([ops.reshape(newest, (1,)), ops.roll(amax_history, -1)[1:]], axis=0)
