"""What all families have in common: the input, the head, and weights from files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from polykeras import activations, config, layers
from polykeras.graph import KerasTensor
from polykeras.graph.order import walk
from polykeras.models import Functional

STORE = "https://storage.googleapis.com/tensorflow/keras-applications/"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a constructor of any family is asked for; `constructors.ARGUMENTS` tells what they mean."""

    include_top: bool
    weights: str | os.PathLike[str] | None
    input_tensor: Any
    input_shape: Sequence[int | None] | None
    pooling: str | None
    classes: int
    classifier_activation: Any
    name: str | None

    @property
    def published(self) -> bool:
        """Whether the weights that Keras publishes are wanted."""
        return self.weights == "imagenet"


@dataclass(frozen=True)
class Published:
    """A file of weights that Keras publishes.

    Attributes:
        url: where it is.
        digest: MD5 or SHA-256 of it, None where none is published.
        saved_as: the name under which it is kept; by default the last part of the address.
    """

    url: str
    digest: str | None = None
    saved_as: str | None = None

    def fetch(self) -> str:
        """Return the path of a copy here, downloaded where there is none yet."""
        from polykeras.utils import get_file

        name = self.saved_as or self.url.rpartition("/")[2]
        return get_file(name, self.url, cache_subdir="models", file_hash=self.digest)


@dataclass(frozen=True)
class Pools:
    """The names of the layers that pool the last features; None leaves them to be made from the class."""

    top: str | None = "avg_pool"
    average: str | None = "avg_pool"
    maximum: str | None = "max_pool"


NAMED = Pools()
UNNAMED = Pools(None, None, None)

Body = Callable[[Any, Asked], Any]


def build(
    asked: Asked,
    body: Body,
    files: Callable[[bool], Published],
    size: int | None = 224,
    least: int = 32,
    pools: Pools = NAMED,
    head: Body | None = None,
) -> Functional:
    """Return the model of a family.

    Args:
        asked: what its constructor was asked for.
        body: gives the last features of the images.
        files: gives the published weights, with the classifier or without it.
        size: of the sides of the images by default; None where a classifier too takes images of any size.
        least: the least that the sides may have.
        pools: names.
        head: gives the scores of the features; by default the softmax of their averages.
    """
    check_weights(asked)
    inputs, image = begin(asked, image_shape(asked, size, least))
    features = body(image, asked)
    if asked.include_top:
        outputs = (head or dense_head(pools.top))(features, asked)
    elif asked.pooling in ("avg", "max"):
        outputs = pooled(features, asked.pooling, pools)
    else:
        outputs = features
    return with_weights(Functional(inputs, outputs, name=asked.name), asked, files)


def check_weights(asked: Asked) -> None:
    """Raise where the weights are no file, or do not fit the classifier."""
    weights = asked.weights
    if not (weights is None or asked.published or os.path.exists(weights)):
        raise ValueError(
            "`weights` must be None (random values), 'imagenet' (those that Keras publishes) or the path of a file "
            f"that exists; received {weights!r}."
        )
    if not asked.include_top or weights is None:
        return
    if asked.published and asked.classes != 1000:
        raise ValueError(f"The classifier of weights='imagenet' has 1000 classes; received classes={asked.classes}.")
    allowed = [activations.get(name) for name in ("softmax", None)]
    if activations.get(asked.classifier_activation) not in allowed:
        raise ValueError(
            "With weights from a file `classifier_activation` must be 'softmax' or None; received "
            f"{asked.classifier_activation!r}."
        )


def image_shape(asked: Asked, size: int | None, least: int) -> tuple[int | None, ...]:
    """Return the shape of an image that the model takes.

    Args:
        asked: what the constructor was asked for.
        size: of the sides by default; None where a classifier too takes images of any size.
        least: the least that they may have.

    Raises:
        ValueError: if the requested shape is not that of an image, is too small, or does not fit the published weights.
    """
    shape = None if asked.input_shape is None else tuple(asked.input_shape)
    channels_last = channel_axis() == 3
    if shape is not None and len(shape) == 3 and not asked.published:
        channels = shape[2 if channels_last else 0]
        if channels not in (1, 3):
            warnings.warn(f"Images have 1 or 3 channels; received {channels} in {shape}.", stacklevel=4)
    return fitting_shape(shape, size, least, asked.include_top and size is not None, asked.published, channels_last)


