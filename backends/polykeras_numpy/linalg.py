"""Matrix products and linear algebra."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from string import ascii_letters
from typing import Any, Literal

import numpy as np

from polykeras.backend.families.linalg import Linalg
from polykeras.backend.spec import Array
from polykeras.backend.symbolic.products import matmul_shape
from polykeras_numpy import factor
from polykeras_numpy.factor import swap
from polykeras_numpy.tape import anp, fit, raw, rule

_SHORT = ("float16", "bfloat16")


def _as_matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Return the gradient and the operands of a matrix product with the axes that vectors lack."""
    if b.ndim == 1:
        b, g = anp.reshape(b, (-1, 1)), anp.reshape(g, (*g.shape, 1))
    if a.ndim == 1:
        a, g = anp.reshape(a, (1, -1)), anp.reshape(g, (*g.shape[:-1], 1, g.shape[-1]))
    return g, a, b


def _matmul_vjp_left(g: Any, ans: Any, a: Any, b: Any) -> Any:
    if a.ndim == 2 and b.ndim == 2:
        return fit(anp.matmul(g, b.T), a)
    g, left, right = _as_matrices(g, a, b)
    return anp.reshape(fit(anp.matmul(g, swap(right)), left), a.shape)


def _matmul_vjp_right(g: Any, ans: Any, a: Any, b: Any) -> Any:
    if a.ndim == 2 and b.ndim == 2:
        return fit(anp.matmul(a.T, g), b)
    g, left, right = _as_matrices(g, a, b)
    return anp.reshape(fit(anp.matmul(swap(left), g), right), b.shape)


rule(anp.matmul, _matmul_vjp_left, _matmul_vjp_right)
rule(anp.swapaxes, lambda g, ans, x, i, j: anp.swapaxes(g, i, j))


