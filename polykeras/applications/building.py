"""The common part of all families: the input, the head, and weights from files."""

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
    """The arguments of a constructor; `constructors.ARGUMENTS` explains them."""

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
        """Return whether the weights that Keras publishes are requested."""
        return self.weights == "imagenet"


@dataclass(frozen=True)
class Published:
    """A file of weights that Keras publishes.

    Attributes:
        url: its address.
        digest: its MD5 or SHA-256, or None if none is published.
        saved_as: the name under which it is saved; by default the last part of the address.
    """

    url: str
    digest: str | None = None
    saved_as: str | None = None

    def fetch(self) -> str:
        """Return the path of a local copy, which is downloaded if necessary."""
        from polykeras.utils import get_file

        name = self.saved_as or self.url.rpartition("/")[2]
        return get_file(name, self.url, cache_subdir="models", file_hash=self.digest)


@dataclass(frozen=True)
class Pools:
    """The names of the layers that pool the last features; with None, a name is made from the class."""

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
        asked: the arguments of its constructor.
        body: returns the last features of the images.
        files: returns the published weights, with or without the classifier.
        size: the default height and width of the images; None if even a classifier accepts images of any size.
        least: the least height and width.
        pools: the names of the pooling layers.
        head: returns the scores of the features; by default the softmax of a dense layer on their averages.
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
    """Raise if the weights are not a file, or do not fit the classifier."""
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
        asked: the arguments of the constructor.
        size: the default height and width; None if even a classifier accepts images of any size.
        least: the least height and width.

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
    """Return the shape of an image that a model takes, by default a given one.

    Args:
        shape: the requested shape, or None.
        size: the default height and width.
        least: the least height and width.
        fixed: whether height and width must be known.
        published: whether the weights are those that Keras publishes.
        channels_last: whether the channels are the last axis, otherwise the first.

    Raises:
        ValueError: if the requested shape is not that of an image, is too small, or does not fit the published weights.
    """

    def image(side: int | None) -> tuple[int | None, ...]:
        return (side, side, 3) if channels_last else (3, side, side)

    if shape is None:
        return image(size if fixed else None)
    if len(shape) != 3:
        raise ValueError(f"`input_shape` must be the shape of one image, with three sizes; received {shape}.")
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
    """Return the inputs of the model, and the images for its first layer.

    Raises:
        ValueError: if `input_tensor` is not symbolic.
    """
    tensor = asked.input_tensor
    if tensor is None:
        tensor = layers.Input(shape)
        return tensor, tensor
    if not isinstance(tensor, KerasTensor):
        raise ValueError(
            "`input_tensor` must be symbolic, like the results of Input() and of layers; received "
            f"{type(tensor).__name__}."
        )
    calls, _ = walk([], [tensor])
    needed = {id(t): t for t in [tensor, *(t for call in calls for t in call.input_tensors)]}
    sources = [t for t in needed.values() if t.history is None or not t.history[0].input_tensors]
    return sources, tensor


def pooled(features: KerasTensor, pooling: str, pools: Pools) -> KerasTensor:
    """Return the averages (`"avg"`) or the maxima (`"max"`) of features over their positions."""
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name=pools.average)(features)
    return layers.GlobalMaxPooling2D(name=pools.maximum)(features)


def dense_head(pool: str | None, dropout: float = 0, **options: Any) -> Body:
    """Return a head that computes scores from the averages of features.

    Args:
        pool: the name of the layer that averages.
        dropout: the fraction of averages that training sets to 0.
        **options: arguments of the `Dense` layer.
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
    """Return the published weights of a model whose files are named in Keras's first layout.

    Args:
        stem: the folder, and the beginning of the name of both files.
        with_top: the MD5 of the file with the classifier.
        without: the MD5 of the file without it.
    """

    def files(include_top: bool) -> Published:
        end = ".h5" if include_top else "_notop.h5"
        address = f"{STORE}{stem}_weights_tf_dim_ordering_tf_kernels{end}"
        return Published(address, with_top if include_top else without)

    return files


# ---- images ----------------------------------------------------------------------------------------------------


def channel_axis() -> int:
    """Return the axis of the channels in a batch of images."""
    return 1 if config.image_data_format() == "channels_first" else 3


def with_sides(rows: int | None, columns: int | None, channels: int | None) -> tuple[int | None, ...]:
    """Return the shape of an image in the current data format."""
    return (channels, rows, columns) if channel_axis() == 1 else (rows, columns, channels)


def sides(shape: Sequence[int | None]) -> Sequence[int | None]:
    """Return the height and width in the shape of an image."""
    return shape[1:3] if channel_axis() == 1 else shape[:2]


def channels_of(x: Any) -> int:
    """Return the number of channels of symbolic images."""
    return x.shape[channel_axis()]


def padding_before_stride(x: KerasTensor, kernel: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the zeros to pad images with before a convolution of stride 2, as TensorFlow's "same" does.

    Args:
        x: symbolic images; unknown sizes count as odd.
        kernel: the height and width of the kernel.
    """
    half = kernel // 2
    rows, columns = (half - (1 if n is None else 1 - n % 2) for n in sides(x.shape[1:]))
    return (rows, half), (columns, half)


def divisible(value: float, divisor: int = 8) -> int:
    """Return the nearest multiple of `divisor` that is at least nine tenths of `value`, as in mobile networks."""
    nearest = max(divisor, int((value + divisor / 2) // divisor * divisor))
    return nearest + divisor if nearest < 0.9 * value else nearest
