"""How often numbers occur, and in which bins they lie."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras.backend.spec import Array, Family, op


class Histograms(Family):
    """Composed from `searchsorted` and `scatter_reduce`."""

    @op("x bins", "common")
    def digitize(self, x: Array, bins: Array) -> Array:
        """Return the int32 bin of each element: 0 below `bins[0]`, `len(bins)` from the last edge on.

        Args:
            x: numbers.
            bins: a vector of ascending edges; an element on an edge belongs to the bin above it.
        """
        return self.searchsorted(bins, x, "right")

    @op("x weights")
    def bincount(self, x: Array, weights: Array | None = None, minlength: int = 0, sparse: bool = False) -> Array:
        """Return the number of occurrences of 0, 1, 2, ....

        Args:
            x: non-negative integers: a vector, or a matrix whose rows are counted separately.
            weights: numbers to add up instead of ones, of the shape of `x`.
            minlength: the least length of the result. If values cannot be read (in compiled functions and when shapes
                are inferred), it is the length, and larger numbers are not counted.
            sparse: not supported.

        Returns:
            int32, or the dtype of `weights`; shape `(length,)`, or `(rows, length)`.

        Raises:
            ValueError: if `sparse` is set, or `x` is neither a vector nor a matrix.
        """
        if sparse:
            raise ValueError("bincount: sparse=True is not supported; use the dense result.")
        if self.ndim(x) not in (1, 2):
            raise ValueError(f"bincount: expected a vector or a matrix; received shape {self.shape(x)}.")
        length = self._bin_count(x, minlength)
        rows = self.cast(self.reshape(x, (1, -1) if self.ndim(x) == 1 else self.shape(x)), "int32")
        count, n = self.shape(rows)
        outside = self.logical_or(self.less(rows, 0), self.less(length - 1, rows))
        numbers = self.arange(count, dtype="int32")[:, None] * (length + 1)
        places = self.reshape(self.where(outside, length, rows) + numbers, (count * n, 1))
        values = self.full((count * n,), 1, "int32") if weights is None else self.ravel(weights)
        totals = self.scatter_reduce(self.zeros((count * (length + 1),), self.dtype(values)), places, values, "add")
        totals = self.reshape(totals, (count, length + 1))[:, :length]
        return totals[0] if self.ndim(x) == 1 else totals

    def _bin_count(self, x: Array, minlength: int) -> int:
        if self.is_traced(x) and minlength > 0:
            return minlength
        largest = self.size_from(
            self.max(self.cast(x, "int32"), initial=-1),
            "bincount: the largest number is unknown while a function is compiled. Give `minlength`, which is the "
            "length of the result there.",
        )
        return max(largest + 1, minlength)

    @op("x", "float")
    def histogram(
        self, x: Array, bins: int | Sequence[float] = 10, range: tuple[float, float] | None = None
    ) -> tuple[Array, Array]:
        """Return how many elements lie in each bin, and the edges.

        Args:
            x: numbers, in any shape.
            bins: the number of bins of equal width, or a vector of ascending edges.
            range: the outermost edges; the smallest and the largest element by default. Elements outside are not
                counted.

        Returns:
            `(counts, edges)`: floats as in Keras, `(bins,)` and `(bins + 1,)`. A bin includes its
            lower edge, and the last bin both edges.
        """
        x = self.ravel(x)
        if isinstance(bins, int):
            low, high = (self.min(x), self.max(x)) if range is None else (self.asarray(v, self.dtype(x)) for v in range)
            flat = self.cast(self.equal(low, high), self.dtype(x)) * 0.5  # a single value gets a bin around it
            edges = self.linspace(low - flat, high + flat, bins + 1)
        else:
            edges = self.cast(self.asarray(bins), self.dtype(x))
        count = self.shape(edges)[0] - 1
        place = self.searchsorted(edges, x, "right") - 1
        place = self.where(self.equal(x, edges[-1]), count - 1, place)
        outside = self.logical_not(self.logical_and(self.less_equal(edges[0], x), self.less_equal(x, edges[-1])))
        place = self.where(outside, count, place)
        counts = self.scatter_reduce(
            self.zeros((count + 1,), "int32"), place[:, None], self.ones_like(place, "int32"), "add"
        )
        return self.cast(counts[:count], self.dtype(x)), edges
