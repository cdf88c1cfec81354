"""Layers that move pixels by affine maps of the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.arguments import one_of
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.image import boxes
from polykeras.layers.image.base import RandomImageLayer, Transformation
from polykeras.layers.image.factors import factor_range
from polykeras.seeds import SeedGenerator


class Mapped(RandomImageLayer):
    """Base of layers that move pixels by a random map of the plane.

    Args:
        fill_mode: how to fill places beyond the border.
        interpolation: the interpolation between pixels.
        fill_value: the value for the `fill_mode` `"constant"`.
        **kwargs: further arguments of `RandomImageLayer`.
    """

    _moves_pixels = True
    _fill_modes: ClassVar[tuple[str, ...]] = ("reflect", "wrap", "constant", "nearest")

    def __init__(self, fill_mode: str, interpolation: str, fill_value: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fill_mode = one_of(fill_mode, self._fill_modes, f"{type(self).__name__}: `fill_mode`")
        self.interpolation = one_of(interpolation, ("nearest", "bilinear"), f"{type(self).__name__}: `interpolation`")
        self.fill_value = fill_value

    def _maps(self, transformation: Transformation) -> Array:
        """Return a map for each image, `(batch, 8)`, in the form of `ops.image.affine_transform`."""
        raise NotImplementedError

    def _move(self, images: Array, transformation: Transformation, interpolation: str) -> Array:
        maps = self._maps(transformation)
        return ops.image.affine_transform(
            images, maps, interpolation, self.fill_mode, self.fill_value, data_format="channels_last"
        )

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        return self._move(images, transformation, self.interpolation)

    def _transform_masks(self, masks: Array, transformation: Transformation) -> Array:
        return self._move(masks, transformation, "nearest")

    def _transform_boxes(self, corners: Array, transformation: Transformation) -> Array:
        maps = self._maps(transformation)
        whole = ops.concatenate([maps, ops.ones_like(maps[:, :1])], axis=1)
        forward = ops.inv(ops.reshape(whole, (-1, 3, 3)))  # a map takes a place in the result to one in the image
        return boxes.under(corners, ops.cast(forward, ops.dtype(corners)))


def _affine(a0: Any, a1: Any, a2: Any, b0: Any, b1: Any, b2: Any) -> Array:
    """Return affine maps `(batch, 8)`, made of numbers and arrays `(batch,)`."""
    like = next(x for x in (a0, a1, a2) if not isinstance(x, float))
    return ops.stack([x + ops.zeros_like(like) for x in (a0, a1, a2, b0, b1, b2, 0.0, 0.0)], axis=1)


@LAYERS.register()
class RandomRotation(Mapped):
    """Rotates each image around its centre by a random angle while training.

    Args:
        factor: the range of angles, in turns of 360 degrees: a pair, or one number `f` for -f to f. Positive angles
            turn counter-clockwise.
        fill_mode: how to fill places beyond the border: `"reflect"`, `"wrap"`, `"constant"` or `"nearest"`; see
            `ops.image.map_coordinates`.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: an int that gives the layer a random stream of its own.
        fill_value: the value for the `fill_mode` `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        factor: float | Sequence[float],
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self, -1.0)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        low, high = self.factor
        return {"angle": random.uniform((shape[0],), low * 360.0, high * 360.0, seed=seed)}

    def _maps(self, transformation: Transformation) -> Array:
        angle = transformation["angle"] * (math.pi / 180.0)
        y, x = ((n - 1) * 0.5 for n in transformation["size"])
        cos, sin = ops.cos(angle), ops.sin(angle)
        return _affine(cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos)


@LAYERS.register()
class RandomZoom(Mapped):
    """Enlarges or shrinks each image around its centre while training.

    Args:
        height_factor: the range, a pair or one number `f` for -f to f: 0.2 shows 20 % more of the image, and -0.2
            enlarges it.
        width_factor: the range for the width; None keeps the aspect ratio.
        fill_mode: see `RandomRotation`.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: an int that gives the layer a random stream of its own.
        fill_value: the value for the `fill_mode` `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        height_factor: float | Sequence[float],
        width_factor: float | Sequence[float] | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        least = math.nextafter(-1.0, 0.0)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._heights = factor_range(height_factor, "height_factor", self, least)
        self._widths = None if width_factor is None else factor_range(width_factor, "width_factor", self, least)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        def draw(bounds: tuple[float, float]) -> Array:
            return random.uniform((shape[0],), 1.0 + bounds[0], 1.0 + bounds[1], seed=seed)

        height = draw(self._heights)
        return {"height_zoom": height, "width_zoom": height if self._widths is None else draw(self._widths)}

    def _maps(self, transformation: Transformation) -> Array:
        tall, wide = (ops.reshape(transformation[key], (-1,)) for key in ("height_zoom", "width_zoom"))
        y, x = ((n - 1) / 2.0 for n in transformation["size"])
        return _affine(wide, 0.0, x * (1.0 - wide), 0.0, tall, y * (1.0 - tall))


@LAYERS.register()
class RandomTranslation(Mapped):
    """Shifts each image down and to the right by random fractions of its size while training.

    Args:
        height_factor: the range of the shift down, a pair or one number `f` for -f to f; negative numbers shift up.
        width_factor: the range of the shift to the right, in the same form.
        fill_mode: see `RandomRotation`.
        interpolation: `"bilinear"` or `"nearest"`.
        seed: an int that gives the layer a random stream of its own.
        fill_value: the value for the `fill_mode` `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        height_factor: float | Sequence[float],
        width_factor: float | Sequence[float],
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._heights = factor_range(height_factor, "height_factor", self, -1.0)
        self._widths = factor_range(width_factor, "width_factor", self, -1.0)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        batch, height, width, _ = shape
        down = random.uniform((batch,), *self._heights, seed=seed) * float(height)
        right = random.uniform((batch,), *self._widths, seed=seed) * float(width)
        return {"translations": ops.stack([right, down], axis=1)}

    def _maps(self, transformation: Transformation) -> Array:
        right, down = ops.unstack(transformation["translations"], axis=1)
        return _affine(1.0, 0.0, -right, 0.0, 1.0, -down)


@LAYERS.register()
class RandomShear(Mapped):
    """Shears each image by random amounts, in a random direction, while training.

    Args:
        x_factor: the range of the horizontal shift for each row, a pair or one number `f` for -f to f.
        y_factor: the range of the vertical shift for each column, in the same form.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: see `RandomRotation`.
        fill_value: the value for the `fill_mode` `"constant"`.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        x_factor: float | Sequence[float] = 0.0,
        y_factor: float | Sequence[float] = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs)
        self.x_factor = factor_range(x_factor, "x_factor", self, -1.0)
        self.y_factor = factor_range(y_factor, "y_factor", self, -1.0)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        sign = ops.where(random.uniform((shape[0],), seed=seed) > 0.5, -1.0, 1.0)
        down = random.uniform((shape[0],), *self.y_factor, seed=seed)
        right = random.uniform((shape[0],), *self.x_factor, seed=seed)
        return {"shear_factor": ops.stack([right * sign, down * sign], axis=1)}

    def _maps(self, transformation: Transformation) -> Array:
        right, down = ops.unstack(transformation["shear_factor"], axis=1)
        return _affine(1.0, right, 0.0, down, 1.0, 0.0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments; a range from -f to f as the number f, because Keras refuses negative ones."""
        ranges = {"x_factor": self.x_factor, "y_factor": self.y_factor}
        return super().get_config() | {k: v[1] if v[0] == -v[1] else list(v) for k, v in ranges.items()}
