"""Layers that sharpen, blur, distort or partly erase images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.arguments import python_numbers
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.image.base import RandomImageLayer, Transformation
from polykeras.layers.image.factors import chosen, factor_range, per_image, value_pair
from polykeras.layers.image.geometry import Mapped
from polykeras.ops.image.filters import each_channel
from polykeras.ops.image.sampling import ORDERS
from polykeras.ops.image.transforms import displaced, smooth_field
from polykeras.seeds import SeedGenerator


@LAYERS.register()
class RandomSharpness(RandomImageLayer):
    """Sharpens or smooths each image while training.

    Args:
        factor: the range of `f`, between 0 and 1: 0.5 changes nothing, 0 is a smoothed image, and 1 is equally much
            sharper. A pair, or one number for 0 to f.
        value_range: the range of the images' values; the result is clipped to it.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        factor: float | Sequence[float],
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self)
        self.value_range = value_pair(value_range, self)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        return {"factor": random.uniform((shape[0],), *self.factor, seed=seed)}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        weights = [[[1.0 / 13.0]] * 3, [[1.0 / 13.0], [5.0 / 13.0], [1.0 / 13.0]], [[1.0 / 13.0]] * 3]
        smooth = each_channel(images, ops.convert_to_tensor(weights, ops.dtype(images)), "same")
        part = 1.0 - 2.0 * per_image(transformation["factor"], images)
        return ops.clip(images + part * (smooth - images), *self.value_range)


@LAYERS.register()
class RandomGaussianBlur(RandomImageLayer):
    """Blurs some images with a Gaussian of random width while training.

    Args:
        factor: the range of the probability: a pair, or one number `f` for 0 to f.
        kernel_size: the number of columns and rows of the kernel: one odd number, or two.
        sigma: the range of the standard deviations along both axes, in pixels, between 0 and 1: a pair, or one number
            for 0 to that number. They are drawn once for each batch.
        value_range: the range of the images' values; the result is clipped to it.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self)
        given = python_numbers(kernel_size)
        sizes = tuple(given) if isinstance(given, (list, tuple)) else (given,) * 2
        if len(sizes) != 2 or any(not isinstance(n, int) or n % 2 == 0 or n < 1 for n in sizes):
            raise ValueError(
                f"RandomGaussianBlur: `kernel_size` must be an odd int, or a pair of them; received {kernel_size!r}."
            )
        self.kernel_size = sizes
        self.sigma = factor_range(sigma, "sigma", self)
        self.value_range = value_range

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        applies = chosen(shape[0], self.factor, seed)
        return {"should_apply_blur": applies, "blur_factor": random.uniform((2,), *self.sigma, seed=seed) + 1e-6}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        blurred = ops.image.gaussian_blur(images, self.kernel_size, transformation["blur_factor"], "channels_last")
        mixed = ops.where(per_image(transformation["should_apply_blur"], images), blurred, images)
        return ops.clip(mixed, *self.value_range)


@LAYERS.register()
class RandomElasticTransform(Mapped):
    """Distorts some images with smooth random displacement fields while training.

    Args:
        factor: the range of the probability: a pair, or one number `f` for 0 to f.
        scale: the range of the strength, between 0 and 1: a pair, or one number for 0 to that number. It is drawn once
            for each batch.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: how to fill places beyond the border, see `ops.image.map_coordinates`.
        fill_value: the value for the `fill_mode` `"constant"`.
        value_range: the range of the images' values; the result is clipped to it.
        seed: an int that gives the layer a random stream of its own.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True
    _moves_pixels = False  # boxes stay, as in Keras, because the field is no map of the plane
    _fill_modes: ClassVar[tuple[str, ...]] = ("constant", "nearest", "wrap", "mirror", "reflect")

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self)
        self.scale = factor_range(scale, "scale", self)
        self.value_range = value_range

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        batch, height, width, _ = shape
        applies = chosen(batch, self.factor, seed)
        strength = random.uniform((), *self.scale, seed=seed)
        widest = 0.05 * min(height, width)
        alpha, sigma = 0.1 * max(height, width) * strength, ops.maximum(widest * strength, 1e-6)
        field = smooth_field(shape, alpha, sigma, seed, ops.dtype(strength), widest * self.scale[1])
        return {"apply_transform": applies, "field": field}

    def _move(self, images: Array, transformation: Transformation, interpolation: str) -> Array:
        field, order = transformation["field"], ORDERS[interpolation]
        moved = displaced(images, field, order, self.fill_mode, self.fill_value)
        return ops.where(per_image(transformation["apply_transform"], images), moved, images)

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        return ops.clip(super()._transform(images, transformation), *self.value_range)


def rectangles(
    shape: tuple[int, ...], heights: Array, widths: Array, seed: int | SeedGenerator | None
) -> tuple[Array, Array]:
    """Return a mask of a random rectangle in each image, bool `(batch, height, width, 1)`, and its share of the area.

    Args:
        shape: the shape `(batch, height, width, channels)`.
        heights: the heights of the rectangles, `(batch,)`, as fractions of the images' heights.
        widths: the widths of the rectangles, as fractions of the images' widths.
        seed: a seed, or a `SeedGenerator`.
    """
    batch, height, width, _ = shape

    def span(part: Array, size: int) -> tuple[Array, Array]:
        length = part * float(size)
        start = random.uniform((batch,), seed=seed) * (float(size) - length)
        place, start, stop = ops.arange(size, dtype=ops.dtype(part)), start[:, None], (start + length)[:, None]
        return ops.logical_and(place >= start, place < stop), length / float(size)

    (columns, wide), (rows, tall) = span(widths, width), span(heights, height)
    return ops.logical_and(rows[:, :, None, None], columns[:, None, :, None]), wide * tall


@LAYERS.register()
class RandomErasing(RandomImageLayer):
    """Erases a random rectangle in some images while training.

    Source: Zhong et al., "Random erasing data augmentation", 2017, https://arxiv.org/abs/1708.04896.

    Args:
        factor: the range of the probability: a pair, or one number `f` for 0 to f.
        scale: the range of the share of the area to erase: a pair, or one number for 0 to that number. The sides are
            the square roots of two draws.
        fill_value: the value of erased pixels: a number, three numbers for the channels, or None for noise.
        value_range: the range of the images' values; the fill value is clipped to it.
        seed: an int that gives the layer a random stream of its own.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: float | Sequence[float] | None = None,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self)
        self.scale = factor_range(scale, "scale", self)
        if isinstance(fill_value, (list, tuple)) and len(fill_value) != 3:
            raise ValueError(f"RandomErasing: `fill_value` must be a number, three, or None; received {fill_value!r}.")
        self.fill_value = fill_value
        self.value_range = value_range

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        parts = ops.sqrt(random.uniform((shape[0], 2), *self.scale, seed=seed))
        masks, _ = rectangles(shape, parts[:, 1], parts[:, 0], seed)
        applies = chosen(shape[0], self.factor, seed)
        if self.fill_value is None:
            fill = random.normal(shape, 0.0, float(self.value_range[1]), seed=seed)
        else:
            fill = ops.convert_to_tensor(self.fill_value, ops.dtype(parts))
        return {"apply_erasing": applies, "batch_masks": masks, "fill_value": ops.clip(fill, *self.value_range)}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        fill = ops.cast(transformation["fill_value"], ops.dtype(images))
        applies = per_image(transformation["apply_erasing"], images)
        return ops.where(ops.logical_and(applies, transformation["batch_masks"]), fill, images)
