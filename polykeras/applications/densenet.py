"""DenseNet: blocks in which each layer uses the features of all previous ones."""

from __future__ import annotations

from polykeras import layers
from polykeras.applications.building import Asked, Body, channel_axis, channels_of, kernels_at
from polykeras.applications.constructors import constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.resnet import active
from polykeras.graph import KerasTensor

SOURCE = 'Huang et al., "Densely Connected Convolutional Networks", 2016, https://arxiv.org/abs/1608.06993'
GROWTH = 32


def _layer(x: KerasTensor, name: str) -> KerasTensor:
    y = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(active(x, f"{name}_0"))
    y = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(active(y, f"{name}_1"))
    return layers.Concatenate(channel_axis(), name=f"{name}_concat")([x, y])


def _transition(x: KerasTensor, name: str) -> KerasTensor:
    x = active(x, name)
    x = layers.Conv2D(channels_of(x) // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _body(*depths: int) -> Body:
    def body(images: KerasTensor, asked: Asked) -> KerasTensor:
        x = layers.ZeroPadding2D(3)(images)
        x = active(layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x), "conv1")
        x = layers.ZeroPadding2D(1)(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
        for block, depth in enumerate(depths, 2):
            if block > 2:
                x = _transition(x, f"pool{block - 1}")
            for i in range(1, depth + 1):
                x = _layer(x, f"conv{block}_block{i}")
        x = layers.BatchNormalization(channel_axis(), epsilon=1.001e-5, name="bn")(x)
        return layers.Activation("relu", name="relu")(x)

    return body


DenseNet121 = constructor(
    "DenseNet121",
    "densenet121",
    SOURCE,
    _body(6, 12, 24, 16),
    kernels_at("densenet/densenet121", "9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
)
DenseNet169 = constructor(
    "DenseNet169",
    "densenet169",
    SOURCE,
    _body(6, 12, 32, 32),
    kernels_at("densenet/densenet169", "d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
)
DenseNet201 = constructor(
    "DenseNet201",
    "densenet201",
    SOURCE,
    _body(6, 12, 48, 32),
    kernels_at("densenet/densenet201", "1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
)

preprocess_input = preprocessing("torch")

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]
