"""What whole models do otherwise than in Keras, on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from differential.shown import Shown


def training_of_the_next_layer(library: Any) -> bool:
    seen = []

    class Noter(library.layers.Layer):
        def call(self, x: Any, training: Any = None) -> Any:
            seen.append(training)
            return x

    class Two(library.Model):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = Noter(), Noter()

        def call(self, x: Any) -> Any:
            return self.two(self.one(x, training=True))

    Two()(np.ones((1, 2), "float32"))
    return bool(seen[-1])


def state_after_a_masked_time(library: Any) -> bool:
    class Decoder(library.Model):
        def __init__(self) -> None:
            super().__init__()
            self.embed = library.layers.Embedding(3, 2, mask_zero=True)
            self.rnn = library.layers.GRU(2)

        def call(self, inputs: Any) -> Any:
            return self.rnn(self.embed(inputs["words"]), initial_state=inputs["state"])

    model, state = Decoder(), np.ones((1, 2), "float32")
    results = [np.asarray(model({"words": np.array([row]), "state": state})) for row in ([1, 2, 0], [1, 2])]
    return bool(np.allclose(*results, atol=1e-6))


def weights_of_a_composed_layer_made_frozen(library: Any) -> int:
    x = library.Input((4, 3))
    layer = library.layers.MultiHeadAttention(2, 2, trainable=False)
    return len(library.Model(x, layer(x, x)).trainable_weights)


def mask_after_attention(library: Any) -> bool:
    x = library.layers.Embedding(3, 2, mask_zero=True)(np.array([[1, 2, 0]]))
    library.layers.MultiHeadAttention(1, 2)(x, x)
    return getattr(x, "_keras_mask", None) is not None


def half_times_a_float_of_numpy(library: Any) -> str:
    result = library.ops.multiply(library.ops.ones((2,), "bfloat16"), np.sqrt(2.0))
    return str(library.backend.standardize_dtype(result.dtype))


SHOWN: Shown = {
    "training= of one layer": (training_of_the_next_layer, False, True),
    "mask with initial_state": (state_after_a_masked_time, True, False),
    "masks of its inputs": (mask_after_attention, True, False),
    "composed, trainable=False": (weights_of_a_composed_layer_made_frozen, 0, 8),
    "half * np.sqrt(2.0)": (half_times_a_float_of_numpy, "bfloat16", "float32"),
}
