"""A layer that changes the perspective of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.image.base import RandomImageLayer, Transformation
from polykeras.layers.image.factors import chosen, factor_range, per_image
from polykeras.layers.image.geometry import Mapped
from polykeras.ops.image.transforms import homography
from polykeras.seeds import SeedGenerator


@LAYERS.register()
class RandomPerspective(Mapped):
    """Changes the perspective of some images while training, by moving each corner by a random amount.

    Args:
        factor: the range of the probability that an image is changed: a pair, or one number `f` for 0 to f.
        scale: how far corners may move, as a fraction of their coordinates, from 0 to 1: half of it in each direction.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_value: the value of places beyond the border.
        seed: an int that gives the layer a random stream of its own.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True
    _not_in_config = (*RandomImageLayer._not_in_config, "fill_mode")

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__("constant", interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self)
        factor_range(scale, "scale", self)
        self.scale = scale

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        batch, height, width, _ = shape
        applies = chosen(batch, self.factor, seed)
        moved = random.uniform((batch, 4, 2), -0.5 * self.scale, 0.5 * self.scale, seed=seed)
        right, bottom = width - 1.0, height - 1.0
        corners = [[[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]]]
        start = ops.convert_to_tensor(corners, ops.dtype(moved)) + ops.zeros_like(moved)
        # An image that does not change has the same corners before and after.
        end = start + start * ops.where(ops.reshape(applies, (-1, 1, 1)), moved, 0.0)
        return {"start_points": start, "end_points": end, "apply_perspective": applies}

    def _maps(self, transformation: Transformation) -> Array:
        return homography(transformation["start_points"], transformation["end_points"])

    def _move(self, images: Array, transformation: Transformation, interpolation: str) -> Array:
        applies = per_image(transformation["apply_perspective"], images)
        return ops.where(applies, super()._move(images, transformation, interpolation), images)
