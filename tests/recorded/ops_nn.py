"""Edges of the ops of networks: windows larger than what they move over, rows that are masked, and dtypes."""

from __future__ import annotations

import numpy as np

from contract.table import INF, NAN, A, B, Case, I, N
from differential.ops_cases import ops
from polykeras import dtypes

X = A([[1.0, -2.0, 0.5], [3.0, 0.0, -1.5]])
ODD = A([[NAN, 1.0, INF], [-INF, 0.0, -0.0]])
EMPTY = A(np.zeros((0, 3)))
LOW = A([[-INF, -INF, -INF], [0.0, -INF, 1.0]])
IMAGE, KERNEL = N(1, 6, 5, 2), N(2, 3, 2, 2)
ROW, FILTER = N(2, 7, 2), N(3, 2, 2)
NO_ROWS = A(np.zeros((0, 6, 5, 2)))
Q, K = N(2, 3, 2, 4), N(2, 5, 2, 4)
TYPED = [np.array([[1, 0, 3]], dtypes.numpy_dtype(name)) for name in ("int8", "int16", "float16", "bfloat16")]
UNARY = ("relu", "relu6", "sigmoid", "sparse_sigmoid", "softplus", "softsign", "soft_shrink", "sparse_plus", "silu", "squareplus", "log_sigmoid", "leaky_relu", "hard_sigmoid", "hard_silu", "elu", "selu", "gelu", "celu", "tanh_shrink", "hard_tanh", "hard_shrink")  # fmt: skip
FIRST = {"data_format": "channels_first"}
SOME = A(np.array([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]]))
MASK = B(np.tril(np.ones((3, 5), bool), -1)[None, None])
"""The first query may look at no key."""

