"""Cases of layers, one line each: `layer(make, inputs, ...)`. Every public layer has one; see `test_layers.py`."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from contract.table import B, Draw, I, N, S, drawn
from helpers.layer_runner import LayerCase
from polykeras import layers as L

_ids: set[str] = set()


def layer(make: Callable[[], L.Layer], inputs: Any, note: str = "", **options: Any) -> LayerCase:
    """Return one case.

    Args:
        make: returns the layer, not built.
        inputs: a `Draw` or an array, or a list (one argument) or a tuple (several) of them.
        note: tells cases of one layer apart.
        **options: `grad`, `rtol`, `atol` and `why`; all others are arguments of the call.
    """
    own = {key: options.pop(key) for key in ("grad", "rtol", "atol", "why") if key in options}
    shapes = [x.shape for x in (inputs if isinstance(inputs, (list, tuple)) else [inputs])]
    name = "-".join([type(make()).__name__, *([note] if note else []), *("x".join(map(str, s)) for s in shapes)])
    while name in _ids:
        name += "'"
    _ids.add(name)
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kwargs = {key: drawn(value, rng) if isinstance(value, Draw) else value for key, value in options.items()}
    return LayerCase(make, drawn(inputs, rng), kwargs, **own, id=name)


ORDER: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5, "why": "chains of sums and products"}
MASK = B([[True, True, False, False], [True, True, True, True]])

LAYER_CASES: tuple[LayerCase, ...] = (
    layer(lambda: L.Dense(3), N(2, 4)),
    layer(lambda: L.Dense(3, activation="tanh", use_bias=False), N(2, 5, 4), "tanh"),
    layer(lambda: L.Activation("relu"), N(2, 4)),
    layer(lambda: L.ReLU(max_value=1.0, negative_slope=0.1), N(2, 4)),
    layer(lambda: L.LeakyReLU(0.2), N(2, 4)),
    layer(lambda: L.ELU(0.5), N(2, 4)),
    layer(lambda: L.PReLU(shared_axes=[1]), N(2, 3, 4)),
    layer(lambda: L.Softmax(), N(2, 4)),
    layer(lambda: L.Embedding(5, 3), I([[0, 4, 4], [1, 2, 0]])),
    layer(lambda: L.Masking(0.0), N(2, 3, 4)),
    layer(lambda: L.Lambda(lambda x: x * 2.0), N(2, 3)),
    layer(lambda: L.Conv1D(3, 3, padding="causal"), N(2, 6, 2), **ORDER),
    layer(lambda: L.Conv2D(3, (3, 2), strides=2, padding="same", activation="relu"), N(1, 6, 5, 2), **ORDER),
    layer(lambda: L.Conv2D(4, 3, groups=2), N(1, 5, 5, 2), "groups", **ORDER),
    layer(lambda: L.DepthwiseConv2D(3, depth_multiplier=2), N(1, 5, 5, 2), **ORDER),
    layer(lambda: L.SeparableConv2D(3, 3, padding="same"), N(1, 5, 5, 2), **ORDER),
    layer(lambda: L.MaxPooling1D(2), S(2, 5, 3)),
    layer(lambda: L.MaxPooling2D(2, padding="same"), S(1, 5, 5, 2)),
    layer(lambda: L.AveragePooling1D(3, strides=1), N(2, 5, 3)),
    layer(lambda: L.AveragePooling2D((2, 3), padding="same"), N(1, 5, 5, 2)),
    layer(lambda: L.GlobalAveragePooling1D(), N(2, 4, 3), mask=MASK),
    layer(lambda: L.GlobalAveragePooling2D(keepdims=True), N(1, 3, 4, 2)),
    layer(lambda: L.GlobalMaxPooling1D(), S(2, 4, 3)),
    layer(lambda: L.GlobalMaxPooling2D(), S(1, 3, 4, 2)),
    layer(lambda: L.BatchNormalization(), N(3, 4), "inference", **ORDER),
    layer(lambda: L.BatchNormalization(momentum=0.9), N(3, 2, 4), "training", training=True, **ORDER),
    layer(lambda: L.LayerNormalization(), N(3, 4), **ORDER),
    layer(lambda: L.Normalization(mean=0.5, variance=2.0), N(3, 4)),
    layer(lambda: L.Rescaling(0.5, offset=1.0), N(3, 4)),
    layer(lambda: L.Dropout(0.4), N(4, 5), training=True),
    layer(lambda: L.SpatialDropout1D(0.4), N(4, 3, 5), training=True),
    layer(lambda: L.GaussianDropout(0.4), N(4, 5), training=True, **ORDER),
    layer(lambda: L.GaussianNoise(0.4), N(4, 5), training=True, **ORDER),
    layer(lambda: L.ActivityRegularization(0.1), N(4, 5)),
    layer(lambda: L.Flatten(), N(2, 3, 4)),
    layer(lambda: L.Reshape((-1, 2)), N(2, 3, 4)),
    layer(lambda: L.Permute((2, 1)), N(2, 3, 4)),
    layer(lambda: L.RepeatVector(3), N(2, 4)),
    layer(lambda: L.Cropping1D((1, 2)), N(2, 6, 3)),
    layer(lambda: L.Cropping2D(((1, 0), (0, 2))), N(1, 4, 5, 2)),
    layer(lambda: L.ZeroPadding1D(2), N(2, 3, 4)),
    layer(lambda: L.ZeroPadding2D(((1, 0), (2, 1))), N(1, 3, 4, 2)),
    layer(lambda: L.UpSampling1D(2), N(2, 3, 4)),
    layer(lambda: L.UpSampling2D((2, 3)), N(1, 2, 3, 2)),
    *[layer(make, [N(2, 3), N(2, 3)]) for make in (L.Add, L.Average, L.Maximum, L.Minimum, L.Multiply, L.Subtract)],
    layer(lambda: L.Concatenate(axis=1), [N(2, 3), N(2, 1)]),
    layer(lambda: L.Dot(axes=1, normalize=True), [N(2, 3), N(2, 3)], **ORDER),
    layer(lambda: L.SimpleRNN(3), N(2, 4, 2), **ORDER),
    layer(lambda: L.LSTM(3, return_sequences=True, return_state=True), N(2, 4, 2), **ORDER),
    layer(lambda: L.LSTM(3, go_backwards=True), N(2, 4, 2), "mask", mask=MASK, **ORDER),
    layer(lambda: L.GRU(3), N(2, 4, 2), **ORDER),
    layer(lambda: L.GRU(3, reset_after=False), N(2, 4, 2), "before", **ORDER),
    layer(lambda: L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2), L.SimpleRNNCell(2)])), N(2, 4, 2), **ORDER),
    layer(lambda: L.Bidirectional(L.GRU(2, return_sequences=True)), N(2, 4, 2), **ORDER),
    layer(lambda: L.TimeDistributed(L.Dense(3)), N(2, 4, 2), **ORDER),
    layer(lambda: L.MultiHeadAttention(2, 3), (N(2, 3, 4), N(2, 5, 4)), **ORDER),
)
