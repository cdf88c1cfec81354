"""Models that people train, as others wrote them: KerasHub's, those of `keras.applications`, and a U-Net.

Each function returns a model, its inputs and its labels; the models have no dropout where they let us say so. Import
this module after the library that `keras` is to mean.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

RNG = np.random.default_rng(0)
Made = tuple[Any, Any, np.ndarray]
k: Any = importlib.import_module("keras")


def _hub() -> Any:
    try:
        return importlib.import_module("keras_hub").models
    except ImportError as missing:
        raise ImportError(
            f"The models of KerasHub are missing ({missing}). Its wheel asks for another TensorFlow than polykeras is "
            "tested with, so install it without: pip install --no-deps keras-hub && pip install regex kagglehub "
            "tokenizers 'sentencepiece<0.2.2'"
        ) from missing


def _tokens(vocabulary: int, batch: int, length: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    ids = RNG.integers(0, vocabulary, (batch, length + 1)).astype("int32")
    return {"token_ids": ids[:, :-1], "padding_mask": np.ones((batch, length), "int32")}, ids[:, 1:]


def _images(batch: int, size: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    return RNG.uniform(0, 1, (batch, size, size, 3)).astype("float32"), RNG.integers(0, classes, batch)


def llama() -> Made:
    """Llama, 31 million weights, 4 x 128 tokens."""
    hub = _hub()
    backbone = hub.LlamaBackbone(16000, 6, 8, 512, 1376, 4, tie_word_embeddings=True)
    return hub.LlamaCausalLM(backbone), *_tokens(16000, 4, 128)


def gpt2() -> Made:
    """GPT-2, 124 million weights, 2 x 64 tokens."""
    hub = _hub()
    backbone = hub.GPT2Backbone(50257, 12, 12, 768, 3072, dropout=0.0)
    return hub.GPT2CausalLM(backbone), *_tokens(50257, 2, 64)


def bert() -> Made:
    """BERT, 8 layers of 512, two classes, 4 x 128 tokens."""
    hub = _hub()
    model = hub.BertTextClassifier(hub.BertBackbone(30522, 8, 8, 512, 2048, dropout=0.0), 2, dropout=0.0)
    x, _ = _tokens(30522, 4, 128)
    return model, x | {"segment_ids": np.zeros((4, 128), "int32")}, RNG.integers(0, 2, 4)


def vit() -> Made:
    """A vision transformer, 6 layers of 384, 8 images of 224 x 224."""
    hub = _hub()
    backbone = hub.ViTBackbone((224, 224, 3), (16, 16), 6, 6, 384, 1536)
    return hub.ViTImageClassifier(backbone, 100), *_images(8, 224, 100)


def whisper() -> Made:
    """Whisper's encoder, 4 layers of 384, 2 x 1,000 frames, with a head of ten classes."""
    both = _hub().WhisperBackbone(51865, 4, 6, 384, 1536, max_encoder_sequence_length=1000)
    features = both.get_layer("encoder_features").output
    encoded = both.get_layer("encoder_layer_norm").output
    out = k.layers.Dense(10)(k.layers.GlobalAveragePooling1D()(encoded))
    x = RNG.normal(size=(2, 1000, 80)).astype("float32")
    return k.Model(features, out), x, RNG.integers(0, 10, 2)


def resnet50() -> Made:
    """ResNet50 of `keras.applications`, 8 images of 224 x 224."""
    model = k.applications.ResNet50(weights=None, classes=100, classifier_activation=None)
    return model, *_images(8, 224, 100)


def efficientnet() -> Made:
    """EfficientNetV2B0 of `keras.applications`, 8 images of 224 x 224."""
    model = k.applications.EfficientNetV2B0(weights=None, classes=100, classifier_activation=None)
    return model, *_images(8, 224, 100)


def _block(x: Any, filters: int, context: Any = None, attends: bool = False) -> Any:
    """Return a residual block of a diffusion model, with attention to its own places and to a context."""
    layers = k.layers
    kept = x if x.shape[-1] == filters else layers.Conv2D(filters, 1)(x)
    for _ in range(2):
        x = layers.Activation("silu")(layers.GroupNormalization(8)(x))
        x = layers.Conv2D(filters, 3, padding="same")(x)
    x = layers.Add()([x, kept])
    if not attends:
        return x
    height, width = x.shape[1:3]
    flat = layers.Reshape((height * width, filters))(x)
    for other in (None, context)[: 1 if context is None else 2]:
        query = layers.LayerNormalization()(flat)
        seen = query if other is None else other
        flat = layers.Add()([flat, layers.MultiHeadAttention(4, filters // 4)(query, seen)])
    return layers.Reshape((height, width, filters))(flat)


def _unet(size: int, filters: tuple[int, ...], context: Any, channels: int, inputs: Any) -> Any:
    layers = k.layers
    x = layers.Conv2D(filters[0], 3, padding="same")(inputs)
    passed = []
    for i, count in enumerate(filters):
        x = _block(x, count, context, attends=size >> i <= 16)
        passed.append(x)
        x = layers.AveragePooling2D(2)(x) if i < len(filters) - 1 else x
    for i, count in reversed(list(enumerate(filters))):
        x = layers.UpSampling2D()(x) if i < len(filters) - 1 else x
        x = _block(layers.Concatenate()([x, passed[i]]), count, context, attends=size >> i <= 16)
    return layers.Conv2D(channels, 3, padding="same")(x)


def unet() -> Made:
    """A U-Net with attention at 16 x 16, 4 images of 64 x 64, three classes a pixel."""
    inputs = k.Input((64, 64, 3))
    model = k.Model(inputs, _unet(64, (32, 64, 128), None, 3, inputs))
    x, _ = _images(4, 64, 3)
    return model, x, RNG.integers(0, 3, (4, 64, 64))


def diffusion() -> Made:
    """Blocks as of Stable Diffusion: latents of 32 x 32, attention to themselves and to 77 places of a text."""
    latents, text = k.Input((32, 32, 4), name="latents"), k.Input((77, 128), name="text")
    model = k.Model([latents, text], _unet(32, (64, 128, 256), text, 4, latents))
    x = [RNG.normal(size=shape).astype("float32") for shape in ((4, 32, 32, 4), (4, 77, 128))]
    return model, x, RNG.integers(0, 4, (4, 32, 32))


MODELS: dict[str, Callable[[], Made]] = {
    function.__name__: function
    for function in (llama, gpt2, bert, resnet50, efficientnet, vit, whisper, unet, diffusion)
}
