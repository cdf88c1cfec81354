"""Layers that change the values of pixels: inverting, reducing bits, equalizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.collectives import sum_over_workers
from polykeras.common.arguments import int_tuple, positive_int
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.image.base import ImageLayer, RandomImageLayer, Transformation
from polykeras.layers.image.factors import chosen, factor_range, per_image, rescaled, value_pair
from polykeras.seeds import SeedGenerator

BYTES = (0, 255)


@LAYERS.register()
class RandomInvert(RandomImageLayer):
    """Inverts the values of some images while training.

    Args:
        factor: the range of the probability: a pair, or one number `f` for 0 to f.
        value_range: the range of the images' values.
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
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self)
        self.value_range = value_range

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        return {"apply_inversion": chosen(shape[0], self.factor, seed)}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        return ops.where(
            per_image(transformation["apply_inversion"], images), float(self.value_range[1]) - images, images
        )


@LAYERS.register()
class RandomPosterization(RandomImageLayer):
    """Keeps only the first bits of the values of each image, out of 8, while training.

    Args:
        factor: the range of the number of bits, from 1 to 8: a pair, whose second number is excluded, or one number `f`
            for 1 to f.
        value_range: the range of the images' values.
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
        self.factor = factor_range(factor, "factor", self, 1, 8)
        self.value_range = value_pair(value_range, self)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        low, high = (int(n) for n in self.factor)
        if low == high:
            return {"shift_factor": ops.full((shape[0],), 8 - low, "int32")}
        return {"shift_factor": 8 - random.randint((shape[0],), low, high, seed=seed)}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        shift = ops.reshape(ops.cast(transformation["shift_factor"], "int32"), (-1, 1, 1, 1))
        values = ops.cast(rescaled(images, self.value_range, BYTES), "int32")
        values = ops.left_shift(ops.right_shift(values, shift), shift)
        return rescaled(ops.cast(values, ops.dtype(images)), BYTES, self.value_range)


@LAYERS.register()
class Solarization(RandomImageLayer):
    """Inverts the values above a random threshold, after adding a random number, while training.

    Args:
        addition_factor: the range of the number to add, as a fraction of 255: a pair, or one number `f` for 0 to f.
        threshold_factor: the range of the threshold, in the same form.
        value_range: the range of the images' values.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`, and `data_format`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        addition_factor: float | Sequence[float] = 0.0,
        threshold_factor: float | Sequence[float] = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.addition_factor = factor_range(addition_factor, "addition_factor", self)
        self.threshold_factor = factor_range(threshold_factor, "threshold_factor", self)
        self.value_range = value_pair(value_range, self)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        def draw(factor: tuple[float, float]) -> Array:  # the lower bound is not scaled by 255, as in Keras
            return random.uniform((shape[0],), factor[0], factor[1] * 255, seed=seed)

        return {"additions": draw(self.addition_factor), "thresholds": draw(self.threshold_factor)}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        values = rescaled(images, self.value_range, BYTES) + per_image(transformation["additions"], images)
        values = ops.clip(values, 0.0, 255.0)
        below = ops.less(values, per_image(transformation["thresholds"], images))
        return rescaled(ops.where(below, values, 255.0 - values), BYTES, self.value_range)


