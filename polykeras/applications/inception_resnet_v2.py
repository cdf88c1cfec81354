"""InceptionResNetV2: Inception's branches, added to their input."""

from __future__ import annotations

from typing import Any

from polykeras import layers, ops
from polykeras.applications.building import Asked, Pools, channels_of, kernels_at
from polykeras.applications.constructors import constructor
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.applications.inception_v3 import averaged, chain, convolved, joined, stem
from polykeras.backend.spec import Array
from polykeras.graph import KerasTensor
from polykeras.layers.base.layer import LAYERS

SOURCE = (
    'Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning", 2016, '
    "https://arxiv.org/abs/1602.07261"
)


@LAYERS.register()
class CustomScaleLayer(layers.Layer):
    """Adds a second input, multiplied by a number, to the first.

    Args:
        scale: the number.
        **kwargs: see `Layer`.
    """

    sample_by_sample = True
    _module_in_configs = "keras.src.applications.inception_resnet_v2"

    def __init__(self, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: Array) -> Array:
        """Return `inputs[0] + scale * inputs[1]`."""
        return ops.add(inputs[0], ops.multiply(inputs[1], self.scale))


# The convolutions of each branch, by the kind of the block.
_BRANCHES = {
    "block35": ([(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]),
    "block17": ([(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]),
    "block8": ([(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]),
}


def _blocks(x: KerasTensor, kind: str, count: int, scale: float, first: int = 1, active: bool = True) -> KerasTensor:
    for i in range(first, first + count):
        name = f"{kind}_{i}"
        mixed = joined([chain(x, *steps) for steps in _BRANCHES[kind]], f"{name}_mixed")
        up = layers.Conv2D(channels_of(x), 1, padding="same", name=f"{name}_conv")(mixed)
        x = CustomScaleLayer(scale)([x, up])
        if active:
            x = layers.Activation("relu", name=f"{name}_ac")(x)
    return x


def _body(images: KerasTensor, asked: Asked) -> KerasTensor:
    x = stem(images)
    branches = [convolved(x, 96, 1), chain(x, (48, 1), (64, 5)), chain(x, (64, 1), (96, 3), (96, 3)), averaged(x, 64)]
    x = _blocks(joined(branches, "mixed_5b"), "block35", 10, 0.17)
    branches = [convolved(x, 384, 3, 2, "valid"), chain(x, (256, 1), (256, 3), (384, 3, 2, "valid"))]
    x = _blocks(joined([*branches, layers.MaxPooling2D(3, strides=2)(x)], "mixed_6a"), "block17", 20, 0.1)
    branches = [
        chain(x, (256, 1), (384, 3, 2, "valid")),
        chain(x, (256, 1), (288, 3, 2, "valid")),
        chain(x, (256, 1), (288, 3), (320, 3, 2, "valid")),
    ]
    x = _blocks(joined([*branches, layers.MaxPooling2D(3, strides=2)(x)], "mixed_7a"), "block8", 9, 0.2)
    x = _blocks(x, "block8", 1, 1.0, first=10, active=False)
    return convolved(x, 1536, 1, name="conv_7b")


InceptionResNetV2 = constructor(
    "InceptionResNetV2",
    "inception_resnet_v2",
    SOURCE,
    _body,
    kernels_at(
        "inception_resnet_v2/inception_resnet_v2",
        "e693bd0210a403b3192acc6073ad2e96",
        "d19885ff4a710c122648d3b5c3b684e4",
    ),
    size=299,
    least=75,
    pools=Pools("avg_pool", None, None),
)

preprocess_input = preprocessing("tf")

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]
