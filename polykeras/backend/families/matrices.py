"""Creation of matrices, triangles and diagonals."""

from __future__ import annotations

from polykeras import config
from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Family, op


class Matrices(Family):
    """Composed from `arange`, comparisons and `where`. No NumPy table with a fixed size is used."""

    @op()
    def eye(self, N: int, M: int | None = None, k: int = 0, dtype: str | None = None) -> Array:
        """Return an `N x M` matrix (square by default) of zeros, with ones on the diagonal `k` places to the right.

        Args:
            N: the number of rows.
            M: the number of columns; by default `N`.
            k: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.
            dtype: of the result; by default the default float dtype (`config.floatx()`).
        """
        rows, columns = self._grid(N, N if M is None else M)
        return self.cast(self.equal(columns, rows + k), dtype or config.floatx())

    @op()
    def identity(self, n: int, dtype: str | None = None) -> Array:
        """Return the identity matrix of size `n`.

        Args:
            n: the number of rows and columns.
            dtype: of the result; by default the default float dtype (`config.floatx()`).
        """
        return self.eye(n, dtype=dtype)

    @op()
    def tri(self, N: int, M: int | None = None, k: int = 0, dtype: str | None = None) -> Array:
        """Return an `N x M` matrix (square by default) of ones on and below the diagonal `k`, and zeros above it.

        Args:
            N: the number of rows.
            M: the number of columns; by default `N`.
            k: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.
            dtype: of the result; by default the default float dtype (`config.floatx()`).
        """
        rows, columns = self._grid(N, N if M is None else M)
        return self.cast(self.less(columns, rows + (k + 1)), dtype or config.floatx())

    def _grid(self, rows: int, columns: int) -> tuple[Array, Array]:
        """Return the row numbers as a column and the column numbers as a row."""
        return self.arange(rows, dtype="int32")[:, None], self.arange(columns, dtype="int32")[None, :]

    @op("x")
    def tril(self, x: Array, k: int = 0) -> Array:
        """Return matrices with zeros above the diagonal `k`.

        Args:
            x: shape `(..., rows, columns)`.
            k: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.
        """
        return self.where(self._lower(x, k), x, self.zeros_like(x))

    @op("x")
    def triu(self, x: Array, k: int = 0) -> Array:
        """Return matrices with zeros below the diagonal `k`.

        Args:
            x: shape `(..., rows, columns)`.
            k: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.
        """
        return self.where(self._lower(x, k - 1), self.zeros_like(x), x)

    def _lower(self, x: Array, k: int) -> Array:
        """Return where the matrices `x` lie on or below the diagonal `k`."""
        if self.ndim(x) < 2:
            raise ValueError(f"tril, triu: expected matrices, shape (..., m, n); received shape {self.shape(x)}.")
        m, n = self.shape(x)[-2:]
        return self.tri(m, n, k, "bool")

    @op("x")
    def diagonal(self, x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
        """Return diagonals of the matrices that two axes of `x` span, along a new last axis.

        Args:
            x: at least two axes.
            offset: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.
            axis1: the axis of the rows.
            axis2: the axis of the columns.

        Raises:
            ValueError: if `x` has fewer than two axes, or both axes are the same.
        """
        ndim = self.ndim(x)
        if ndim < 2 or canonical_axis(axis1, ndim) == canonical_axis(axis2, ndim):
            raise ValueError(
                f"diagonal: expected two different axes; received {axis1} and {axis2} of shape {self.shape(x)}."
            )
        x = self.moveaxis(x, (axis1, axis2), (-2, -1))
        *batch, m, n = self.shape(x)
        length = max(0, min(m, n - offset) if offset >= 0 else min(m + offset, n))
        start = offset if offset >= 0 else -offset * n
        flat = self.reshape(x, (*batch, m * n))
        # Each element is one row and one column further.
        return flat[..., start : start + (length - 1) * (n + 1) + 1 : n + 1] if length else flat[..., :0]

    @op("x")
    def diag(self, x: Array, k: int = 0) -> Array:
        """Return the diagonal `k` of a matrix, or a matrix of zeros with the vector `x` on that diagonal.

        Args:
            x: a vector or a matrix.
            k: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.

        Raises:
            ValueError: if `x` is neither a vector nor a matrix.
        """
        if self.ndim(x) == 2:
            return self.diagonal(x, k)
        if self.ndim(x) != 1:
            raise ValueError(f"diag: expected a vector or a matrix; received shape {self.shape(x)}.")
        row = self.constant_pad(x, [(max(k, 0), max(-k, 0))])
        n = self.shape(row)[0]
        mask = self.eye(n, n, k, "bool")
        return self.where(mask, row[None, :], self.zeros_like(row))

    @op("x")
    def diagflat(self, x: Array, k: int = 0) -> Array:
        """Return a matrix of zeros with the elements of `x` on the diagonal `k`.

        Args:
            x: an array, which is flattened.
            k: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.
        """
        return self.diag(self.ravel(x), k)

    @op("x")
    def vander(self, x: Array, N: int | None = None, increasing: bool = False) -> Array:
        """Return the Vandermonde matrix: row `i` holds the powers `N - 1, ..., 1, 0` of `x[i]`.

        Args:
            x: a vector.
            N: the number of powers; by default the length of `x`.
            increasing: whether the powers start at 0 and increase.

        Raises:
            ValueError: if `x` is not a vector.
        """
        if self.ndim(x) != 1:
            raise ValueError(f"vander: expected a vector; received shape {self.shape(x)}.")
        if self.dtype(x) == "bool":
            x = self.cast(x, "int32")
        exponents = self.arange(self.shape(x)[0] if N is None else N, dtype=self.dtype(x))
        return self.power(x[:, None], exponents if increasing else self.flip(exponents))
