"""Filters of images: blur, edges, and structural similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import dtypes, ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import int_tuple
from polykeras.common.types import ArrayLike
from polykeras.ops.image.layout import as_batch, as_images, float_dtype, image_op, rounded

_ACROSS = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def _gaussian(size: int, sigma: Any, dtype: str) -> Array:
    """Return Gaussian weights centred on `size` pixels; they sum to 1."""
    t = (ops.arange(size, dtype=dtype) - (size - 1) / 2.0) / sigma
    weights = ops.exp(-0.5 * t * t)
    return weights / ops.sum(weights)


def each_channel(images: Array, kernel: Array, padding: str) -> Array:
    """Filter each channel of `(batch, height, width, channels)` with the kernels `(rows, columns, n)`.

    The `n` results of a channel are adjacent.
    """
    rows, columns, n = ops.shape(kernel)
    channels = ops.shape(images)[-1]
    kernel = ops.broadcast_to(ops.reshape(kernel, (rows, columns, 1, n)), (rows, columns, channels, n))
    return ops.depthwise_conv(images, kernel, 1, padding, "channels_last")


@image_op
def gaussian_blur(
    images: ArrayLike,
    kernel_size: int | Sequence[int] = (3, 3),
    sigma: float | Sequence[float] = (1.0, 1.0),
    data_format: str | None = None,
) -> Array:
    """Return images filtered by a Gaussian, with zeros beyond the border.

    Args:
        images: one image `(height, width, channels)` or a batch of them; or channels first.
        kernel_size: the number of columns and rows of the kernel.
        sigma: the standard deviations along width and height, in pixels: two numbers, or an array `(2,)`.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        Images of the same shape and dtype.
    """
    images = as_images(images, "gaussian_blur")
    dtype = ops.dtype(images)
    work = float_dtype(dtype)
    across, down = int_tuple(kernel_size, 2, "kernel_size")
    deviations = ops.unstack(ops.cast(ops.convert_to_tensor(sigma), work), axis=0)
    kernel = ops.outer(_gaussian(down, deviations[1], work), _gaussian(across, deviations[0], work))
    batch, back = as_batch(ops.cast(images, work), data_format)
    return rounded(back(each_channel(batch, ops.expand_dims(kernel, -1), "same")), dtype)


@image_op
def sobel_edges(images: ArrayLike, data_format: str | None = None) -> Array:
    """Return the vertical and horizontal gradients of images by Sobel's kernels, with zeros beyond the border.

    Args:
        images: one image `(height, width, channels)` or a batch of them; or channels first.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        The shape of `images` with one more axis of size 2: the vertical and the horizontal gradient.
    """
    images = as_images(images, "sobel_edges")
    work = float_dtype(ops.dtype(images))
    batch, back = as_batch(ops.cast(images, work), data_format)
    across = ops.convert_to_tensor(_ACROSS, work)
    edges = each_channel(batch, ops.stack([ops.transpose(across), across], axis=-1), "same")
    edges = ops.reshape(edges, (*ops.shape(batch), 2))
    return ops.stack([back(part) for part in ops.unstack(edges, axis=-1)], axis=-1)


@image_op
def ssim(
    image1: ArrayLike,
    image2: ArrayLike,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Array:
    """Return the structural similarity of two images, 1 for equal ones.

    Source: Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE Transactions on Image Processing 13, 2004. Means and variances are weighted by a Gaussian. The
    result is the mean over all of its positions within the image, and over channels.

    Args:
        image1: one image `(height, width, channels)` or a batch of them; or channels first.
        image2: images of the same shape.
        max_val: the range of values: 1.0, or 255.
        filter_size: the width of the Gaussian, in pixels; at most the size of the images.
        filter_sigma: the standard deviation of the Gaussian.
        k1: a small number that keeps the quotient of means from 0 / 0.
        k2: a small number for the quotient of variances.
        data_format: `"channels_last"` or `"channels_first"`; by default the configured one.

    Returns:
        A number for each image, of the dtype of `image1`.
    """
    images = [as_images(image, "ssim") for image in (image1, image2)]
    dtype = ops.dtype(images[0])
    work = dtypes.result_type(float_dtype(dtype), float_dtype(ops.dtype(images[1])))
    single = len(ops.shape(images[0])) == 3
    x, y = (as_batch(ops.cast(image, work), data_format)[0] for image in images)
    weights = _gaussian(filter_size, filter_sigma, work)
    kernel = ops.expand_dims(ops.outer(weights, weights), -1)

    def mean(values: Array) -> Array:
        return each_channel(values, kernel, "valid")

    mean_x, mean_y = mean(x), mean(y)
    squares = mean_x * mean_x + mean_y * mean_y
    product = mean_x * mean_y
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    alike = (2.0 * product + c1) * (2.0 * (mean(x * y) - product) + c2)
    total = (squares + c1) * (mean(x * x) + mean(y * y) - squares + c2)
    result = ops.mean(alike / total, axis=(1, 2, 3))
    return ops.cast(ops.squeeze(result, 0) if single else result, dtype)
