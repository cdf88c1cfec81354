"""Special functions, segments, ranks and distances."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from polykeras import dtypes
from polykeras.backend.spec import Array, Family, op

# (1 + 2 x) exp(x ** 2) erfc(x) for x >= 0 as a Chebyshev series in (x - K) / (x + K): M. M. Shepherd and J. G.
# Laframboise, Mathematics of Computation 36 (1981). We computed the coefficients ourselves with 40 digits. The first 12
# are accurate to 1.3e-8, all 24 to 7e-16.
_ERFC_K = 3.75
_ERFC_SERIES = (
    1.1775789345674017, -0.004590054580646478, -0.08424913336651792, 0.05920993999819189, -0.026658668435305753,
    0.009074997670705265, -0.002413163540417608, 0.0004907758365258086, -6.916973302501207e-05, 4.13902798607301e-06,
    7.74038306619849e-07, -2.1886401049234397e-07, 1.076499946567091e-08, 4.521959811218287e-09,
    -7.754400208831351e-10, -6.318088340886684e-11, 2.86879501093067e-11, 1.9455868545777347e-13,
    -9.65469674843344e-13, 3.25254814814874e-14, 3.3478119482868056e-14, -1.864562880419313e-15,
    -1.2507950530688648e-15, 7.418235256624044e-17,
)  # fmt: skip


class Special(Family):
    """Functions that are neither plain arithmetic nor layers."""

    @op("x", "float")
    def erfc(self, x: Array) -> Array:
        """Return `1 - erf(x)`, with full precision even for tiny results."""

        @self.custom_gradient
        def complement(x: Array) -> tuple[Array, Any]:
            def gradient(upstream: Array) -> Array:
                return upstream * (-2.0 / math.sqrt(math.pi)) * self.exp(-(x * x))

            tail = self._erfc_of_positive(self.abs(x))
            return self.where(x < 0, 2.0 - tail, tail), gradient

        dtype = self.dtype(x)
        return self.cast(complement(self._wide(x)), dtype)

    def _erfc_of_positive(self, x: Array) -> Array:
        x = self.minimum(x, 30.0)  # erfc is 0 there in any dtype
        terms = 24 if self.dtype(x) == "float64" else 12
        t = 1.0 - (2.0 * _ERFC_K) / (x + _ERFC_K)
        current, last = self.zeros_like(x), self.zeros_like(x)
        for coefficient in reversed(_ERFC_SERIES[1:terms]):  # Clenshaw's recurrence
            current, last = 2.0 * t * current - last + coefficient, current
        scaled = (t * current - last + _ERFC_SERIES[0]) / (1.0 + 2.0 * x)
        # x ** 2 is split in two parts, the larger one exact: an error of x ** 2 is a relative error of the exponential.
        near = self.floor(x * 16.0) * (1.0 / 16.0)
        return self.exp(-(near * near)) * self.exp(-((x - near) * (x + near))) * scaled

    # ---- segments ----------------------------------------------------------------------------------------------

    def _segment_rows(self, data: Array, segment_ids: Array, num_segments: int | None) -> tuple[Array, Array, int]:
        """Return the rows, their int32 segments of shape `(rows,)`, and the number of segments.

        A row whose id is not a segment gets the number after the last one.
        """
        shape, leading = self.shape(data), self.shape(segment_ids)
        if not leading or shape[: len(leading)] != leading:
            raise ValueError(
                f"`segment_ids` must have the shape of the first axes of `data`; received shapes {leading} and {shape}."
            )
        count = math.prod(leading)
        ids = self.cast(self.reshape(segment_ids, (count,)), "int32")
        if num_segments is None:
            last: int = self.size_from(
                self.max(ids, initial=-1),
                "segment_*: the largest number is unknown while a function is compiled. Give `num_segments`.",
            )
            num_segments = 1 + last
        inside = self.logical_and(ids >= 0, ids < num_segments)
        rows = self.reshape(data, (count, *shape[len(leading) :]))
        return rows, self.where(inside, ids, num_segments), num_segments

    def _segment_scatter(
        self, rows: Array, ids: Array, count: int, reduction: Literal["add", "max", "min", "mul"], start: float
    ) -> Array:
        """Return the reduction of the rows of each segment, and last, that of rows that belong to none."""
        total = self.full((count + 1, *self.shape(rows)[1:]), start, self.dtype(rows))
        return self.scatter_reduce(total, self.expand_dims(ids, 1), rows, reduction)

    @op("data", indices="segment_ids")
    def segment_sum(
        self, data: Array, segment_ids: Array, num_segments: int | None = None, sorted: bool = False
    ) -> Array:
        """Return the sum of the rows of each segment; 0 for a segment without rows.

        Args:
            data: shape `(*leading, ...)`.
            segment_ids: ints, shape `leading`: the segment of each row. Rows with numbers out of range are left out.
            num_segments: the number of segments; by default (outside compiled functions), up to the largest number.
            sorted: a hint that the ids are in ascending order.

        Returns:
            Shape `(num_segments, ...)`.
        """
        rows, ids, count = self._segment_rows(data, segment_ids, num_segments)
        return self._segment_scatter(rows, ids, count, "add", 0)[:count]

    @op("data", indices="segment_ids")
    def segment_max(
        self, data: Array, segment_ids: Array, num_segments: int | None = None, sorted: bool = False
    ) -> Array:
        """Return the maximum of the rows of each segment; -inf, or the lowest integer, for a segment without rows.

        Arguments as for `segment_sum`. Equal maxima share the gradient evenly.
        """
        return self._segment_extreme(data, segment_ids, num_segments, "max")

    @op("data", indices="segment_ids")
    def segment_min(
        self, data: Array, segment_ids: Array, num_segments: int | None = None, sorted: bool = False
    ) -> Array:
        """Return the minimum of the rows of each segment; inf, or the highest integer, for a segment without rows.

        Arguments as for `segment_sum`. Equal minima share the gradient evenly.
        """
        return self._segment_extreme(data, segment_ids, num_segments, "min")

    def _segment_extreme(
        self, data: Array, segment_ids: Array, num_segments: int | None, reduction: Literal["max", "min"]
    ) -> Array:
        rows, ids, count = self._segment_rows(data, segment_ids, num_segments)
        dtype = self.dtype(rows)
        if dtypes.is_float(dtype):
            start = -math.inf if reduction == "max" else math.inf
        else:
            start = dtypes.limits(dtype)[0 if reduction == "max" else 1]

        def extreme(rows: Array) -> tuple[Array, Callable[[Array], Array]]:
            result = self._segment_scatter(self.stop_gradient(rows), ids, count, reduction, start)

            def gradient(upstream: Array) -> Array:
                won = self.cast(self.equal(rows, self.take(result, ids, 0)), dtype)
                ties = self._segment_scatter(won, ids, count, "add", 0)
                share = self._with_last_row(upstream) / self.maximum(ties, 1.0)
                return won * self.take(share, ids, 0)

            return result[:count], gradient

        return self.custom_gradient(extreme)(rows) if dtypes.is_float(dtype) else extreme(rows)[0]

    def _with_last_row(self, x: Array) -> Array:
        """Return `x` with zeros appended for rows that belong to no segment."""
        return self.constant_pad(x, [(0, 1)] + [(0, 0)] * (self.ndim(x) - 1))

    @op("data", indices="segment_ids")
    def segment_prod(
        self, data: Array, segment_ids: Array, num_segments: int | None = None, sorted: bool = False
    ) -> Array:
        """Return the product of the rows of each segment; 1 for a segment without rows.

        Args:
            data: see `segment_sum`.
            segment_ids: see `segment_sum`.
            num_segments: see `segment_sum`.
            sorted: see `segment_sum`.
        """
        rows, ids, count = self._segment_rows(data, segment_ids, num_segments)
        dtype = self.dtype(rows)

        def product(rows: Array) -> tuple[Array, Callable[[Array], Array]]:
            result = self._segment_scatter(self.stop_gradient(rows), ids, count, "mul", 1)

            def gradient(upstream: Array) -> Array:
                zero = self.equal(rows, 0)
                factors = self.where(zero, 1.0, rows)
                zeros = self._segment_scatter(self.cast(zero, dtype), ids, count, "add", 0)
                others = self.take(self._segment_scatter(factors, ids, count, "mul", 1), ids, 0) / factors
                # The other factors contain a zero, unless the only zero of the segment is the row's own.
                alone = self.equal(self.take(zeros, ids, 0), self.cast(zero, dtype))
                return self.where(alone, others, 0.0) * self.take(self._with_last_row(upstream), ids, 0)

            return result[:count], gradient

        return self.custom_gradient(product)(rows) if dtypes.is_float(dtype) else product(rows)[0]

    # ---- ranks and distances -----------------------------------------------------------------------------------

    @op("predictions", others="targets")
    def in_top_k(self, targets: Array, predictions: Array, k: int) -> Array:
        """Return, as bool, whether fewer than `k` classes have a higher prediction than the true one.

        Args:
            targets: int classes, shape `(batch,)`; the result is False for a class out of range.
            predictions: shape `(batch, classes)`; nan counts as lowest.
            k: the number of best classes.
        """
        scores = self.where(self.isnan(predictions), -math.inf, predictions)
        last = self.shape(scores)[-1] - 1
        targets = self.cast(targets, "int32")
        places = self.maximum(self.minimum(targets, last), 0)
        true = self.take_along_axis(scores, self.expand_dims(places, -1), -1)
        return self.bitwise_and(self.sum(self.cast(scores > true, "int32"), -1) < k, self.equal(places, targets))

    @op("x y", "float")
    def cdist(self, x: Array, y: Array) -> Array:
        """Return the Euclidean distances of all pairs of vectors; the gradient of a distance of 0 is 0.

        Args:
            x: shape `(..., m, depth)`.
            y: shape `(..., n, depth)`.

        Returns:
            Shape `(..., m, n)`.

        Raises:
            ValueError: if an array has fewer than two axes, or the depths differ.
        """
        if min(self.ndim(x), self.ndim(y)) < 2 or self.shape(x)[-1] != self.shape(y)[-1]:
            raise ValueError(
                "cdist needs two arrays (..., vectors, depth) of one depth; received shapes "
                f"{self.shape(x)} and {self.shape(y)}."
            )
        difference = self.expand_dims(x, -2) - self.expand_dims(y, -3)
        return self._vector_norm(difference, 2, (self.ndim(difference) - 1,))
