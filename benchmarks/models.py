"""All models, each built by one code: passing Keras or polykeras for `k` is all that differs.

The first eleven have loops by hand beside them; for the five from `masked_gru` on nothing was tuned.
"""

from __future__ import annotations

from typing import Any


def _relu(k: Any, width: int) -> Any:
    return k.layers.Dense(width, activation="relu")


def mlp(k: Any) -> Any:
    """Return a small multilayer perceptron: the cost of a step is nearly all overhead."""
    dense = k.layers.Dense
    hidden = [dense(32, activation="sigmoid"), dense(10, activation="sigmoid")]
    return k.Sequential([k.Input((784,)), *hidden, dense(1, activation="sigmoid")])


def wide(k: Any, rate: float = 0.2) -> Any:
    """Return a wide perceptron with dropout at `rate`."""
    first, second = ((_relu(k, 512), k.layers.Dropout(rate)) for _ in range(2))
    return k.Sequential([k.Input((784,)), *first, *second, k.layers.Dense(10, activation="softmax")])


def conv(k: Any) -> Any:
    """Return two convolutions with pooling."""
    layers = k.layers
    blocks = [(layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D(2)) for filters in (32, 64)]
    head = [layers.Flatten(), layers.Dense(10, activation="softmax")]
    return k.Sequential([k.Input((28, 28, 1)), *blocks[0], *blocks[1], *head])


def lstm(k: Any) -> Any:
    """Return an LSTM over 80 steps of 64 numbers."""
    return k.Sequential([k.Input((80, 64)), k.layers.LSTM(64), k.layers.Dense(1, activation="sigmoid")])


def deep(k: Any) -> Any:
    """Return twenty narrow layers: many small operations in a row."""
    hidden = [_relu(k, 32) for _ in range(20)]
    return k.Sequential([k.Input((32,)), *hidden, k.layers.Dense(1, activation="sigmoid")])


def autoencoder(k: Any) -> Any:
    """Return an autoencoder 784-128-32-128-784."""
    dense = k.layers.Dense
    hidden = [dense(width, activation="relu") for width in (128, 32, 128)]
    return k.Sequential([k.Input((784,)), *hidden, dense(784, activation="sigmoid")])


def two_inputs(k: Any) -> Any:
    """Return a functional model of a dict: four words go through an embedding, and meet 32 numbers."""
    layers = k.layers
    inputs = {"words": k.Input((4,), dtype="int32", name="words"), "numbers": k.Input((32,), name="numbers")}
    words = layers.Flatten()(layers.Embedding(1000, 16)(inputs["words"]))
    x = layers.Concatenate()([words, inputs["numbers"]])
    x = layers.Dense(64, activation="relu")(x)
    return k.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def text_cnn(k: Any) -> Any:
    """Return a convolution over 128 embedded words."""
    layers = k.layers
    words = [k.Input((128,), dtype="int32"), layers.Embedding(5000, 64)]
    convolution = [layers.Conv1D(64, 5, activation="relu"), layers.GlobalMaxPooling1D()]
    return k.Sequential([*words, *convolution, layers.Dense(1, activation="sigmoid")])


def gru(k: Any) -> Any:
    """Return a GRU over 80 steps of 64 numbers."""
    return k.Sequential([k.Input((80, 64)), k.layers.GRU(64), k.layers.Dense(1, activation="sigmoid")])


def transformer(k: Any) -> Any:
    """Return one transformer block (four heads, normalised after each part) over 32 steps of 64 numbers."""
    layers = k.layers
    inputs = k.Input((32, 64))
    x = layers.LayerNormalization()(inputs + layers.MultiHeadAttention(4, 16)(inputs, inputs))
    y = layers.Dense(64)(layers.Dense(128, activation="relu")(x))
    x = layers.LayerNormalization()(x + y)
    return k.Model(inputs, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def batch_norm(k: Any) -> Any:
    """Return two convolutions with batch normalization."""
    layers = k.layers

    def block(filters: int) -> list[Any]:
        convolution = [layers.Conv2D(filters, 3, use_bias=False), layers.BatchNormalization()]
        return [*convolution, layers.Activation("relu"), layers.MaxPooling2D(2)]

    head = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    return k.Sequential([k.Input((28, 28, 1)), *block(16), *block(32), *head])


def masked_gru(k: Any) -> Any:
    """Return a bidirectional GRU over sentences of up to 40 words, of which zeros are masked."""
    layers = k.layers
    words = [k.Input((40,), dtype="int32"), layers.Embedding(2000, 32, mask_zero=True)]
    return k.Sequential([*words, layers.Bidirectional(layers.GRU(32)), layers.Dense(1, activation="sigmoid")])


def residual(k: Any) -> Any:
    """Return a subclassed model: three blocks, each added to what it was given."""
    layers = k.layers

    class Residual(k.Model):
        """Three blocks, each added to what it was given; a class in a function, as its base comes with `k`."""

        def __init__(self) -> None:
            super().__init__()
            self.first = layers.Dense(64)
            self.norms = [layers.LayerNormalization() for _ in range(3)]
            self.wide = [layers.Dense(128, activation="gelu") for _ in range(3)]
            self.narrow = [layers.Dense(64) for _ in range(3)]
            self.head = layers.Dense(10, activation="softmax")

        def call(self, inputs: Any) -> Any:
            """Return probabilities of shape (batch, 10)."""
            x = self.first(inputs)
            for norm, wide, narrow in zip(self.norms, self.wide, self.narrow, strict=True):
                x = x + narrow(wide(norm(x)))
            return self.head(x)

    return Residual()


def separable(k: Any) -> Any:
    """Return a convolution and two separable ones."""
    layers = k.layers
    first = [layers.Conv2D(16, 3, activation="relu"), layers.AveragePooling2D(2)]
    second = [layers.SeparableConv2D(32, 3, activation="relu"), layers.AveragePooling2D(2)]
    third = [layers.SeparableConv2D(64, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    return k.Sequential([k.Input((28, 28, 1)), *first, *second, *third, layers.Dense(10, activation="softmax")])


def regularized(k: Any) -> Any:
    """Return a perceptron with regularized kernels."""
    layers, squares = k.layers, k.regularizers.L2(1e-4)
    hidden = [layers.Dense(width, activation="tanh", kernel_regularizer=squares) for width in (128, 64)]
    return k.Sequential([k.Input((100,)), *hidden, layers.Dense(1, activation="sigmoid", kernel_regularizer=squares)])


def stacked_lstm(k: Any, rate: float = 0.2) -> Any:
    """Return two LSTMs over 30 steps of 16 numbers, with dropout at `rate`."""
    layers = k.layers
    first, second = layers.LSTM(32, return_sequences=True), layers.LSTM(32)
    head = [layers.Dropout(rate), layers.Dense(10, activation="softmax")]
    return k.Sequential([k.Input((30, 16)), first, layers.Dropout(rate), second, *head])
