"""Xception: residual blocks of separable convolutions."""

from __future__ import annotations

from polykeras import layers
from polykeras.applications.building import Asked, Pools, channel_axis, kernels_at
from polykeras.applications.constructors import constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.graph import KerasTensor

SOURCE = (
    'Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2016, https://arxiv.org/abs/1610.02357'
)


def _relu(x: KerasTensor, name: str) -> KerasTensor:
    return layers.Activation("relu", name=f"{name}_act")(x)


def _normalized(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.BatchNormalization(channel_axis(), name=name and f"{name}_bn")(x)


def _separable(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return _normalized(x, name)


def _narrowing(x: KerasTensor, block: int, first: int, second: int, active: bool = True) -> KerasTensor:
    """Return a block with stride 2; `active` says whether its input is rectified."""
    name = f"block{block}"
    shortcut = _normalized(layers.Conv2D(second, 1, strides=2, padding="same", use_bias=False)(x))
    if active:
        x = _relu(x, f"{name}_sepconv1")
    x = _separable(x, first, f"{name}_sepconv1")
    x = _separable(_relu(x, f"{name}_sepconv2"), second, f"{name}_sepconv2")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return layers.add([x, shortcut])


def _body(images: KerasTensor, asked: Asked) -> KerasTensor:
    x = images
    for name, filters, stride in (("block1_conv1", 32, 2), ("block1_conv2", 64, 1)):
        x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=name)(x)
        x = _relu(_normalized(x, name), name)
    x = _narrowing(x, 2, 128, 128, active=False)
    x = _narrowing(x, 3, 256, 256)
    x = _narrowing(x, 4, 728, 728)
    for block in range(5, 13):
        shortcut = x
        for i in range(1, 4):
            name = f"block{block}_sepconv{i}"
            x = _separable(_relu(x, name), 728, name)
        x = layers.add([x, shortcut])
    x = _narrowing(x, 13, 728, 1024)
    for name, filters in (("block14_sepconv1", 1536), ("block14_sepconv2", 2048)):
        x = _relu(_separable(x, filters, name), name)
    return x


Xception = constructor(
    "Xception",
    "xception",
    SOURCE,
    _body,
    kernels_at("xception/xception", "0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
    size=299,
    least=71,
    pools=Pools("avg_pool", None, None),
)

preprocess_input = preprocessing("tf")

__all__ = ["Xception", "decode_predictions", "preprocess_input"]
