"""ResNet: networks of residual blocks."""

from __future__ import annotations

from polykeras import layers
from polykeras.applications.building import Asked, Body, channel_axis, kernels_at
from polykeras.applications.constructors import constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.graph import KerasTensor

SOURCE = 'He et al., "Deep Residual Learning for Image Recognition", 2015, https://arxiv.org/abs/1512.03385'


def normalized(x: KerasTensor, name: str) -> KerasTensor:
    """Return the batch-normalized features."""
    return layers.BatchNormalization(channel_axis(), epsilon=1.001e-5, name=name)(x)


def active(x: KerasTensor, name: str) -> KerasTensor:
    """Return the rectified features, normalized first."""
    return layers.Activation("relu", name=f"{name}_relu")(normalized(x, f"{name}_bn"))


def stem(images: KerasTensor) -> KerasTensor:
    """Return the features of a convolution of 7 x 7 with stride 2."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(images)
    return layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)


def pooled_stem(x: KerasTensor) -> KerasTensor:
    """Return the maxima of neighbouring features, with stride 2."""
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)


def _block(x: KerasTensor, filters: int, stride: int, widen: bool, name: str) -> KerasTensor:
    shortcut = x
    if widen:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x)
        shortcut = normalized(shortcut, f"{name}_0_bn")
    x = active(layers.Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x), f"{name}_1")
    x = active(layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x), f"{name}_2")
    x = normalized(layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x), f"{name}_3_bn")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _body(*depths: int) -> Body:
    def body(images: KerasTensor, asked: Asked) -> KerasTensor:
        x = pooled_stem(active(stem(images), "conv1"))
        for stage, depth in enumerate(depths):
            for i in range(depth):
                stride = 2 if stage and i == 0 else 1
                x = _block(x, 64 * 2**stage, stride, i == 0, f"conv{stage + 2}_block{i + 1}")
        return x

    return body


ResNet50 = constructor(
    "ResNet50",
    "resnet50",
    SOURCE,
    _body(3, 4, 6, 3),
    kernels_at("resnet/resnet50", "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
)
ResNet101 = constructor(
    "ResNet101",
    "resnet101",
    SOURCE,
    _body(3, 4, 23, 3),
    kernels_at("resnet/resnet101", "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
)
ResNet152 = constructor(
    "ResNet152",
    "resnet152",
    SOURCE,
    _body(3, 8, 36, 3),
    kernels_at("resnet/resnet152", "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
)

preprocess_input = preprocessing("caffe")

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]
