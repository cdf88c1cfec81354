"""InceptionV3: blocks of branches with convolutions of several widths."""

from __future__ import annotations

from typing import Any

from polykeras import layers
from polykeras.applications.building import Asked, Pools, channel_axis, kernels_at
from polykeras.applications.constructors import constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.graph import KerasTensor

SOURCE = 'Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2015, https://arxiv.org/abs/1512.00567'


def convolved(
    x: KerasTensor,
    filters: int,
    kernel: int | tuple[int, int],
    stride: int = 1,
    padding: str = "same",
    name: str | None = None,
) -> KerasTensor:
    """Return a normalized and rectified convolution without bias.

    Args:
        x: features.
        filters: the number of filters.
        kernel: the size of the kernel.
        stride: the strides.
        padding: the padding.
        name: the name of the convolution, from which those of the other layers are made.
    """
    x = layers.Conv2D(filters, kernel, strides=stride, padding=padding, use_bias=False, name=name)(x)
    x = layers.BatchNormalization(channel_axis(), scale=False, name=name and f"{name}_bn")(x)
    return layers.Activation("relu", name=name and f"{name}_ac")(x)


def chain(x: KerasTensor, *steps: tuple[Any, ...]) -> KerasTensor:
    """Return the result of several convolutions in sequence; each is given by its arguments after the first."""
    for step in steps:
        x = convolved(x, *step)
    return x


def stem(images: KerasTensor) -> KerasTensor:
    """Return the features before the first branches."""
    x = chain(images, (32, 3, 2, "valid"), (32, 3, 1, "valid"), (64, 3))
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = chain(x, (80, 1, 1, "valid"), (192, 3, 1, "valid"))
    return layers.MaxPooling2D(3, strides=2)(x)


def joined(branches: list[Any], name: str | None = None) -> KerasTensor:
    """Return the concatenated features of several branches."""
    return layers.Concatenate(channel_axis(), name=name)(branches)


def averaged(x: KerasTensor, filters: int) -> KerasTensor:
    """Return a convolution of the averages of neighbours."""
    return convolved(layers.AveragePooling2D(3, strides=1, padding="same")(x), filters, 1)


def _square(x: KerasTensor, pool: int, name: str) -> KerasTensor:
    branches = [
        convolved(x, 64, 1),
        chain(x, (48, 1), (64, 5)),
        chain(x, (64, 1), (96, 3), (96, 3)),
        averaged(x, pool),
    ]
    return joined(branches, name)


def _crossed(x: KerasTensor, width: int, name: str) -> KerasTensor:
    """Return a convolution with a kernel of 7 x 7, split into a row and a column."""
    row, column = (1, 7), (7, 1)
    branches = [
        convolved(x, 192, 1),
        chain(x, (width, 1), (width, row), (192, column)),
        chain(x, (width, 1), (width, column), (width, row), (width, column), (192, row)),
        averaged(x, 192),
    ]
    return joined(branches, name)


def _widened(x: KerasTensor, i: int) -> KerasTensor:
    """Return branches that split into a row and a column at their end."""
    straight = convolved(x, 320, 1)
    middle = convolved(x, 384, 1)
    middle = joined([convolved(middle, 384, (1, 3)), convolved(middle, 384, (3, 1))], f"mixed9_{i}")
    double = chain(x, (448, 1), (384, 3))
    double = joined([convolved(double, 384, (1, 3)), convolved(double, 384, (3, 1))])
    return joined([straight, middle, double, averaged(x, 192)], f"mixed{9 + i}")


def _body(images: KerasTensor, asked: Asked) -> KerasTensor:
    x = stem(images)
    for i, pool in enumerate((32, 64, 64)):
        x = _square(x, pool, f"mixed{i}")
    branches = [convolved(x, 384, 3, 2, "valid"), chain(x, (64, 1), (96, 3), (96, 3, 2, "valid"))]
    x = joined([*branches, layers.MaxPooling2D(3, strides=2)(x)], "mixed3")
    for i, width in enumerate((128, 160, 160, 192), 4):
        x = _crossed(x, width, f"mixed{i}")
    branches = [
        chain(x, (192, 1), (320, 3, 2, "valid")),
        chain(x, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, "valid")),
    ]
    x = joined([*branches, layers.MaxPooling2D(3, strides=2)(x)], "mixed8")
    return _widened(_widened(x, 0), 1)


InceptionV3 = constructor(
    "InceptionV3",
    "inception_v3",
    SOURCE,
    _body,
    kernels_at("inception_v3/inception_v3", "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
    size=299,
    least=75,
    pools=Pools("avg_pool", None, None),
)

preprocess_input = preprocessing("tf")

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]
