"""ResNetV2: residual blocks that normalize before they convolve, so that shortcuts pass values on unchanged."""

from __future__ import annotations

from polykeras import layers
from polykeras.applications.building import Asked, Body, kernels_at
from polykeras.applications.constructors import constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.resnet import active, pooled_stem, stem
from polykeras.graph import KerasTensor

SOURCE = 'He et al., "Identity Mappings in Deep Residual Networks", 2016, https://arxiv.org/abs/1603.05027'


def _block(x: KerasTensor, filters: int, stride: int, widen: bool, name: str) -> KerasTensor:
    before = active(x, f"{name}_preact")
    if widen:
        x = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(before)
    elif stride > 1:
        x = layers.MaxPooling2D(1, strides=stride)(x)
    y = active(layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(before), f"{name}_1")
    y = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(y)
    y = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(y)
    y = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(active(y, f"{name}_2"))
    return layers.Add(name=f"{name}_out")([x, y])


def _body(*depths: int) -> Body:
    def body(images: KerasTensor, asked: Asked) -> KerasTensor:
        x = pooled_stem(stem(images))
        for stage, depth in enumerate(depths):
            for i in range(depth):
                # Each stage except the last one ends with stride 2.
                stride = 2 if i == depth - 1 and stage < len(depths) - 1 else 1
                x = _block(x, 64 * 2**stage, stride, i == 0, f"conv{stage + 2}_block{i + 1}")
        return active(x, "post")

    return body


ResNet50V2 = constructor(
    "ResNet50V2",
    "resnet50v2",
    SOURCE,
    _body(3, 4, 6, 3),
    kernels_at("resnet/resnet50v2", "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
)
ResNet101V2 = constructor(
    "ResNet101V2",
    "resnet101v2",
    SOURCE,
    _body(3, 4, 23, 3),
    kernels_at("resnet/resnet101v2", "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
)
ResNet152V2 = constructor(
    "ResNet152V2",
    "resnet152v2",
    SOURCE,
    _body(3, 8, 36, 3),
    kernels_at("resnet/resnet152v2", "a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
)

preprocess_input = preprocessing("tf")

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]
