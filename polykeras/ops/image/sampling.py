"""Values at fractional positions, and beyond the border."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import one_of
from polykeras.common.types import ArrayLike
from polykeras.ops.image.layout import float_dtype, image_op

FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
ORDERS = {"nearest": 0, "bilinear": 1}
"""The degree of the polynomial between pixels, by interpolation."""


def check_mode(op: str, fill_mode: str, interpolation: str = "nearest") -> int:
    """Return the order of an interpolation.

    Args:
        op: the name of the op, for messages.
        fill_mode: how to continue the image beyond its border.
        interpolation: how to compute values between pixels.

    Raises:
        ValueError: if the interpolation or the fill mode is unknown.
    """
    one_of(interpolation, ORDERS, f"{op}: `interpolation`")
    one_of(fill_mode, FILL_MODES, f"{op}: `fill_mode`")
    return ORDERS[interpolation]


def _inside(index: Array, size: int, fill_mode: str) -> Array:
    """Return indices, with those beyond the border mapped into 0 to `size - 1`."""
    if fill_mode == "wrap":
        return ops.mod(index, size)
    if fill_mode == "mirror" and size > 1:  # mirrored at the centres of the outermost pixels
        period = 2 * (size - 1)
        return ops.absolute(ops.mod(index + (size - 1), period) - (size - 1))
    if fill_mode == "reflect":  # mirrored at their edges
        index = ops.mod(index, 2 * size)
        return ops.minimum(index, 2 * size - 1 - index)
    return ops.clip(index, 0, size - 1)


def _neighbours(place: Array, order: int) -> list[tuple[Array, Any]]:
    """Return the int32 indices of the pixels next to positions along an axis, with their weights."""
    if order == 0:  # rounds halves away from 0
        away = ops.where(place < 0, ops.ceil(place - 0.5), ops.floor(place + 0.5))
        return [(ops.cast(away, "int32"), None)]
    lower = ops.floor(place)
    upper_weight = ops.subtract(place, lower)
    index = ops.cast(lower, "int32")
    return [(index, 1.0 - upper_weight), (index + 1, upper_weight)]


def sample(
    rows: Array,
    places: Sequence[Array],
    sizes: Sequence[int],
    order: int,
    fill_mode: str,
    fill_value: float,
    start: Array | int = 0,
) -> Array:
    """Return the values of an array at fractional positions.

    Args:
        rows: floats, `(n, ...)`: the array, with the axes of `places` flattened into one.
        places: the positions along each of these axes, floats of one shape.
        sizes: the sizes of these axes.
        order: 0 for the nearest value, 1 for linear interpolation.
        fill_mode: one of `FILL_MODES`: how to continue the array beyond its border.
        fill_value: the value for `"constant"`.
        start: the start of the array within `rows`, an int32 array that broadcasts to the positions.

    Returns:
        Shape `places[0].shape + rows.shape[1:]`.
    """
    further = [1] * (len(ops.shape(rows)) - 1)
    total = None
    for corner in product(*(_neighbours(place, order) for place in places)):
        flat: Any = 0
        weight: Any = None
        valid: Any = None
        for (index, share), size in zip(corner, sizes, strict=True):
            flat = flat * size + _inside(index, size, fill_mode)
            if share is not None:
                weight = share if weight is None else ops.multiply(weight, share)
            if fill_mode == "constant":
                within = ops.logical_and(index >= 0, index < size)
                valid = within if valid is None else ops.logical_and(valid, within)
        shape = (*ops.shape(flat), *further)
        part = ops.take(rows, flat + start, axis=0)
        if valid is not None:
            part = ops.where(ops.reshape(valid, shape), part, ops.cast(fill_value, ops.dtype(part)))
        if weight is not None:
            part = ops.multiply(part, ops.cast(ops.reshape(weight, shape), ops.dtype(part)))
        total = part if total is None else ops.add(total, part)
    return total


def rounded_away(result: Array, dtype: str) -> Array:
    """Return interpolated values in the dtype of the array. For an integer dtype, round, with halves away from 0.

    The values are in the range of that dtype.
    """
    if dtypes.is_int(dtype):
        result = ops.where(result < 0, ops.ceil(result - 0.5), ops.floor(result + 0.5))
    return ops.cast(result, dtype)


@image_op
def map_coordinates(
    inputs: ArrayLike, coordinates: ArrayLike, order: int, fill_mode: str = "constant", fill_value: float = 0.0
) -> Array:
    """Return the values of an array at fractional positions.

    Args:
        inputs: an array of any rank.
        coordinates: floats `(rank of inputs, ...)`: the positions along each axis.
        order: 0 for the nearest element, 1 for linear interpolation between neighbours.
        fill_mode: how to continue the array beyond its border: `"constant"` with a value, `"nearest"` with the
            outermost element, `"wrap"` with the other end, `"mirror"` and `"reflect"` with mirror images, without and
            with the outermost element.
        fill_value: the value for `"constant"`; it takes part in the interpolation like an element.

    Returns:
        Shape `coordinates.shape[1:]`, dtype of `inputs`.

    Raises:
        ValueError: if the order or the fill mode is unknown, or the coordinates do not fit the rank.
    """
    inputs, coordinates = ops.convert_to_tensor(inputs), ops.convert_to_tensor(coordinates)
    shape, places = ops.shape(inputs), ops.shape(coordinates)
    check_mode("map_coordinates", fill_mode)
    if order not in (0, 1):
        raise ValueError(f"map_coordinates: `order` must be 0 or 1; received {order!r}.")
    if len(places) < 2 or places[0] != len(shape):
        raise ValueError(
            f"map_coordinates: expected coordinates ({len(shape)}, ...) for an array of the shape {shape}; received "
            f"the shape {places}."
        )
    dtype = ops.dtype(inputs)
    rows = ops.reshape(ops.cast(inputs, float_dtype(dtype)), (-1,))
    coordinates = ops.cast(coordinates, float_dtype(ops.dtype(coordinates)))
    result = sample(rows, ops.unstack(coordinates, axis=0), shape, order, fill_mode, fill_value)
    return rounded_away(result, dtype)
