"""Cases of layers at the edges, a line each: empty, of size one, all masked, huge strides, half precision, not finite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contract.layer_cases.case import FIRST, SUMS, layer
from contract.table import INF, NAN, A, B, I, N, U
from helpers.layer_runner import LayerCase
from polykeras import layers as L

NONE_LEFT = B([[False, False, False, False], [False, True, True, False]])
"""A mask of two sequences: all of the first is masked."""
SCORES = A([[1.0, INF, 2.0], [NAN, 0.0, 1.0], [-INF, -INF, 3.0], [-INF, -INF, -INF]])
"""Rows with what is no number."""
HOLED = A([[[1.0, NAN], [INF, 2.0], [-INF, 0.0], [3.0, -1.0]]])
IMAGES: Any = U(5, 250, 2, 6, 7, 3)
PIXELS: dict[str, Any] = {"rtol": 1e-4, "atol": 2e-2, "why": "values of 255, looked up at rounded places"}
RECURRENT = (L.SimpleRNN, L.LSTM, L.GRU)


def odd(make: Callable[[], L.Layer], *args: Any, **options: Any) -> LayerCase:
    """Return a case without gradients: where inputs are no numbers, slopes are a matter of taste."""
    return layer(make, *args, grad=False, **options)


def halves(make: Callable[..., L.Layer], inputs: Any, note: str = "", **options: Any) -> list[LayerCase]:
    """Return cases in each kind of half precision. Their gradients, rounded at each step, say little."""
    dtypes = ("float16", "bfloat16", "mixed_float16")
    return [odd(lambda d=d: make(dtype=d), inputs, f"{note} {d}".strip(), **options) for d in dtypes]


EMPTY: tuple[LayerCase, ...] = (
    layer(lambda: L.Dense(3), N(0, 4), "no rows"),
    layer(lambda: L.Dense(3), N(2, 0, 4), "no steps"),
    layer(lambda: L.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d"), N(2, 0, 4), "no steps"),
    layer(lambda: L.Embedding(5, 3), I([[], []]), "no steps"),
    layer(lambda: L.Flatten(), N(2, 0, 3), "no steps"),
    layer(lambda: L.Reshape((3, 0)), N(2, 0, 3), "no steps"),
    layer(lambda: L.Permute((2, 1)), N(2, 0, 3), "no steps"),
    layer(lambda: L.Concatenate(axis=1), [N(2, 0, 3), N(2, 2, 3)], "no steps"),
    layer(lambda: L.Add(), [N(0, 3), N(0, 3)], "no rows"),
    layer(lambda: L.Dot(axes=1), [N(2, 0, 3), N(2, 0, 2)], "no steps"),
    layer(lambda: L.ZeroPadding1D(2), N(2, 0, 3), "no steps"),
    layer(lambda: L.ZeroPadding2D(1), N(1, 0, 2, 2), "no rows of pixels"),
    layer(lambda: L.UpSampling1D(2), N(2, 0, 3), "no steps"),
    layer(lambda: L.Softmax(), N(0, 4), "no rows"),
    layer(lambda: L.LayerNormalization(), N(0, 4), "no rows"),
    layer(lambda: L.LayerNormalization(), N(2, 0, 4), "no steps"),
    layer(lambda: L.BatchNormalization(), N(0, 4), "no rows"),
    layer(lambda: L.GroupNormalization(2), N(0, 3, 4), "no rows"),
    layer(lambda: L.RMSNormalization(), N(0, 4), "no rows"),
    layer(lambda: L.UnitNormalization(), N(0, 4), "no rows"),
    layer(lambda: L.Conv1D(3, 2), N(0, 5, 2), "no rows"),
    layer(lambda: L.Conv2D(3, 2, padding="same"), N(0, 4, 4, 2), "no rows"),
    layer(lambda: L.DepthwiseConv2D(2), N(0, 4, 4, 2), "no rows"),
    layer(lambda: L.Conv2DTranspose(3, 2, 2), N(0, 4, 4, 2), "no rows"),
    layer(lambda: L.MaxPooling2D(), N(0, 4, 4, 2), "no rows"),
    layer(lambda: L.AveragePooling1D(2, padding="same"), N(0, 5, 2), "no rows"),
    layer(lambda: L.GlobalAveragePooling2D(), N(0, 4, 4, 2), "no rows"),
    layer(lambda: L.GlobalMaxPooling1D(), N(0, 4, 2), "no rows"),
    odd(lambda: L.GlobalAveragePooling1D(), N(2, 0, 3), "no steps"),
    *[layer(lambda r=r: r(3), N(0, 4, 2), "no rows") for r in RECURRENT],
    layer(lambda: L.Bidirectional(L.LSTM(2)), N(0, 4, 2), "no rows"),
    layer(lambda: L.TimeDistributed(L.Dense(3)), N(0, 4, 2), "no rows"),
    layer(lambda: L.MultiHeadAttention(2, 3), (N(0, 3, 4), N(0, 5, 4)), "no rows"),
    layer(lambda: L.MultiHeadAttention(2, 3), (N(2, 0, 4), N(2, 5, 4)), "no queries"),
    odd(lambda: L.MultiHeadAttention(2, 3), (N(2, 3, 4), N(2, 0, 4)), "no keys"),
    odd(lambda: L.Attention(), [N(2, 3, 4), N(2, 0, 4)], "no keys"),
    layer(lambda: L.Masking(), N(2, 0, 3), "no steps"),
    layer(lambda: L.Dropout(0.5), N(0, 3), "no rows"),
    layer(lambda: L.PReLU(), N(0, 3), "no rows"),
    layer(lambda: L.Rescaling(2.0), N(0, 3), "no rows"),
    layer(lambda: L.Normalization(mean=1.0, variance=2.0), N(0, 3), "no rows"),
    odd(lambda: L.CategoryEncoding(4, "count"), I([[], []]), "no steps"),
    odd(lambda: L.Discretization([0.0, 1.0]), N(0, 3), "no rows"),
    odd(lambda: L.Resizing(2, 3), N(0, 4, 4, 1), "no rows"),
)

SMALL: tuple[LayerCase, ...] = (
    layer(lambda: L.Dense(1), N(1, 1), "one"),
    layer(lambda: L.Conv2D(1, 3, padding="same"), N(1, 1, 1, 1), "one"),
    layer(lambda: L.Conv1D(2, 5, padding="causal"), N(1, 1, 1), "one"),
    layer(lambda: L.Conv3D(1, 1), N(1, 1, 1, 1, 1), "one"),
    layer(lambda: L.Conv2DTranspose(1, 3, 2, "same"), N(1, 1, 1, 1), "one"),
    layer(lambda: L.SeparableConv1D(1, 3, padding="same"), N(1, 1, 1), "one"),
    layer(lambda: L.MaxPooling2D(3, padding="same"), N(1, 1, 1, 1), "one"),
    layer(lambda: L.AveragePooling2D(3, padding="same"), N(1, 1, 1, 1), "one"),
    layer(lambda: L.BatchNormalization(), N(1, 3), "one row", training=True),
    layer(
        lambda: L.LayerNormalization(),
        N(3, 1),
        "one feature",
        rtol=1e-4,
        atol=1e-3,
        why="the slope cancels to rounding",
    ),
    layer(lambda: L.GroupNormalization(4), N(2, 3, 4), "one channel a group", **SUMS),
    layer(
        lambda: L.UnitNormalization(), N(3, 1), "one feature", rtol=1e-4, atol=1e-5, why="the slope cancels to rounding"
    ),
    layer(lambda: L.Softmax(), N(3, 1), "one class"),
    *[layer(lambda r=r: r(1), N(1, 1, 1), "one") for r in RECURRENT],
    layer(lambda: L.LSTM(2, return_sequences=True, go_backwards=True), N(2, 1, 3), "one step", **SUMS),
    layer(lambda: L.ConvLSTM2D(1, 1), N(1, 1, 1, 1, 1), "one"),
    layer(lambda: L.MultiHeadAttention(1, 1), (N(1, 1, 1), N(1, 1, 1)), "one"),
    layer(lambda: L.UpSampling2D(3, interpolation="bilinear"), N(1, 1, 1, 2), "one"),
    layer(lambda: L.Discretization([0.0]), A([[-1.0], [0.0], [1.0]]), "one border", grad=False),
)

MASKED: tuple[LayerCase, ...] = (
    *[layer(lambda r=r: r(3), N(2, 4, 2), "none left", mask=NONE_LEFT, **SUMS) for r in RECURRENT],
    *[
        layer(
            lambda r=r: r(3, return_sequences=True, return_state=True), N(2, 4, 2), "none left", mask=NONE_LEFT, **SUMS
        )
        for r in RECURRENT
    ],
    layer(
        lambda: L.LSTM(3, return_sequences=True, zero_output_for_mask=True),
        N(2, 4, 2),
        "none left",
        mask=NONE_LEFT,
        **SUMS,
    ),
    layer(lambda: L.GRU(3, go_backwards=True), N(2, 4, 2), "none left back", mask=NONE_LEFT, **SUMS),
    layer(lambda: L.GRU(3, unroll=True), N(2, 4, 2), "none left unrolled", mask=NONE_LEFT, **SUMS),
    layer(lambda: L.Bidirectional(L.LSTM(2, return_sequences=True)), N(2, 4, 2), "none left", mask=NONE_LEFT, **SUMS),
    layer(lambda: L.ConvLSTM1D(2, 2), N(2, 4, 3, 1), "none left", mask=NONE_LEFT, **SUMS),
    layer(lambda: L.TimeDistributed(L.Dense(2)), N(2, 4, 3), "none left", mask=NONE_LEFT),
    odd(lambda: L.GlobalAveragePooling1D(), N(2, 4, 3), "none left", mask=NONE_LEFT),
    layer(lambda: L.BatchNormalization(), N(2, 4, 3), "none left", training=True, mask=NONE_LEFT, **SUMS),
    odd(lambda: L.BatchNormalization(), N(2, 4, 3), "nothing left", training=True, mask=B([[False] * 4] * 2)),
    layer(lambda: L.Softmax(), N(2, 4), "none left", mask=NONE_LEFT),
    layer(lambda: L.MultiHeadAttention(2, 3), (N(2, 3, 4), N(2, 4, 2)), "none left", value_mask=NONE_LEFT, **SUMS),
    layer(lambda: L.GroupQueryAttention(3, 2, 1), (N(2, 3, 4), N(2, 4, 4)), "none left", value_mask=NONE_LEFT, **SUMS),
    layer(lambda: L.Attention(), [N(2, 3, 4), N(2, 4, 4)], "none left", mask=[None, NONE_LEFT], **SUMS),
    layer(
        lambda: L.AdditiveAttention(), [N(2, 3, 4), N(2, 4, 4)], "none left", mask=[NONE_LEFT[:, 1:], NONE_LEFT], **SUMS
    ),
)

STRIDES: tuple[LayerCase, ...] = (
    layer(lambda: L.Conv1D(2, 3, strides=7), N(2, 5, 2), "huge stride"),
    layer(lambda: L.Conv1D(2, 3, strides=7, padding="same"), N(2, 5, 2), "huge stride same"),
    layer(lambda: L.Conv1D(2, 3, strides=4, padding="causal"), N(2, 5, 2), "huge stride causal"),
    layer(lambda: L.Conv2D(2, 2, strides=9), N(1, 3, 4, 2), "huge stride"),
    layer(lambda: L.Conv2D(2, (1, 2), strides=(5, 2), padding="same", **FIRST), N(1, 2, 3, 4), "huge stride"),
    layer(lambda: L.Conv2D(2, 3, dilation_rate=5, padding="same"), N(1, 3, 4, 2), "huge dilation"),
    layer(lambda: L.DepthwiseConv2D(2, strides=5, padding="same"), N(1, 3, 4, 2), "huge stride"),
    layer(lambda: L.SeparableConv2D(2, 2, strides=5, padding="same"), N(1, 3, 4, 2), "huge stride", **SUMS),
    layer(lambda: L.Conv3D(2, 1, strides=(1, 7, 3)), N(1, 2, 3, 4, 1), "huge stride"),
    layer(lambda: L.Conv2DTranspose(2, 2, strides=5), N(1, 2, 3, 2), "huge stride"),
    layer(lambda: L.Conv2DTranspose(2, 3, strides=(7, 1), padding="same"), N(1, 1, 3, 2), "huge stride same"),
    layer(lambda: L.MaxPooling1D(2, strides=9), N(2, 5, 2), "huge stride"),
    layer(lambda: L.MaxPooling2D(2, strides=9, padding="same"), N(1, 5, 4, 2), "huge stride"),
    layer(lambda: L.AveragePooling1D(2, strides=9, padding="same"), N(2, 5, 2), "huge stride"),
    layer(lambda: L.AveragePooling2D((9, 1), strides=9, padding="same"), N(1, 5, 4, 2), "huge window"),
    layer(lambda: L.ZeroPadding2D(((9, 0), (0, 5))), N(1, 1, 2, 1), "much"),
    layer(lambda: L.UpSampling2D((9, 1)), N(1, 1, 2, 1), "much"),
)

HALVES: tuple[LayerCase, ...] = (
    *halves(lambda **k: L.Dense(3, "tanh", **k), N(2, 4)),
    *halves(lambda **k: L.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d", **k), N(2, 3, 4)),
    *halves(lambda **k: L.Embedding(5, 3, **k), I([[0, 4]])),
    *halves(lambda **k: L.Conv1D(2, 3, padding="same", **k), N(2, 5, 2)),
    *halves(lambda **k: L.Conv2D(2, 2, **k), N(1, 4, 4, 2)),
    *halves(lambda **k: L.DepthwiseConv2D(2, **k), N(1, 4, 4, 2)),
    *halves(lambda **k: L.Conv2DTranspose(2, 2, 2, **k), N(1, 3, 3, 2)),
    *halves(lambda **k: L.MaxPooling2D(2, **k), N(1, 4, 4, 2)),
    *halves(lambda **k: L.AveragePooling2D(2, **k), N(1, 4, 4, 2)),
    *halves(lambda **k: L.GlobalAveragePooling1D(**k), N(2, 4, 2)),
    *halves(lambda **k: L.BatchNormalization(**k), N(4, 3), "training", training=True),
    *halves(lambda **k: L.LayerNormalization(**k), N(3, 4)),
    *halves(lambda **k: L.GroupNormalization(2, **k), N(2, 3, 4)),
    *halves(lambda **k: L.RMSNormalization(**k), N(3, 4)),
    *halves(lambda **k: L.UnitNormalization(**k), N(3, 4)),
    *halves(lambda **k: L.Softmax(**k), N(2, 4)),
    *halves(lambda **k: L.Softmax(**k), N(2, 4), "none left", mask=NONE_LEFT),
    *halves(lambda **k: L.ReLU(3.0, 0.1, **k), N(2, 4)),
    *halves(lambda **k: L.ELU(**k), N(2, 4)),
    *halves(lambda **k: L.PReLU(**k), N(2, 4)),
    *halves(lambda **k: L.Add(**k), [N(2, 4), N(2, 4)]),
    *halves(lambda **k: L.Dot(1, **k), [N(2, 4), N(2, 4)]),
    *halves(lambda **k: L.SimpleRNN(3, recurrent_initializer="ones", **k), N(2, 3, 2)),
    *halves(lambda **k: L.LSTM(3, recurrent_initializer="ones", **k), N(2, 3, 2)),
    *halves(lambda **k: L.GRU(3, recurrent_initializer="ones", **k), N(2, 3, 2)),
    *halves(lambda **k: L.MultiHeadAttention(2, 3, **k), (N(2, 3, 4), N(2, 5, 4))),
    *halves(lambda **k: L.Attention(**k), [N(2, 3, 4), N(2, 5, 4)]),
    *halves(lambda **k: L.Rescaling(1 / 255, **k), I([[3, 255]], dtype="uint8")),
    *halves(lambda **k: L.Normalization(mean=3.0, variance=2.0, **k), N(2, 4)),
    *halves(lambda **k: L.Resizing(3, 3, **k), N(1, 4, 5, 2)),
)

ODD: tuple[LayerCase, ...] = (
    odd(lambda: L.Dense(2), SCORES, "not finite"),
    *[
        odd(lambda a=a: L.Activation(a), SCORES, f"not finite {a}")
        for a in ("relu", "tanh", "sigmoid", "elu", "selu", "softplus", "gelu", "softmax", "hard_sigmoid", "silu")
    ],
    odd(lambda: L.ReLU(2.0, 0.1, 0.5), SCORES, "not finite"),
    odd(lambda: L.LeakyReLU(), SCORES, "not finite"),
    odd(lambda: L.ELU(), SCORES, "not finite"),
    odd(lambda: L.PReLU(), SCORES, "not finite"),
    odd(lambda: L.Softmax(), SCORES, "not finite"),
    odd(lambda: L.LayerNormalization(), SCORES, "not finite"),
    odd(lambda: L.RMSNormalization(), SCORES, "not finite"),
    odd(lambda: L.UnitNormalization(), SCORES, "not finite"),
    odd(lambda: L.BatchNormalization(), SCORES, "not finite", training=True),
    odd(lambda: L.GroupNormalization(1), SCORES, "not finite"),
    odd(lambda: L.Masking(), A([[[NAN, 0.0], [0.0, 0.0], [INF, 0.0]]]), "not finite"),
    odd(lambda: L.MaxPooling1D(2), HOLED, "not finite"),
    odd(lambda: L.AveragePooling1D(2), HOLED, "not finite"),
    odd(lambda: L.GlobalMaxPooling1D(), HOLED, "not finite"),
    odd(lambda: L.GlobalAveragePooling1D(), HOLED, "not finite"),
    odd(lambda: L.GlobalAveragePooling1D(), HOLED, "not finite masked", mask=B([[False, False, True, True]])),
    odd(lambda: L.Conv1D(2, 2, padding="same"), HOLED, "not finite"),
    odd(lambda: L.Maximum(), [SCORES, SCORES[::-1].copy()], "not finite"),
    odd(lambda: L.Minimum(), [SCORES, SCORES[::-1].copy()], "not finite"),
    odd(lambda: L.Average(), [SCORES, SCORES[::-1].copy()], "not finite"),
    odd(lambda: L.LSTM(2, return_sequences=True), HOLED, "not finite"),
    odd(lambda: L.GRU(2, return_sequences=True), HOLED, "not finite masked", mask=B([[False, False, True, True]])),
    odd(lambda: L.Attention(), [HOLED, N(1, 3, 2)], "not finite"),
    odd(lambda: L.Discretization([0.0, 1.0]), SCORES, "not finite"),
    odd(lambda: L.Rescaling(0.0), SCORES, "not finite"),
    odd(lambda: L.Normalization(mean=0.0, variance=0.0), SCORES, "not finite"),
    odd(lambda: L.ActivityRegularization(0.1), SCORES, "not finite"),
    odd(lambda: L.UpSampling1D(2), HOLED, "not finite"),
)

FIXED: tuple[LayerCase, ...] = (
    layer(lambda: L.RandomRotation((0.125, 0.125), "constant"), IMAGES, "fixed", training=True, **PIXELS),
    layer(lambda: L.RandomZoom((0.25, 0.25), (-0.5, -0.5), "nearest"), IMAGES, "fixed", training=True, **PIXELS),
    layer(
        lambda: L.RandomTranslation((0.25, 0.25), (-0.125, -0.125), "wrap"), IMAGES, "fixed", training=True, **PIXELS
    ),
    layer(lambda: L.RandomBrightness((0.25, 0.25)), IMAGES, "fixed", training=True, **PIXELS),
    layer(lambda: L.RandomInvert((1.0, 1.0)), IMAGES, "fixed", training=True, **PIXELS),
    layer(lambda: L.RandomGrayscale(1.0), IMAGES, "fixed", training=True, **PIXELS),
    layer(lambda: L.RandomSaturation((0.75, 0.75)), IMAGES, "fixed", training=True, **PIXELS),
    layer(lambda: L.RandomColorDegeneration((0.75, 0.75)), IMAGES, "fixed", training=True, **PIXELS),
    layer(lambda: L.RandomSharpness((0.75, 0.75)), IMAGES, "fixed", training=True, **PIXELS),
    layer(lambda: L.RandomContrast((0.0, 0.0)), IMAGES, "fixed", training=True, **PIXELS),
    layer(lambda: L.Solarization((0.25, 0.25), (0.5, 0.5)), IMAGES, "fixed", training=True, **PIXELS),
)
"""Layers that draw, where there is but one number to be drawn."""

RESTING: tuple[LayerCase, ...] = (
    layer(lambda: L.GaussianDropout(0.3), N(2, 3), "resting"),
    layer(lambda: L.GaussianNoise(0.3), N(2, 3), "resting"),
    layer(lambda: L.AlphaDropout(0.3), N(2, 3), "resting"),
    layer(lambda: L.SpatialDropout1D(0.3), N(2, 3, 2), "resting"),
    layer(lambda: L.SpatialDropout2D(0.3), N(2, 3, 1, 2), "resting"),
    layer(lambda: L.SpatialDropout3D(0.3), N(2, 3, 1, 1, 2), "resting"),
)
"""Layers that draw, outside training."""

EDGES: tuple[LayerCase, ...] = (*EMPTY, *SMALL, *MASKED, *STRIDES, *HALVES, *ODD, *FIXED, *RESTING)
