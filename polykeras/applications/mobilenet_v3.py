"""MobileNetV3: MobileNetV2's blocks, found by a search, with gates for their features."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from polykeras import layers
from polykeras.applications.building import (
    STORE,
    Asked,
    Published,
    build,
    channels_of,
    divisible,
    image_shape,
    padding_before_stride,
    sides,
)
from polykeras.applications.constructors import titled
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.mobilenet_v2 import check_tensor, normalized
from polykeras.common.types import ActivationLike
from polykeras.graph import KerasTensor
from polykeras.models import Functional

SOURCE = 'Howard et al., "Searching for MobileNetV3", 2019, https://arxiv.org/abs/1905.02244'

# For each block: its expansion, its filters, its kernel size, its stride, whether it has gates, and whether its
# activation is hard_swish instead of relu. "Minimalistic" networks have no gates, no kernels of 5, and no hard_swish.
_Block = tuple[float, int, int, int, bool, bool]
SMALL: tuple[_Block, ...] = (
    (1, 16, 3, 2, True, False),
    (72.0 / 16, 24, 3, 2, False, False),
    (88.0 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True),
    *[(6, 40, 5, 1, True, True)] * 2,
    *[(3, 48, 5, 1, True, True)] * 2,
    (6, 96, 5, 2, True, True),
    *[(6, 96, 5, 1, True, True)] * 2,
)
LARGE: tuple[_Block, ...] = (
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False),
    (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, True, False),
    *[(3, 40, 5, 1, True, False)] * 2,
    (6, 80, 3, 2, False, True),
    (2.5, 80, 3, 1, False, True),
    *[(2.3, 80, 3, 1, False, True)] * 2,
    *[(6, 112, 3, 1, True, True)] * 2,
    (6, 160, 5, 2, True, True),
    *[(6, 160, 5, 1, True, True)] * 2,
)

# The MD5 of the published weights, with and without the classifier.
DIGESTS = {
    "large_224_0.75_float": ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0_float": ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "large_minimalistic_224_1.0_float": ("675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973"),
    "small_224_0.75_float": ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0_float": ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "small_minimalistic_224_1.0_float": ("99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4"),
}

Activate = Callable[[Any], Any]


def _relu(x: KerasTensor) -> KerasTensor:
    return layers.ReLU()(x)


def _hard_swish(x: KerasTensor) -> KerasTensor:
    return layers.Activation("hard_swish")(x)


def _gated(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    gates = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}avg_pool")(x)
    gates = layers.Conv2D(divisible(filters * 0.25), 1, padding="same", name=f"{name}conv")(gates)
    gates = layers.ReLU(name=f"{name}relu")(gates)
    gates = layers.Conv2D(filters, 1, padding="same", name=f"{name}conv_1")(gates)
    gates = layers.ReLU(6.0)(gates + 3.0) * (1.0 / 6.0)
    return layers.Multiply(name=f"{name}mul")([x, gates])


def _block(
    x: KerasTensor, widening: float, filters: int, kernel: int, stride: int, gated: bool, active: Activate, block: int
) -> KerasTensor:
    name = f"expanded_conv_{block}_" if block else "expanded_conv_"
    before, wide = x, divisible(channels_of(x) * widening)
    if block:
        x = layers.Conv2D(wide, 1, padding="same", use_bias=False, name=f"{name}expand")(x)
        x = active(normalized(x, f"{name}expand_bn"))
    if stride == 2:
        x = layers.ZeroPadding2D(padding_before_stride(x, kernel), name=f"{name}depthwise_pad")(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(kernel, strides=stride, padding=padding, use_bias=False, name=f"{name}depthwise")(x)
    x = active(normalized(x, f"{name}depthwise_bn"))
    if gated:
        x = _gated(x, wide, f"{name}squeeze_excite_")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(x)
    x = normalized(x, f"{name}project_bn")
    if stride == 1 and channels_of(before) == filters:
        return layers.Add(name=f"{name}add")([before, x])
    return x


def _variant(title: str, kind: str, blocks: Sequence[_Block], last: int):
    def make(
        input_shape: Sequence[int | None] | None = None,
        alpha: float = 1.0,
        minimalistic: bool = False,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        classes: int = 1000,
        pooling: str | None = None,
        dropout_rate: float = 0.2,
        classifier_activation: ActivationLike = "softmax",
        include_preprocessing: bool = True,
        name: str | None = title,
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
        swish = _relu if minimalistic else _hard_swish
        key = f"{kind}{'_minimalistic' if minimalistic else ''}_224_{alpha}_float"
        _check(asked, key)

        def body(images: KerasTensor, asked: Asked) -> KerasTensor:
            x = layers.Rescaling(1.0 / 127.5, -1.0)(images) if include_preprocessing else images
            x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
            x = swish(normalized(x, "conv_bn"))
            for i, (widening, filters, kernel, stride, gated, late) in enumerate(blocks):
                filters, active = divisible(filters * alpha), swish if late else _relu
                kernel, gated = (3, False) if minimalistic else (kernel, gated)
                x = _block(x, widening, filters, kernel, stride, gated, active, i)
            x = layers.Conv2D(divisible(6 * channels_of(x)), 1, padding="same", use_bias=False, name="conv_1")(x)
            return swish(normalized(x, "conv_1_bn"))

        def head(features: KerasTensor, asked: Asked) -> KerasTensor:
            x = layers.GlobalAveragePooling2D(keepdims=True)(features)
            width = divisible(last * alpha) if alpha > 1.0 else last
            x = swish(layers.Conv2D(width, 1, padding="same", name="conv_2")(x))
            if dropout_rate > 0:
                x = layers.Dropout(dropout_rate)(x)
            x = layers.Flatten()(layers.Conv2D(classes, 1, padding="same", name="logits")(x))
            return layers.Activation(classifier_activation, name="predictions")(x)

        def files(include_top: bool) -> Published:
            end = "" if include_top else "_no_top_v2"
            return Published(
                f"{STORE}mobilenet_v3/weights_mobilenet_v3_{key}{end}.h5", DIGESTS[key][0 if include_top else 1]
            )

        return build(asked, body, files, None, head=head)

    more = """
        alpha: the width of all layers, as a multiple of the paper's.
        minimalistic: whether to leave out gates, hard_swish and kernels of 5 x 5, which some devices lack.
        dropout_rate: the fraction of the last features that training sets to 0.
        include_preprocessing: whether the model scales pixels of 0..255 itself."""
    return titled(make, title, SOURCE, __name__, more)


def _check(asked: Asked, key: str) -> None:
    check_tensor(asked)
    if asked.published and key not in DIGESTS:
        raise ValueError(f"There are published weights for {', '.join(DIGESTS)}; received {key}.")
    given = asked.input_tensor.shape[1:] if asked.input_tensor is not None else image_shape(asked, None, 32)
    if asked.published and tuple(sides(given)) != (224, 224):
        warnings.warn(
            f"The published weights are for images of 224 x 224; received {tuple(given)}. They are loaded anyway.",
            stacklevel=3,
        )


MobileNetV3Small = _variant("MobileNetV3Small", "small", SMALL, 1024)
MobileNetV3Large = _variant("MobileNetV3Large", "large", LARGE, 1280)

preprocess_input = preprocessing(None)

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]
