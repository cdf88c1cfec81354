"""ConvNeXt: residual blocks in the layout of transformers, made only of convolutions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from polykeras import layers, ops
from polykeras.applications.building import (
    STORE,
    UNNAMED,
    Asked,
    Published,
    begin,
    channel_axis,
    channels_of,
    check_weights,
    image_shape,
    pooled,
    with_weights,
)
from polykeras.applications.constructors import titled
from polykeras.applications.imagenet_utils import decode_predictions, preprocessing
from polykeras.backend.spec import Array
from polykeras.common.types import ActivationLike, InputShape
from polykeras.graph import KerasTensor
from polykeras.initializers import Constant
from polykeras.layers.base.layer import LAYERS
from polykeras.models import Functional, Sequential

SOURCE = 'Liu et al., "A ConvNet for the 2020s", 2022, https://arxiv.org/abs/2201.03545'


@LAYERS.register()
class LayerScale(layers.Layer):
    """Multiplies each feature by a learned factor.

    Args:
        init_values: the initial factors.
        projection_dim: the number of features.
        **kwargs: see `Layer`.
    """

    sample_by_sample = True
    _module_in_configs = "keras.src.applications.convnext"

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.init_values = init_values
        self.projection_dim = projection_dim
        self.input_spec = layers.InputSpec(min_ndim=1, axes={-1: projection_dim})

    def build(self, input_shape: InputShape) -> None:
        """Make the factors."""
        self.gamma = self.add_weight((self.projection_dim,), Constant(self.init_values), name="gamma")

    def call(self, x: Array) -> Array:
        """Return the scaled features."""
        return ops.multiply(x, self.gamma)


def _normalization(name: str | None = None) -> layers.LayerNormalization:
    return layers.LayerNormalization(epsilon=1e-6, name=name)


def _block(inputs: KerasTensor, filters: int, name: str) -> KerasTensor:
    x = layers.Conv2D(filters, 7, padding="same", groups=filters, name=f"{name}_depthwise_conv")(inputs)
    x = _normalization(f"{name}_layernorm")(x)
    x = layers.Dense(4 * filters, name=f"{name}_pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = layers.Dense(filters, name=f"{name}_pointwise_conv_2")(x)
    x = LayerScale(1e-6, filters, name=f"{name}_layer_scale")(x)
    return inputs + layers.Activation("linear", name=f"{name}_identity")(x)


def _body(
    images: KerasTensor, name: str | None, depths: Sequence[int], widths: Sequence[int], scale: bool
) -> KerasTensor:
    x = images
    if scale and channels_of(x) == 3:
        means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        x = layers.Normalization(
            mean=[mean * 255 for mean in means],
            variance=[(deviation * 255) ** 2 for deviation in deviations],
            name=f"{name}_prestem_normalization",
        )(x)
    for i, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        if i == 0:
            convolution = layers.Conv2D(width, 4, strides=4, name=f"{name}_stem_conv")
            narrowing = Sequential([convolution, _normalization(f"{name}_stem_layernorm")], name=f"{name}_stem")
        else:
            convolution = layers.Conv2D(width, 2, strides=2, name=f"{name}_downsampling_conv_{i - 1}")
            normalization = _normalization(f"{name}_downsampling_layernorm_{i - 1}")
            narrowing = Sequential([normalization, convolution], name=f"{name}_downsampling_block_{i - 1}")
        x = narrowing(x)
        for j in range(depth):
            x = _block(x, width, f"{name}_stage_{i}_block_{j}")
    return x


def _outputs(features: KerasTensor, asked: Asked) -> Any:
    if asked.include_top:
        x = layers.GlobalAveragePooling2D(name=f"{asked.name}_head_gap")(features)
        x = _normalization(f"{asked.name}_head_layernorm")(x)
        return layers.Dense(asked.classes, asked.classifier_activation, name=f"{asked.name}_head_dense")(x)
    x = pooled(features, asked.pooling, UNNAMED) if asked.pooling in ("avg", "max") else features
    return _normalization()(x)


def _variant(kind: str, depths: Sequence[int], widths: Sequence[int], *digests: str):
    default_name = f"convnext_{kind.lower()}"

    def files(include_top: bool) -> Published:
        end = "" if include_top else "_notop"
        return Published(f"{STORE}convnext/{default_name}{end}.h5", digests[0 if include_top else 1])

    def make(
        include_top: bool = True,
        include_preprocessing: bool = True,
        weights: str | os.PathLike[str] | None = "imagenet",
        input_tensor: KerasTensor | None = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        classifier_activation: ActivationLike = "softmax",
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
        if channel_axis() == 1:
            raise ValueError("ConvNeXt takes images with the channels last; the current data format has them first.")
        check_weights(asked)
        inputs, images = begin(asked, image_shape(asked, 224, 32))
        features = _body(images, name, depths, widths, include_preprocessing)
        return with_weights(Functional(inputs, _outputs(features, asked), name=name), asked, files)

    more = "\n        include_preprocessing: whether the model scales pixels of 0..255 itself."
    return titled(make, f"ConvNeXt{kind}", SOURCE, __name__, more)


ConvNeXtTiny = _variant(
    "Tiny",
    (3, 3, 9, 3),
    (96, 192, 384, 768),
    "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
    "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
)
ConvNeXtSmall = _variant(
    "Small",
    (3, 3, 27, 3),
    (96, 192, 384, 768),
    "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
    "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
)
ConvNeXtBase = _variant(
    "Base",
    (3, 3, 27, 3),
    (128, 256, 512, 1024),
    "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
    "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
)
ConvNeXtLarge = _variant(
    "Large",
    (3, 3, 27, 3),
    (192, 384, 768, 1536),
    "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
    "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
)
ConvNeXtXLarge = _variant(
    "XLarge",
    (3, 3, 27, 3),
    (256, 512, 1024, 2048),
    "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
    "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
)

preprocess_input = preprocessing(None)

__all__ = [
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "decode_predictions",
    "preprocess_input",
]
