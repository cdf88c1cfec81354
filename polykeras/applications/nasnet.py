"""NASNet: stacks of two kinds of cells, found by a search."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from polykeras import layers
from polykeras.applications.building import (
    STORE,
    UNNAMED,
    Asked,
    Body,
    Published,
    build,
    channel_axis,
    channels_of,
    dense_head,
    padding_before_stride,
    sides,
)
from polykeras.applications.constructors import titled
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.common.types import ActivationLike
from polykeras.graph import KerasTensor
from polykeras.models import Functional

SOURCE = (
    'Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", 2017, '
    "https://arxiv.org/abs/1707.07012"
)


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(channel_axis(), momentum=0.9997, epsilon=1e-3, name=name)(x)


def _relu(x: KerasTensor, name: str | None = None) -> KerasTensor:
    return layers.Activation("relu", name=name)(x)


def _pointwise(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    layer = layers.Conv2D(filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)
    return layer(x)


def _separable(x: KerasTensor, filters: int, kernel: int, name: str, stride: int = 1) -> KerasTensor:
    """Return two separable convolutions, the first of which may have a stride."""
    x, padding = _relu(x), "same"
    if stride == 2:
        x = layers.ZeroPadding2D(padding_before_stride(x, kernel), name=f"separable_conv_1_pad_{name}")(x)
        padding = "valid"
    first = f"separable_conv_1_{name}"
    x = layers.SeparableConv2D(filters, kernel, strides=stride, padding=padding, use_bias=False, name=first)(x)
    x = _relu(_normalized(x, f"separable_conv_1_bn_{name}"))
    x = layers.SeparableConv2D(filters, kernel, padding="same", use_bias=False, name=f"separable_conv_2_{name}")(x)
    return _normalized(x, f"separable_conv_2_bn_{name}")


def _adjusted(p: KerasTensor | None, x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """Return the features of the cell before the previous one, in the size and width of this cell."""
    if p is None:
        return x
    if sides(p.shape[1:])[-1] != sides(x.shape[1:])[-1]:
        p = _relu(p, f"adjust_relu_1_{name}")
        # Every second position, and the positions next to them.
        beside = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_1_{name}")(p)
        beside = _pointwise(beside, filters // 2, f"adjust_conv_1_{name}")
        moved = layers.Cropping2D(((1, 0), (1, 0)))(layers.ZeroPadding2D(((0, 1), (0, 1)))(p))
        moved = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_2_{name}")(moved)
        moved = _pointwise(moved, filters // 2, f"adjust_conv_2_{name}")
        return _normalized(layers.concatenate([beside, moved], axis=channel_axis()), f"adjust_bn_{name}")
    if channels_of(p) != filters:
        p = _pointwise(_relu(p), filters, f"adjust_conv_projection_{name}")
        return _normalized(p, f"adjust_bn_{name}")
    return p


def _normal(x: KerasTensor, p: KerasTensor | None, filters: int, name: str) -> tuple[Any, Any]:
    """Return a cell that keeps the size; `p` is the output of the cell before the previous one."""
    before = x
    p = _adjusted(p, x, filters, name)
    h = _normalized(_pointwise(_relu(x), filters, f"normal_conv_1_{name}"), f"normal_bn_1_{name}")

    def averaged(y: KerasTensor, part: str) -> KerasTensor:
        return layers.AveragePooling2D(3, strides=1, padding="same", name=f"normal_{part}_{name}")(y)

    def added(i: int, left: KerasTensor, right: KerasTensor) -> KerasTensor:
        return layers.add([left, right], name=f"normal_add_{i}_{name}")

    left, right = (_separable(y, filters, k, f"normal_{n}1_{name}") for y, k, n in ((h, 5, "left"), (p, 3, "right")))
    parts = [p, added(1, left, right)]
    left, right = (_separable(p, filters, k, f"normal_{n}2_{name}") for k, n in ((5, "left"), (3, "right")))
    parts.append(added(2, left, right))
    parts.append(added(3, averaged(h, "left3"), p))
    parts.append(added(4, averaged(p, "left4"), averaged(p, "right4")))
    parts.append(added(5, _separable(h, filters, 3, f"normal_left5_{name}"), h))
    return layers.concatenate(parts, axis=channel_axis(), name=f"normal_concat_{name}"), before


def _reduction(x: KerasTensor, p: KerasTensor | None, filters: int, name: str) -> tuple[Any, Any]:
    """Return a cell that halves the size; `p` is the output of the cell before the previous one."""
    before = x
    p = _adjusted(p, x, filters, name)
    h = _normalized(_pointwise(_relu(x), filters, f"reduction_conv_1_{name}"), f"reduction_bn_1_{name}")
    padded = layers.ZeroPadding2D(padding_before_stride(h, 3), name=f"reduction_pad_1_{name}")(h)

    def narrowed(y: KerasTensor, kernel: int, part: str) -> KerasTensor:
        return _separable(y, filters, kernel, f"reduction_{part}_{name}", stride=2)

    def added(left: KerasTensor, right: KerasTensor, part: str) -> KerasTensor:
        return layers.add([left, right], name=f"reduction_{part}_{name}")

    one = added(narrowed(h, 5, "left1"), narrowed(p, 7, "right1"), "add_1")
    two = layers.MaxPooling2D(3, strides=2, name=f"reduction_left2_{name}")(padded)
    two = added(two, narrowed(p, 7, "right2"), "add_2")
    three = layers.AveragePooling2D(3, strides=2, name=f"reduction_left3_{name}")(padded)
    three = added(three, narrowed(p, 5, "right3"), "add3")
    four = layers.AveragePooling2D(3, strides=1, padding="same", name=f"reduction_left4_{name}")(one)
    four = layers.add([two, four])
    five = _separable(one, filters, 3, f"reduction_left4_{name}")
    five = added(five, layers.MaxPooling2D(3, strides=2, name=f"reduction_right5_{name}")(padded), "add4")
    parts = [two, three, four, five]
    return layers.concatenate(parts, axis=channel_axis(), name=f"reduction_concat_{name}"), before


def _body(filters: int, cells: int, stem: int, skip: bool) -> Body:
    """Return the network: three stacks of `cells`; `skip` says whether cells after a reduction skip it."""

    def body(images: KerasTensor, asked: Asked) -> KerasTensor:
        convolution = layers.Conv2D(
            stem, 3, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv1"
        )
        x, p = _normalized(convolution(images), "stem_bn1"), None
        x, p = _reduction(x, p, filters // 4, "stem_1")
        x, p = _reduction(x, p, filters // 2, "stem_2")
        for stack in range(3):
            width = filters * 2**stack
            if stack:
                x, reduced = _reduction(x, p, width, f"reduce_{stack * cells}")
                p = p if skip else reduced
            for i in range(cells):
                x, p = _normal(x, p, width, f"{stack * cells + i + (1 if stack else 0)}")
        return _relu(x)

    return body


def _variant(kind: str, size: int, body: Body, *digests: str):
    default_name = f"nasnet_{kind.lower()}"

    def files(include_top: bool) -> Published:
        address = f"{STORE}nasnet/NASNet-{kind.lower()}{'' if include_top else '-no-top'}.h5"
        saved_as = f"{default_name}{'' if include_top else '_no_top'}.h5"
        return Published(address, digests[0 if include_top else 1], saved_as)

    def make(
        input_shape: Sequence[int | None] | None = None,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
        name: str | None = default_name,
    ) -> Functional:
        if channel_axis() == 1:
            raise ValueError("NASNet takes images with the channels last; the current data format has them first.")
        if input_shape is None and not include_top:  # cells compare sizes, so they must be known
            input_shape = (size, size, 3)
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
        return build(asked, body, files, size, pools=UNNAMED, head=dense_head(None))

    return titled(make, f"NASNet{kind}", SOURCE, __name__)


NASNetMobile = _variant(
    "Mobile",
    224,
    _body(44, 4, 32, skip=False),
    "020fb642bf7360b370c678b08e0adf61",
    "1ed92395b5b598bdda52abe5c0dbfd63",
)
NASNetLarge = _variant(
    "Large",
    331,
    _body(168, 6, 96, skip=True),
    "11577c9a518f0070763c2b964a382f17",
    "d81d89dc07e6e56530c4e77faddd61b5",
)

preprocess_input = preprocessing("tf")

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]
