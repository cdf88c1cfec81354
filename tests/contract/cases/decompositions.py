"""Cases of composed products, matrix functions, norms and Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from contract.cases.linalg import SOLVED, SUM
from contract.table import A, C, I, N, P, U, case

SINGULAR = A([[1.0, 2.0], [2.0, 4.0]])
FACTOR = A(np.tril(np.ones((3, 3))) + np.eye(3))
NORMS: dict[str, Any] = {"atol": 2e-6, "rtol": 1e-4, "why": "sums, and singular values in float32"}

CASES = (
    # ---- products
    case("dot", N(2, 3), N(3, 4), **SUM),
    case("dot", N(3), N(3), **SUM),
    case("dot", N(2, 3), N(4, 3, 2), **SUM),
    case("dot", A(2.0), N(3), **SUM),
    case("vdot", N(2, 3), N(2, 3), **SUM),
    case("vdot", C(3), C(3), grad=False, **SUM),
    case("inner", N(2, 3), N(4, 3), **SUM),
    case("outer", N(2, 2), N(3), **SUM),
    case("tensordot", N(2, 3, 4), N(3, 4, 2), **SUM),
    case("tensordot", N(2, 3, 4), N(4, 2), axes=((0, 2), (1, 0)), **SUM),
    case("tensordot", N(2), N(3), 0, **SUM),
    case("kron", N(2, 2), N(1, 3), **SUM),
    case("kron", N(2), N(2, 2), **SUM),
    case("cross", N(2, 3), N(2, 3), **SUM),
    case("cross", N(3), N(2), **SUM),
    case("cross", N(2), N(2), **SUM),
    case("cross", N(3, 2), N(3, 2), axis=0, **SUM),
    case("trace", N(3, 4), **SUM),
    case("trace", N(2, 3, 3), 1, 1, 2, **SUM),
    # ---- functions of matrices
    case("det", N(3, 3), **SOLVED),
    case("det", N(2, 3, 3), **SOLVED),
    case("det", SINGULAR, note="singular", **SOLVED),
    case("slogdet", N(3, 3), **SOLVED),
    case("slogdet", SINGULAR, note="singular", grad=False, rtol=1.0, atol=20.0, why="log of rounding errors"),
    case("logdet", P(2, 3, 3), **SOLVED),
    case("inv", P(3, 3), second=True, **SOLVED),
    case("inv", P(2, 3, 3), **SOLVED),
    case("cholesky_inverse", FACTOR, **SOLVED),
    case("cholesky_inverse", A(FACTOR.T), True, **SOLVED),
    case("pinv", N(4, 3), **SOLVED),
    case("pinv", N(2, 2, 3), **SOLVED),
    case("pinv", SINGULAR, note="singular", fd=False, **SOLVED),
    case("lstsq", N(5, 3), N(5), **SOLVED),
    case("lstsq", N(5, 3), N(5, 2), **SOLVED),
    case("lstsq", N(3, 5), N(3), **SOLVED),
    case("matrix_power", N(3, 3), 3, **SOLVED),
    case("matrix_power", N(3, 3), 0, grad=False),
    case("matrix_power", P(3, 3), -2, **SOLVED),
    case("matrix_rank", N(4, 3), grad=False),
    case("matrix_rank", SINGULAR, grad=False),
    case("matrix_rank", N(2, 3, 3), 1e9, grad=False),
    # ---- norms
    case("norm", N(3, 4), **NORMS),
    case("norm", N(3, 4), axis=1, **NORMS),
    case("norm", N(3, 4), axis=(0, 1), keepdims=True, **NORMS),
    case("norm", A([[0.0, 0.0], [3.0, 4.0]]), axis=-1, fd=False, **NORMS),
    *[case("norm", N(3, 4), p, 1, **NORMS) for p in (1, 3, 0.5, np.inf, -np.inf)],
    case("norm", A([1.0, 0.0, 2.0]), 0, 0, grad=False),
    *[case("norm", N(3, 4), p, (0, 1), **NORMS) for p in ("fro", "nuc", 1, -1, np.inf, -np.inf, 2, -2)],
    case("norm", N(2, 3, 4), 2, (-2, -1), True, **NORMS),
    # ---- complex numbers and transforms
    case("polar", U(0.5, 2, 3), N(3), **SUM),
    case("view_as_complex", N(3, 2)),
    case("view_as_real", C(3), grad=False),
    case("view_as_real", N(3)),
    case("fft", [N(2, 5), N(2, 5)], **SUM),
    case("ifft", [N(8), N(8)], **SUM),
    case("fft2", [N(2, 3, 4), N(2, 3, 4)], **SUM),
    case("ifft2", [N(3, 4), N(3, 4)], **SUM),
    case("rfft", N(2, 5), **SUM),
    case("rfft", N(2, 5), 8, **SUM),
    case("rfft", N(8), 5, **SUM),
    case("irfft", [N(2, 3), N(2, 3)], **SUM),
    case("irfft", [N(5), N(5)], 7, **SUM),
    case("irfft", [N(3), N(3)], 8, **SUM),
    case("extract_sequences", N(2, 10), 4, 3, **SUM),
    case("stft", N(2, 20), 8, 4, 8, **SUM),
    case("stft", N(20), 6, 3, 8, "hamming", False, **SUM),
    case("stft", N(20), 8, 4, 8, None, **SUM),
    case("istft", [N(2, 6, 5), N(2, 6, 5)], 8, 4, 8, **SUM),
    case("istft", [N(6, 5), N(6, 5)], 8, 2, 8, 12, **SUM),
    case("stft", I(1, 2, 3, 4, 5, 6, 7, 8), 4, 2, 4, grad=False, **SUM),
)
