"""Cases of layers: recurrent."""

from __future__ import annotations

from contract.layer_cases.case import FIRST, MASK, RECURRENT, SUMS, Leaky, layer
from contract.table import N
from helpers.layer_runner import LayerCase
from polykeras import layers as L

CASES: tuple[LayerCase, ...] = (
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
    layer(lambda: L.ConvLSTM1D(2, 3, return_sequences=True), N(2, 3, 5, 2), **SUMS),
    layer(lambda: L.ConvLSTM1D(2, 2, padding="same", **FIRST), N(2, 4, 2, 3), "first mask", mask=MASK, **SUMS),
    layer(
        lambda: L.ConvLSTM1D(
            2, 2, strides=3, activation="relu", use_bias=False, return_state=True, return_sequences=True
        ),
        N(2, 4, 5, 2),
        "state mask",
        mask=MASK,
        **SUMS,
    ),
    layer(lambda: L.ConvLSTM1D(2, 2, stateful=True), N(2, 3, 4, 1), "stateful", **SUMS),
    layer(lambda: L.ConvLSTM1D(2, 2), N(2, 3, 4, 1), "initial", initial_state=[N(2, 3, 2), N(2, 3, 2)], **SUMS),
    layer(
        lambda: L.ConvLSTM1D(2, 2, dropout=0.3, recurrent_dropout=0.2),
        N(2, 3, 4, 2),
        "dropout",
        training=True,
        **SUMS,
    ),
    layer(lambda: L.ConvLSTM2D(2, (2, 3), padding="same", go_backwards=True), N(2, 3, 3, 2, 2), **SUMS),
    layer(
        lambda: L.ConvLSTM2D(
            2, 2, dilation_rate=2, return_sequences=True, unroll=True, unit_forget_bias=False, **FIRST
        ),
        N(1, 3, 2, 3, 4),
        "first dilated",
        **SUMS,
    ),
    layer(
        lambda: L.ConvLSTM2D(2, 2, dropout=0.3, recurrent_dropout=0.2, **FIRST),
        N(2, 2, 2, 3, 3),
        "dropout first",
        training=True,
        **SUMS,
    ),
    layer(lambda: L.ConvLSTM3D(2, 2, strides=(1, 2, 1), padding="same"), N(1, 2, 2, 3, 1, 2), **SUMS),
    layer(lambda: L.ConvLSTM3D(1, 1, **FIRST), N(1, 2, 2, 1, 2, 2), "first", **SUMS),
    layer(lambda: L.Bidirectional(L.ConvLSTM2D(2, 2, return_sequences=True)), N(2, 2, 3, 3, 1), "images", **SUMS),
)
