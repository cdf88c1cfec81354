"""Determinants, inverses, norms and least squares, computed from decompositions."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from polykeras import dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Axis, Family, op


class Decompositions(Family):
    """Functions of the matrices in the last two axes."""

    def _check_matrices(self, x: Array, name: str, square: bool = False) -> tuple[int, int]:
        shape = self.shape(x)
        if len(shape) < 2 or (square and shape[-1] != shape[-2]):
            kind = "square matrices" if square else "matrices"
            raise ValueError(f"{name} needs {kind} in the last two axes; received an array of shape {shape}.")
        return shape[-2], shape[-1]

    def _identity(self, x: Array) -> Array:
        """Return identity matrices with the shape and dtype of the square matrices `x`."""
        return self.broadcast_to(self.eye(self.shape(x)[-1], dtype=self.dtype(x)), self.shape(x))

    # ---- determinants ------------------------------------------------------------------------------------------

    @op("x", "float")
    def det(self, x: Array) -> Array:
        """Return the determinants of square matrices.

        The gradient is the matrix of cofactors. It is computed from singular values, so it is also right for singular
        matrices. Its own derivative requires the singular values to be distinct.
        """
        self._check_matrices(x, "det", square=True)

        @self.custom_gradient
        def determinant(x: Array) -> tuple[Array, Any]:
            def gradient(upstream: Array) -> Array:
                return self.expand_dims(upstream, (-2, -1)) * self._cofactors(x)

            factors, pivots = self.lu_factor(x)
            return self._pivot_sign(pivots, self.dtype(x)) * self.prod(self._main_diagonal(factors), -1), gradient

        return determinant(x)

    def _cofactors(self, x: Array) -> Array:
        n = self.shape(x)[-1]
        u, s, vh = self.svd(x)
        factors, pivots = self.lu_factor(self.stop_gradient(self.matmul(u, vh)))
        sign = self._determinant_sign(factors, pivots)
        others = self.where(self.eye(n, dtype="bool"), 1.0, self.expand_dims(s, -2))
        scaled = u * self.expand_dims(self.prod(others, -1), -2)
        return self.expand_dims(sign, (-2, -1)) * self.matmul(scaled, vh)

    def _determinant_sign(self, factors: Array, pivots: Array) -> Array:
        return self._pivot_sign(pivots, self.dtype(factors)) * self.prod(self.sign(self._main_diagonal(factors)), -1)

    def _pivot_sign(self, pivots: Array, dtype: str) -> Array:
        """Return 1 or -1, depending on the number of row exchanges."""
        moved = self.not_equal(pivots, self.arange(self.shape(pivots)[-1], dtype="int32"))
        odd = self.bitwise_and(self.sum(self.cast(moved, "int32"), -1), 1)
        return self.cast(1 - 2 * odd, dtype)

    def _main_diagonal(self, x: Array) -> Array:
        return self.diagonal(x, 0, -2, -1)

    @op("x", "float")
    def slogdet(self, x: Array) -> tuple[Array, Array]:
        """Return the sign of the determinants of square matrices, and the logarithm of their absolute value.

        Returns:
            `(sign, logabsdet)`; 0 and -inf for a singular matrix.
        """
        self._check_matrices(x, "slogdet", square=True)

        @self.custom_gradient
        def signed(x: Array) -> tuple[tuple[Array, Array], Any]:
            factors, pivots = self.lu_factor(x)
            logarithm = self.sum(self.log(self.abs(self._main_diagonal(factors))), -1)

            def gradient(_: Array, upstream: Array) -> Array:
                return self.expand_dims(upstream, (-2, -1)) * self._transposed(self.inv(x))

            return (self._determinant_sign(factors, pivots), logarithm), gradient

        return signed(x)

    @op("x", "float")
    def logdet(self, x: Array) -> Array:
        """Return the logarithm of the absolute determinants of square matrices."""
        return self.slogdet(x)[1]

    # ---- inverses ----------------------------------------------------------------------------------------------

    @op("x", "float")
    def inv(self, x: Array) -> Array:
        """Return the inverses of square matrices."""
        self._check_matrices(x, "inv", square=True)
        return self.solve(x, self._identity(x))

    @op("x", "float")
    def cholesky_inverse(self, x: Array, upper: bool = False) -> Array:
        """Return the inverses of positive definite matrices, from their Cholesky factors.

        Args:
            x: triangular factors, as `cholesky` returns them.
            upper: whether the factors are upper triangular.
        """
        self._check_matrices(x, "cholesky_inverse", square=True)
        inverse = self.solve_triangular(x, self._identity(x), lower=not upper)
        other = self._transposed(inverse)
        return self.matmul(inverse, other) if upper else self.matmul(other, inverse)

    @op("x", "float")
    def pinv(self, x: Array, rcond: float | None = None) -> Array:
        """Return the Moore-Penrose inverses of matrices.

        The gradient is eq. 4.12 of G. H. Golub and V. Pereyra (1973), which holds if the rank does not change. Only its
        own derivative requires the singular values to be distinct.

        Args:
            x: shape `(..., m, n)`.
            rcond: singular values up to this fraction of the largest count as 0; by default
                `10 * max(m, n) * eps`.

        Returns:
            Shape `(..., n, m)`.
        """
        m, n = self._check_matrices(x, "pinv")
        threshold = 10 * max(m, n) * dtypes.eps(self.dtype(x)) if rcond is None else rcond

        @self.custom_gradient
        def inverse(x: Array) -> tuple[Array, Any]:
            u, s, vh = self.svd(x, full_matrices=False)
            kept = s > threshold * self.max(s, -1, True, initial=0.0)
            reciprocal = self.where(kept, 1.0 / self.where(kept, s, 1.0), 0.0)
            result = self.matmul(self._transposed(vh) * self.expand_dims(reciprocal, -2), self._transposed(u))

            def gradient(upstream: Array) -> Array:
                p, pt, gt = result, self._transposed(result), self._transposed(upstream)
                rows = gt - self.matmul(x, self.matmul(p, gt))  # the part of gt outside the columns of x
                columns = gt - self.matmul(self.matmul(gt, p), x)
                return (
                    self.matmul(rows, self.matmul(p, pt))
                    + self.matmul(self.matmul(pt, p), columns)
                    - self.matmul(pt, self.matmul(upstream, pt))
                )

            return result, gradient

        return inverse(x)

    @op("a b", "float")
    def lstsq(self, a: Array, b: Array, rcond: float | None = None) -> Array:
        """Return the `x` of least norm that minimizes `|a @ x - b|`.

        Args:
            a: shape `(m, n)`.
            b: shape `(m,)` or `(m, k)`.
            rcond: singular values up to this fraction of the largest count as 0; by default `max(m, n) * eps`.

        Returns:
            Shape `(n,)` or `(n, k)`.

        Raises:
            ValueError: if `a` is not a matrix, or `b` has a different number of rows.
        """
        m, n = self._check_matrices(a, "lstsq")
        if self.shape(b)[:1] != (m,) or self.ndim(a) != 2 or self.ndim(b) > 2:
            raise ValueError(
                "lstsq needs a matrix `a` and a `b` of as many rows; received shapes "
                f"{self.shape(a)} and {self.shape(b)}."
            )
        rcond = max(m, n) * dtypes.eps(self.dtype(a)) if rcond is None else rcond
        return self.matmul(self.pinv(a, rcond), b)

    @op("x", "float")
    def matrix_power(self, x: Array, n: int) -> Array:
        """Return square matrices multiplied by themselves `n` times; a negative `n` takes their inverses.

        Args:
            x: shape `(..., n, n)`.
            n: the power; 0 gives identities.
        """
        self._check_matrices(x, "matrix_power", square=True)
        if n < 0:
            x, n = self.inv(x), -n
        result = None
        while n:
            if n % 2:
                result = x if result is None else self.matmul(result, x)
            n //= 2
            x = self.matmul(x, x) if n else x
        return self._identity(x) if result is None else result

    @op("x", "float")
    def matrix_rank(self, x: Array, tol: float | None = None) -> Array:
        """Return the int32 number of singular values above `tol`, by default `largest * max(m, n) * eps`.

        Args:
            x: shape `(..., m, n)`; integers become floats.
            tol: an absolute bound, the same for all matrices.
        """
        m, n = self._check_matrices(x, "matrix_rank")
        s = self.svd(x, compute_uv=False)
        bound = self.max(s, -1, True, initial=0.0) * (max(m, n) * dtypes.eps(self.dtype(x))) if tol is None else tol
        return self.cast(self.sum(self.cast(s > bound, "int32"), -1), "int32")

    # ---- norms -------------------------------------------------------------------------------------------------

    @op("x", "float")
    def norm(self, x: Array, ord: int | float | str | None = None, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the norm of vectors or matrices. The gradient at a zero vector is 0.

        Args:
            x: an array.
            ord: for vectors, a number `p` (the sum of `|x| ** p` to the power `1 / p`), inf or -inf (the largest or
                smallest absolute value), or 0 (the number of nonzeros). For matrices, `"fro"`, `"nuc"`, 1, -1, inf,
                -inf (sums of columns or rows), 2 or -2 (singular values). None: 2 for vectors, `"fro"` for matrices.
            axis: one axis for vectors, two for matrices. None takes the whole array (as one vector if `ord` is None).
            keepdims: keep reduced axes with size 1.

        Raises:
            ValueError: if there is no such norm.
        """
        if axis is None:
            axes = tuple(range(self.ndim(x)))
        else:
            axes = tuple(canonical_axis(a, self.ndim(x)) for a in ((axis,) if isinstance(axis, int) else axis))
        if (axis is None and ord is None) or (len(axes) == 2 and ord in (None, "fro")):
            return self._vector_norm(x, 2, axes, keepdims)
        if len(axes) == 1 and not isinstance(ord, str):
            return self._vector_norm(x, 2 if ord is None else ord, axes, keepdims)
        if len(axes) == 2 and ord in (1, -1, 2, -2, inf, -inf, "nuc"):
            return self._matrix_norm(x, ord, axes, keepdims)
        raise ValueError(f"norm: there is no norm with ord={ord!r} over {len(axes)} axes (axis={axis}).")

    def _vector_norm(self, x: Array, p: float, axes: Sequence[int], keepdims: bool = False) -> Array:
        size = self.abs(x)
        if p == inf:
            return self.max(size, axes, keepdims)
        if p == -inf:
            return self.min(size, axes, keepdims)
        if p == 0:
            return self.sum(self.cast(self.not_equal(size, 0), self.dtype(size)), axes, keepdims)
        if p == 1:
            return self.sum(size, axes, keepdims)
        if p == 2:
            total = self.sum(self.square(size), axes, keepdims)
        else:
            zero = size <= 0 if p < 1 else None  # the slope of size ** p is infinite at 0
            powers = self.power(size if zero is None else self.where(zero, 1.0, size), p)
            if zero is not None:
                powers = self.where(zero, 0.0 if p > 0 else inf, powers)
            total = self.sum(powers, axes, keepdims)
        outside = total <= 0
        inside = self.where(outside, 1.0, total)
        return self.where(outside, 0.0, self.sqrt(inside) if p == 2 else self.power(inside, 1.0 / p))

    def _matrix_norm(self, x: Array, ord: Any, axes: Sequence[int], keepdims: bool) -> Array:
        rows, columns = axes
        if ord in (1, -1, inf, -inf):
            summed, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
            sums = self.sum(self.abs(x), summed, True)
            result = self.max(sums, kept, True) if ord > 0 else self.min(sums, kept, True)
        else:
            others = [a for a in range(self.ndim(x)) if a not in axes]
            s = self.svd(self.transpose(x, [*others, rows, columns]), compute_uv=False)
            result = self.sum(s, -1) if ord == "nuc" else self.max(s, -1) if ord == 2 else self.min(s, -1)
            result = self.expand_dims(result, sorted(axes))
        return result if keepdims else self.squeeze(result, axes)
