"""Powers, exponentials and logarithms."""

from __future__ import annotations

import math

from polykeras.backend.spec import Array, Family, op

# The terms of the two series of `i0` that float64 needs, and the bound between them.
_I0_SERIES, _I0_ASYMPTOTIC, _I0_SWITCH = 60, 18, 30.0


class Exponential(Family):
    """Composed from `exp`, `log`, `power` and similar operations."""

    @op("x", "float")
    def exp2(self, x: Array) -> Array:
        """Return 2 to the power `x`."""
        return self.power(2.0, x)

    @op("x", "float")
    def log2(self, x: Array) -> Array:
        """Return the logarithm to base 2."""
        return self.log(x) / math.log(2.0)

    @op("x", "float")
    def log10(self, x: Array) -> Array:
        """Return the logarithm to base 10."""
        return self.log(x) / math.log(10.0)

    @op("x1 x2", "float")
    def logaddexp2(self, x1: Array, x2: Array) -> Array:
        """Return `log2(2 ** x1 + 2 ** x2)`, without overflow.

        Args:
            x1: numbers of any shape; integers become floats.
            x2: of a shape that broadcasts with that of `x1`.
        """
        x1, x2 = self.both_arrays(x1, x2)
        same = self.equal(x1, x2)
        distance = self.abs(self.where(same, 0.0, x1) - self.where(same, 0.0, x2))
        return self.maximum(x1, x2) + self.log1p(self.exp2(-distance)) / math.log(2.0)

    @op("x1", "float", others="x2")
    def ldexp(self, x1: Array, x2: Array) -> Array:
        """Return `x1 * 2 ** x2` for an integer `x2`, as a float of the dtype of `x1`.

        Args:
            x1: numbers of any shape; integers become floats.
            x2: integers, of a shape that broadcasts with that of `x1`.

        Raises:
            TypeError: if `x2` does not hold integers.
        """
        if not self.dtype(x2).lstrip("u").startswith("int"):
            raise TypeError(f"ldexp: expected an integer x2; received dtype {self.dtype(x2)}.")
        half = self.right_shift(x2, 1)  # two factors: 2 ** x2 may be out of range even if the result is not
        powers = (self.exp2(self.cast(n, self.dtype(x1))) for n in (half, x2 - half))
        for factor in powers:
            x1 = x1 * factor
        return x1

    @op("x", "float")
    def cbrt(self, x: Array) -> Array:
        """Return the real cube root, negative for a negative `x`. The gradient at 0 is inf."""
        positive = self.where(self.less(x, 0), -x, x)
        root = self.power(positive, 1.0 / 3.0)
        # One Newton step corrects the rounding of 1/3. It is a constant factor, so it does not change the gradient.
        usable = self.bitwise_and(self.less(0, root), self.isfinite(root))
        safe = self.stop_gradient(self.where(usable, root, 1.0))
        value = self.stop_gradient(self.where(usable, positive, 1.0))
        root = root * (1.0 + (value / safe / safe / safe - 1.0) / 3.0)
        return self.where(self.less(x, 0), -root, root)

    @op("x1 x2", "float")
    def hypot(self, x1: Array, x2: Array) -> Array:
        """Return `sqrt(x1 ** 2 + x2 ** 2)`, without overflow. The gradient at the origin is 0.

        Args:
            x1: one side; integers become floats.
            x2: the other side, of a shape that broadcasts with that of `x1`.
        """
        x1, x2 = self.both_arrays(x1, x2)
        a, b = self.abs(x1), self.abs(x2)
        # With an infinite operand the result is infinite, even if the other one is nan.
        infinite = self.bitwise_or(self.equal(a, math.inf), self.equal(b, math.inf))
        long = self.where(infinite, math.inf, self.maximum(a, b))
        usable = self.bitwise_and(self.less(0, long), self.isfinite(long))
        # The result does not depend on the scale, so no gradient has to flow through it.
        scale = self.stop_gradient(self.where(usable, long, 1.0))
        u, v = (self.divide(self.where(usable, x, 0.0), scale) for x in (x1, x2))
        return self.where(usable, scale * self.sqrt(self.where(usable, u * u + v * v, 1.0)), long)

    @op("x", "float")
    def i0(self, x: Array) -> Array:
        """Return the modified Bessel function of the first kind and order 0.

        The power series, whose terms are all positive, is used up to |x| = 30, and the asymptotic series beyond:
        formulas 10.25.2 and 10.40.1 of the NIST Digital Library of Mathematical Functions.
        """
        x = self.where(self.less(x, 0), -x, x)
        small = self.less(x, _I0_SWITCH)
        t = self.square(self.where(small, x, 0.0) * 0.5)
        series = self.ones_like(x)
        for k in range(_I0_SERIES, 0, -1):
            series = 1.0 + t * series * (1.0 / k**2)
        large = self.where(small, _I0_SWITCH, x)
        tail = self.ones_like(x)
        for k in range(_I0_ASYMPTOTIC, 0, -1):
            tail = 1.0 + tail * ((2 * k - 1) ** 2 / (8.0 * k)) / large
        half = self.exp(large * 0.5)  # applied twice: exp(x) would overflow before the result does
        return self.where(small, series, half / self.sqrt(2.0 * math.pi * large) * tail * half)
