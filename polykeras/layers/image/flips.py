"""A layer that mirrors images."""

from __future__ import annotations

from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.arguments import one_of
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.image.base import RandomImageLayer, Transformation
from polykeras.layers.image.factors import per_image
from polykeras.seeds import SeedGenerator


@LAYERS.register()
class RandomFlip(RandomImageLayer):
    """Mirrors each image with a probability of one half while training.

    Args:
        mode: `"horizontal"`, `"vertical"` or `"horizontal_and_vertical"`, which is both at once.
        seed: an int that gives the layer a random stream of its own.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: the mode is unknown.
    """

    sample_by_sample = True
    _moves_pixels = True

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.mode = one_of(
            mode, ("horizontal", "vertical", "horizontal_and_vertical"), f"{type(self).__name__}: `mode`"
        )

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        return {"flips": random.uniform((shape[0],), seed=seed) <= 0.5}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        axes = [axis for axis, name in ((2, "horizontal"), (1, "vertical")) if name in self.mode]
        return ops.where(per_image(transformation["flips"], images), ops.flip(images, axis=tuple(axes)), images)

    _transform_masks = _transform

    def _transform_boxes(self, corners: Array, transformation: Transformation) -> Array:
        height, width = transformation["size"]
        left, top, right, bottom = ops.unstack(corners, axis=-1)
        if "horizontal" in self.mode:
            left, right = width - right, width - left
        if "vertical" in self.mode:
            top, bottom = height - bottom, height - top
        flips = ops.reshape(transformation["flips"], (-1, 1, 1))
        return ops.where(flips, ops.stack([left, top, right, bottom], axis=-1), corners)