class NumpyLinalg(Linalg):
    """LAPACK through NumPy. Sums of products of 16-bit floats are formed in float32."""

    def matmul(self, x1: Array, x2: Array) -> Array:
        dtype = self.dtype(x1)
        if dtype in _SHORT:
            return self.cast(self.matmul(self.cast(x1, "float32"), self.cast(x2, "float32")), dtype)
        if dtype == "int8":
            x1, x2 = x1.astype(np.int32), x2.astype(np.int32)
        if x1.shape[-1:] != x2.shape[-2:][:1]:
            matmul_shape(x1.shape, x2.shape)  # says which shapes do not fit: NumPy speaks of operands and gufuncs
        if x1.ndim > 2 and x2.ndim == 2:  # one large product, not one for each matrix of the batch
            rows = anp.reshape(x1, (prod(x1.shape[:-1]), x1.shape[-1]))
            return anp.reshape(anp.matmul(rows, x2), (*x1.shape[:-1], x2.shape[-1]))
        return anp.matmul(x1, x2)

    def einsum(self, subscripts: str, *operands: Array, **kwargs: Any) -> Array:
        dtype = self.dtype(operands[0])
        inputs, output = _parse(subscripts.replace(" ", ""), tuple(x.ndim for x in operands))
        dtype = "int32" if dtype == "int8" else dtype
        wide = "float32" if dtype in _SHORT else dtype
        parts = [self._diagonals(self.cast(x, wide), s) for x, s in zip(operands, inputs, strict=True)]
        x, letters = parts[0]
        for i, (y, others) in enumerate(parts[1:], 2):
            keep = set(output).union(*(s for _, s in parts[i:]))
            x, letters = self._contract(x, letters, y, others, keep)
        x, letters = self._sum_out(x, letters, set(output))
        return self.cast(self.transpose(x, [letters.index(c) for c in output]), dtype)

    def _diagonals(self, x: Array, letters: str) -> tuple[Array, str]:
        """Return `x` with the axes of a repeated letter replaced by their diagonal."""
        for c in sorted(set(letters)):
            while letters.count(c) > 1:
                i, j = letters.index(c), letters.rindex(c)
                rest = [k for k in range(x.ndim) if k not in (i, j)]
                n = x.shape[i]
                x = self.reshape(self.transpose(x, (*rest, i, j)), (*(x.shape[k] for k in rest), n * n))
                x, letters = x[..., :: n + 1], "".join(letters[k] for k in rest) + c
        return x, letters

    def _sum_out(self, x: Array, letters: str, keep: set[str]) -> tuple[Array, str]:
        """Return `x` summed over the axes whose letter is not in `keep`."""
        axes = [i for i, c in enumerate(letters) if c not in keep]
        if not axes:
            return x, letters
        return anp.sum(x, axis=tuple(axes), dtype=x.dtype), "".join(c for c in letters if c in keep)

    def _contract(self, x: Array, xs: str, y: Array, ys: str, keep: set[str]) -> tuple[Array, str]:
        """Return the product of two operands, summed over the letters that are not kept, as one matrix product."""
        x, xs = self._sum_out(x, xs, keep | set(ys))
        y, ys = self._sum_out(y, ys, keep | set(xs))
        batch = [c for c in xs if c in ys and c in keep]
        inner = [c for c in xs if c in ys and c not in keep]
        left, right = [c for c in xs if c not in ys], [c for c in ys if c not in xs]
        x = self.transpose(x, [xs.index(c) for c in (*batch, *left, *inner)])
        y = self.transpose(y, [ys.index(c) for c in (*batch, *inner, *right)])
        b, k = len(batch), len(inner)
        left_shape, right_shape = x.shape[b : x.ndim - k], y.shape[b + k :]
        inner_shape = np.broadcast_shapes(x.shape[x.ndim - k :], y.shape[b : b + k])
        x, y = (self.broadcast_to(x, (*x.shape[: x.ndim - k], *inner_shape)),
                self.broadcast_to(y, (*y.shape[:b], *inner_shape, *right_shape)))  # fmt: skip
        x = self.reshape(x, (*x.shape[:b], prod(left_shape), prod(inner_shape)))
        y = self.reshape(y, (*y.shape[:b], prod(inner_shape), prod(right_shape)))
        out = anp.matmul(x, y) if inner else x * y
        return self.reshape(out, (*out.shape[:b], *left_shape, *right_shape)), "".join((*batch, *left, *right))

    def cholesky(self, x: Array, upper: bool = False) -> Array:
        out = _solvable(factor.cholesky, "cholesky: the matrix is not positive definite", x)
        return swap(out) if upper else out

    def qr(self, x: Array, mode: Literal["reduced", "complete"] = "reduced") -> tuple[Array, Array]:
        result = factor.qr(x, mode)
        return result[0], result[1]

    def svd(self, x: Array, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        if not compute_uv:
            return factor.singular_values(x)
        result = factor.svd(x, full_matrices and x.shape[-1] != x.shape[-2])
        return result[0], result[1], result[2]

    def eigh(self, x: Array) -> tuple[Array, Array]:
        result = factor.eigh(x)
        return result[0], result[1]

    def eig(self, x: Array) -> tuple[Array, Array]:
        x = raw(x)
        values, vectors = np.linalg.eig(x)  # real ones where all are
        return values.astype(np.result_type(x, "complex64")), vectors.astype(np.result_type(x, "complex64"))

    def lu_factor(self, x: Array) -> tuple[Array, Array]:
        result = factor.lu(x)
        return result[0], raw(result[1])

    def solve(self, a: Array, b: Array) -> Array:
        vector = b.ndim == a.ndim - 1
        out = _solvable(factor.solve, "solve: the matrix is singular", a, b[..., None] if vector else b)
        return out[..., 0] if vector else out

    def solve_triangular(self, a: Array, b: Array, lower: bool = False) -> Array:
        if b.ndim == a.ndim - 1:
            return factor.solve_triangular(a, b[..., None], lower)[..., 0]
        return factor.solve_triangular(a, b, lower)


def _solvable(function: Any, message: str, *args: Array) -> Array:
    try:
        return function(*args)
    except np.linalg.LinAlgError as error:
        raise ValueError(f"{message} (shape {raw(args[0]).shape}).") from error


@lru_cache(maxsize=1024)
def _parse(subscripts: str, ndims: tuple[int, ...]) -> tuple[list[str], str]:
    """Return one letter an axis for each operand and for the result; those of `...` are counted from the right."""
    left, arrow, output = subscripts.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} names {len(inputs)} operands; received {len(ndims)}.")
    spare = [c for c in ascii_letters if c not in subscripts]
    counts = [n - len(s.replace("...", "")) if "..." in s else 0 for s, n in zip(inputs, ndims, strict=True)]
    dots = "".join(spare[: max(counts, default=0)])
    named = [s.replace("...", dots[len(dots) - n :]) for s, n in zip(inputs, counts, strict=True)]
    for s, n in zip(named, ndims, strict=True):
        if len(s) != n:
            raise ValueError(f"einsum: {subscripts!r} gives {len(s)} axes to an operand of {n} axes.")
    if not arrow:
        letters = left.replace("...", "").replace(",", "")
        return named, dots + "".join(sorted(c for c in letters if letters.count(c) == 1))
    output = output.replace("...", dots)
    unknown = set(output) - set().union(*named)
    if unknown:
        raise ValueError(f"einsum: {subscripts!r} has {sorted(unknown)} in the result that no operand has.")
    return named, output
