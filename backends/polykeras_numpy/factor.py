"""Decompositions and solvers with their gradients, for batches of matrices.

Gradients of decompositions are those for real matrices, from M. Giles, "An extended collection of matrix derivative
results for forward and reverse mode algorithmic differentiation" (2008); of Cholesky from I. Murray, "Differentiation
of the Cholesky decomposition" (arXiv:1602.07527); of QR from M. Seeger et al., "Auto-differentiating linear algebra"
(arXiv:1710.08717), and H. Roberts and S. Roberts, "QR and LQ decomposition matrix backpropagation algorithms"
(arXiv:2009.10071).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from polykeras_numpy.elementwise import where
from polykeras_numpy.tape import anp, fit, primitive, raw, rule


def swap(x: Any) -> Any:
    """Return the matrices transposed."""
    return anp.swapaxes(x, -1, -2)


def _mask(x: Any, make: Any, k: int = 0) -> np.ndarray:
    """Return a triangle of ones of the shape of the matrices in `x`."""
    return make(np.ones(x.shape[-2:], x.dtype), k)


def _eye(x: Any) -> np.ndarray:
    return np.eye(x.shape[-2], x.shape[-1], dtype=x.dtype)


def _real_only(x: Any) -> None:
    if x.dtype.kind == "c":
        raise NotImplementedError


# ---- solvers -----------------------------------------------------------------------------------------------------


@primitive
def solve(a: Any, b: Any) -> np.ndarray:
    """Return `x` with `a @ x == b`, for matrices `b`."""
    return np.linalg.solve(a, b)


@primitive
def solve_triangular(a: Any, b: Any, lower: bool) -> np.ndarray:
    """Return `x` with `a @ x == b` by substitution, row by row; the other half of `a` is not read."""
    n = a.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = np.zeros((*batch, n, b.shape[-1]), np.result_type(a, b))
    for i in range(n) if lower else reversed(range(n)):
        known = slice(0, i) if lower else slice(i + 1, n)
        rest = b[..., i, :] - np.matmul(a[..., i : i + 1, known], x[..., known, :])[..., 0, :]
        x[..., i, :] = rest / a[..., i, i, None]
    return x


def _triangular_vjp_a(g: Any, ans: Any, a: Any, b: Any, lower: bool) -> Any:
    full = -anp.matmul(solve_triangular(swap(a), g, not lower), swap(ans))
    return fit(full * _mask(a, np.tril if lower else np.triu), a)


rule(solve, lambda g, ans, a, b: fit(-anp.matmul(solve(swap(a), g), swap(ans)), a),
     lambda g, ans, a, b: fit(solve(swap(a), g), b))  # fmt: skip
rule(solve_triangular, _triangular_vjp_a,
     lambda g, ans, a, b, lower: fit(solve_triangular(swap(a), g, not lower), b))  # fmt: skip


# ---- Cholesky ----------------------------------------------------------------------------------------------------


@primitive
def cholesky(x: Any) -> np.ndarray:
    """Return the lower Cholesky factor."""
    return np.linalg.cholesky(x)


def _cholesky_vjp(g: Any, ans: Any, x: Any) -> Any:
    _real_only(x)
    middle = anp.matmul(swap(ans), g) * (_mask(x, np.tril) - _eye(x) * x.dtype.type(0.5))
    right = solve_triangular(swap(ans), swap(solve_triangular(swap(ans), middle, False)), False)
    return (right + swap(right)) * 0.5


rule(cholesky, _cholesky_vjp)


# ---- QR ----------------------------------------------------------------------------------------------------------


@primitive
def qr(x: Any, mode: Literal["reduced", "complete"]) -> tuple[np.ndarray, ...]:
    """Return `(q, r)`."""
    return tuple(np.linalg.qr(x, mode))


def _qr_tall(q: Any, r: Any, gq: Any, gr: Any) -> Any:
    """Return the gradient of `q @ r` for square `r`."""
    m = anp.matmul(r, swap(gr)) - anp.matmul(swap(gq), q)
    symmetric = m * _mask(m, np.tril) + swap(m * _mask(m, np.tril, -1))
    return swap(solve_triangular(r, swap(gq + anp.matmul(q, symmetric)), False))


def _qr_vjp(g: Any, ans: Any, x: Any, mode: str) -> Any:
    _real_only(x)
    rows, columns = x.shape[-2:]
    if rows > columns and mode == "complete":
        raise NotImplementedError  # the columns that complete q are not determined by x
    q, r, gq, gr = ans[0], ans[1], g[0], g[1]
    if rows >= columns:
        return _qr_tall(q, r, gq, gr)
    rest, g_rest = x[..., rows:], gr[..., rows:]
    square = _qr_tall(q, r[..., :rows], gq + anp.matmul(rest, swap(g_rest)), gr[..., :rows])
    return anp.concatenate((square, anp.matmul(q, g_rest)), axis=-1)


rule(qr, _qr_vjp)


# ---- eigenvalues and singular values -----------------------------------------------------------------------------


def _inverse_gaps(w: Any) -> Any:
    """Return `1 / (w[j] - w[i])` at `[i, j]`, and 0 where the two are equal."""
    gaps = w[..., None, :] - w[..., :, None]
    equal = anp.equal(gaps, 0)
    return where(equal, 0, 1 / where(equal, 1, gaps))


@primitive
def eigh(x: Any) -> tuple[np.ndarray, ...]:
    """Return the eigenvalues and eigenvectors of symmetric matrices."""
    return tuple(np.linalg.eigh(x))


def _eigh_vjp(g: Any, ans: Any, x: Any) -> Any:
    _real_only(x)
    w, v, gw, gv = ans[0], ans[1], g[0], g[1]
    middle = _inverse_gaps(w) * anp.matmul(swap(v), gv) + _eye(x) * gw[..., None, :]
    full = anp.matmul(anp.matmul(v, middle), swap(v))
    return (full + swap(full)) * 0.5


rule(eigh, _eigh_vjp)


@primitive
def svd(x: Any, full_matrices: bool) -> tuple[np.ndarray, ...]:
    """Return `(u, s, vh)`."""
    return tuple(np.linalg.svd(x, full_matrices))


@primitive
def singular_values(x: Any) -> np.ndarray:
    """Return the singular values, descending."""
    return np.linalg.svd(x, compute_uv=False)


def _svd_vjp(g: Any, ans: Any, x: Any, full_matrices: bool) -> Any:
    _real_only(x)
    if full_matrices:
        raise NotImplementedError  # the vectors that complete u or vh are not determined by x
    u, s, vh, gu, gs, gv = ans[0], ans[1], ans[2], g[0], g[1], swap(g[2])
    row, column = s[..., None, :], s[..., :, None]
    gaps = _inverse_gaps(s * s)
    ugu, vgv = anp.matmul(swap(u), gu), anp.matmul(vh, gv)
    middle = gaps * (ugu - swap(ugu)) * row + column * (gaps * (vgv - swap(vgv))) + _eye(ugu) * gs[..., None, :]
    left = anp.matmul(u, middle)
    if x.shape[-2] > x.shape[-1]:
        left = left + (gu - anp.matmul(u, ugu)) / row
    out = anp.matmul(left, vh)
    if x.shape[-2] < x.shape[-1]:
        out = out + anp.matmul(u / row, swap(gv - anp.matmul(swap(vh), vgv)))
    return out


def _singular_values_vjp(g: Any, ans: Any, x: Any) -> Any:
    _real_only(x)
    result = svd(x, False)
    return anp.matmul(result[0] * g[..., None, :], result[2])


rule(svd, _svd_vjp)
rule(singular_values, _singular_values_vjp)


# ---- LU ----------------------------------------------------------------------------------------------------------


@primitive
def lu(x: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the packed LU factors and the pivots, by elimination with partial pivoting (NumPy has no `getrf`)."""
    out = np.array(x).reshape(-1, *x.shape[-2:])
    steps = min(x.shape[-2:])
    pivots = np.empty((out.shape[0], steps), np.int32)
    each = np.arange(out.shape[0])
    for k in range(steps):
        pivot = pivots[:, k] = k + np.argmax(np.abs(out[:, k:, k]), axis=-1)
        upper = out[each, pivot].copy()
        out[each, pivot] = out[:, k]
        out[:, k] = upper
        head = out[:, k, k, None]
        out[:, k + 1 :, k] /= np.where(head == 0, 1, head)  # a column of zeros stays as it is, as in LAPACK
        out[:, k + 1 :, k + 1 :] -= out[:, k + 1 :, k, None] * out[:, k, None, k + 1 :]
    return out.reshape(x.shape), pivots.reshape(*x.shape[:-2], steps)


