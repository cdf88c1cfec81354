"""VGG16: sixteen layers of small convolutions and dense layers."""

from __future__ import annotations

from polykeras import layers
from polykeras.applications.building import UNNAMED, Asked, Body, kernels_at
from polykeras.applications.constructors import constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.graph import KerasTensor

SOURCE = (
    'Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014, '
    "https://arxiv.org/abs/1409.1556"
)


def body_of(*depths: int) -> Body:
    """Return the body of a network with the given number of convolutions in each block."""

    def body(images: KerasTensor, asked: Asked) -> KerasTensor:
        x = images
        for block, depth in enumerate(depths, 1):
            for i in range(1, depth + 1):
                name = f"block{block}_conv{i}"
                x = layers.Conv2D(min(32 * 2**block, 512), 3, padding="same", activation="relu", name=name)(x)
            x = layers.MaxPooling2D(2, strides=2, name=f"block{block}_pool")(x)
        return x

    return body


def head(features: KerasTensor, asked: Asked) -> KerasTensor:
    """Return the scores of two wide dense layers and the classifier."""
    x = layers.Flatten(name="flatten")(features)
    for name in ("fc1", "fc2"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
    return layers.Dense(asked.classes, asked.classifier_activation, name="predictions")(x)


VGG16 = constructor(
    "VGG16",
    "vgg16",
    SOURCE,
    body_of(2, 2, 3, 3, 3),
    kernels_at("vgg16/vgg16", "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    pools=UNNAMED,
    head=head,
)

preprocess_input = preprocessing("caffe")

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
