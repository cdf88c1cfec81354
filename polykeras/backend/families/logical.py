"""Comparisons and logic."""

from __future__ import annotations

import math

from polykeras import dtypes
from polykeras.backend.spec import Array, Family, op, required


class Logical(Family):
    """Composed from `equal`, `less` and the operations of `Bitwise`."""

    # ---- required ----------------------------------------------------------------------------------------------

    @required("x1 x2", "common")
    def equal(self, x1: Array, x2: Array) -> Array:
        """Return whether `x1 == x2`, elementwise, as bool; nan equals nothing.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    @required("x1 x2", "common")
    def less(self, x1: Array, x2: Array) -> Array:
        """Return whether `x1 < x2`, elementwise, as bool.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    # ---- comparisons -------------------------------------------------------------------------------------------

    @op("x1 x2", "common")
    def not_equal(self, x1: Array, x2: Array) -> Array:
        """Return whether `x1 != x2`, elementwise, as bool; nan differs from everything.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        return self.logical_not(self.equal(x1, x2))

    @op("x1 x2", "common")
    def greater(self, x1: Array, x2: Array) -> Array:
        """Return whether `x1 > x2`, elementwise, as bool.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        return self.less(x2, x1)

    @op("x1 x2", "common")
    def less_equal(self, x1: Array, x2: Array) -> Array:
        """Return whether `x1 <= x2`, elementwise, as bool.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        return self.bitwise_or(self.less(x1, x2), self.equal(x1, x2))

    @op("x1 x2", "common")
    def greater_equal(self, x1: Array, x2: Array) -> Array:
        """Return whether `x1 >= x2`, elementwise, as bool.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        return self.less_equal(x2, x1)

    @op("x1 x2", "float")
    def isclose(self, x1: Array, x2: Array, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Array:
        """Return whether `|x1 - x2| <= atol + rtol * |x2|`, elementwise, as bool.

        Args:
            x1: numbers.
            x2: numbers to measure by. An infinity is close to itself only.
            rtol: tolerance relative to `x2`.
            atol: absolute tolerance.
            equal_nan: whether two nan are close.
        """
        x1, x2 = self.both_arrays(x1, x2)
        finite = self.bitwise_and(self.isfinite(x1), self.isfinite(x2))
        a, b = (self.where(finite, x, 0.0) for x in (x1, x2))
        close = self.bitwise_and(finite, self.less_equal(self.abs(a - b), atol + rtol * self.abs(b)))
        close = self.bitwise_or(close, self.equal(x1, x2))
        return self.bitwise_or(close, self.bitwise_and(self.isnan(x1), self.isnan(x2))) if equal_nan else close

    # ---- kinds of numbers --------------------------------------------------------------------------------------

    @op("x")
    def isnan(self, x: Array) -> Array:
        """Return whether each element is nan, as bool."""
        return self.logical_not(self.equal(x, x))

    @op("x")
    def isfinite(self, x: Array) -> Array:
        """Return whether each element is neither nan nor infinite, as bool."""
        inexact = self.dtype(x) in dtypes.FLOATS + dtypes.COMPLEX
        return self.less(self.abs(x), math.inf) if inexact else self.equal(x, x)

    @op("x")
    def isinf(self, x: Array) -> Array:
        """Return whether each element is infinite, as bool."""
        return self.equal(self.abs(x), math.inf) if self._is_inexact(x) else self._nowhere(x)

    @op("x")
    def isposinf(self, x: Array) -> Array:
        """Return whether each element is inf, as bool."""
        return self.equal(x, math.inf) if self._is_inexact(x) else self._nowhere(x)

    @op("x")
    def isneginf(self, x: Array) -> Array:
        """Return whether each element is -inf, as bool."""
        return self.equal(x, -math.inf) if self._is_inexact(x) else self._nowhere(x)

    @op("x")
    def isreal(self, x: Array) -> Array:
        """Return whether the imaginary part of each element is 0, as bool."""
        return self.equal(self.imag(x), 0) if self.dtype(x) in dtypes.COMPLEX else self.logical_not(self._nowhere(x))

    def _is_inexact(self, x: Array) -> bool:
        return self.dtype(x) in dtypes.FLOATS + dtypes.COMPLEX

    def _nowhere(self, x: Array) -> Array:
        return self.full(self.shape(x), False, "bool")

    # ---- logic -------------------------------------------------------------------------------------------------

    @op("x")
    def logical_not(self, x: Array) -> Array:
        """Return whether each element is zero or False, as bool."""
        return self.equal(x, False if self.dtype(x) == "bool" else 0)

    @op("x1 x2")
    def logical_and(self, x1: Array, x2: Array) -> Array:
        """Return whether both are true (not 0), as bool.

        Args:
            x1: bools or numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        return self.bitwise_and(self.cast(x1, "bool"), self.cast(x2, "bool"))

    @op("x1 x2")
    def logical_or(self, x1: Array, x2: Array) -> Array:
        """Return whether one or both are true (not 0), as bool.

        Args:
            x1: bools or numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        return self.bitwise_or(self.cast(x1, "bool"), self.cast(x2, "bool"))

    @op("x1 x2")
    def logical_xor(self, x1: Array, x2: Array) -> Array:
        """Return whether exactly one is true (not 0), as bool.

        Args:
            x1: bools or numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        return self.bitwise_xor(self.cast(x1, "bool"), self.cast(x2, "bool"))