def fitting_shape(
    shape: tuple[int | None, ...] | None,
    size: int | None,
    least: int,
    fixed: bool,
    published: bool,
    channels_last: bool,
) -> tuple[int | None, ...]:
    """Return the shape of an image that a model takes, the default where none was asked for.

    Args:
        shape: what was asked for.
        size: of the sides by default.
        least: the least that they may have.
        fixed: whether the sides must be known.
        published: whether the weights are those that Keras publishes.
        channels_last: whether the channels are the last axis, else the first.

    Raises:
        ValueError: if the requested shape is not that of an image, is too small, or does not fit the published weights.
    """

    def image(side: int | None) -> tuple[int | None, ...]:
        return (side, side, 3) if channels_last else (3, side, side)

    if shape is None:
        return image(size if fixed else None)
    if len(shape) != 3:
        raise ValueError(f"`input_shape` must be that of one image, of three sizes; received {shape}.")
    if published and shape[2 if channels_last else 0] != 3:
        raise ValueError(f"Published weights are for images of three channels; received input_shape={shape}.")
    if published and fixed and shape != image(size):
        raise ValueError(
            f"The classifier of weights='imagenet' takes images of the shape {image(size)}; received {shape}. Leave "
            "`input_shape` out, or pass include_top=False."
        )
    if any(n is not None and n < least for n in (shape[:2] if channels_last else shape[1:])):
        raise ValueError(f"Images must have sides of at least {least}; received input_shape={shape}.")
    if fixed and None in shape:
        raise ValueError(f"With include_top=True the sizes of `input_shape` must be known; received {shape}.")
    return shape


def begin(asked: Asked, shape: Sequence[int | None]) -> tuple[Any, Any]:
    """Return the inputs of the model, and the images that its first layer gets.

    Raises:
        ValueError: if `input_tensor` is not symbolic.
    """
    tensor = asked.input_tensor
    if tensor is None:
        tensor = layers.Input(shape)
        return tensor, tensor
    if not isinstance(tensor, KerasTensor):
        raise ValueError(
            "`input_tensor` must be symbolic, as Input() and calls of layers on it give; received "
            f"{type(tensor).__name__}."
        )
    calls, _ = walk([], [tensor])
    needed = {id(t): t for t in [tensor, *(t for call in calls for t in call.input_tensors)]}
    sources = [t for t in needed.values() if t.history is None or not t.history[0].input_tensors]
    return sources, tensor


def pooled(features: KerasTensor, pooling: str, pools: Pools) -> KerasTensor:
    """Return the averages (`"avg"`) or the largest values (`"max"`) of features over their places."""
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name=pools.average)(features)
    return layers.GlobalMaxPooling2D(name=pools.maximum)(features)


def dense_head(pool: str | None, dropout: float = 0, **options: Any) -> Body:
    """Return a head that gives scores of the averages of features.

    Args:
        pool: the name of the layer that averages.
        dropout: the share of averages that training sets to 0.
        **options: for the `Dense` layer.
    """

    def head(features: KerasTensor, asked: Asked) -> KerasTensor:
        x = layers.GlobalAveragePooling2D(name=pool)(features)
        if dropout:
            x = layers.Dropout(dropout, name="top_dropout")(x)
        return layers.Dense(asked.classes, asked.classifier_activation, name="predictions", **options)(x)

    return head


def with_weights(model: Functional, asked: Asked, files: Callable[[bool], Published]) -> Functional:
    """Return the model, with its weights loaded."""
    if asked.published:
        model.load_weights(files(asked.include_top).fetch())
    elif asked.weights is not None:
        model.load_weights(asked.weights)
    return model


def kernels_at(stem: str, with_top: str | None = None, without: str | None = None) -> Callable[[bool], Published]:
    """Return the published weights of a model whose files are named after Keras's first layout.

    Args:
        stem: the folder and the begin of the name of both files.
        with_top: MD5 of the file with the classifier.
        without: MD5 of the one without it.
    """

    def files(include_top: bool) -> Published:
        end = ".h5" if include_top else "_notop.h5"
        address = f"{STORE}{stem}_weights_tf_dim_ordering_tf_kernels{end}"
        return Published(address, with_top if include_top else without)

    return files


# ---- images ----------------------------------------------------------------------------------------------------


def channel_axis() -> int:
    """The axis of a batch of images on which the channels are."""
    return 1 if config.image_data_format() == "channels_first" else 3


def with_sides(rows: int | None, columns: int | None, channels: int | None) -> tuple[int | None, ...]:
    """The shape of an image, in the current data format."""
    return (channels, rows, columns) if channel_axis() == 1 else (rows, columns, channels)


def sides(shape: Sequence[int | None]) -> Sequence[int | None]:
    """The rows and columns in the shape of an image."""
    return shape[1:3] if channel_axis() == 1 else shape[:2]


def channels_of(x: Any) -> int:
    """The number of channels of symbolic images."""
    return x.shape[channel_axis()]


def padding_before_stride(x: KerasTensor, kernel: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The zeros to put around images before a convolution of stride 2, as TensorFlow's "same" does.

    Args:
        x: symbolic images; sides of unknown size count as odd.
        kernel: the sides of the kernel.
    """
    half = kernel // 2
    rows, columns = (half - (1 if n is None else 1 - n % 2) for n in sides(x.shape[1:]))
    return (rows, half), (columns, half)


def divisible(value: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, of at least nine tenths of `value`: the widths of mobile networks."""
    nearest = max(divisor, int((value + divisor / 2) // divisor * divisor))
    return nearest + divisor if nearest < 0.9 * value else nearest