EDGES: list[Case] = ops(
    *[(op, x) for op in (*UNARY, "softmax", "log_softmax", "sparsemax") for x in (ODD, EMPTY, A([[2.0]]))],
    *[(op, x) for op in ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "softplus", "hard_silu") for x in TYPED],
    ("softmax", LOW), ("log_softmax", LOW), ("softmax", A([[1e4, -1e4, 1e4]])), ("softmax", X, 0), ("softmax", X, (0, 1)), ("softmax", X, None), ("log_softmax", X, 0), ("logsumexp", LOW, -1), ("glu", A([[1.0, 2.0]])), ("glu", N(2, 4, 3), 1), ("gelu", ODD, False), ("elu", X, 0.0), ("celu", X, 2.0), ("threshold", ODD, 0.0, 9.0), ("leaky_relu", X, 0.0), ("squareplus", X, 0), ("hard_shrink", X, 0.0),
    # ---- convolutions
    ("conv", IMAGE, KERNEL, 2, "same"), ("conv", IMAGE, KERNEL, (5, 4)), ("conv", IMAGE, KERNEL, 9), ("conv", IMAGE, KERNEL, 7, "same"), ("conv", IMAGE, KERNEL, 1, "same", None, (3, 2)), ("conv", IMAGE, KERNEL, 1, {"dilation_rate": (2, 2)}), ("conv", NO_ROWS, KERNEL), ("conv", NO_ROWS, KERNEL, 2, "same"), ("conv", N(1, 2, 6, 5), KERNEL, 2, "same", "channels_first"),
    ("conv", ROW, FILTER, 4, "same"), ("conv", ROW, FILTER, 2, "causal"), ("conv", ROW, FILTER, 1, "causal", None, 3), ("conv", ROW, N(7, 2, 1)), ("conv", ROW, N(9, 2, 1), 1, "same"), ("conv", ROW, N(1, 2, 3), 3), ("conv", N(1, 6, 4), N(3, 1, 8), 1, "same"), ("conv", N(1, 6, 4), N(3, 2, 2), 1, "same", None, 2), ("conv", N(1, 3, 3, 3, 1), N(2, 2, 2, 1, 2), 2, "same"),
    ("conv", I([[[1], [2], [3]]]), I([[[1]], [[-1]]])), ("conv", np.ones((1, 3, 1), "float16"), A(np.ones((2, 1, 1)))), ("conv", I([[[1], [2], [3]]]), A([[[0.5]], [[-1.0]]])),
    ("conv_transpose", IMAGE, N(3, 3, 2, 2), 3, "same"), ("conv_transpose", IMAGE, N(2, 2, 2, 2), 3, "valid"), ("conv_transpose", IMAGE, N(2, 3, 1, 2), (1, 2), "same", (0, 1)), ("conv_transpose", ROW, FILTER, 1, "same", None, None, 2), ("conv_transpose", ROW, FILTER, 1, "valid", None, None, 3), ("conv_transpose", ROW, N(1, 2, 2), 3, "valid"), ("conv_transpose", ROW, N(2, 3, 2), 4, "same", 3), ("conv_transpose", A(np.zeros((0, 7, 2))), FILTER, 2, "same"), ("conv_transpose", N(1, 2, 4), N(3, 2, 2), 2, "same", None, "channels_first"), ("conv_transpose", N(1, 2, 2, 2, 1), N(2, 2, 2, 1, 1), 2),
    ("depthwise_conv", IMAGE, N(3, 3, 2, 2), 2, "same"), ("depthwise_conv", IMAGE, N(2, 2, 2, 1), 1, "same", None, 2), ("depthwise_conv", ROW, N(3, 2, 2), 3), ("depthwise_conv", NO_ROWS, N(2, 2, 2, 1)), ("depthwise_conv", N(1, 2, 5), N(2, 2, 1), 1, "same", "channels_first", 2), ("separable_conv", IMAGE, N(2, 2, 2, 1), N(1, 1, 2, 3), 2, "same"), ("separable_conv", ROW, N(2, 2, 1), N(1, 2, 1), 1, "valid", None, 2), ("separable_conv", ROW, N(2, 2, 1), N(1, 2, 1), 1, "same", None, 3),
    # ---- pools and unfolding
    *[(op, x, *args) for op in ("max_pool", "average_pool") for x, args in ((IMAGE, (2, 5)), (IMAGE, (2, 3, "same")), (IMAGE, (3, 1, "same")), (IMAGE, ((6, 5),)), (IMAGE, (1, 4)), (NO_ROWS, (2,)), (ROW, (3, 2, "same")), (ROW, (7,)), (N(1, 3, 3, 3, 1), (2, 1, "same")), (N(1, 2, 5), (2, 2, "same", "channels_first")), (A(ODD[..., None]), (2, 1, "same")), (TYPED[2][..., None], (2, 1)))],
    *[(op, x, *args) for op in ("adaptive_max_pool", "adaptive_average_pool") for x, args in ((IMAGE, (1,)), (IMAGE, ((6, 5),)), (IMAGE, ((4, 2),)), (ROW, (7,)), (ROW, (5,)), (N(1, 2, 7), (3, "channels_first")), (NO_ROWS, (2,)), (N(1, 3, 4, 5, 1), ((2, 3, 1),)))],
    ("unfold", N(1, 2, 5, 6), (5, 6)), ("unfold", N(1, 2, 5, 6), 1, {"stride": 3}), ("unfold", N(2, 1, 5, 5), 2, {"dilation": (2, 3), "padding": (1, 0), "stride": (2, 1)}), ("unfold", A(np.zeros((0, 2, 5, 6))), 2), ("fold", N(1, 4, 9), (4, 4), 2), ("fold", N(2, 4, 4), (5, 6), 2, {"dilation": (2, 3), "padding": (1, 0), "stride": (4, 2)}), ("depth_to_space", N(1, 1, 1, 4), 2), ("space_to_depth", N(2, 2, 2, 3), 2), ("depth_to_space", I([[[[1, 2, 3, 4]]]]), 2),
    # ---- classes
    *[("one_hot", I(0, 2, -1, 5), n, {"axis": axis, "dtype": dtype}) for n, axis, dtype in ((3, -1, None), (3, 0, "bool"), (1, -1, "int8"), (3, 1, "bfloat16"))], ("one_hot", np.zeros((0,), "int32"), 3), ("one_hot", I([[0], [1]]), 2), ("one_hot", I(2, dtype="uint8").reshape(1), 3), ("multi_hot", I([[0, 0], [1, 2]]), 3), ("multi_hot", I([[-1, 0], [7, 2]]), 3), ("multi_hot", I([[0, 0], [1, 2]]), 3, -1, "bool"), ("multi_hot", np.zeros((0, 2), "int32"), 3),
    ("binary_crossentropy", A([0.0, 1.0, 0.5]), A([-100.0, 100.0, 0.0]), True), ("binary_crossentropy", A([0.0, 1.0]), A([1.0, 0.0])), ("binary_crossentropy", A([0.0, 1.0, 1.0, 0.0]), A([INF, -INF, INF, -INF]), True), ("binary_crossentropy", A([0.0, 1.0]), A([NAN, NAN]), True), ("binary_crossentropy", A([0.0, 1.0]), A([NAN, NAN])), ("binary_crossentropy", EMPTY, EMPTY), ("binary_crossentropy", I(0, 1), A([0.2, 0.7])),
    ("categorical_crossentropy", A([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]), SOME), ("categorical_crossentropy", A([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]), X, True), ("categorical_crossentropy", A([[0.0, 1.0], [1.0, 0.0]]), A([[2.0, 6.0], [0.0, 0.0]])), ("categorical_crossentropy", A([[0.0, 1.0, 0.0]]), A([[NAN, 1.0, 0.0]])), ("categorical_crossentropy", A([[0.0, 1.0, 0.0]]), A([[-INF, 1.0, INF]]), True), ("categorical_crossentropy", A([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]), X, True, 0), ("categorical_crossentropy", EMPTY, EMPTY),
    ("sparse_categorical_crossentropy", I(2, 0), SOME), ("sparse_categorical_crossentropy", I(2, 0), X, True), ("sparse_categorical_crossentropy", I([[2], [0]]), X, True), ("sparse_categorical_crossentropy", I(1, 1), ODD, True), ("sparse_categorical_crossentropy", np.zeros((0,), "int32"), EMPTY), ("sparse_categorical_crossentropy", A([2.0, 0.0]), X, True), ("sparse_categorical_crossentropy", I(-1, 3), X, True),
    # ---- normalization and attention
    ("moments", X, (0, 1)), ("moments", X, -1, True), ("moments", EMPTY, (1,)), ("moments", TYPED[2], 1), ("moments", A([[1e4, 1e4 + 1]]), 1), ("moments", A([[60000.0, 60000.0]]).astype("float16"), 1), ("batch_normalization", X, A([0.0, 1.0, 2.0]), A([0.0, 1.0, 4.0]), -1), ("batch_normalization", X, A([0.0, 1.0]), A([1.0, 4.0]), 0, A([1.0, 2.0]), A([3.0, 4.0]), 1e-2), ("batch_normalization", EMPTY, A([0.0, 1.0, 2.0]), A([0.0, 1.0, 4.0]), 1),
    ("layer_normalization", X), ("layer_normalization", A([[2.0, 2.0, 2.0]])), ("layer_normalization", X, A([1.0, 2.0, 3.0]), A([0.0, 1.0, 0.0])), ("layer_normalization", X, {"axis": (0, 1)}), ("layer_normalization", EMPTY), ("layer_normalization", ODD), ("rms_normalization", X), ("rms_normalization", X, 2.0), ("rms_normalization", X, A([1.0, 2.0, 3.0]), -1, 0.1), ("rms_normalization", A([[0.0, 0.0, 0.0]])), ("rms_normalization", X, {"axis": (0, 1)}), ("rms_normalization", EMPTY),
    *[("normalize", X, axis, order) for axis in (-1, 0) for order in (1, 2, np.inf, 3)], ("normalize", A([[0.0, 0.0, 0.0]])), ("normalize", X, {"axis": 1, "epsilon": 10.0}), ("normalize", EMPTY), ("psnr", X, X, 1.0), ("psnr", X, X + 0.5, 2.0), ("psnr", I(0, 255), I(1, 250), 255),
    ("dot_product_attention", Q, K, K), ("dot_product_attention", Q, K, K, {"mask": MASK}), ("dot_product_attention", Q, K, K, {"bias": N(1, 2, 3, 5), "scale": 2.0}), ("dot_product_attention", Q, K, K, {"is_causal": True}), ("dot_product_attention", Q, K, K, {"mask": B(np.zeros((2, 1, 1, 5), bool))}), ("dot_product_attention", Q, K, K, {"mask": MASK, "is_causal": True}), ("dot_product_attention", Q, K, K, {"attn_logits_soft_cap": 0.5}), ("dot_product_attention", N(2, 3, 4, 4), K, K), ("dot_product_attention", A(np.zeros((0, 3, 2, 4))), A(np.zeros((0, 5, 2, 4))), A(np.zeros((0, 5, 2, 4)))), ("dot_product_attention", A(np.full((1, 1, 1, 2), 1e4)), A(np.array([[[[1e4, 1.0]], [[-1e4, 1.0]]]])), A(np.array([[[[1.0]], [[2.0]]]]))),
    # ---- sequences
    ("ctc_loss", I([[1, 2, 1]]), N(1, 3, 4), I([3]), I([3])), ("ctc_loss", I([[0, 0, 0]]), N(1, 3, 4), I([0]), I([3])), ("ctc_loss", I([[1, 1, 2]]), N(1, 6, 4), I([2]), I([4])), ("ctc_loss", I([[1, 2], [3, 1]]), N(2, 5, 4), I(2, 1), I(5, 2)), ("ctc_decode", N(2, 4, 3), I(4, 2)), ("ctc_decode", N(1, 4, 3), I([4]), {"merge_repeated": False}), ("ctc_decode", N(1, 4, 3), I([1])),
    note="edge",
)  # fmt: skip
