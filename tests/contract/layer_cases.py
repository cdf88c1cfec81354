"""Cases of layers, one line each: `layer(make, inputs, ...)`. Every public layer has one; see `test_layers.py`."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from contract.table import B, I, N, S, drawn
from helpers.layer_runner import LayerCase
from polykeras import layers as L
from polykeras import ops, tree

_ids: set[str] = set()


def layer(make: Callable[[], L.Layer], inputs: Any, note: str = "", **options: Any) -> LayerCase:
    """Return one case.

    Args:
        make: returns the layer, not built.
        inputs: a `Draw` or an array, or a list (one argument) or a tuple (several arguments) of them.
        note: tells cases of one layer apart.
        **options: `grad`, `rtol`, `atol` and `why`; all others are arguments of the call.
    """
    own = {key: options.pop(key) for key in ("grad", "rtol", "atol", "why") if key in options}
    shapes = [x.shape for x in tree.flatten(inputs)]
    name = "-".join([type(make()).__name__, *([note] if note else []), *("x".join(map(str, s)) for s in shapes)])
    while name in _ids:
        name += "'"
    _ids.add(name)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kwargs = {key: drawn(value, rng) for key, value in options.items()}
    return LayerCase(make, drawn(inputs, rng), kwargs, **own, id=name)


def scaled(x: Any, factor: float) -> Any:
    """Return the product: the function of a `Lambda`."""
    return ops.multiply(x, factor)


class Leaky(L.Layer):
    """A user's cell: sublayers, random numbers, a state that is not its output."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state_size = 3
        self.output_size = 2
        self.inner, self.outer, self.drop = L.Dense(3), L.Dense(2), L.Dropout(0.3)

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        """Return the output and the new state."""
        state = ops.tanh(ops.add(ops.multiply(states[0], 0.5), self.drop(self.inner(inputs), training=training)))
        return self.outer(state), [state]


OWN = {"Leaky": Leaky, "scaled": scaled}
"""What configs of the cases name beside the library's own objects."""

SUMS: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5, "why": "chains of sums and products"}
MASK = B([[True, True, False, False], [False, True, True, True]])
HOLES = B([[[True, True, False], [True, False, True]], [[True, True, True], [True, False, False]]])
FIRST: dict[str, Any] = {"data_format": "channels_first"}
UNIT: dict[str, Any] = {"bias_initializer": "ones"}
MERGERS = (L.Add, L.Average, L.Maximum, L.Minimum, L.Multiply)
RECURRENT = (L.SimpleRNN, L.LSTM, L.GRU)

