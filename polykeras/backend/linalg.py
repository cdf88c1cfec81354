"""Matrix products and linear algebra."""

from __future__ import annotations

from abc import ABC
from typing import Any, Literal

from polykeras.backend.indexing import IndexingMethods
from polykeras.backend.spec import Array, required


class LinalgMethods(IndexingMethods, ABC):
    """Products contract; decompositions work on the last two axes, for each matrix of a batch."""

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x1 x2", "common")
    def matmul(self, x1: Array, x2: Array) -> Array:
        """Return the matrix product, as NumPy's: vectors allowed, batch axes broadcast. int8 gives int32."""
        raise NotImplementedError

    @required("operands", "common")
    def einsum(self, subscripts: str, *operands: Array, **kwargs: Any) -> Array:
        """Return the sum of products that Einstein's notation describes, `...` included.

        Args:
            subscripts: for instance `"bij,bjk->bik"`.
            *operands: arrays.
            **kwargs: none is required of a backend.
        """
        raise NotImplementedError

    @required("x", "float")
    def cholesky(self, x: Array, upper: bool = False) -> Array:
        """Return the lower (or upper) triangular Cholesky factor of symmetric positive definite matrices.

        Raises:
            ValueError: not positive definite, where the backend can tell at once; nan otherwise.
        """
        raise NotImplementedError

    @required("x", "float")
    def qr(self, x: Array, mode: Literal["reduced", "complete"] = "reduced") -> tuple[Array, Array]:
        """Return `(q, r)` with `q @ r == x`, `q` orthonormal and `r` upper triangular."""
        raise NotImplementedError

    @required("x", "float")
    def svd(self, x: Array, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        """Return `(u, s, vh)` with `u * s @ vh == x` and `s` descending; only `s` where `compute_uv` is False."""
        raise NotImplementedError

    @required("x", "float")
    def eigh(self, x: Array) -> tuple[Array, Array]:
        """Return eigenvalues, ascending, and eigenvectors (columns) of symmetric matrices."""
        raise NotImplementedError

    @required("x", "float")
    def lu_factor(self, x: Array) -> tuple[Array, Array]:
        """Return the packed LU factors and the int32 pivots (row i was swapped with row pivots[i], from 0)."""
        raise NotImplementedError

    @required("a b", "float")
    def solve(self, a: Array, b: Array) -> Array:
        """Return `x` with `a @ x == b`, for square `a`; `b` is a batch of matrices, or a vector where it has one axis less.

        Raises:
            ValueError: `a` is singular, where the backend can tell at once; inf or nan otherwise.
        """
        raise NotImplementedError

    @required("a b", "float")
    def solve_triangular(self, a: Array, b: Array, lower: bool = False) -> Array:
        """Return `x` with `a @ x == b`, for triangular `a`, whose other half is not read."""
        raise NotImplementedError
