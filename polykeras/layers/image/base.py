"""The base of image layers: data formats, single images, and the labels, masks and boxes that belong to images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from polykeras import config, ops, random
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras.common.types import ArrayLike
from polykeras.layers.base.data_layer import DataLayer
from polykeras.layers.image import boxes
from polykeras.ops.image.layout import as_batch, as_images
from polykeras.seeds import SeedGenerator

Transformation = Mapping[str, Any]
"""The random numbers for a batch, and its `"size"`, `(height, width)`."""


class ImageLayer(DataLayer):
    """Base of layers that change images `(batch, height, width, channels)`, single images, or channels first.

    The input is an array of images, or a dict with `"images"` and any of `"labels"`, `"bounding_boxes"` (a dict of
    `"boxes"` and `"labels"`) and `"segmentation_masks"`. Subclasses define `_transform` for a batch with channels last.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        bounding_box_format: the format of the bounding boxes, see `utils.bounding_boxes.convert_format`.
        factor: must be None; layers that have a factor define their own.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: a `factor` is given to a layer that has none.

    Attributes:
        height_axis: the axis of the height in this data format, from the end; also `width_axis` and `channel_axis`.
        only_training: whether the layer changes nothing outside of training.
        keeps_dtype: whether integers stay integers; otherwise the result has the compute dtype.
    """

    only_training: ClassVar[bool] = False
    keeps_dtype: ClassVar[bool] = False

    factor: Any = None

    def __init__(
        self,
        data_format: str | None = None,
        bounding_box_format: str | None = None,
        factor: None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if factor is not None:
            raise ValueError(f"{type(self).__name__} has no `factor`; received {factor!r}. Leave it out.")
        self.data_format = config.standardize_data_format(data_format)
        self.bounding_box_format = bounding_box_format
        first = self.data_format == "channels_first"
        self.height_axis, self.width_axis, self.channel_axis = (-2, -1, -3) if first else (-3, -2, -1)
        self.built = True  # there are no weights; and boxes may be lists, which have no shape

    # ---- for subclasses ------------------------------------------------------------------------------------------

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        """Return the random numbers for a batch of the shape `(batch, height, width, channels)`."""
        return {}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        """Return the changed images; they have the shape `(batch, height, width, channels)` and the compute dtype."""
        raise NotImplementedError

    def _transform_labels(self, labels: Array, /, transformation: Transformation) -> Array:
        """Return the changed labels; by default, labels stay the same."""
        return labels

    def _transform_masks(self, masks: Array, /, transformation: Transformation) -> Array:
        """Return the changed masks, `(batch, height, width, channels)`; by default, masks stay the same."""
        return masks

    def _transform_boxes(self, corners: Array, transformation: Transformation) -> Array:
        """Return the changed boxes, `(batch, n, 4)` in the format `"xyxy"`."""
        return corners

    def _output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width of the changed images."""
        return size

    _moves_pixels: ClassVar[bool] = False

    # ---- the public methods of Keras -----------------------------------------------------------------------------

    def get_random_transformation(
        self, data: ArrayLike | Mapping[str, Any], training: bool | None = True, seed: int | SeedGenerator | None = None
    ) -> Transformation | None:
        """Return the random numbers for a batch, which are shared by images, masks and boxes.

        Args:
            data: images, or a dict that contains them.
            training: if False, the result is None, unless the layer also works outside of training.
            seed: a seed, or a `SeedGenerator`; the layer's own by default.
        """
        if self.only_training and not training:
            return None
        images = as_images(data["images"] if isinstance(data, Mapping) else data, type(self).__name__)
        shape = ops.shape(images)
        batch = shape if len(shape) == 4 else (1, *shape)
        if self.data_format == "channels_first":
            batch = (batch[0], batch[2], batch[3], batch[1])
        generator = getattr(self, "generator", None) if seed is None else seed
        return {**self._draw(batch, generator), "size": batch[1:3]}

    def transform_images(self, images: ArrayLike, transformation: Any = None, training: bool | None = True) -> Array:
        """Return images in the layer's dtype, changed if `training`.

        Args:
            images: an array `(batch, height, width, channels)`, or one image; channels first by `data_format`.
            transformation: the result of `get_random_transformation` for the batch; None changes nothing, unless the
                layer uses no random numbers.
            training: whether to change them; ignored by layers that also work outside of training.
        """
        images = as_images(images, type(self).__name__)
        if not self.keeps_dtype:
            images = ops.cast(images, self.compute_dtype)
        if not self._applies(transformation, training):
            return images
        batch, back = as_batch(images, self.data_format)
        return back(ops.cast(self._transform(batch, transformation), ops.dtype(images)))

    def transform_labels(self, labels: ArrayLike, transformation: Any = None, training: bool | None = True) -> Array:
        """Return the labels of a batch, changed if `training`.

        Args:
            labels: an array with a row for each image.
            transformation: the result of `get_random_transformation` for the batch; None changes nothing, unless the
                layer uses no random numbers.
            training: whether to change them; ignored by layers that also work outside of training.
        """
        return self._transform_labels(labels, transformation) if self._applies(transformation, training) else labels

    def transform_segmentation_masks(
        self, segmentation_masks: ArrayLike, transformation: Any = None, training: bool | None = True
    ) -> Array:
        """Return segmentation masks, changed like the images, but without mixing classes.

        Args:
            segmentation_masks: class numbers, in the layout of the images.
            transformation: the result of `get_random_transformation` for the batch; None changes nothing, unless the
                layer uses no random numbers.
            training: whether to change them; ignored by layers that also work outside of training.
        """
        if not self._applies(transformation, training):
            return segmentation_masks
        masks = as_images(segmentation_masks, type(self).__name__)
        batch, back = as_batch(masks, self.data_format)
        return back(self._transform_masks(batch, transformation))

    def transform_bounding_boxes(
        self, bounding_boxes: Mapping[str, Any], transformation: Any, training: bool | None = True
    ) -> Mapping[str, Any]:
        """Return the bounding boxes of a batch, changed like the images, and clipped to the image.

        Args:
            bounding_boxes: a dict of `"boxes"`, `(batch, n, 4)` in the layer's format, and `"labels"`, `(batch, n)`.
            transformation: the result of `get_random_transformation` for the batch; None changes nothing, unless the
                layer uses no random numbers.
            training: whether to change them; ignored by layers that also work outside of training.
        """
        if not self._moves_pixels or not self._applies(transformation, training):
            return bounding_boxes
        height, width = transformation["size"]
        form = self.bounding_box_format
        corners = boxes.convert_format(bounding_boxes["boxes"], form, "xyxy", height, width)  # type: ignore[arg-type]
        moved = {**bounding_boxes, "boxes": self._transform_boxes(corners, transformation)}
        height, width = self._output_size((height, width))
        cut = boxes.clip_to_image_size(moved, height, width)
        return boxes.convert_format(cut, "xyxy", form, height, width)  # type: ignore[arg-type]

    def transform_single_image(self, image: ArrayLike, transformation: Any, training: bool | None = True) -> Array:
        """Return one image, changed as by `transform_images`.

        Args:
            image: an array `(height, width, channels)`, or channels first by `data_format`.
            transformation: as in the method for batches.
            training: whether to change it; ignored by layers that also work outside of training.
        """
        return _unbatched(self.transform_images(_batched(image), transformation, training))

    def transform_single_label(self, label: ArrayLike, transformation: Any, training: bool | None = True) -> Array:
        """Return the label of one image, changed as by `transform_labels`.

        Args:
            label: the label.
            transformation: as in the method for batches.
            training: whether to change it; ignored by layers that also work outside of training.
        """
        return _unbatched(self.transform_labels(_batched(label), transformation, training))

    def transform_single_segmentation_mask(
        self, segmentation_mask: ArrayLike, transformation: Any, training: bool | None = True
    ) -> Array:
        """Return the mask of one image, changed as by `transform_segmentation_masks`.

        Args:
            segmentation_mask: class numbers, in the layout of the image.
            transformation: as in the method for batches.
            training: whether to change it; ignored by layers that also work outside of training.
        """
        return _unbatched(self.transform_segmentation_masks(_batched(segmentation_mask), transformation, training))

    def transform_single_bounding_box(
        self, bounding_box: Mapping[str, Any], transformation: Any, training: bool | None = True
    ) -> Mapping[str, Any]:
        """Return the boxes of one image, `(n, 4)` with labels `(n,)`, changed as by `transform_bounding_boxes`.

        Args:
            bounding_box: a dict of `"boxes"` and `"labels"`.
            transformation: as in the method for batches.
            training: whether to change them; ignored by layers that also work outside of training.
        """
        return _unbatched(self.transform_bounding_boxes(_batched(bounding_box), transformation, training))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments; a factor only for layers that have one."""
        made = super().get_config()
        if made.get("factor", 0) is None:
            del made["factor"]
        return made

    def _applies(self, transformation: Any, training: bool | None) -> bool:
        return not self.only_training or (bool(training) and transformation is not None)

    def call(self, data: ArrayLike | Mapping[str, Any], training: bool | None = True) -> Any:
        """Return the changed images or, for a dict, a new dict with everything changed accordingly.

        Args:
            data: images, a batch or one; or a dict of `"images"` and any of `"labels"`, `"bounding_boxes"` and
                `"segmentation_masks"`.
            training: whether to change them; ignored by layers that also work outside of training.

        Raises:
            ValueError: there are bounding boxes, but no `bounding_box_format` was given.
        """
        transformation = self.get_random_transformation(data, training=training)
        if not isinstance(data, Mapping):
            return self.transform_images(data, transformation, training=training)
        single = len(ops.shape(data["images"])) == 3
        batched, unbatched = (_batched, _unbatched) if single else (_as_it_is, _as_it_is)
        result = dict(data)
        result["images"] = self.transform_images(data["images"], transformation, training=training)
        if "segmentation_masks" in data:
            masks = data["segmentation_masks"]
            result["segmentation_masks"] = self.transform_segmentation_masks(masks, transformation, training=training)
        if "bounding_boxes" in data:
            if self.bounding_box_format is None:
                raise ValueError(
                    f"{self._title()} received bounding boxes, but does not know their format. Pass it: "
                    f"{type(self).__name__}(..., bounding_box_format='xyxy')."
                )
            given = batched(boxes.dense(data["bounding_boxes"]))
            moved = self.transform_bounding_boxes(given, transformation, training=training)
            result["bounding_boxes"] = unbatched(moved)
        if "labels" in data:
            labels = batched(ops.convert_to_tensor(data["labels"]))
            result["labels"] = unbatched(self.transform_labels(labels, transformation, training=training))
        return result


def _as_it_is(value: Any) -> Any:
    return value


def _batched(value: Any) -> Any:
    return nested.map_structure(lambda x: ops.expand_dims(x, 0), value)


def _unbatched(value: Any) -> Any:
    return nested.map_structure(lambda x: ops.squeeze(x, 0), value)


class RandomImageLayer(ImageLayer):
    """Base of image layers that draw random numbers while training, the same ones on every backend.

    Args:
        seed: an int that gives the layer a random stream of its own.
        data_format: see `ImageLayer`.
        **kwargs: further arguments of `ImageLayer`.
    """

    only_training = True

    def __init__(self, seed: int | None = None, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.seed = seed
        self.generator = random.SeedGenerator(seed)
