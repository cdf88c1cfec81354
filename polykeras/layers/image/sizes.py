"""Layers that resize or crop images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras import ops, random
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int
from polykeras.common.types import ArrayLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.image.base import ImageLayer, RandomImageLayer, Transformation
from polykeras.ops.image.sizes import crop_box
from polykeras.seeds import SeedGenerator


def _scaled_boxes(corners: Array, start: tuple[float, float], scale: tuple[float, float]) -> Array:
    """Return boxes of a section of an image, scaled; boxes that are all -1 or all 0 become zeros."""
    nothing = ops.logical_or(ops.all(corners == -1, axis=-1), ops.all(corners == 0, axis=-1))
    dtype = ops.dtype(corners)
    first = ops.convert_to_tensor([start[1], start[0]] * 2, dtype)
    factor = ops.convert_to_tensor([scale[1], scale[0]] * 2, dtype)
    return ops.where(ops.expand_dims(nothing, -1), 0.0, (corners - first) * factor)


class _Sized(ImageLayer):
    """Base of layers whose result has a fixed size.

    Args:
        height: the height of the result; None if it is set before the first call.
        width: the width of the result, in the same way.
        **kwargs: further arguments of `ImageLayer`.
    """

    _moves_pixels = True

    def __init__(self, height: int | None, width: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height: Any = height if height is None else positive_int(height, "height", self)
        self.width: Any = width if width is None else positive_int(width, "width", self)

    @property
    def _size(self) -> tuple[int, int]:
        """The height and width of the result."""
        return positive_int(self.height, "height", self), positive_int(self.width, "width", self)

    def _output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self._size

    def _cropped_and_resized(self, images: Array) -> Array:
        """Return the largest centred section with the aspect ratio of the result, resized."""
        return ops.image.resize(images, self._size, crop_to_aspect_ratio=True, data_format="channels_last")

    def _boxes_cropped_and_resized(self, corners: Array, size: tuple[int, int]) -> Array:
        (top, height), (left, width) = crop_box(size, (self.height, self.width))
        return _scaled_boxes(corners, (top, left), (self.height / height, self.width / width))


@LAYERS.register()
class Resizing(_Sized):
    """Resizes images.

    Args:
        height: the height of the result; None if it is set before the first call.
        width: the width of the result, in the same way.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"`, `"lanczos5"` or `"area"`; see
            `ops.image.resize`.
        crop_to_aspect_ratio: whether to crop images to the aspect ratio of the result first, around the centre.
        pad_to_aspect_ratio: whether to pad images to the aspect ratio of the result first.
        fill_mode: how to pad; only `"constant"`.
        fill_value: the value to pad with.
        antialias: whether to widen the kernel when images shrink.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: a size is not a positive int.
    """

    sample_by_sample = True
    keeps_dtype = True

    def __init__(
        self,
        height: int | None,
        width: int | None,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(height, width, data_format=data_format, **kwargs)
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = bool(antialias)

    def _resized(self, images: Array, interpolation: str) -> Array:
        return ops.image.resize(
            images,
            self._size,
            interpolation,
            self.antialias,
            self.crop_to_aspect_ratio,
            self.pad_to_aspect_ratio,
            self.fill_mode,
            self.fill_value,
            "channels_last",
        )

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        return self._resized(images, self.interpolation)

    def _transform_masks(self, masks: Array, transformation: Transformation) -> Array:
        return self._resized(masks, "nearest")

    def _transform_boxes(self, corners: Array, transformation: Transformation) -> Array:
        height, width = size = transformation["size"]
        if self.crop_to_aspect_ratio:
            return self._boxes_cropped_and_resized(corners, size)
        scale = self.height / height, self.width / width
        if not self.pad_to_aspect_ratio:
            return _scaled_boxes(corners, (0, 0), scale)
        least = min(scale)
        start = [
            -((to - length * least) // 2) / least for to, length in zip((self.height, self.width), size, strict=True)
        ]
        return _scaled_boxes(corners, (start[0], start[1]), (least, least))


@LAYERS.register()
class CenterCrop(_Sized):
    """Crops images to their centre; smaller images are cropped to the aspect ratio and enlarged.

    Args:
        height: the height of the result.
        width: the width of the result.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: a size is not a positive int.
    """

    sample_by_sample = True

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(height, width, data_format=data_format, **kwargs)

    def _start(self, size: tuple[int, int]) -> tuple[int, int] | None:
        """Return where the centre begins, or None if it does not fit into images of this size."""
        (height, width), (new_height, new_width) = size, self._size
        fits = height >= new_height and width >= new_width
        return ((height - new_height) // 2, (width - new_width) // 2) if fits else None

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        start = self._start(transformation["size"])
        if start is None:
            return self._cropped_and_resized(images)
        batch, _, _, channels = ops.shape(images)
        return ops.slice(images, (0, *start, 0), (batch, self.height, self.width, channels))

    _transform_masks = _transform

    def _transform_boxes(self, corners: Array, transformation: Transformation) -> Array:
        size = transformation["size"]
        start = self._start(size)
        if start is None:
            return self._boxes_cropped_and_resized(corners, size)
        return _scaled_boxes(corners, start, (1.0, 1.0))


@LAYERS.register()
class RandomCrop(RandomImageLayer, _Sized):
    """Crops a section at a random place, the same for all images of a batch.

    Outside of training, and for images that are not larger than the section, the result is the largest centred section
    with the same aspect ratio, resized.

    Args:
        height: the height of the result.
        width: the width of the result.
        seed: an int that gives the layer a random stream of its own.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        name: the name of the layer.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: a size is not a positive int.
    """

    sample_by_sample = True
    only_training = False

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(height=height, width=width, seed=seed, data_format=data_format, name=name, **kwargs)

    def get_random_transformation(
        self, data: ArrayLike | Mapping[str, Any], training: bool | None = True, seed: int | SeedGenerator | None = None
    ) -> Transformation | None:
        """Return where the section begins; see `ImageLayer`."""
        drawn = dict(super().get_random_transformation(data, training, seed) or {})
        (height, width), (new_height, new_width) = drawn["size"], self._size
        if training and height > new_height and width > new_width:
            generator = self.generator if seed is None else seed
            spans = (height - new_height + 1, width - new_width + 1)
            drawn["start"] = [ops.cast(random.uniform((), 0.0, float(n), seed=generator), "int32") for n in spans]
        return drawn

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        if "start" not in transformation:
            return self._cropped_and_resized(images)
        batch, _, _, channels = ops.shape(images)
        top, left = transformation["start"]
        zero = ops.zeros_like(top)
        return ops.slice(images, ops.stack([zero, top, left, zero]), (batch, self.height, self.width, channels))

    _transform_masks = _transform

    def _transform_boxes(self, corners: Array, transformation: Transformation) -> Array:
        if "start" not in transformation:
            return self._boxes_cropped_and_resized(corners, transformation["size"])
        top, left = (ops.cast(place, ops.dtype(corners)) for place in transformation["start"])
        return corners - ops.stack([left, top, left, top])
