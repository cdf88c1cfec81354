"""Layers that mix the images of a batch, and one that sets the number of bounding boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from polykeras import dtypes, ops, random
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int
from polykeras.common.types import ArrayLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.image.base import ImageLayer, RandomImageLayer, Transformation
from polykeras.layers.image.factors import factor_range
from polykeras.layers.image.filters import rectangles
from polykeras.seeds import SeedGenerator


def _order(batch: int, seed: int | SeedGenerator | None) -> Array:
    return random.shuffle(ops.arange(batch, dtype="int32"), seed=seed)


def _mixed(values: Array, others: Array, weight: Array) -> Array:
    """Return means of `values` and `others`; `weight` has the weight of the first for each image."""
    weight = ops.reshape(weight, (-1, *[1] * (len(ops.shape(values)) - 1)))
    weight = ops.cast(weight, ops.dtype(values)) if ops.dtype(values).startswith(("float", "bfloat")) else weight
    return ops.add(ops.multiply(values, weight), ops.multiply(others, 1.0 - weight))


def _joined_boxes(boxes: Mapping[str, Any], parts: Callable[[Array], list[Array]]) -> Mapping[str, Any]:
    """Return the boxes and labels of several images for each one, which `parts` takes from those of the batch."""
    return {**boxes, **{key: ops.concatenate(parts(boxes[key]), axis=1) for key in ("boxes", "labels")}}


@LAYERS.register()
class MixUp(RandomImageLayer):
    """Averages each image with another one of the batch, and their labels too, while training.

    Source: Zhang et al., "mixup: Beyond empirical risk minimization", 2017, https://arxiv.org/abs/1710.09412.

    Args:
        alpha: the weights are drawn from the beta distribution with the parameters `(alpha, alpha)`.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        seed: an int that gives the layer a random stream of its own.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.
    """

    _moves_pixels = True

    def __init__(
        self, alpha: float = 0.2, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.alpha = alpha

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        order = _order(shape[0], seed)
        return {"permutation_order": order, "mix_weight": random.beta((shape[0],), self.alpha, self.alpha, seed=seed)}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        others = ops.take(images, transformation["permutation_order"], axis=0)
        return _mixed(images, others, transformation["mix_weight"])

    _transform_labels = _transform
    _transform_masks = _transform

    def transform_bounding_boxes(
        self, bounding_boxes: Mapping[str, Any], transformation: Any, training: bool | None = True
    ) -> Mapping[str, Any]:
        """Return the boxes of both images."""
        if not self._applies(transformation, training):
            return bounding_boxes
        order = transformation["permutation_order"]
        return _joined_boxes(bounding_boxes, lambda values: [values, ops.take(values, order, axis=0)])


@LAYERS.register()
class CutMix(RandomImageLayer):
    """Replaces a rectangle in each image by that of another image of the batch, and mixes their labels, while training.

    Single images do not change.

    Source: Yun et al., "CutMix", 2019, https://arxiv.org/abs/1905.04899.

    Args:
        factor: the range of `alpha`; the size is drawn from the beta distribution with the parameters `(alpha, alpha)`.
            A pair, or one number `f` for 0 to f.
        seed: an int that gives the layer a random stream of its own.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor_range(factor, "factor", self)

    def get_random_transformation(
        self, data: ArrayLike | Mapping[str, Any], training: bool | None = True, seed: int | SeedGenerator | None = None
    ) -> Transformation | None:
        """Return the random numbers for a batch, or None for a single image; see `ImageLayer`."""
        single = len(ops.shape(data["images"] if isinstance(data, Mapping) else data)) == 3
        return None if single else super().get_random_transformation(data, training, seed)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        alpha = random.uniform((), *self.factor, seed=seed) + 1e-6
        side = ops.sqrt(1.0 - random.beta((shape[0],), alpha, alpha, seed=seed))
        masks, covered = rectangles(shape, side, side, seed)
        return {"permutation_order": _order(shape[0], seed), "batch_masks": masks, "mix_weight": 1.0 - covered}

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        others = ops.take(images, transformation["permutation_order"], axis=0)
        return ops.where(transformation["batch_masks"], others, images)

    _transform_masks = _transform

    def _transform_labels(self, labels: Array, transformation: Transformation) -> Array:
        others = ops.take(labels, transformation["permutation_order"], axis=0)
        return _mixed(labels, others, transformation["mix_weight"])

    def transform_bounding_boxes(
        self, bounding_boxes: Mapping[str, Any], transformation: Any, training: bool | None = True
    ) -> Mapping[str, Any]:
        """Raise, because it is unknown what remains of a box.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("CutMix does not support bounding boxes; use MixUp, or leave them out.")


@LAYERS.register()
class Mosaic(RandomImageLayer):
    """Joins each image with three others of the batch around a point, and mixes their labels, while training.

    Each of the four fills one corner, with the part of it that would lie next to the point. Labels are weighted by the
    areas. A single image is joined with itself.

    Source: Bochkovskiy et al., "YOLOv4", 2020, section 3.4, https://arxiv.org/abs/2004.10934.

    Args:
        offset: the range of the point, as shares of the width and of the height. A pair, or one number `f` for 0 to f.
        seed: an int that gives the layer a random stream of its own.
        bounding_box_format: the format of the bounding boxes, see `ImageLayer`. The result has four times as many, with
            the label -1 for those outside.
        data_format: `"channels_last"` or `"channels_first"`; the configured one by default.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: `offset` is out of range.
    """

    _moves_pixels = True

    def __init__(
        self,
        offset: float | Sequence[float] = (0.25, 0.75),
        seed: int | None = None,
        bounding_box_format: str | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, bounding_box_format=bounding_box_format, **kwargs)
        self.offset = factor_range(offset, "offset", self)

    def _draw(self, shape: tuple[int, ...], seed: int | SeedGenerator | None) -> dict[str, Any]:
        batch, height, width, _ = shape
        order = [ops.arange(batch, dtype="int32"), *(_order(batch, seed) for _ in range(3))]
        # Whole pixels, so that images, labels and boxes are cut at the same place.
        points = [ops.round(random.uniform((batch,), *self.offset, seed=seed) * n) / n for n in (width, height)]
        return {"permutation_order": ops.stack(order, axis=1), "mosaic_centers": ops.stack(points, axis=1)}

    def _point(self, transformation: Transformation) -> tuple[Array, Array]:
        """Return the pixels at which images are joined, along the width and along the height, int32 `(batch,)`."""
        (height, width), centers = transformation["size"], transformation["mosaic_centers"]
        return tuple(ops.cast(ops.round(centers[:, i] * n), "int32") for i, n in enumerate((width, height)))  # type: ignore[return-value]

    def _transform(self, images: Array, transformation: Transformation) -> Array:
        (height, width), order = transformation["size"], transformation["permutation_order"]
        x, y = self._point(transformation)
        rows = ops.arange(height, dtype="int32")[None, :] - ops.expand_dims(y, 1)
        columns = ops.arange(width, dtype="int32")[None, :] - ops.expand_dims(x, 1)
        right, below = ops.cast(columns >= 0, "int32"), ops.cast(rows >= 0, "int32")
        corner = 2 * ops.expand_dims(below, 2) + ops.expand_dims(right, 1)
        chosen = ops.take_along_axis(order, ops.reshape(corner, (-1, height * width)), axis=1)
        row, column = rows + (1 - below) * height, columns + (1 - right) * width
        pixel = ops.reshape(ops.expand_dims(row, 2) * width + ops.expand_dims(column, 1), (-1, height * width))
        flat = ops.reshape(images, (-1, ops.shape(images)[-1]))
        return ops.reshape(ops.take(flat, chosen * (height * width) + pixel, axis=0), ops.shape(images))

    _transform_masks = _transform

    def _transform_labels(self, labels: Array, transformation: Transformation) -> Array:
        if len(ops.shape(labels)) != 2 or not dtypes.is_float(ops.dtype(labels)):
            raise ValueError(
                "Mosaic: labels must be floats (batch, classes), such as one-hot rows, to be mixed; received "
                f"{ops.dtype(labels)} of the shape {ops.shape(labels)}. Use ops.one_hot."
            )
        order = transformation["permutation_order"]
        centers = ops.cast(transformation["mosaic_centers"], ops.dtype(labels))
        x, y = centers[:, :1], centers[:, 1:]
        parts = [x * y, (1.0 - x) * y, x * (1.0 - y), (1.0 - x) * (1.0 - y)]
        mixed = [ops.take(labels, order[:, i], axis=0) * part for i, part in enumerate(parts)]
        return mixed[0] + mixed[1] + mixed[2] + mixed[3]

    def transform_bounding_boxes(
        self, bounding_boxes: Mapping[str, Any], transformation: Any, training: bool | None = True
    ) -> Mapping[str, Any]:
        """Return the boxes of all four images."""
        if not self._applies(transformation, training):
            return bounding_boxes
        order = transformation["permutation_order"]
        joined = _joined_boxes(bounding_boxes, lambda values: [ops.take(values, order[:, i], axis=0) for i in range(4)])
        return super().transform_bounding_boxes(joined, transformation, training)

    def _transform_boxes(self, corners: Array, transformation: Transformation) -> Array:
        (height, width), count = transformation["size"], ops.shape(corners)[1] // 4
        x, y = (ops.cast(part, ops.dtype(corners)) for part in self._point(transformation))
        moves = [ops.stack([x - w, y - h] * 2, axis=-1) for h in (height, 0) for w in (width, 0)]
        return corners + ops.repeat(ops.stack(moves, axis=1), count, axis=1)


@LAYERS.register()
class MaxNumBoundingBoxes(ImageLayer):
    """Sets the number of bounding boxes of all images: additional ones are dropped, and missing ones are filled in.

    Args:
        max_number: the number of boxes.
        fill_value: the value in boxes and labels that are filled in.
        **kwargs: further arguments of `Layer`, and `bounding_box_format`.

    Raises:
        ValueError: `max_number` is not a positive int.
    """

    sample_by_sample = True
    only_training = False

    def __init__(self, max_number: int, fill_value: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_number = positive_int(max_number, "max_number", self)
        self.fill_value = int(fill_value)

    def transform_images(self, images: ArrayLike, transformation: Any = None, training: bool | None = True) -> Array:
        """Return the images."""
        return images

    def transform_segmentation_masks(
        self, segmentation_masks: ArrayLike, transformation: Any = None, training: bool | None = True
    ) -> Array:
        """Return the masks."""
        return segmentation_masks

    def transform_bounding_boxes(
        self, bounding_boxes: Mapping[str, Any], transformation: Any, training: bool | None = True
    ) -> Mapping[str, Any]:
        """Return the required number of boxes and labels."""

        def brought(values: Array) -> Array:
            shape = ops.shape(values)
            widths = [(0, 0)] * len(shape)
            widths[1] = (0, max(self.max_number - shape[1], 0))
            return ops.pad(values[:, : self.max_number], widths, constant_values=self.fill_value)

        return {**bounding_boxes, **{key: brought(bounding_boxes[key]) for key in ("boxes", "labels")}}
