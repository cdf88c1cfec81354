"""MobileNet: separable convolutions, with a width that fits the device."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace

from polykeras import layers
from polykeras.applications.building import STORE, UNNAMED, Asked, Published, build, channel_axis, image_shape, sides
from polykeras.applications.constructors import titled
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.common.types import ActivationLike
from polykeras.graph import KerasTensor
from polykeras.models import Functional

SOURCE = (
    'Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", 2017, '
    "https://arxiv.org/abs/1704.04861"
)
SIDES = (128, 160, 192, 224)
# The filters and the stride of each block.
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


def default_side(shape: Sequence[int | None] | None, known: Sequence[int]) -> int:
    """Return the image size for which there are published weights: that of `shape`, or 224.

    Args:
        shape: the shape of an image, or None.
        known: the sizes with published weights.
    """
    rows, columns = sides(shape) if shape and len(shape) == 3 else (None, None)
    return next((side for side in known if side == rows == columns), 224)


def side_of_weights(shape: Sequence[int | None], known: Sequence[int]) -> int:
    """Return the image size with which the published weights for images of `shape` were trained.

    Args:
        shape: the shape of an image.
        known: the sizes with published weights.
    """
    side = default_side(shape, known)
    if side in sides(shape):
        return side
    warnings.warn(
        f"There are published weights for square images with sides of {', '.join(map(str, known))}; received "
        f"{tuple(shape)}. Those for 224 are loaded.",
        stacklevel=3,
    )
    return 224


def _relu(x: KerasTensor, name: str) -> KerasTensor:
    x = layers.BatchNormalization(channel_axis(), name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def _separable(x: KerasTensor, filters: int, depth_multiplier: int, stride: int, block: int) -> KerasTensor:
    if stride > 1:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{block}")(x)
    name = f"conv_dw_{block}"
    depthwise = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="valid" if stride > 1 else "same",
        depth_multiplier=depth_multiplier,
        use_bias=False,
        name=name,
    )
    x = _relu(depthwise(x), name)
    name = f"conv_pw_{block}"
    return _relu(layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x), name)


def MobileNet(
    input_shape: Sequence[int | None] | None = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 1e-3,
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
    size = default_side(input_shape, SIDES)
    shape = image_shape(asked, size, 32)
    side = sides(shape)[0]
    if asked.published:
        if depth_multiplier != 1 or alpha not in (0.25, 0.5, 0.75, 1.0):
            raise ValueError(
                "Weights are published for depth_multiplier=1 and alpha=0.25, 0.5, 0.75 or 1.0; received "
                f"depth_multiplier={depth_multiplier}, alpha={alpha}."
            )
        side = side_of_weights(shape, SIDES)

    def body(images: KerasTensor, asked: Asked) -> KerasTensor:
        x = layers.Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(images)
        x = _relu(x, "conv1")
        for i, (filters, stride) in enumerate(BLOCKS, 1):
            x = _separable(x, int(filters * alpha), depth_multiplier, stride, i)
        return x

    def head(features: KerasTensor, asked: Asked) -> KerasTensor:
        x = layers.GlobalAveragePooling2D(keepdims=True)(features)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Conv2D(classes, 1, padding="same", name="conv_preds")(x)
        x = layers.Reshape((classes,), name="reshape_2")(x)
        return layers.Activation(classifier_activation, name="predictions")(x)

    def files(include_top: bool) -> Published:
        width = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}[alpha]
        return Published(f"{STORE}mobilenet/mobilenet_{width}_{side}_tf{'' if include_top else '_no_top'}.h5")

    asked = replace(asked, name=name or f"mobilenet_{alpha:0.2f}_{side}")
    return build(asked, body, files, size, pools=UNNAMED, head=head)


titled(
    MobileNet,
    "MobileNet",
    SOURCE,
    __name__,
    """
        alpha: the width of all layers, as a multiple of the paper's.
        depth_multiplier: the number of features that each depthwise convolution makes from one.
        dropout: the fraction of the last features that training sets to 0.""",
)

preprocess_input = preprocessing("tf")

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]