def _lu_vjp(g: Any, ans: Any, x: Any) -> Any:
    _real_only(x)
    if x.shape[-1] != x.shape[-2]:
        raise NotImplementedError
    below, above = _mask(x, np.tril, -1), _mask(x, np.triu)
    packed, g = ans[0], g[0]
    lower, upper = packed * below + _eye(x), packed * above
    middle = anp.matmul(swap(lower), g * below) * below + anp.matmul(g * above, swap(upper)) * above
    swapped = swap(solve_triangular(upper, swap(solve_triangular(swap(lower), middle, False)), False))
    return anp.matmul(_unswapping(raw(ans)[1], x.dtype), swapped)


def _unswapping(pivots: np.ndarray, dtype: Any) -> np.ndarray:
    """Return the matrices that undo the row swaps of an LU factorisation."""
    n = pivots.shape[-1]
    swaps = pivots.reshape(-1, n)
    rows = np.tile(np.arange(n), (len(swaps), 1))
    each = np.arange(len(swaps))
    for k in range(n):
        other = swaps[:, k]
        rows[each, k], rows[each, other] = rows[each, other], rows[each, k]
    out = np.zeros((len(swaps), n, n), dtype)
    out[each[:, None], rows, np.arange(n)] = 1
    return out.reshape(*pivots.shape, n)


rule(lu, _lu_vjp)
