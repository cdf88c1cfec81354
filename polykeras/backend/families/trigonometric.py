"""Circular and hyperbolic functions."""

from __future__ import annotations

import math

from polykeras.backend.spec import Array, Family, op


class Trigonometric(Family):
    """Composed from `sin`, `cos`, `tanh`, `arctan2`, exponentials and logarithms. Angles are in radians."""

    @op("x", "float")
    def tan(self, x: Array) -> Array:
        """Return the tangent of `x` in radians."""
        return self.sin(x) / self.cos(x)

    @op("x", "float")
    def arcsin(self, x: Array) -> Array:
        """Return the angle in [-pi/2, pi/2] whose sine is `x`; nan outside [-1, 1]."""
        return self.arctan2(x, self._other_leg(x))

    @op("x", "float")
    def arccos(self, x: Array) -> Array:
        """Return the angle in [0, pi] whose cosine is `x`; nan outside [-1, 1]."""
        return self.arctan2(self._other_leg(x), x)

    def _other_leg(self, x: Array) -> Array:
        """Return `sqrt(1 - x ** 2)`, exact near 1. The gradient there is infinite, not nan."""
        return self.sqrt(1.0 - x) * self.sqrt(1.0 + x)

    @op("x", "float")
    def arctan(self, x: Array) -> Array:
        """Return the angle in [-pi/2, pi/2] whose tangent is `x`."""
        return self.arctan2(x, 1.0)

    @op("x", "float")
    def sinh(self, x: Array) -> Array:
        """Return the hyperbolic sine."""
        up, down = self.expm1(x * 0.5), self.expm1(x * -0.5)
        return (up - down) * (1.0 + (up + down) * 0.5)  # 2 sinh(x/2) cosh(x/2): overflows only if sinh(x) does

    @op("x", "float")
    def cosh(self, x: Array) -> Array:
        """Return the hyperbolic cosine."""
        twice_sinh = self.expm1(x * 0.5) - self.expm1(x * -0.5)
        return 1.0 + 0.5 * twice_sinh * twice_sinh

    @op("x", "float")
    def arcsinh(self, x: Array) -> Array:
        """Return the inverse of `sinh`."""
        size = self.where(self.less(x, 0), -x, x)  # not abs, because its gradient at 0 is 0
        finite = self.isfinite(size)
        a = self.where(finite, size, 0.0)
        result = self.log1p(a + a * self.divide(a, 1.0 + self.hypot(a, 1.0)))
        result = self.where(finite, result, self.stop_gradient(size))
        return self.where(self.less(x, 0), -result, result)

    @op("x", "float")
    def arccosh(self, x: Array) -> Array:
        """Return the inverse of `cosh`, not negative; nan below 1."""
        infinite = self.equal(x, math.inf)
        a = self.where(infinite, 2.0, x)
        result = self.log1p((a - 1.0) + self.sqrt(a - 1.0) * self.sqrt(a + 1.0))
        return self.where(infinite, math.inf, result)

    @op("x", "float")
    def arctanh(self, x: Array) -> Array:
        """Return the inverse of `tanh`: infinite at -1 and 1, nan beyond."""
        return 0.5 * (self.log1p(x) - self.log1p(-x))

    @op("x", "float")
    def deg2rad(self, x: Array) -> Array:
        """Return degrees as radians."""
        return x * (math.pi / 180.0)

    @op("x", "float")
    def rad2deg(self, x: Array) -> Array:
        """Return radians as degrees."""
        return x * (180.0 / math.pi)

    @op("x", "float")
    def sinc(self, x: Array) -> Array:
        """Return `sin(pi x) / (pi x)`, which is 1 at 0.

        Near 0 the power series is used, since the gradient of the quotient loses all precision there.
        """
        y = math.pi * x
        small = self.less(self.abs(x), 0.15)
        t = self.square(self.where(small, y, 0.0))
        series = 1.0 - t / 6.0 * (1.0 - t / 20.0 * (1.0 - t / 42.0 * (1.0 - t / 72.0 * (1.0 - t / 110.0))))
        y = self.where(small, 1.0, y)
        return self.where(small, series, self.sin(y) / y)
