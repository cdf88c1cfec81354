"""Cases of matrix products, decompositions and Fourier transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from contract.table import A, C, I, N, P, case

SUM: dict[str, Any] = {"atol": 2e-6, "why": "sums cancel"}
SOLVED: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5, "why": "condition of the matrix"}
TRIANGLE = np.tril(np.ones((3, 3))) + np.eye(3)


def product(b: Any, parts: Any) -> Any:
    """Return `q @ r`, which is unique where `q` and `r` are so up to signs."""
    return b.matmul(*parts)


def squares(b: Any, parts: Any) -> Any:
    """Return all parts squared: without the signs."""
    return [b.multiply(part, part) for part in parts]


def svd_parts(b: Any, parts: Any) -> Any:
    """Return singular values and the squares of the vectors."""
    u, s, vh = parts
    return [s, b.multiply(u, u), b.multiply(vh, vh)]


def eigh_parts(b: Any, parts: Any) -> Any:
    """Return eigenvalues and the squares of the vectors."""
    return [parts[0], b.multiply(parts[1], parts[1])]


def eig_parts(b: Any, parts: Any) -> Any:
    """Return the sums of the eigenvalues and of their squares, which have no order, and the lengths of the vectors."""
    values, vectors = parts
    sizes = b.square(b.abs(vectors))
    return [b.real(b.sum(values, -1)), b.real(b.sum(values * values, -1)), b.sum(sizes, -2)]


CASES = (
    case("matmul", N(2, 3), N(3, 4), second=True, **SUM),
    case("matmul", N(3), N(3), **SUM),
    case("matmul", N(2, 3), N(3), **SUM),
    case("matmul", N(3), N(3, 2), **SUM),
    case("matmul", N(3), N(2, 3, 4), **SUM),
    case("matmul", N(5, 1, 2, 3), N(4, 3, 2), **SUM),
    case("matmul", A(np.ones((0, 3))), N(3, 2), grad=False),
    case("matmul", A(np.ones((2, 0))), A(np.ones((0, 3))), grad=False),
    case("matmul", I([[1, 2], [3, 4]]), I([[1, 1], [0, 2]]), grad=False),
    case("matmul", I([[100, 100]], dtype="int8"), I([[100], [100]], dtype="int8"), grad=False),
    case("matmul", C(2, 2), C(2, 2), grad=False, **SUM),
    case("einsum", "ij,jk->ik", N(2, 3), N(3, 4), **SUM),
    case("einsum", "bij,bjk->bik", N(2, 3, 4), N(2, 4, 2), **SUM),
    case("einsum", "...ij,...jk->...ik", N(2, 1, 3, 4), N(4, 2), **SUM),
    case("einsum", "ii->i", N(3, 3)),
    case("einsum", "ii", N(3, 3), **SUM),
    case("einsum", "ij->ji", N(2, 3)),
    case("einsum", "ij,kl->", N(2, 3), N(2, 2), **SUM),
    case("einsum", "ab,bc,cd->ad", N(2, 3), N(3, 2), N(2, 3), **SUM),
    case("einsum", "ij,j->i", I([[1, 2], [3, 4]]), I(1, 2), grad=False),
    case("cholesky", P(3, 3), through=None, **SOLVED, fd=False),
    case("cholesky", P(2, 3, 3), upper=True, **SOLVED, fd=False),
    case("qr", N(4, 3), through=product, **SOLVED),
    case("qr", N(4, 3), through=squares, **SOLVED),
    case("qr", P(2, 3, 3), through=squares, **SOLVED),
    case("qr", N(4, 3), "complete", through=product, grad=False, **SOLVED),
    case("svd", N(4, 3), False, through=svd_parts, **SOLVED),
    case("svd", N(2, 3, 3), through=svd_parts, **SOLVED),
    case("svd", N(4, 3), compute_uv=False, **SOLVED),
    case("svd", N(3, 5), True, through=lambda b, r: [b.abs(r[0]), r[1], b.abs(r[2][:3])], grad=False, **SOLVED),
    case("eigh", P(3, 3), through=eigh_parts, fd=False, **SOLVED),
    case("eigh", P(2, 3, 3), through=eigh_parts, fd=False, **SOLVED),
    case("eig", N(3, 3), through=eig_parts, grad=False, **SOLVED),
    case("eig", N(2, 4, 4), through=eig_parts, grad=False, **SOLVED),
    case("lu_factor", N(3, 3), fd=True, **SOLVED),
    case("lu_factor", N(2, 3, 3), **SOLVED),
    case("solve", P(3, 3), N(3, 2), **SOLVED),
    case("solve", P(3, 3), N(3), **SOLVED),
    case("solve", P(2, 3, 3), N(2, 3, 1), **SOLVED),
    case("solve_triangular", A(TRIANGLE), N(3, 2), lower=True, grad=(1,), **SOLVED),
    case("solve_triangular", A(TRIANGLE.T), N(3, 2), grad=(1,), **SOLVED),
    case("solve_triangular", P(3, 3), N(3, 2), note="other half not read", **SOLVED),
    case("solve_triangular", P(2, 3, 3), N(2, 3, 2), lower=True, **SOLVED),
    case("complex_fft", C(2, 5), grad=False, **SUM),
    case("complex_fft", C(8), grad=False, **SUM),
    case("complex_rfft", N(2, 5), **SUM),
    case("complex_rfft", N(8), **SUM),
    case("complex_irfft", C(2, 3), 5, grad=False, note="imaginary part of the first term is not read", **SUM),
    case("complex_irfft", C(5), 8, grad=False, **SUM),
)
