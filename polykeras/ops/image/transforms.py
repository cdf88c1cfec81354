"""Geometric transforms of images. Each pixel of the result is looked up at its source position."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras import dtypes, ops
from polykeras.backend import registry
from polykeras.backend.families.random import key_of_seed
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.ops.image.filters import gaussian_blur
from polykeras.ops.image.layout import as_batch, as_images, float_dtype, image_op
from polykeras.ops.image.sampling import check_mode, rounded_away, sample

if TYPE_CHECKING:
    from polykeras.seeds import SeedGenerator


def _place_dtype(*arrays: Array) -> str:
    """Return the dtype of coordinates; half precision could not distinguish pixels."""
    return dtypes.result_type("float32", *(ops.dtype(x) for x in arrays))


def _grid(height: int, width: int, dtype: str) -> tuple[Array, Array]:
    """Return the coordinates x `(1, 1, width)` and y `(1, height, 1)` of pixels."""
    x, y = ops.arange(width, dtype=dtype), ops.arange(height, dtype=dtype)
    return ops.reshape(x, (1, 1, width)), ops.reshape(y, (1, height, 1))


def look_up(images: Array, x: Array, y: Array, order: int, fill_mode: str, fill_value: float) -> Array:
    """Return the values of each image at given positions.

    Args:
        images: `(batch, height, width, channels)`.
        x: floats `(batch, rows, columns)`.
        y: like `x`.
        order: see `sample`.
        fill_mode: see `sample`.
        fill_value: see `sample`.
    """
    batch, height, width, channels = ops.shape(images)
    dtype = ops.dtype(images)
    rows = ops.reshape(ops.cast(images, float_dtype(dtype)), (batch * height * width, channels))
    start = ops.reshape(ops.arange(batch, dtype="int32") * (height * width), (batch, 1, 1))
    return rounded_away(sample(rows, [y, x], (height, width), order, fill_mode, fill_value, start), dtype)


def _projected(images: Array, transform: Array, order: int, fill_mode: str, fill_value: Any) -> Array:
    """Return images whose pixels are looked up at the positions given by projective transforms, `(batch, 8)`."""
    batch, height, width, _ = ops.shape(images)
    x, y = _grid(height, width, ops.dtype(transform))
    a0, a1, a2, b0, b1, b2, c0, c1 = (ops.reshape(t, (-1, 1, 1)) for t in ops.unstack(transform, axis=1))
    depth = c0 * x + c1 * y + 1.0
    whole = (batch, height, width)
    from_x = ops.broadcast_to((a0 * x + a1 * y + a2) / depth, whole)
    from_y = ops.broadcast_to((b0 * x + b1 * y + b2) / depth, whole)
    return look_up(images, from_x, from_y, order, fill_mode, fill_value)


@image_op
def affine_transform(
    images: ArrayLike,
    transform: ArrayLike,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Array:
    """Return images under an affine (or projective) transform.

    The pixel `(x, y)` of the result is taken from the image at `((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k)`, with
    `k = c0 x + c1 y + 1`.

    Args:
        images: one image `(height, width, channels)` or a batch of them; or channels first.
        transform: `[a0, a1, a2, b0, b1, b2, c0, c1]`: one `(8,)` for all images, or one for each, `(batch, 8)`.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: how to continue beyond the border, see `map_coordinates`.
        fill_value: the value for `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        Images of the same shape and dtype.

    Raises:
        ValueError: if the interpolation or fill mode is unknown, or the transform has another shape.
    """
    order = check_mode("affine_transform", fill_mode, interpolation)
    images = as_images(images, "affine_transform")
    transform = ops.convert_to_tensor(transform)
    transform = ops.cast(transform, _place_dtype(transform))
    if len(ops.shape(transform)) == 1:
        transform = ops.expand_dims(transform, 0)
    batch, back = as_batch(images, data_format)
    shape = ops.shape(transform)
    if len(shape) != 2 or shape[1] != 8 or shape[0] not in (1, ops.shape(batch)[0]):
        raise ValueError(
            f"affine_transform: expected a transform (8,), or one for each of {ops.shape(batch)[0]} images; received "
            f"the shape {shape}."
        )
    return back(_projected(batch, transform, order, fill_mode, fill_value))


def homography(start_points: Array, end_points: Array) -> Array:
    """Return the projective transforms, `(batch, 8)`, that map each end point to its start point.

    Args:
        start_points: points `(x, y)`, shape `(batch, 4, 2)`.
        end_points: like `start_points`.
    """
    x, y = ops.unstack(end_points, axis=-1)
    from_x, from_y = ops.unstack(start_points, axis=-1)
    one, zero = ops.ones_like(x), ops.zeros_like(x)
    for_x = ops.stack([x, y, one, zero, zero, zero, -from_x * x, -from_x * y], axis=-1)
    for_y = ops.stack([zero, zero, zero, x, y, one, -from_y * x, -from_y * y], axis=-1)
    target = ops.concatenate([from_x, from_y], axis=-1)
    return ops.squeeze(ops.solve(ops.concatenate([for_x, for_y], axis=1), ops.expand_dims(target, -1)), -1)


@image_op
def perspective_transform(
    images: ArrayLike,
    start_points: ArrayLike,
    end_points: ArrayLike,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Array:
    """Return images in another perspective: four points of each move to four other points.

    Args:
        images: one image `(height, width, channels)` or a batch of them; or channels first.
        start_points: the four points before, `(4, 2)` or `(batch, 4, 2)`, each `(x, y)`.
        end_points: the four points after, in the same form.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: the value beyond the border.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        Images of the same shape and dtype.

    Raises:
        ValueError: if the interpolation is unknown, or the points have another shape.
    """
    order = check_mode("perspective_transform", "constant", interpolation)
    images = as_images(images, "perspective_transform")
    points = [ops.convert_to_tensor(p) for p in (start_points, end_points)]
    dtype = _place_dtype(*points)
    shapes = [ops.shape(p) for p in points]
    if shapes[0] != shapes[1] or len(shapes[0]) not in (2, 3) or shapes[0][-2:] != (4, 2):
        raise ValueError(
            "perspective_transform: expected start and end points of one shape, (4, 2) or (batch, 4, 2); received "
            f"{shapes[0]} and {shapes[1]}."
        )
    start, end = (ops.reshape(ops.cast(p, dtype), (-1, 4, 2)) for p in points)
    batch, back = as_batch(images, data_format)
    return back(_projected(batch, homography(start, end), order, "constant", fill_value))


@image_op
def elastic_transform(
    images: ArrayLike,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: int | SeedGenerator | None = None,
    data_format: str | None = None,
) -> Array:
    """Return images whose pixels are displaced by smooth random fields, like rubber.

    Source: Simard, Steinkraus and Platt, "Best Practices for Convolutional Neural Networks Applied to Visual Document
    Analysis", 2003.

    Args:
        images: one image `(height, width, channels)` or a batch of them; or channels first.
        alpha: the strength of the displacement.
        sigma: the smoothness of the fields in pixels: the standard deviation of the Gaussian that blurs them, and also
            of their values before that.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: how to continue beyond the border, see `map_coordinates`.
        fill_value: the value for `"constant"`.
        seed: an int, a `SeedGenerator`, or None, as for the functions of `polykeras.random`.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        Images of the same shape and dtype.

    Raises:
        ValueError: if the interpolation or fill mode is unknown.
    """
    order = check_mode("elastic_transform", fill_mode, interpolation)
    images, back = as_batch(as_images(images, "elastic_transform"), data_format)
    field = smooth_field(ops.shape(images), float(alpha), float(sigma), seed, ops.dtype(images))
    return back(displaced(images, field, order, fill_mode, fill_value))


def smooth_field(
    shape: tuple[int, ...],
    alpha: Any,
    sigma: Any,
    seed: int | SeedGenerator | None,
    dtype: str,
    widest: float | None = None,
) -> Array:
    """Return the displacements of pixels along x and y, `(batch, height, width, 2)`.

    Args:
        shape: the shape of the images, `(batch, height, width, channels)`.
        alpha: see `elastic_transform`; may be an array, like `sigma`.
        sigma: see `elastic_transform`.
        seed: see `elastic_transform`.
        dtype: the dtype of the images.
        widest: the largest possible `sigma`, if it is an array.
    """
    work = dtypes.result_type("float32", float_dtype(dtype))
    noise = registry.current().random_normal(key_of_seed.get()(seed), (*shape[:3], 2), work)
    size = int(6 * (sigma if widest is None else widest)) | 1
    deviations = ops.stack([ops.convert_to_tensor(sigma, work)] * 2)
    return gaussian_blur(noise * sigma, (size, size), deviations, "channels_last") * alpha


def displaced(images: Array, field: Array, order: int, fill_mode: str, fill_value: float) -> Array:
    """Return images `(batch, height, width, channels)` whose pixels are looked up at displaced positions."""
    _, height, width, _ = ops.shape(images)
    dx, dy = ops.unstack(field, axis=3)
    x, y = _grid(height, width, ops.dtype(field))
    return look_up(images, x + dx, y + dy, order, fill_mode, fill_value)
