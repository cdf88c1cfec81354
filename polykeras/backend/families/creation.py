"""Arrays made from numbers: ranges, masks, windows and diagonals."""

from __future__ import annotations

import math
from typing import Any, Literal

from polykeras import config, dtypes
from polykeras.backend.axes import canonical_axis
from polykeras.backend.dispatch import Handle
from polykeras.backend.spec import Array, Family, Shape, op


class Creation(Family):
    """Composed from `full`, `arange` and elementwise operations: no size is baked into a NumPy table."""

    @op()
    def array(self, x: Any, dtype: str | None = None) -> Array:
        """Return `x`, a number, list or array of any kind, as an array of the current backend.

        Args:
            x: nested lists become axes; an array of another framework is read by `numpy.asarray`.
            dtype: by default that of `x`; Python's floats become the default float dtype, its ints int32.
        """
        return self.asarray(x.value if isinstance(x, Handle) else x, dtype)

    @op()
    def empty(self, shape: Shape | int, dtype: str | None = None) -> Array:
        """Return an array whose values do not matter: zeros.

        Args:
            shape: the sizes of the axes; an int is that of the only one.
            dtype: of the result; by default the default float dtype (`config.floatx()`).
        """
        return self.zeros(shape, dtype)

    @op("x")
    def empty_like(self, x: Array, dtype: str | None = None) -> Array:
        """Return an array of the shape and (unless `dtype` says otherwise) the dtype of `x`: zeros.

        Args:
            x: gives the shape.
            dtype: of the result; by default that of `x`.
        """
        return self.zeros_like(x, dtype)

    @op("x", others="fill_value")
    def full_like(self, x: Array, fill_value: Any, dtype: str | None = None) -> Array:
        """Return an array of the shape and (unless `dtype` says otherwise) the dtype of `x`, filled with one value.

        Args:
            x: gives the shape.
            fill_value: a number, or an array that broadcasts to that shape.
            dtype: of the result; by default that of `x`.
        """
        dtype = dtype or self.dtype(x)
        return self.broadcast_to(self.cast(fill_value, dtype), self.shape(x))

    # ---- matrices ----------------------------------------------------------------------------------------------

    @op()
    def eye(self, N: int, M: int | None = None, k: int = 0, dtype: str | None = None) -> Array:
        """Return an `N x M` matrix (square by default) of zeros, with ones on the diagonal `k` places to the right.

        Args:
            N: how many rows.
            M: how many columns; by default as many.
            k: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.
            dtype: of the result; by default the default float dtype (`config.floatx()`).
        """
        rows, columns = self._grid(N, N if M is None else M)
        return self.cast(self.equal(columns, rows + k), dtype or config.floatx())

    @op()
    def identity(self, n: int, dtype: str | None = None) -> Array:
        """Return the identity matrix of size `n`.

        Args:
            n: how many rows, and columns.
            dtype: of the result; by default the default float dtype (`config.floatx()`).
        """
        return self.eye(n, dtype=dtype)

    @op()
    def tri(self, N: int, M: int | None = None, k: int = 0, dtype: str | None = None) -> Array:
        """Return an `N x M` matrix (square by default) of ones on and below the diagonal `k`, and zeros above it.

        Args:
            N: how many rows.
            M: how many columns; by default as many.
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
            offset: which diagonal; positive ones lie to the right of the main one.
            axis1: the rows.
            axis2: the columns.

        Raises:
            ValueError: `x` has less than two axes, or both axes are the same.
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
        # One row and one column further for each element.
        return flat[..., start : start + (length - 1) * (n + 1) + 1 : n + 1] if length else flat[..., :0]

    @op("x")
    def diag(self, x: Array, k: int = 0) -> Array:
        """Return the diagonal `k` of a matrix, or a matrix of zeros with the vector `x` on that diagonal.

        Args:
            x: a vector or a matrix.
            k: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.

        Raises:
            ValueError: `x` is neither.
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
            x: is flattened.
            k: 0 is the main diagonal, positive numbers those to the right of it, negative ones those below.
        """
        return self.diag(self.ravel(x), k)

    @op("x")
    def vander(self, x: Array, N: int | None = None, increasing: bool = False) -> Array:
        """Return the Vandermonde matrix: row `i` holds the powers `N - 1, ..., 1, 0` of `x[i]`.

        Args:
            x: a vector.
            N: how many powers; as many as `x` is long by default.
            increasing: from power 0 upwards.

        Raises:
            ValueError: `x` is no vector.
        """
        if self.ndim(x) != 1:
            raise ValueError(f"vander: expected a vector; received shape {self.shape(x)}.")
        if self.dtype(x) == "bool":
            x = self.cast(x, "int32")
        exponents = self.arange(self.shape(x)[0] if N is None else N, dtype=self.dtype(x))
        return self.power(x[:, None], exponents if increasing else self.flip(exponents))

    # ---- grids and ranges --------------------------------------------------------------------------------------

    @op("x")
    def meshgrid(self, *x: Array, indexing: Literal["xy", "ij"] = "xy") -> list[Array]:
        """Return one array for each vector, holding its coordinate at every point of the grid that they span.

        Args:
            *x: vectors.
            indexing: `"ij"` lays the i-th vector along axis i; `"xy"` exchanges the first two axes.

        Raises:
            ValueError: an unknown `indexing`.
        """
        if indexing not in ("xy", "ij"):
            raise ValueError(f'meshgrid: expected indexing "xy" or "ij"; received {indexing!r}.')
        axes = list(range(len(x)))
        if indexing == "xy" and len(x) > 1:
            axes[:2] = [1, 0]
        shape = [1] * len(x)
        for vector, axis in zip(x, axes, strict=True):
            shape[axis] = self.size(vector)
        sides = [
            self.reshape(vector, tuple(n if a == axis else 1 for a, n in enumerate(shape)))
            for vector, axis in zip(x, axes, strict=True)
        ]
        return [self.broadcast_to(side, tuple(shape)) for side in sides]

    @op("start stop", "float")
    def linspace(
        self,
        start: Array,
        stop: Array,
        num: int = 50,
        endpoint: bool = True,
        retstep: bool = False,
        dtype: str | None = None,
        axis: int = 0,
    ) -> Any:
        """Return evenly spaced numbers between two.

        Args:
            start: the first number, or an array of them.
            stop: the last one; shapes broadcast.
            num: how many.
            endpoint: whether `stop` is one of them.
            retstep: also return the distance.
            dtype: of the result; floats are rounded down for an integer dtype.
            axis: where the numbers of one range lie in the result.

        Returns:
            The numbers, or `(numbers, step)` where `retstep`.
        """
        start, stop = self.both_arrays(start, stop)
        steps = num - 1 if endpoint else num
        step = (stop - start) / (steps if steps > 0 else math.nan)
        counts = self.reshape(self.arange(num, dtype="int32"), (num, *(1,) * self.ndim(step)))
        x = start + self.cast(counts, self.dtype(step)) * (step if steps > 0 else stop - start)
        if endpoint and num > 1:
            x = self.where(self.equal(counts, num - 1), stop, x)  # exactly
        x = self.moveaxis(self._rounded(x, dtype), 0, axis)
        return (x, step) if retstep else x

    def _rounded(self, x: Array, dtype: str | None) -> Array:
        """Return floats in `dtype` (None keeps theirs), rounded down where it is an integer's."""
        if dtype is None:
            return x
        return self.cast(self.floor(x) if dtypes.is_int(dtype) else x, dtype)

    @op("start stop", "float")
    def logspace(
        self,
        start: Array,
        stop: Array,
        num: int = 50,
        endpoint: bool = True,
        base: float = 10,
        dtype: str | None = None,
        axis: int = 0,
    ) -> Array:
        """Return `base` to the powers `linspace(start, stop, ...)`: numbers of a constant ratio.

        Args:
            start: the first exponents; broadcast with `stop`.
            stop: the last exponents, or the first that are left out.
            num: how many, along the new axis.
            endpoint: whether `stop` is the last number.
            base: a positive number.
            dtype: of the result; by default that of the exponents, as floats.
            axis: the place of the new axis in the result.
        """
        x = self.power(float(base), self.linspace(start, stop, num, endpoint, axis=axis))
        return x if dtype is None else self.cast(x, dtype)

    @op("start stop", "float")
    def geomspace(
        self,
        start: Array,
        stop: Array,
        num: int = 50,
        endpoint: bool = True,
        dtype: str | None = None,
        axis: int = 0,
    ) -> Array:
        """Return numbers of a constant ratio between two of one sign, neither of them 0.

        Args:
            start: the first numbers; broadcast with `stop`.
            stop: the last numbers, or the first that are left out.
            num: how many, along the new axis.
            endpoint: whether `stop` is the last number.
            dtype: of the result; by default that of the ends, as floats.
            axis: the place of the new axis in the result.
        """
        start, stop = self.both_arrays(start, stop)
        exponents = self.linspace(self.zeros_like(start), self.log(stop / start), num, endpoint)
        x = start * self.exp(exponents)
        if endpoint and num > 1:
            counts = self.reshape(self.arange(num, dtype="int32"), (num, *(1,) * (self.ndim(x) - 1)))
            x = self.where(self.equal(counts, num - 1), stop, x)
        return self.moveaxis(x if dtype is None else self.cast(x, dtype), 0, axis)

    # ---- windows -----------------------------------------------------------------------------------------------

    def _window_places(self, length: Any) -> Array:
        """Return the places of a window's samples, from -1 to 1; that of a window of one is 0."""
        n = length if isinstance(length, int) else int(self.to_numpy(self.asarray(length)).item())
        if n < 2:
            return self.zeros((max(n, 0),))
        return (2.0 * self.arange(n, dtype=config.floatx()) - (n - 1)) / (n - 1)

    def _cosines(self, length: Any, *weights: float) -> Array:
        """Return the window `sum(weights[k] * cos(pi * k * place))`."""
        places = self._window_places(length)
        window = self.full(self.shape(places), weights[0], self.dtype(places))
        for k, weight in enumerate(weights[1:], 1):
            window = window + weight * self.cos(math.pi * k * places)
        return window

    @op()
    def bartlett(self, x: int) -> Array:
        """Return the triangular window of length `x`, which is 0 at its ends."""
        return 1.0 - self.abs(self._window_places(x))

    @op()
    def hanning(self, x: int) -> Array:
        """Return the Hann window of length `x`: a raised cosine, which is 0 at its ends."""
        return self._cosines(x, 0.5, 0.5)

    @op()
    def hamming(self, x: int) -> Array:
        """Return the Hamming window of length `x`: a raised cosine, which is 0.08 at its ends."""
        return self._cosines(x, 0.54, 0.46)

    @op()
    def blackman(self, x: int) -> Array:
        """Return the Blackman window of length `x`: three cosine terms."""
        return self._cosines(x, 0.42, 0.5, 0.08)

    @op(others="beta")
    def kaiser(self, x: int, beta: Any) -> Array:
        """Return the Kaiser window of length `x`; the larger `beta`, the narrower its main part.

        Args:
            x: how many numbers.
            beta: a scalar; 0 gives ones.
        """
        places = self._window_places(x)
        beta = self.cast(beta, self.dtype(places))
        return self.i0(beta * self.sqrt(1.0 - places * places)) / self.i0(beta)
