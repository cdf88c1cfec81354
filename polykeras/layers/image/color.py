"""Layers that randomly change brightness and colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import config, ops, random
from polykeras.backend.spec import Array
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.image.base import RandomImageLayer, Transformation
from polykeras.layers.image.factors import factor_range, per_image, rescaled, value_pair
from polykeras.seeds import SeedGenerator

LAST: dict[str, Any] = {"data_format": "channels_last"}
"""Inside these layers, channels are last."""


@LAYERS.register()
class RandomBrightness(RandomImageLayer):
    """Makes each image brighter or darker while training.

    Args:
        factor: the range of the number to add, as a fraction of the value range: a pair, or one number `f` for -f to f.
        value_range: the range of the images' values; the result is clipped to it.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`, and `data_format`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        factor: float | Sequence[float],
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.factor = factor_range(factor, "factor", self, -1.0)
        self.value_range = value_pair(value_range, self)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        low, high = self.value_range
        return {"rgb_delta": random.uniform((shape[0],), *self.factor, seed=seed) * (high - low)}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        return ops.clip(images + per_image(transformation["rgb_delta"], images), *self.value_range)


@LAYERS.register()
class RandomContrast(RandomImageLayer):
    """Moves the values of each channel away from or towards their mean in the image, while training.

    Args:
        factor: the range of the contrast's factor: a pair for `1 - first` to `1 + second`, or one number `f` for 1 to
            `1 + f`; between 0 and 1.
        value_range: the range of the images' values; the result is clipped to it.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`, and `data_format`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        factor: float | Sequence[float],
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.factor = factor_range(factor, "factor", self)
        self.value_range = value_range

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        low, high = self.factor
        return {"contrast_factor": random.uniform((shape[0],), 1.0 - low, 1.0 + high, seed=seed)}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        mean = ops.mean(images, axis=(1, 2), keepdims=True)
        changed = (images - mean) * per_image(transformation["contrast_factor"], images) + mean
        return ops.clip(changed, *self.value_range)


@LAYERS.register()
class RandomHue(RandomImageLayer):
    """Rotates the hue of each image while training.

    Args:
        factor: the range of the rotation in half turns of the colour circle, in a random direction: a pair, or one
            number `f` for 0 to f; between 0 and 1.
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
        self.factor = factor_range(factor, "factor", self)
        self.value_range = value_range

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        sign = ops.where(random.uniform((shape[0],), seed=seed) > 0.5, -0.5, 0.5)
        return {"factor": sign * random.uniform((shape[0],), *self.factor, seed=seed)}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        hsv = ops.image.rgb_to_hsv(rescaled(images, self.value_range, (0, 1)), **LAST)
        hue = ops.mod(hsv[..., :1] + per_image(transformation["factor"], images), 1.0)
        rgb = ops.image.hsv_to_rgb(ops.concatenate([hue, hsv[..., 1:]], axis=-1), **LAST)
        return rescaled(ops.clip(rgb, 0.0, 1.0), (0, 1), self.value_range)


@LAYERS.register()
class RandomSaturation(RandomImageLayer):
    """Increases or decreases the saturation of each image while training.

    Args:
        factor: the range of `f` in the factor `f / (1 - f)` of the saturation: 0.5 changes nothing, and 0 gives grey
            images. A pair, or one number for `-f` to `f`; negative numbers count as 0.
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
        self.factor = factor_range(factor, "factor", self, -1.0)
        self.value_range = value_pair(value_range, self)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        factor = random.uniform((shape[0],), *self.factor, seed=seed)
        return {"factor": factor / (1.0 - factor + config.epsilon())}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        hsv = ops.image.rgb_to_hsv(images, **LAST)
        saturation = hsv[..., 1:2] * per_image(transformation["factor"], images)
        saturation = ops.clip(saturation, *self.value_range)
        return ops.image.hsv_to_rgb(ops.concatenate([hsv[..., :1], saturation, hsv[..., 2:]], axis=-1), **LAST)


@LAYERS.register()
class RandomColorDegeneration(RandomImageLayer):
    """Mixes each image with its greyscale version while training.

    Args:
        factor: the range of the grey share: a pair, or one number `f` for -f to f. 0 changes nothing, and 1 is all
            grey.
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
        self.factor = factor_range(factor, "factor", self, -1.0)
        self.value_range = value_pair(value_range, self)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        return {"factor": random.uniform((shape[0],), *self.factor, seed=seed)}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        gray = ops.image.rgb_to_grayscale(images, **LAST)
        mixed = images + per_image(transformation["factor"], images) * (gray - images)
        return ops.clip(mixed, *self.value_range)


@LAYERS.register()
class RandomGrayscale(RandomImageLayer):
    """Turns some images grey while training, and keeps their number of channels.

    Args:
        factor: the probability for an image, from 0 to 1.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self, factor: float = 0.5, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        factor_range(factor, "factor", self)
        self.factor = factor

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        return {"applies": random.uniform((shape[0],), seed=seed) < self.factor}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        gray = ops.image.rgb_to_grayscale(images, **LAST)
        return ops.where(per_image(transformation["applies"], images), gray, images)


@LAYERS.register()
class RandomColorJitter(RandomImageLayer):
    """Changes brightness, contrast, saturation and hue of each image, one after another, while training.

    Args:
        value_range: the range of the images' values.
        brightness_factor: see `RandomBrightness`; None skips this change.
        contrast_factor: see `RandomContrast`; None skips this change.
        saturation_factor: see `RandomSaturation`; None skips this change.
        hue_factor: see `RandomHue`; None skips this change.
        seed: an int that gives the layer a random stream of its own.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    sample_by_sample = True

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        brightness_factor: float | Sequence[float] | None = None,
        contrast_factor: float | Sequence[float] | None = None,
        saturation_factor: float | Sequence[float] | None = None,
        hue_factor: float | Sequence[float] | None = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.value_range = value_range
        self.brightness_factor = brightness_factor
        self.contrast_factor = contrast_factor
        self.saturation_factor = saturation_factor
        self.hue_factor = hue_factor
        wanted = {
            RandomBrightness: brightness_factor,
            RandomContrast: contrast_factor,
            RandomSaturation: saturation_factor,
            RandomHue: hue_factor,
        }
        own = {"value_range": value_range, "seed": seed, "dtype": self.dtype_policy, **LAST}
        self._steps = [layer(factor, **own) for layer, factor in wanted.items() if factor is not None]

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        return {"steps": [step._draw(shape, seed) for step in self._steps]}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        for step, drawn in zip(self._steps, transformation["steps"], strict=True):
            images = step._transform(images, drawn)
        return images
