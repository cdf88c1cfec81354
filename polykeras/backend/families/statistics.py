"""Order statistics, correlation and differences."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from polykeras import config
from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Axis, Family, op

QuantileMethod = Literal["linear", "lower", "higher", "midpoint", "nearest"]
_QUANTILE_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


class Statistics(Family):
    """Composed from sorting, reductions and products."""

    # ---- quantiles ---------------------------------------------------------------------------------------------

    @op("x", "float")
    def quantile(
        self, x: Array, q: Any, axis: Axis = None, method: QuantileMethod = "linear", keepdims: bool = False
    ) -> Array:
        """Return quantiles over `axis`; nan where any element is nan.

        Args:
            x: an array.
            q: probabilities in [0, 1], a number or a vector. Host values are placed exactly.
            axis: an int, several, or None for all.
            method: how to interpolate between two neighbouring elements.
            keepdims: keep reduced axes with size 1.

        Returns:
            Shape `q.shape` plus the shape of the reduction.
        """
        lines, kept = self._lines(x, axis)
        low, high, weight = self._between(q, self.shape(lines)[-1], method)
        ordered = self.sort(lines, -1)
        result = self._mixed(self.take(ordered, low, -1), self.take(ordered, high, -1), weight)
        missing = self.any(self.isnan(lines), -1)
        missing = self.reshape(missing, (*self.shape(missing), *(1,) * self.ndim(low)))
        return self._arranged(self.where(missing, math.nan, result), self.ndim(low), kept if keepdims else None)

    @op("x", "float")
    def nanquantile(
        self, x: Array, q: Any, axis: Axis = None, method: QuantileMethod = "linear", keepdims: bool = False
    ) -> Array:
        """Return quantiles over `axis` without nan; nan if there are no other elements.

        Args:
            x: numbers; integers become floats.
            q: fractions in [0, 1], a scalar or a vector.
            axis: one axis, several, or None for all.
            method: see `quantile`.
            keepdims: keep the reduced axes, with size 1.
        """
        lines, kept = self._lines(x, axis)
        count = self.sum(self.cast(self.equal(lines, lines), self.dtype(lines)), -1)
        dtype = self.dtype(lines)
        q = self.cast(q, dtype) if self.is_tensor(q) else self.asarray(q, dtype)
        ndim = self.ndim(q)
        count = self.reshape(count, (*self.shape(count), *(1,) * ndim))
        low, high, weight = self._between(q, self.maximum(count, 1.0), method)
        index_shape = (*self.shape(low)[: self.ndim(low) - ndim], -1)
        ordered = self.sort(lines, -1)
        ends = (self.take_along_axis(ordered, self.reshape(place, index_shape), -1) for place in (low, high))
        lower, upper = (self.reshape(end, self.shape(low)) for end in ends)
        result = self._mixed(lower, upper, weight)
        return self._arranged(result, ndim, kept if keepdims else None)

    def _lines(self, x: Array, axis: Axis) -> tuple[Array, tuple[int, ...]]:
        """Return `x` with the axes to reduce flattened into the last one, and its shape with size 1 for them."""
        shape = self.shape(x)
        axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
        axes = tuple(canonical_axis(a, len(shape)) for a in axes)
        x = self.moveaxis(x, axes, range(-len(axes), 0)) if axes else self.expand_dims(x, -1)
        batch = self.shape(x)[: len(shape) - len(axes)]
        x = self.reshape(x, (*batch, self.reduced_size(x, tuple(range(len(batch), self.ndim(x))))))
        return x, tuple(1 if i in axes else n for i, n in enumerate(shape))

    def _between(self, q: Any, count: Any, method: str) -> tuple[Array, Array, Array]:
        """Return the int32 indices of the two neighbours of each quantile and the weight of the upper one.

        Args:
            q: host numbers, or an array.
            count: the number of elements: an int, or a float array if `q` is an array.
            method: see `quantile`.
        """
        if method not in _QUANTILE_METHODS:
            raise ValueError(f"quantile: expected a method of {', '.join(_QUANTILE_METHODS)}; received {method!r}.")
        if self.is_tensor(q):
            place = q * (count - 1)
            low, nearest = self.floor(place), self.round(place)
            high = self.minimum(low + 1, self.ones_like(low) * (count - 1))
        else:
            place = np.asarray(q, "float64") * (count - 1)
            low, nearest = np.floor(place), np.round(place)
            high = np.minimum(low + 1, count - 1)
        weight = {"linear": place - low, "midpoint": 0.5}.get(method, 0.0)
        if method in ("higher", "midpoint"):  # an exact index has no upper neighbour
            high = low + (place > low) if not self.is_tensor(q) else low + self.cast(low < place, self.dtype(low))
            low = high if method == "higher" else low
        if method == "nearest":
            low = high = nearest
        if self.is_tensor(q):
            return self.cast(low, "int32"), self.cast(high, "int32"), weight + self.zeros_like(place)
        weights = self.host_constant(np.broadcast_to(weight, place.shape), config.floatx())
        return self.host_constant(low, "int32"), self.host_constant(high, "int32"), weights

    def _mixed(self, low: Array, high: Array, weight: Array) -> Array:
        """Return `low` moved towards `high` by `weight`; equal infinities stay."""
        same = self.equal(low, high)
        step = self.where(same, 0.0, high) - self.where(same, 0.0, low)
        return low + self.cast(weight, self.dtype(low)) * step

    def _arranged(self, result: Array, ndim: int, kept: tuple[int, ...] | None) -> Array:
        """Return `result` with its last `ndim` axes, those of the quantiles, moved to the front."""
        result = self.moveaxis(result, range(-ndim, 0), range(ndim)) if ndim else result
        return result if kept is None else self.reshape(result, (*self.shape(result)[:ndim], *kept))

    @op("x", "float")
    def percentile(
        self, x: Array, q: Any, axis: Axis = None, method: QuantileMethod = "linear", keepdims: bool = False
    ) -> Array:
        """Return percentiles over `axis`: `quantile` with `q` in [0, 100].

        Args:
            x: numbers; integers become floats.
            q: a scalar or a vector.
            axis: one axis, several, or None for all.
            method: see `quantile`.
            keepdims: keep the reduced axes, with size 1.
        """
        return self.quantile(x, self._hundredth(q), axis, method, keepdims)

    @op("x", "float")
    def nanpercentile(
        self, x: Array, q: Any, axis: Axis = None, method: QuantileMethod = "linear", keepdims: bool = False
    ) -> Array:
        """Return percentiles over `axis` without nan: `nanquantile` with `q` in [0, 100].

        Args:
            x: numbers; integers become floats.
            q: a scalar or a vector.
            axis: one axis, several, or None for all.
            method: see `quantile`.
            keepdims: keep the reduced axes, with size 1.
        """
        return self.nanquantile(x, self._hundredth(q), axis, method, keepdims)

    def _hundredth(self, q: Any) -> Any:
        return self.cast(q, config.floatx()) / 100.0 if self.is_tensor(q) else np.asarray(q, "float64") / 100.0

    @op("x", "float")
    def median(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the median over `axis`; nan where any element is nan.

        Args:
            x: numbers; integers become floats.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self.quantile(x, 0.5, axis, "linear", keepdims)

    @op("x", "float")
    def nanmedian(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Return the median over `axis` without nan; nan if there are no other elements.

        Args:
            x: numbers; integers become floats.
            axis: one axis, several, or None for all.
            keepdims: keep the reduced axes, with size 1.
        """
        return self.nanquantile(x, 0.5, axis, "linear", keepdims)

    # ---- correlation and differences ---------------------------------------------------------------------------

    @op("x", "float")
    def corrcoef(self, x: Array) -> Array:
        """Return the matrix of correlations between the rows of `x`; for a vector, the scalar 1."""
        vector = self.ndim(x) < 2
        rows = self.reshape(x, (1, -1)) if vector else x
        rows = rows - self.mean(rows, 1, True)
        covariance = self.matmul(rows, self.transpose(rows))
        scale = self.sqrt(self.diagonal(covariance))
        result = self.clip(covariance / scale[:, None] / scale[None, :], -1.0, 1.0)
        return result[0, 0] if vector else result

    @op("x", "float")
    def cov(self, x: Array) -> Array:
        """Return the matrix of covariances between the rows of `x`, divided by one less than their length.

        For a vector, it is the scalar variance; for rows of one number, nan.
        """
        rows = self.reshape(x, (1, -1)) if self.ndim(x) < 2 else x
        rows = rows - self.mean(rows, 1, True)
        count = self.reduced_size(rows, 1) * self.ones((), self.dtype(x))
        result = self.matmul(rows, self.transpose(rows)) / (count - 1.0)
        return result[0, 0] if self.ndim(x) < 2 else result

    @op("x1 x2", "float")
    def correlate(self, x1: Array, x2: Array, mode: Literal["valid", "same", "full"] = "valid") -> Array:
        """Return the cross-correlation `c[k] = sum_n x1[n + k] * x2[n]` of two vectors.

        Args:
            x1: a vector of `m` numbers.
            x2: a vector of `n` numbers.
            mode: `"full"` returns each of the `m + n - 1` overlaps, `"same"` the middle `max(m, n)`, `"valid"` those
                in which the shorter vector lies completely within the longer one.

        Raises:
            ValueError: if an operand is not a vector, or the mode is unknown.
        """
        if self.ndim(x1) != 1 or self.ndim(x2) != 1 or mode not in ("valid", "same", "full"):
            raise ValueError(
                f'correlate: expected two vectors and a mode "valid", "same" or "full"; received shapes '
                f"{self.shape(x1)} and {self.shape(x2)}, and {mode!r}."
            )
        m, n = self.shape(x1)[0], self.shape(x2)[0]
        if m < n:  # reverse the sum
            return self.flip(self.correlate(x2, x1, mode))
        before, after = {"valid": (0, 0), "same": (n // 2, n - 1 - n // 2), "full": (n - 1, n - 1)}[mode]
        result = self.conv_nd(x1[None, :, None], x2[:, None, None], (1,), [(before, after)], (1,))
        return result[0, :, 0]

    @op("a")
    def diff(self, a: Array, n: int = 1, axis: int = -1) -> Array:
        """Return the differences of neighbours along `axis`, taken `n` times; for bools, whether they differ.

        Args:
            a: at least one axis.
            n: the number of times; each makes the axis one shorter.
            axis: one axis.

        Raises:
            ValueError: if `n` is negative.
        """
        axis = canonical_axis(axis, self.ndim(a))
        if n < 0:
            raise ValueError(f"diff: expected n of 0 or more; received {n}.")
        for _ in range(n):
            size = self.shape(a)[axis]
            later, earlier = self.slice_axis(a, 1, size, axis), self.slice_axis(a, 0, max(size - 1, 0), axis)
            a = self.not_equal(later, earlier) if self.dtype(a) == "bool" else later - earlier
        return a

    @op("y x", "float")
    def trapezoid(self, y: Array, x: Array | None = None, dx: float = 1.0, axis: int = -1) -> Array:
        """Return the integral of samples along `axis` by the trapezoidal rule.

        Args:
            y: samples.
            x: the sample points, a vector or of the shape of `y`; None spaces them evenly by `dx`.
            dx: the distance between sample points if `x` is None.
            axis: the axis to integrate along.
        """
        axis = canonical_axis(axis, self.ndim(y))
        size = self.shape(y)[axis]
        sums = self.slice_axis(y, 1, size, axis) + self.slice_axis(y, 0, size - 1, axis)
        if x is None:
            return self.sum(sums, axis) * (0.5 * dx)
        steps = self.diff(x, axis=axis if self.ndim(x) == self.ndim(y) else -1)
        if self.ndim(steps) == 1:
            steps = self.reshape(steps, (-1, *(1,) * (self.ndim(y) - axis - 1)))
        return self.sum(sums * steps, axis) * 0.5
