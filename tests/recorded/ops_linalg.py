"""Edges of linear algebra, of transforms and of segments: one by one, many at once, none, singular matrices."""

from __future__ import annotations

import numpy as np

from contract.table import INF, NAN, A, B, C, Case, I, N, P
from differential.ops_cases import ops
from polykeras import dtypes

X = A([[1.0, -2.0, 0.5], [3.0, 0.0, -1.5]])
ODD = A([[NAN, 1.0, INF], [-INF, 0.0, -0.0]])
EMPTY = A(np.zeros((0, 3)))
ONE, NONE = A([[4.0]]), A(np.zeros((0, 2, 2)))
SINGULAR = A([[1.0, 2.0], [2.0, 4.0]])
TURN = A([[0.0, -1.0], [1.0, 0.0]])
TYPED = [np.array([[4, 1], [1, 3]], dtypes.numpy_dtype(name)) for name in ("uint8", "int16", "int32", "float16")]
SEGMENTS = ("segment_sum", "segment_max", "segment_min", "segment_prod")

EDGES: list[Case] = ops(
    *[(op, x) for op in ("cholesky", "inv", "det", "slogdet", "logdet", "matrix_rank", "pinv") for x in (ONE, NONE, P(3, 2, 2), *TYPED)],
    *[(op, x) for op in ("det", "slogdet", "matrix_rank") for x in (SINGULAR, TURN, A(np.zeros((2, 2))), A(np.eye(3)))],
    ("logdet", SINGULAR), ("cholesky", P(2, 2), True), ("cholesky", A([[1.0, 2.0], [2.0, 1.0]])), ("cholesky_inverse", A([[2.0, 0.0], [1.0, 3.0]])), ("cholesky_inverse", A([[2.0, 1.0], [0.0, 3.0]]), True), ("cholesky_inverse", ONE), ("pinv", SINGULAR), ("pinv", A(np.zeros((2, 3)))), ("matrix_rank", A([[1.0, 0.0], [0.0, 1e-3]]), 0.01), ("matrix_rank", N(2, 3, 2)),
    ("eigh", ONE), ("eigh", A([[2.0, 0.0], [0.0, -1.0]]), {}), ("lu_factor", A([[0.0, 1.0], [2.0, 3.0]])), ("lu_factor", ONE), ("lu_factor", A([[4.0, 1.0, 2.0], [1.0, 3.0, 0.0]])), ("qr", ONE),
    ("svd", A([[3.0, 0.0], [0.0, -2.0], [0.0, 0.0]]), False, False), ("svd", NONE, True, False), ("svd", N(2, 3, 2), {"compute_uv": False}), ("svd", A(np.zeros((2, 2))), {"compute_uv": False}),
    ("solve", P(2, 2), N(2)), ("solve", P(3, 2, 2), N(3, 2, 1)), ("solve", P(2, 2), A(np.zeros((2, 0)))), ("solve", NONE, A(np.zeros((0, 2, 1)))), ("solve", TYPED[2], I([[1], [2]])), ("solve", TURN, A([[1.0], [2.0]])), ("solve_triangular", A([[2.0, 9.0], [1.0, 4.0]]), A([[1.0], [2.0]]), True), ("solve_triangular", A([[2.0, 1.0], [9.0, 4.0]]), A([[1.0], [2.0]])), ("solve_triangular", P(3, 2, 2), N(3, 2, 2)), ("lstsq", N(3, 2), N(3)), ("lstsq", N(3, 2), N(3, 2)), ("lstsq", N(2, 3), N(2)), ("lstsq", SINGULAR, A([1.0, 2.0])),
    *[("norm", X, {"ord": o, "axis": axis, "keepdims": k}) for o in (None, 1, 2, INF, -INF, 0, 0.5, -1) for axis, k in ((-1, True), (0, False))], *[("norm", X, o) for o in (1, 2, -1, -2, INF, -INF, "fro", "nuc")], ("norm", X, "nuc", (-1, 0), True), ("norm", N(2, 3, 2), 1, (0, -1)), ("norm", EMPTY), ("norm", EMPTY, None, 1), ("norm", ODD, None, 1), ("norm", I([3, 4])), ("norm", np.array([3, 4], "float16")), ("norm", C(2, 2)), ("norm", N(2, 3, 2)),
    # ---- segments, the largest, distances
    *[(op, X, I(1, 0), n) for op in SEGMENTS for n in (2, 4, 1)], *[(op, A([1.0, NAN, INF, 2.0]), I(0, 0, 2, 2), 4) for op in SEGMENTS], *[(op, I(1, 2, 3, 4), I(0, 0, 2, 2), 4, {"sorted": True}) for op in SEGMENTS], *[(op, EMPTY, np.zeros((0,), "int32"), 2) for op in SEGMENTS], *[(op, np.array([1, 200, 3, 100], "uint8"), I(0, 0, 1, 1), 3) for op in SEGMENTS], *[(op, np.array([1, 2, 3], "float16"), I(2, -1, 2), 3) for op in SEGMENTS],
    ("top_k", A([1.0, 3.0, 3.0, 2.0]), 3), ("top_k", X, 1), ("top_k", ODD, 2), ("top_k", EMPTY, 2), ("top_k", I([[5, 9, 5]]), 3), ("top_k", B(True, False, True), 2), ("top_k", np.array([1, 3, 2], "float16"), 2), ("in_top_k", I(0, 2), X, 1), ("in_top_k", I(0, 1), A([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]), 1), ("in_top_k", I(0, 5), X, 2), ("in_top_k", I(1, 1), ODD, 1), ("in_top_k", np.zeros((0,), "int32"), EMPTY, 1),
    ("cdist", X, X), ("cdist", EMPTY, X), ("cdist", N(2, 3, 2), N(2, 1, 2)), ("cdist", I([[0, 0]]), I([[3, 4]])), ("cdist", A([[1e20, 0.0]]), A([[0.0, 0.0]])),
    *[("logsumexp", x, axis, k) for x, axis, k in ((X, (0, 1), True), (A([-INF, -INF]), None, False), (A([INF, 1.0]), None, False), (A([1e4, 1e4]), 0, True), (np.array([100, 100], "float16"), None, False))],
    # ---- transforms
    ("fft", (N(4), N(4))), ("fft", (N(2, 1), N(2, 1))), ("fft2", (N(2, 3), N(2, 3))), ("ifft2", (N(1, 2, 3), N(1, 2, 3))), ("rfft", N(5)), ("rfft", N(2, 6), 4), ("rfft", N(2, 4), 7), ("rfft", N(1)), ("rfft", A(np.zeros((0, 4)))), ("irfft", (N(3), N(3))), ("irfft", (N(2, 4), N(2, 4)), 5), ("irfft", (N(3), N(3)), 8),
    ("stft", N(12), 4, 2, 4), ("stft", N(2, 12), 4, 3, 8, "hamming"), ("stft", N(12), 5, 2, 8, "hann", False), ("stft", N(12), 4, 2, 4, A([0.0, 1.0, 1.0, 0.5])), ("istft", (N(6, 5), N(6, 5)), 8, 2, 8), ("istft", (N(6, 5), N(6, 5)), 6, 3, 8, 10, "hamming"), ("istft", (N(6, 5), N(6, 5)), 8, 4, 8, 16, None, False), ("extract_sequences", X, 3, 2), ("extract_sequences", N(9), 4, 3), ("extract_sequences", X, 1, 1),
    *[(op, x) for op in ("erf", "erfc", "erfinv", "rsqrt", "i0") for x in (ODD, EMPTY, A([0.999, -0.999, 1e-8, 1e-4]))], ("erfinv", A([1.0, -1.0, 1.5])), ("erfc", A([5.0, 9.0, -9.0])), ("rsqrt", I(1, 4, 0)), ("erf", I(1, -1)),
    ("polar", A([1.0, 2.0, 0.0]), A([0.0, 3.0, 1.0])), ("view_as_complex", A([[1.0, 2.0], [3.0, -4.0]])), ("view_as_real", C(2, 2)), ("nextafter", A([0.0, 1.0, INF]), A([1.0, 1.0, 0.0])),
    *[(op, C(2, 3)) for op in ("abs", "angle", "conj", "real", "imag", "sum", "mean", "exp", "square", "isfinite", "transpose", "prod")], *[(op, C(2, 2), N(2, 2)) for op in ("add", "multiply", "matmul", "divide", "equal")],
    note="edge",
)  # fmt: skip