@LAYERS.register()
class AutoContrast(ImageLayer):
    """Stretches the values of each channel of an image to the whole range; also outside of training.

    Args:
        value_range: the range of the images' values.
        **kwargs: further arguments of `Layer`, and `data_format`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(self, value_range: Sequence[float] = (0, 255), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value_range = value_pair(value_range, self)

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        values = rescaled(images, self.value_range, BYTES)
        low, high = (extreme(values, axis=(1, 2), keepdims=True) for extreme in (ops.min, ops.max))
        flat = ops.equal(low, high)
        scale = 255.0 / ops.where(flat, 1.0, high - low)
        spread = ops.clip(values * scale - low * scale, 0.0, 255.0)
        return ops.where(flat, images, rescaled(spread, BYTES, self.value_range))


def _counts(places: Array, groups: int, bins: int) -> Array:
    """Return how often each bin of each group occurs, floats `(groups, bins)`, for places `group * bins + bin`."""
    flat = ops.reshape(places, (-1,))
    return ops.reshape(ops.segment_sum(ops.ones_like(flat, "float32"), flat, groups * bins), (groups, bins))


@LAYERS.register()
class Equalization(RandomImageLayer):
    """Spreads the values of each channel so that all are about equally frequent, while training.

    Frequencies are counted over the whole batch.

    Args:
        value_range: the range of the images' values.
        bins: the number of distinct values.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    _not_in_config = (*RandomImageLayer._not_in_config, "seed")

    def __init__(
        self, value_range: Sequence[float] = (0, 255), bins: int = 256, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.bins = positive_int(bins, "bins", self)
        self.value_range = value_pair(value_range, self)

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        channels, last = ops.shape(images)[-1], self.bins - 1
        values = rescaled(images, self.value_range, BYTES)
        of_channel = ops.arange(channels, dtype="int32") * self.bins
        places = ops.clip(ops.cast(ops.cast(values, "float32") * last / 255.0, "int32"), 0, last) + of_channel
        counts = sum_over_workers(_counts(places, channels, self.bins))
        total = ops.cumsum(counts, axis=1)
        first = ops.min(ops.where(total > 0, total, float("inf")), axis=1, keepdims=True)
        rest = total[:, -1:] - first
        table = ops.clip(ops.round((total - first) * 255.0 / ops.where(rest == 0, 1.0, rest)), 0.0, 255.0)
        spread = ops.cast(ops.take(ops.reshape(table, (-1,)), places), ops.dtype(values))
        several = ops.count_nonzero(counts, axis=1) > 1
        return rescaled(ops.where(several, spread, values), BYTES, self.value_range)


@LAYERS.register()
class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Spreads the values within each tile of an image so that all are about equally frequent; also outside of training.

    Source: Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994. Counts above a limit
    are distributed over all values, and a pixel's value is the mean of the maps of the four tiles around it.

    Args:
        value_range: the range of the images' values.
        clip_limit: the limit, in multiples of the mean frequency; 0 for none.
        tile_grid_size: the number of tiles down and across.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Sequence[int] = (8, 8),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_range
        self.clip_limit = clip_limit
        self.tile_grid_size = int_tuple(tuple(tile_grid_size), 2, "tile_grid_size", self)

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        batch, height, width, channels = ops.shape(images)
        down, across = self.tile_grid_size
        tall, wide = -(-height // down), -(-width // across)
        values = ops.cast(rescaled(images, self.value_range, BYTES), "float32")
        widths = [(0, 0), (0, tall * down - height), (0, wide * across - width), (0, 0)]
        values = ops.cast(ops.clip(ops.pad(values, widths, "symmetric"), 0, 255), "int32")
        tables = self._tables(values, (batch, down, across, channels), tall * wide)
        rows, columns = _tiles_around(tall, down), _tiles_around(wide, across)
        of_image = ops.reshape(ops.arange(batch, dtype="int32") * (down * across), (batch, 1, 1, 1))
        of_channel = ops.arange(channels, dtype="int32")
        total: Any = 0.0
        for row, row_share in rows:
            for column, column_share in columns:
                tile = of_image + ops.reshape(row, (-1, 1, 1)) * across + ops.reshape(column, (-1, 1))
                found = ops.take(tables, (tile * channels + of_channel) * 256 + values)
                total = total + found * ops.reshape(row_share, (-1, 1, 1)) * ops.reshape(column_share, (-1, 1))
        return rescaled(total[:, :height, :width], BYTES, self.value_range)

    def _tables(self, values: Array, sizes: tuple[int, ...], pixels: int) -> Array:
        """Return the map of values in each tile: flat, by image, row, column and channel of the tile, then by value."""
        batch, down, across, channels = sizes
        tall, wide = ops.shape(values)[1] // down, ops.shape(values)[2] // across
        tiles = ops.reshape(values, (batch, down, tall, across, wide, channels))
        tiles = ops.reshape(ops.transpose(tiles, (0, 1, 3, 5, 2, 4)), (-1, pixels))
        groups = batch * down * across * channels
        start = ops.expand_dims(ops.arange(groups, dtype="int32") * 256, 1)
        counts = _counts(tiles + start, groups, 256)
        if self.clip_limit > 0:
            kept = ops.minimum(counts, self.clip_limit * pixels / 256.0)
            counts = kept + ops.sum(counts - kept, axis=1, keepdims=True) / 256.0
        total = ops.cumsum(counts, axis=1)
        least = ops.min(total, axis=1, keepdims=True)
        rest = pixels - least
        table = ops.clip((total - least) * 255.0 / ops.where(rest == 0, 1.0, rest), 0.0, 255.0)
        return ops.reshape(table, (-1,))


def _tiles_around(size: int, count: int) -> list[tuple[Array, Array]]:
    """Return, for each pixel along an axis of `count` tiles, the tiles whose centres surround it, and their shares."""
    place = ops.arange(size * count, dtype="float32") / size - 0.5
    before = ops.floor(place)
    share = place - before
    index = ops.cast(before, "int32")
    return [(ops.clip(index, 0, count - 1), 1.0 - share), (ops.clip(index + 1, 0, count - 1), share)]
