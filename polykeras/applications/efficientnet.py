"""EfficientNet: depth, width and image size grow together."""

from __future__ import annotations

import math
from typing import Any

from polykeras import layers
from polykeras.applications.building import (
    Asked,
    Published,
    channel_axis,
    dense_head,
    divisible,
    padding_before_stride,
    with_sides,
)
from polykeras.applications.constructors import constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.graph import KerasTensor
from polykeras.initializers import VarianceScaling

SOURCE = (
    'Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019, '
    "https://arxiv.org/abs/1905.11946"
)
# The kernel size, the repeats, the filters, the expansion of a block, and the stride of the first block.
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
DEVIATIONS = (0.229, 0.224, 0.225)


def kernels() -> VarianceScaling:
    """Return the initializer of convolutions."""
    return VarianceScaling(2.0, "fan_out", "truncated_normal")


def classifier_kernels() -> VarianceScaling:
    """Return the initializer of the classifier."""
    return VarianceScaling(1.0 / 3.0, "fan_out", "uniform")


def convolved(x: KerasTensor, filters: int, kernel: int, name: str, **options: Any) -> KerasTensor:
    """Return a convolution without bias.

    Args:
        x: features.
        filters: the number of filters.
        kernel: the height and width of the kernel.
        name: the name of the layer.
        **options: arguments of the layer; the padding is "same" by default.
    """
    options = {"padding": "same", "use_bias": False, "kernel_initializer": kernels(), **options}
    return layers.Conv2D(filters, kernel, name=name, **options)(x)


def active(x: KerasTensor, norm: str, activation: str, momentum: float = 0.99) -> KerasTensor:
    """Return the features after normalization and swish.

    Args:
        x: features.
        norm: the name of the normalization.
        activation: the name of the activation.
        momentum: the momentum of the normalization.
    """
    x = layers.BatchNormalization(channel_axis(), momentum=momentum, name=norm)(x)
    return layers.Activation("swish", name=activation)(x)


def gated(x: KerasTensor, filters: int, narrow: int, name: str) -> KerasTensor:
    """Return the features, each multiplied by a gate that depends on all features (squeeze and excitation).

    Args:
        x: features.
        filters: the number of features.
        narrow: the width of the layer in between.
        name: the beginning of the layers' names.
    """
    gates = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    gates = layers.Reshape(with_sides(1, 1, filters), name=f"{name}se_reshape")(gates)
    for width, activation, part in ((narrow, "swish", "se_reduce"), (filters, "sigmoid", "se_expand")):
        gates = convolved(gates, width, 1, f"{name}{part}", use_bias=True, activation=activation)
    return layers.multiply([x, gates], name=f"{name}se_excite")


def added(x: KerasTensor, before: KerasTensor, rate: float, name: str) -> KerasTensor:
    """Return the sum of the features and the input of the block. Training drops the features for some of the images.

    Args:
        x: features.
        before: the input of the block.
        rate: the fraction of images.
        name: the beginning of the layers' names.
    """
    if rate:
        x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.add([x, before], name=f"{name}add")


def _block(
    x: KerasTensor, filters_in: int, filters: int, kernel: int, widening: int, stride: int, rate: float, name: str
) -> KerasTensor:
    before, wide = x, filters_in * widening
    if widening != 1:
        x = active(convolved(x, wide, 1, f"{name}expand_conv"), f"{name}expand_bn", f"{name}expand_activation")
    if stride == 2:
        x = layers.ZeroPadding2D(padding_before_stride(x, kernel), name=f"{name}dwconv_pad")(x)
    depthwise = layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="valid" if stride == 2 else "same",
        use_bias=False,
        depthwise_initializer=kernels(),
        name=f"{name}dwconv",
    )
    x = active(depthwise(x), f"{name}bn", f"{name}activation")
    x = gated(x, wide, max(1, filters_in // 4), name)
    x = convolved(x, filters, 1, f"{name}project_conv")
    x = layers.BatchNormalization(channel_axis(), name=f"{name}project_bn")(x)
    return added(x, before, rate, name) if stride == 1 and filters_in == filters else x


def _variant(number: int, width: float, depth: float, size: int, dropout: float, *digests: str):
    def widened(filters: int) -> int:
        return divisible(filters * width)

    def body(images: KerasTensor, asked: Asked) -> KerasTensor:
        x = layers.Rescaling(1.0 / 255.0)(images)
        x = layers.Normalization(channel_axis())(x)
        if asked.published:
            # The published statistics contain standard deviations in place of variances. The layer before divides by
            # their roots, and this one does so again.
            x = layers.Rescaling([1.0 / math.sqrt(deviation) for deviation in DEVIATIONS])(x)
        x = layers.ZeroPadding2D(padding_before_stride(x, 3), name="stem_conv_pad")(x)
        x = convolved(x, widened(32), 3, "stem_conv", strides=2, padding="valid")
        x = active(x, "stem_bn", "stem_activation")
        repeats = [math.ceil(depth * stage[1]) for stage in STAGES]
        filters_in, done = widened(32), 0
        for i, (kernel, _, filters, widening, stride) in enumerate(STAGES):
            for j in range(repeats[i]):
                rate = 0.2 * done / sum(repeats)
                name = f"block{i + 1}{chr(ord('a') + j)}_"
                x = _block(x, filters_in, widened(filters), kernel, widening, 1 if j else stride, rate, name)
                filters_in, done = widened(filters), done + 1
        return active(convolved(x, widened(1280), 1, "top_conv"), "top_bn", "top_activation")

    def files(include_top: bool) -> Published:
        end = "" if include_top else "_notop"
        address = f"https://storage.googleapis.com/keras-applications/efficientnetb{number}{end}.h5"
        return Published(address, digests[0 if include_top else 1])

    def head(features: KerasTensor, asked: Asked) -> KerasTensor:
        return dense_head("avg_pool", dropout, kernel_initializer=classifier_kernels())(features, asked)

    name = f"EfficientNetB{number}"
    return constructor(name, name.lower(), SOURCE, body, files, size, head=head)


EfficientNetB0 = _variant(0, 1.0, 1.0, 224, 0.2, "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d")
EfficientNetB1 = _variant(1, 1.0, 1.1, 240, 0.2, "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432")
EfficientNetB2 = _variant(2, 1.1, 1.2, 260, 0.3, "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39")
EfficientNetB3 = _variant(3, 1.2, 1.4, 300, 0.3, "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226")
EfficientNetB4 = _variant(4, 1.4, 1.8, 380, 0.4, "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba")
EfficientNetB5 = _variant(5, 1.6, 2.2, 456, 0.4, "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f")
EfficientNetB6 = _variant(6, 1.8, 2.6, 528, 0.5, "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743")
EfficientNetB7 = _variant(7, 2.0, 3.1, 600, 0.5, "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a")

preprocess_input = preprocessing(None)

__all__ = [
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "decode_predictions",
    "preprocess_input",
]
