"""MobileNetV2: blocks that widen, convolve each feature separately, and narrow again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from polykeras import layers
from polykeras.applications.building import (
    STORE,
    UNNAMED,
    Asked,
    Published,
    build,
    channel_axis,
    channels_of,
    dense_head,
    divisible,
    image_shape,
    padding_before_stride,
    sides,
)
from polykeras.applications.constructors import titled
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.mobilenet import default_side, side_of_weights
from polykeras.common.types import ActivationLike
from polykeras.graph import KerasTensor
from polykeras.models import Functional

SOURCE = (
    'Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, https://arxiv.org/abs/1801.04381'
)
SIDES = (96, 128, 160, 192, 224)
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
# The repeats, the filters, and the stride of the first block.
STAGES = ((1, 16, 1), (2, 24, 2), (3, 32, 2), (4, 64, 2), (3, 96, 1), (3, 160, 2), (1, 320, 1))


def normalized(x: KerasTensor, name: str) -> KerasTensor:
    """Return the batch-normalized features, with slowly moving statistics."""
    return layers.BatchNormalization(channel_axis(), momentum=0.999, epsilon=1e-3, name=name)(x)


def check_tensor(asked: Asked) -> None:
    """Raise if both an input and a shape are given, and they differ."""
    tensor, shape = asked.input_tensor, asked.input_shape
    if isinstance(tensor, KerasTensor) and shape is not None and tuple(sides(tensor.shape[1:])) != tuple(sides(shape)):
        raise ValueError(f"`input_shape` {tuple(shape)} is not that of `input_tensor`, which has {tensor.shape[1:]}.")


def _block(x: KerasTensor, filters: int, stride: int, block: int) -> KerasTensor:
    name = f"block_{block}_" if block else "expanded_conv_"
    before = x
    if block:
        x = layers.Conv2D(6 * channels_of(x), 1, padding="same", use_bias=False, name=f"{name}expand")(x)
        x = layers.ReLU(6.0, name=f"{name}expand_relu")(normalized(x, f"{name}expand_BN"))
    if stride == 2:
        x = layers.ZeroPadding2D(padding_before_stride(x, 3), name=f"{name}pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(3, strides=stride, padding=padding, use_bias=False, name=f"{name}depthwise")(x)
    x = layers.ReLU(6.0, name=f"{name}depthwise_relu")(normalized(x, f"{name}depthwise_BN"))
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = normalized(x, f"{name}project_BN")
    if stride == 1 and channels_of(before) == filters:
        return layers.Add(name=f"{name}add")([before, x])
    return x


def MobileNetV2(
    input_shape: Sequence[int | None] | None = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = "imagenet",
    input_tensor: KerasTensor | None = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: ActivationLike = "softmax",
    name: str | None = None,
) -> Functional:
    asked = Asked(
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        name=name,
    )
    check_tensor(asked)
    given = input_shape
    if given is None and isinstance(input_tensor, KerasTensor):
        given = input_tensor.shape[1:]
    size = default_side(given, SIDES)
    shape = image_shape(asked, size, 32)
    side = sides(shape)[0]
    if asked.published:
        if alpha not in WIDTHS:
            raise ValueError(f"Weights are published for alpha={', '.join(map(str, WIDTHS))}; received {alpha}.")
        side = side_of_weights(shape, SIDES)

    def body(images: KerasTensor, asked: Asked) -> KerasTensor:
        x = layers.Conv2D(divisible(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1")(images)
        x = layers.ReLU(6.0, name="Conv1_relu")(normalized(x, "bn_Conv1"))
        block = 0
        for repeats, filters, stride in STAGES:
            for i in range(repeats):
                x = _block(x, divisible(int(filters * alpha)), 1 if i else stride, block)
                block += 1
        last = divisible(1280 * alpha) if alpha > 1.0 else 1280
        x = layers.Conv2D(last, 1, use_bias=False, name="Conv_1")(x)
        return layers.ReLU(6.0, name="out_relu")(normalized(x, "Conv_1_bn"))

    def files(include_top: bool) -> Published:
        end = "" if include_top else "_no_top"
        name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{side}{end}.h5"
        return Published(f"{STORE}mobilenet_v2/{name}")

    asked = replace(asked, name=name or f"mobilenetv2_{alpha:0.2f}_{side}")
    return build(asked, body, files, size, pools=UNNAMED, head=dense_head(None))


titled(
    MobileNetV2,
    "MobileNetV2",
    SOURCE,
    __name__,
    """
        alpha: the width of all layers, as a multiple of the paper's.""",
)

preprocess_input = preprocessing("tf")

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]
