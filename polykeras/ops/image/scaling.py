"""Arrays scaled and translated by factors that may be computed and differentiated."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import one_of
from polykeras.common.types import ArrayLike
from polykeras.ops.image.layout import float_dtype, image_op
from polykeras.ops.interpolation import KERNELS

_METHODS = {
    **dict.fromkeys(("linear", "bilinear", "trilinear"), "bilinear"),
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), "bicubic"),
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


def _matrix(size: int, target: int, scale: Array, translation: Array, method: str, antialias: bool) -> Array:
    """Return the weight of each element `(size, ...)` in each element of the result, `(size, target)`."""
    dtype = ops.dtype(scale)
    shrink = 1.0 / scale
    width = ops.maximum(shrink, 1.0) if antialias else 1.0
    place = (ops.arange(target, dtype=dtype) + 0.5) * shrink - translation * shrink - 0.5
    distance = ops.expand_dims(place, 0) - ops.expand_dims(ops.arange(size, dtype=dtype), 1)
    weights = KERNELS[method][1](distance / width, ops)
    total = ops.sum(weights, axis=0, keepdims=True)
    enough = ops.absolute(total) > 1000.0 * dtypes.eps("float32")
    weights = ops.where(enough, weights / ops.where(enough, total, 1.0), 0.0)
    within = ops.logical_and(place >= -0.5, place <= size - 0.5)
    return ops.where(ops.expand_dims(within, 0), weights, 0.0)


@image_op
def scale_and_translate(
    images: ArrayLike,
    output_shape: Sequence[int],
    scale: ArrayLike,
    translation: ArrayLike,
    spatial_dims: Sequence[int],
    method: str,
    antialias: bool = True,
) -> Array:
    """Return an array scaled and translated along some of its axes.

    A point at `x` along an axis moves to `x * scale + translation`. The first element covers 0 to 1. Elements from
    beyond the border are 0.

    Args:
        images: an array of any rank.
        output_shape: the shape of the result, with as many axes as `images`.
        scale: a factor for each of `spatial_dims`.
        translation: a distance for each of `spatial_dims`.
        spatial_dims: the axes to scale.
        method: `"linear"`, `"cubic"` (also with the prefix `"bi"` or `"tri"`), `"lanczos3"` or `"lanczos5"`.
        antialias: whether to widen the kernel if the array shrinks, so that all elements count.

    Returns:
        Floats of shape `output_shape`.

    Raises:
        ValueError: if the method is unknown, or the lengths of the arguments differ.
    """
    one_of(method, _METHODS, "scale_and_translate: `method`")
    images, scale, translation = (ops.convert_to_tensor(x) for x in (images, scale, translation))
    shape = ops.shape(images)
    if len(output_shape) != len(shape):
        raise ValueError(
            f"scale_and_translate: `output_shape` must have an entry for each of the {len(shape)} axes of the images; "
            f"received {tuple(output_shape)}."
        )
    axes = [axis % len(shape) for axis in spatial_dims]
    if ops.shape(scale) != (len(axes),) or ops.shape(translation) != (len(axes),):
        raise ValueError(
            f"scale_and_translate: expected a scale and a translation for each of {len(axes)} axes; received the "
            f"shapes {ops.shape(scale)} and {ops.shape(translation)}."
        )
    numbers = dtypes.result_type("float32", ops.dtype(scale), ops.dtype(translation))
    scales, moves = (ops.unstack(ops.cast(x, numbers), axis=0) for x in (scale, translation))
    dtype = float_dtype(ops.dtype(images))
    images = ops.cast(images, dtype)
    for axis, factor, move in zip(axes, scales, moves, strict=True):
        weights = _matrix(shape[axis], output_shape[axis], factor, move, _METHODS[method], antialias)
        images = ops.moveaxis(ops.tensordot(ops.cast(weights, dtype), images, ((0,), (axis,))), 0, axis)
    return images