LAYER_CASES: tuple[LayerCase, ...] = (
    # ---- dense, activations ----
    layer(lambda: L.Dense(3), N(2, 4)),
    layer(lambda: L.Dense(3, activation="tanh", use_bias=False), N(2, 5, 4), "tanh"),
    layer(lambda: L.Activation("relu"), N(2, 4)),
    layer(lambda: L.ReLU(max_value=1.0, negative_slope=0.1), N(2, 4)),
    layer(lambda: L.ReLU(threshold=0.5), N(2, 4), "threshold"),
    layer(lambda: L.LeakyReLU(0.2), N(2, 4)),
    layer(lambda: L.ELU(0.5), N(2, 4)),
    layer(lambda: L.PReLU(), N(2, 3, 4)),
    layer(lambda: L.PReLU(shared_axes=[1]), N(2, 3, 4), "shared"),
    layer(lambda: L.Softmax(), N(2, 4)),
    layer(lambda: L.Softmax((1, 2)), N(2, 3, 4), "axes"),
    layer(lambda: L.Softmax(), N(2, 2, 3), "mask", mask=HOLES),
    # ---- inputs ----
    layer(lambda: L.Embedding(5, 3), I([[0, 4, 4], [1, 2, 0]])),
    layer(lambda: L.Embedding(5, 3, mask_zero=True), I([[0, 4, 4], [1, 2, 0]]), "mask"),
    layer(lambda: L.Masking(0.0), N(2, 3, 4)),
    layer(lambda: L.Masking(2.0), I([[[2, 2], [2, 1]]], dtype="float32"), "value", grad=False),
    layer(lambda: L.Lambda(scaled, arguments={"factor": 2.0}), N(2, 3)),
    layer(lambda: L.Normalization(), N(3, 4), "weights"),
    layer(lambda: L.Normalization(mean=0.5, variance=2.0), N(3, 4)),
    layer(lambda: L.Normalization((1, 2), [1.0, 2.0], [3.0, 0.5], invert=True), N(3, 4, 2), "invert"),
    layer(lambda: L.Rescaling(0.5, offset=1.0), N(3, 4)),
    layer(lambda: L.Rescaling([0.5, 2.0]), I([[3, 255]], dtype="uint8"), "bytes", grad=False),
    # ---- convolution ----
    layer(lambda: L.Conv1D(3, 3), N(2, 6, 2), "valid", **SUMS),
    layer(lambda: L.Conv1D(3, 3, padding="causal"), N(2, 6, 2), **SUMS),
    layer(lambda: L.Conv1D(2, 3, padding="causal", dilation_rate=2, **FIRST), N(2, 2, 6), "dilated first", **SUMS),
    layer(lambda: L.Conv1D(3, 3, strides=2, padding="same", activation="relu"), N(2, 6, 2), "strided", **SUMS),
    layer(lambda: L.Conv2D(3, (3, 2), strides=2, padding="same", activation="relu"), N(1, 6, 5, 2), **SUMS),
    layer(lambda: L.Conv2D(3, 2, strides=(1, 2), use_bias=False), N(1, 4, 5, 2), "no bias", **SUMS),
    layer(lambda: L.Conv2D(4, 3, groups=2), N(1, 5, 5, 2), "groups", **SUMS),
    layer(lambda: L.Conv2D(2, 2, dilation_rate=(1, 2), padding="same", **FIRST), N(1, 3, 4, 5), "first", **SUMS),
    layer(lambda: L.DepthwiseConv2D(3, depth_multiplier=2), N(1, 5, 5, 2), **SUMS),
    layer(lambda: L.DepthwiseConv2D((2, 3), strides=2, padding="same", **FIRST), N(1, 2, 5, 6), "first", **SUMS),
    layer(lambda: L.SeparableConv2D(3, 3, padding="same"), N(1, 5, 5, 2), **SUMS),
    layer(lambda: L.SeparableConv2D(3, 2, depth_multiplier=2, **FIRST), N(1, 2, 4, 4), "first", **SUMS),
    # ---- pooling ----
    layer(lambda: L.MaxPooling1D(2), S(2, 5, 3)),
    layer(lambda: L.MaxPooling1D(3, strides=1, padding="same", **FIRST), S(2, 3, 5), "first"),
    layer(lambda: L.MaxPooling2D(2, padding="same"), S(1, 5, 5, 2)),
    layer(lambda: L.MaxPooling2D((3, 2), strides=(1, 2), **FIRST), S(1, 2, 5, 5), "first"),
    layer(lambda: L.AveragePooling1D(3, strides=1), N(2, 5, 3)),
    layer(lambda: L.AveragePooling1D(2, padding="same", **FIRST), N(2, 3, 5), "first"),
    layer(lambda: L.AveragePooling2D((2, 3), padding="same"), N(1, 5, 5, 2)),
    layer(lambda: L.AveragePooling2D(2, strides=1, **FIRST), N(1, 2, 4, 5), "first"),
    layer(lambda: L.GlobalAveragePooling1D(), N(2, 4, 3)),
    layer(lambda: L.GlobalAveragePooling1D(), N(2, 4, 3), "mask", mask=MASK),
    layer(lambda: L.GlobalAveragePooling1D(keepdims=True, **FIRST), N(2, 3, 4), "first mask", mask=MASK),
    layer(lambda: L.GlobalAveragePooling2D(keepdims=True), N(1, 3, 4, 2)),
    layer(lambda: L.GlobalAveragePooling2D(**FIRST), N(1, 2, 3, 4), "first"),
    layer(lambda: L.GlobalMaxPooling1D(), S(2, 4, 3)),
    layer(lambda: L.GlobalMaxPooling1D(keepdims=True, **FIRST), S(2, 3, 4), "first"),
    layer(lambda: L.GlobalMaxPooling2D(), S(1, 3, 4, 2)),
    layer(lambda: L.GlobalMaxPooling2D(**FIRST), S(1, 2, 3, 4), "first"),
    # ---- normalization ----
    layer(lambda: L.BatchNormalization(), N(3, 4), "inference", **SUMS),
    layer(lambda: L.BatchNormalization(axis=1, scale=False), N(2, 3, 4, 2), "axis", training=True, **SUMS),
    layer(lambda: L.BatchNormalization(momentum=0.9), N(3, 2, 4), "training", training=True, **SUMS),
    layer(lambda: L.BatchNormalization(), N(2, 4, 3), "mask", training=True, mask=MASK, **SUMS),
    layer(lambda: L.BatchNormalization(trainable=False), N(3, 4), "frozen", training=True, **SUMS),
    layer(
        lambda: L.BatchNormalization(renorm=True, renorm_clipping={"rmax": 2.0, "rmin": 0.3, "dmax": 1.0}),
        N(3, 2, 4),
        "renorm",
        training=True,
        **SUMS,
    ),
    layer(lambda: L.LayerNormalization(), N(3, 4), **SUMS),
    layer(lambda: L.LayerNormalization((1, -1), center=False), N(2, 3, 2, 2), "axes", **SUMS),
    # ---- regularization ----
    layer(lambda: L.Dropout(0.4), N(4, 5), training=True),
    layer(lambda: L.Dropout(0.4), N(4, 5), "inference"),
    layer(lambda: L.Dropout(0.4, noise_shape=(None, 1, None)), N(4, 3, 5), "noise shape", training=True),
    layer(lambda: L.SpatialDropout1D(0.4), N(4, 3, 5), training=True),
    layer(lambda: L.GaussianDropout(0.4), N(4, 5), training=True, **SUMS),
    layer(lambda: L.GaussianNoise(0.4), N(4, 5), training=True, **SUMS),
    layer(lambda: L.ActivityRegularization(0.1), N(4, 5)),
    # ---- reshaping ----
    layer(lambda: L.Flatten(), N(2, 3, 4)),
    layer(lambda: L.Flatten(**FIRST), N(2, 3, 4), "first"),
    layer(lambda: L.Reshape((-1, 2)), N(2, 3, 4)),
    layer(lambda: L.Permute((2, 1)), N(2, 3, 4)),
    layer(lambda: L.RepeatVector(3), N(2, 4)),
    layer(lambda: L.Cropping1D((1, 2)), N(2, 6, 3)),
    layer(lambda: L.Cropping2D(((1, 0), (0, 2))), N(1, 4, 5, 2)),
    layer(lambda: L.Cropping2D(1, **FIRST), N(1, 2, 4, 5), "first"),
    layer(lambda: L.ZeroPadding1D(2), N(2, 3, 4)),
    layer(lambda: L.ZeroPadding1D((0, 2), **FIRST), N(2, 3, 4), "first"),
    layer(lambda: L.ZeroPadding2D(((1, 0), (2, 1))), N(1, 3, 4, 2)),
    layer(lambda: L.ZeroPadding2D((1, 2), **FIRST), N(1, 2, 3, 4), "first"),
    layer(lambda: L.UpSampling1D(2), N(2, 3, 4)),
    layer(lambda: L.UpSampling2D((2, 3)), N(1, 2, 3, 2)),
    layer(lambda: L.UpSampling2D((3, 2), interpolation="bilinear"), N(1, 3, 4, 2), "bilinear"),
    layer(lambda: L.UpSampling2D(2, interpolation="bicubic", **FIRST), N(1, 2, 3, 4), "bicubic first"),
    layer(lambda: L.UpSampling2D(2, interpolation="lanczos3"), N(1, 3, 3, 1), "lanczos"),
    # ---- merging ----
    *[layer(make, [N(2, 3), N(2, 3), N(2, 3)]) for make in MERGERS],
    *[layer(make, [N(2, 4, 3), N(2, 3)], "ranks") for make in MERGERS],
    *[layer(make, [N(2, 4, 3), N(2, 4, 3)], "mask", mask=[MASK, MASK[::-1]]) for make in MERGERS[2:]],
    layer(lambda: L.Subtract(), [N(2, 3), N(2, 1)]),
    layer(lambda: L.Concatenate(), [N(2, 3), N(2, 1), N(2, 2)]),
    layer(lambda: L.Concatenate(axis=1), [N(2, 3, 2), N(2, 1, 2)], "axis"),
    layer(lambda: L.Dot(axes=1, normalize=True), [N(2, 3), N(2, 3)], **SUMS),
    layer(lambda: L.Dot(axes=(2, 1)), [N(2, 3, 4), N(2, 4, 5)], "axes", **SUMS),
    # ---- recurrent ----
    layer(lambda: L.SimpleRNNCell(3), (N(2, 4), [N(2, 3)]), **SUMS),
    layer(lambda: L.LSTMCell(3), (N(2, 4), [N(2, 3), N(2, 3)]), **SUMS),
    layer(lambda: L.GRUCell(3), (N(2, 4), [N(2, 3)]), **SUMS),
    layer(lambda: L.GRUCell(3, reset_after=False, use_bias=False), (N(2, 4), [N(2, 3)]), "before", **SUMS),
    layer(lambda: L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)]), (N(2, 4), [[N(2, 3)] * 2, [N(2, 2)]]), **SUMS),
    *[layer(lambda r=r: r(3), N(2, 4, 2), **SUMS) for r in RECURRENT],
    *[layer(lambda r=r: r(3, return_sequences=True), N(2, 4, 2), "mask", mask=MASK, **SUMS) for r in RECURRENT],
    layer(lambda: L.LSTM(3, return_sequences=True, return_state=True, go_backwards=True), N(2, 4, 2), "all", **SUMS),
    layer(lambda: L.LSTM(3, go_backwards=True, unroll=True), N(2, 4, 2), "backwards mask", mask=MASK, **SUMS),
    layer(lambda: L.LSTM(3, use_bias=False), N(2, 4, 2), "initial", initial_state=[N(2, 3), N(2, 3)], **SUMS),
    layer(lambda: L.LSTM(3, dropout=0.3, recurrent_dropout=0.2), N(2, 4, 2), "dropout", training=True, **SUMS),
    layer(lambda: L.LSTM(3, stateful=True), N(2, 4, 2), "stateful", **SUMS),
    layer(lambda: L.LSTM(3, return_sequences=True, zero_output_for_mask=True), N(2, 4, 2), "zeros", mask=MASK, **SUMS),
    layer(lambda: L.GRU(3, reset_after=False), N(2, 4, 2), "before", **SUMS),
    layer(lambda: L.GRU(3, recurrent_dropout=0.4), N(2, 4, 2), "dropout", training=True, **SUMS),
    layer(lambda: L.RNN(L.LSTMCell(3)), N(2, 4, 2), **SUMS),
    layer(
        lambda: L.RNN([L.LSTMCell(3, dropout=0.2), L.GRUCell(2)], return_state=True),
        N(2, 4, 2),
        "stack",
        training=True,
        **SUMS,
    ),
    layer(lambda: L.RNN([L.LSTMCell(3), L.SimpleRNNCell(2)]), N(2, 4, 2), "stack mask", mask=MASK, **SUMS),
    layer(lambda: L.RNN(Leaky(), return_sequences=True), N(2, 4, 2), "own", training=True, mask=MASK, **SUMS),
    layer(lambda: L.Bidirectional(L.GRU(2, return_sequences=True)), N(2, 4, 2), **SUMS),
    layer(lambda: L.Bidirectional(L.LSTM(2), merge_mode="mul"), N(2, 4, 2), "mul mask", mask=MASK, **SUMS),
    layer(lambda: L.Bidirectional(L.LSTM(2), merge_mode="sum"), N(2, 4, 2), "sum", **SUMS),
    layer(
        lambda: L.Bidirectional(L.SimpleRNN(2, return_sequences=True, return_state=True), merge_mode=None),
        N(2, 4, 2),
        "both",
        **SUMS,
    ),
    layer(
        lambda: L.Bidirectional(L.GRU(2), backward_layer=L.LSTM(2, go_backwards=True), merge_mode="ave"),
        N(2, 4, 2),
        "pair",
        **SUMS,
    ),
    layer(lambda: L.TimeDistributed(L.Dense(3)), N(2, 4, 2), **SUMS),
    layer(lambda: L.TimeDistributed(L.BatchNormalization()), N(2, 4, 2), "mask", training=True, mask=MASK, **SUMS),
    # ---- attention ----
    layer(lambda: L.MultiHeadAttention(2, 3), (N(2, 3, 4), N(2, 5, 4)), **SUMS),
    layer(
        lambda: L.MultiHeadAttention(2, 3, value_dim=2, output_shape=5),
        (N(2, 3, 4), N(2, 4, 2), N(2, 4, 3)),
        "key mask",
        value_mask=MASK,
        return_attention_scores=True,
        **SUMS,
    ),
    layer(
        lambda: L.MultiHeadAttention(2, 3, use_bias=False, sliding_window=2, use_gate=True),
        (N(2, 4, 4), N(2, 4, 4)),
        "causal",
        use_causal_mask=True,
        **SUMS,
    ),
    layer(lambda: L.MultiHeadAttention(2, 3, dropout=0.3), (N(2, 3, 4), N(2, 5, 4)), "dropout", training=True, **SUMS),
    layer(lambda: L.MultiHeadAttention(2, 3, attention_axes=2), (N(2, 2, 3, 4), N(2, 2, 5, 4)), "axis", **SUMS),
    layer(lambda: L.MultiHeadAttention(2, 3), (N(2, 2, 3, 4), N(2, 2, 2, 4)), "two axes", **SUMS),
)
