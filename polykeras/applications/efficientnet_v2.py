"""EfficientNetV2: EfficientNet with plain convolutions in its first stages, which trains faster."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from polykeras import layers
from polykeras.applications.building import STORE, Asked, Published, build, channel_axis, channels_of, dense_head
from polykeras.applications.constructors import titled
from polykeras.applications.efficientnet import active, added, classifier_kernels, convolved, gated, kernels
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.common.types import ActivationLike
from polykeras.graph import KerasTensor
from polykeras.models import Functional

SOURCE = 'Tan and Le, "EfficientNetV2: Smaller Models and Faster Training", 2021, https://arxiv.org/abs/2104.00298'

# The filters of the stem. For each stage, whether it has plain convolutions, the repeats, the filters, the expansion of
# a block, and the stride of its first block.
_Stage = tuple[bool, int, int, int, int]
BASE: tuple[int, tuple[_Stage, ...]] = (
    32,
    (
        (True, 1, 16, 1, 1),
        (True, 2, 32, 4, 2),
        (True, 2, 48, 4, 2),
        (False, 3, 96, 4, 2),
        (False, 5, 112, 6, 1),
        (False, 8, 192, 6, 2),
    ),
)
SMALL: tuple[int, tuple[_Stage, ...]] = (
    24,
    (
        (True, 2, 24, 1, 1),
        (True, 4, 48, 4, 2),
        (True, 4, 64, 4, 2),
        (False, 6, 128, 4, 2),
        (False, 9, 160, 6, 1),
        (False, 15, 256, 6, 2),
    ),
)
MEDIUM: tuple[int, tuple[_Stage, ...]] = (
    24,
    (
        (True, 3, 24, 1, 1),
        (True, 5, 48, 4, 2),
        (True, 5, 80, 4, 2),
        (False, 7, 160, 4, 2),
        (False, 14, 176, 6, 1),
        (False, 18, 304, 6, 2),
        (False, 5, 512, 6, 1),
    ),
)
LARGE: tuple[int, tuple[_Stage, ...]] = (
    32,
    (
        (True, 4, 32, 1, 1),
        (True, 7, 64, 4, 2),
        (True, 7, 96, 4, 2),
        (False, 10, 192, 4, 2),
        (False, 19, 224, 6, 1),
        (False, 25, 384, 6, 2),
        (False, 7, 640, 6, 1),
    ),
)

MOMENTUM = 0.9


def _active(x: KerasTensor, norm: str, activation: str) -> KerasTensor:
    return active(x, norm, activation, MOMENTUM)


def _projected(
    x: KerasTensor, before: KerasTensor, rate: float, name: str, stride: int, act: bool = False
) -> KerasTensor:
    """Return the end of a block, added to its input if both have the same shape."""
    x = layers.BatchNormalization(channel_axis(), momentum=MOMENTUM, name=f"{name}project_bn")(x)
    if act:
        x = layers.Activation("swish", name=f"{name}project_activation")(x)
    return added(x, before, rate, name) if stride == 1 and channels_of(x) == channels_of(before) else x


def _depthwise_block(x: KerasTensor, filters: int, widening: int, stride: int, rate: float, name: str) -> KerasTensor:
    before, filters_in = x, channels_of(x)
    wide = filters_in * widening
    x = _active(convolved(x, wide, 1, f"{name}expand_conv"), f"{name}expand_bn", f"{name}expand_activation")
    depthwise = layers.DepthwiseConv2D(
        3, strides=stride, padding="same", use_bias=False, depthwise_initializer=kernels(), name=f"{name}dwconv2"
    )
    x = _active(depthwise(x), f"{name}bn", f"{name}activation")
    x = gated(x, wide, max(1, filters_in // 4), name)
    return _projected(convolved(x, filters, 1, f"{name}project_conv"), before, rate, name, stride)


def _plain_block(x: KerasTensor, filters: int, widening: int, stride: int, rate: float, name: str) -> KerasTensor:
    before = x
    if widening == 1:
        x = convolved(x, filters, 3, f"{name}project_conv", strides=stride)
        return _projected(x, before, rate, name, stride, act=True)
    x = convolved(x, channels_of(x) * widening, 3, f"{name}expand_conv", strides=stride)
    x = _active(x, f"{name}expand_bn", f"{name}expand_activation")
    return _projected(convolved(x, filters, 1, f"{name}project_conv"), before, rate, name, stride)


def _scaled(images: KerasTensor, variant: str) -> KerasTensor:
    """Return the pixels in the scale with which the weights of the variant were trained."""
    if variant.startswith("b") and channels_of(images) == 3:
        variance = [deviation**2 for deviation in (0.229, 0.224, 0.225)]
        x = layers.Rescaling(1.0 / 255)(images)
        return layers.Normalization(channel_axis(), mean=[0.485, 0.456, 0.406], variance=variance)(x)
    return layers.Rescaling(1.0 / 128.0, -1)(images)


def _variant(
    variant: str, network: tuple[int, tuple[_Stage, ...]], width: float, depth: float, size: int, *digests: str
):
    default_name = f"efficientnetv2-{variant}"

    def widened(filters: int) -> int:
        return max(8, int((filters * width + 4) // 8 * 8))

    def body(x: KerasTensor, asked: Asked) -> KerasTensor:
        first, stages = network
        x = _active(convolved(x, widened(first), 3, "stem_conv", strides=2), "stem_bn", "stem_activation")
        done, total = 0, sum(stage[1] for stage in stages)
        for i, (plain, repeats, filters, widening, stride) in enumerate(stages, 1):
            block = _plain_block if plain else _depthwise_block
            for j in range(math.ceil(depth * repeats)):
                name = f"block{i}{chr(ord('a') + j)}_"
                x = block(x, widened(filters), widening, 1 if j else stride, 0.2 * done / total, name)
                done += 1
        return _active(convolved(x, widened(1280), 1, "top_conv"), "top_bn", "top_activation")

    def head(features: KerasTensor, asked: Asked) -> KerasTensor:
        return dense_head("avg_pool", 0.2, kernel_initializer=classifier_kernels())(features, asked)

    def files(include_top: bool) -> Published:
        end = "" if include_top else "_notop"
        return Published(f"{STORE}efficientnet_v2/{default_name}{end}.h5", digests[0 if include_top else 1])

    def make(
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        include_preprocessing: bool = True,
        name: str | None = default_name,
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

        def from_pixels(images: KerasTensor, asked: Asked) -> Any:
            return body(_scaled(images, variant) if include_preprocessing else images, asked)

        return build(asked, from_pixels, files, size, head=head)

    more = "\n        include_preprocessing: whether the model scales pixels of 0..255 itself."
    return titled(make, f"EfficientNetV2{variant.upper()}", SOURCE, __name__, more)


EfficientNetV2B0 = _variant(
    "b0", BASE, 1.0, 1.0, 224, "21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"
)
EfficientNetV2B1 = _variant(
    "b1", BASE, 1.0, 1.1, 240, "069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"
)
EfficientNetV2B2 = _variant(
    "b2", BASE, 1.1, 1.2, 260, "424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"
)
EfficientNetV2B3 = _variant(
    "b3", BASE, 1.2, 1.4, 300, "1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"
)
EfficientNetV2S = _variant(
    "s", SMALL, 1.0, 1.0, 384, "e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"
)
EfficientNetV2M = _variant(
    "m", MEDIUM, 1.0, 1.0, 480, "a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"
)
EfficientNetV2L = _variant(
    "l", LARGE, 1.0, 1.0, 480, "27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"
)

preprocess_input = preprocessing(None)

__all__ = [
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "decode_predictions",
    "preprocess_input",
]
