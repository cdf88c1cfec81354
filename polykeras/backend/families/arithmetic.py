"""Arithmetic: remainders, rounding, signs, clipping and whole numbers."""

from __future__ import annotations

from polykeras import dtypes
from polykeras.backend.spec import Array, Family, op

# Euclid's algorithm takes the most steps for neighbouring Fibonacci numbers; these are the steps for each bit width.
_EUCLID_STEPS = {8: 13, 16: 24, 32: 47, 64: 93}


class Arithmetic(Family):
    """Composed from the required elementwise operations."""

    # ---- signs and parts ---------------------------------------------------------------------------------------

    @op("x")
    def absolute(self, x: Array) -> Array:
        """Return the absolute value: another name of `abs`."""
        return self.abs(x)

    @op("x", "float")
    def fabs(self, x: Array) -> Array:
        """Return the absolute value as a float."""
        return self.abs(x)

    @op("x")
    def signbit(self, x: Array) -> Array:
        """Return whether the sign of `x` is minus, as bool. It is true for -0.0 and false for nan."""
        if self.dtype(x) in dtypes.FLOATS:
            return self.less(self.arctan2(x, -1.0), 0)  # the only op that tells -0.0 from 0.0 without a division
        return self.less(x, self.zeros_like(x))

    @op("x1 x2", "float")
    def copysign(self, x1: Array, x2: Array) -> Array:
        """Return the size of `x1` with the sign of `x2`, also where that is -0.0. The slope in `x1` is 1 or -1.

        Args:
            x1: numbers of any shape; integers become floats.
            x2: of a shape that broadcasts with that of `x1`; it has no gradient.
        """
        x1, x2 = self.both_arrays(x1, x2)
        return self.where(self.bitwise_xor(self.signbit(x1), self.signbit(x2)), -x1, x1)

    @op("x1 x2", "float")
    def heaviside(self, x1: Array, x2: Array) -> Array:
        """Return 0 where `x1 < 0`, 1 where `x1 > 0`, `x2` where `x1` is 0, and nan where `x1` is nan.

        Args:
            x1: numbers of any shape; integers become floats.
            x2: of a shape that broadcasts with that of `x1`.
        """
        x1, x2 = self.both_arrays(x1, x2)
        step = self.where(self.isnan(x1), x1, self.cast(self.less(0, x1), self.dtype(x1)))
        return self.where(self.equal(x1, 0), x2, self.stop_gradient(step))

    # ---- quotients and remainders ------------------------------------------------------------------------------

    @op("x1 x2", "float")
    def true_divide(self, x1: Array, x2: Array) -> Array:
        """Return `x1 / x2`: another name of `divide`.

        Args:
            x1: the dividend, of any shape; integers become floats.
            x2: the divisor, of a shape that broadcasts with that of `x1`.
        """
        return self.divide(x1, x2)

    @op("x1 x2", "float")
    def divide_no_nan(self, x1: Array, x2: Array) -> Array:
        """Return `x1 / x2`, or 0 (without a gradient) where `x2` is 0.

        Args:
            x1: the dividend, of any shape; integers become floats.
            x2: the divisor, of a shape that broadcasts with that of `x1`.
        """
        x1, x2 = self.both_arrays(x1, x2)
        zero = self.equal(x2, 0)
        return self.where(zero, 0.0, x1) / self.where(zero, 1.0, x2)

    @op("x1 x2", "common")
    def mod(self, x1: Array, x2: Array) -> Array:
        """Return the remainder of `floor_divide`, with the sign of `x2`; bools become int32.

        Args:
            x1: the dividend, of any shape.
            x2: the divisor, of a shape that broadcasts with that of `x1`.
        """
        return self._remainder(*self._whole(x1, x2), toward_zero=False)

    @op("x1 x2", "common")
    def fmod(self, x1: Array, x2: Array) -> Array:
        """Return the remainder of the division rounded toward zero, with the sign of `x1`, as C's `fmod` does.

        Args:
            x1: the dividend, of any shape.
            x2: the divisor, of a shape that broadcasts with that of `x1`.
        """
        return self._remainder(*self._whole(x1, x2), toward_zero=True)

    def _whole(self, x1: Array, x2: Array) -> tuple[Array, Array]:
        """Return both operands as arrays, bools as int32."""
        x1, x2 = self.both_arrays(x1, x2)
        if self.dtype(x1) == "bool":
            return self.cast(x1, "int32"), self.cast(x2, "int32")
        return x1, x2

    def _remainder(self, x1: Array, x2: Array, toward_zero: bool) -> Array:
        if toward_zero:
            quotient = self.floor_divide(self.abs(x1), self.abs(x2)) * self.sign(x1) * self.sign(x2)
        else:
            quotient = self.floor_divide(x1, x2)
        quotient = self.stop_gradient(quotient)
        zero = self.zeros_like(quotient)
        # An infinite divisor is not multiplied: 0 * inf would be nan.
        divisor = self.where(self.equal(quotient, zero), zero, x2)
        return x1 - quotient * divisor

    @op("x1 x2", "common")
    def gcd(self, x1: Array, x2: Array) -> Array:
        """Return the greatest common divisor of two integers. It is not negative, and 0 for two zeros.

        Args:
            x1: integers of any shape.
            x2: integers, of a shape that broadcasts with that of `x1`.

        Raises:
            TypeError: if the common dtype is not an integer dtype.
        """
        x1, x2 = self.both_arrays(x1, x2)
        a, b = (self.abs(x) for x in (x1, x2))
        one = self.ones_like(b)
        if not dtypes.is_int(self.dtype(a)):
            raise TypeError(f"gcd: expected integers; received dtype {self.dtype(a)}.")
        for _ in range(_EUCLID_STEPS[dtypes.bits(self.dtype(a))]):
            done = self.equal(b, 0)
            divisor = self.where(done, one, b)
            a, b = self.where(done, a, b), self.where(done, b, a - self.floor_divide(a, divisor) * divisor)
        return a

    @op("x1 x2", "common")
    def lcm(self, x1: Array, x2: Array) -> Array:
        """Return the least common multiple of two integers. It is not negative, and 0 if one of them is 0.

        Args:
            x1: integers of any shape.
            x2: integers, of a shape that broadcasts with that of `x1`.

        Raises:
            TypeError: if the common dtype is not an integer dtype.
        """
        x1, x2 = self.both_arrays(x1, x2)
        divisor = self.gcd(x1, x2)
        divisor = self.where(self.equal(divisor, 0), self.ones_like(divisor), divisor)
        return self.floor_divide(self.abs(x1), divisor) * self.abs(x2)

    @op("x1 x2", "float")
    def float_power(self, x1: Array, x2: Array) -> Array:
        """Return `x1` to the power `x2` as a float: `power` of whole numbers too has fractions.

        Args:
            x1: the bases, of any shape; integers become floats.
            x2: the exponents, of a shape that broadcasts with that of `x1`.
        """
        return self.power(x1, x2)

    # ---- rounding ----------------------------------------------------------------------------------------------

    @op("x", "float")
    def ceil(self, x: Array) -> Array:
        """Return the smallest whole number not below `x`, as a float. The gradient is 0."""
        return -self.floor(-x)

    @op("x")
    def trunc(self, x: Array) -> Array:
        """Return `x` rounded toward zero; integers are returned as they are. The gradient is 0."""
        if self.dtype(x) not in dtypes.FLOATS:
            return x
        return self.where(self.less(x, 0), self.ceil(x), self.floor(x))

    @op("x1 x2", "float")
    def nextafter(self, x1: Array, x2: Array) -> Array:
        """Return the next number after `x1` in the direction of `x2`, or `x2` where they are equal. It has no gradient.

        Args:
            x1: where to start; integers become floats.
            x2: where to go, of a shape that broadcasts with that of `x1`.
        """
        x1, x2 = self.both_arrays(x1, x2)
        dtype = self.dtype(x1)
        whole = f"int{dtypes.bits(dtype)}"  # read as integers, floats of one sign keep their order
        up = self.less(x1, x2)
        away_from_zero = self.logical_not(self.bitwise_xor(up, self.less(0, x1)))
        one = self.full((), 1, whole)
        moved = self.bitcast(self.bitcast(x1, whole) + self.where(away_from_zero, one, -one), dtype)
        smallest = self.bitcast(one, dtype)
        moved = self.where(self.equal(x1, 0), self.where(up, smallest, -smallest), moved)
        missing = self.bitwise_or(self.isnan(x1), self.isnan(x2))
        return self.stop_gradient(self.where(missing, x1 + x2, self.where(self.equal(x1, x2), x2, moved)))

    # ---- bounds and nan ----------------------------------------------------------------------------------------

    @op("x x_min x_max", "number")
    def clip(self, x: Array, x_min: Array, x_max: Array) -> Array:
        """Return `x` with values below `x_min` raised to it, then values above `x_max` lowered to it.

        The gradient passes to `x` within the bounds and on them. A bound of None is not applied. Bools become int32.

        Args:
            x: numbers of any shape.
            x_min: the least value, of a shape that broadcasts with that of `x`; or None.
            x_max: the largest value, like `x_min`; it wins if the bounds cross.
        """
        if x_min is not None:
            x = self.where(self.less(x, x_min), x_min, x)
        return x if x_max is None else self.where(self.less(x_max, x), x_max, x)

    @op("x1 x2", "common")
    def fmax(self, x1: Array, x2: Array) -> Array:
        """Return the larger of two numbers, or the other one where one is nan.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        return self.maximum(*self._without_nan(x1, x2))

    @op("x1 x2", "common")
    def fmin(self, x1: Array, x2: Array) -> Array:
        """Return the smaller of two numbers, or the other one where one is nan.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        return self.minimum(*self._without_nan(x1, x2))

    def _without_nan(self, x1: Array, x2: Array) -> tuple[Array, Array]:
        """Return both operands, with each nan replaced by the other operand."""
        x1, x2 = self.both_arrays(x1, x2)
        return self.where(self.isnan(x1), x2, x1), self.where(self.isnan(x2), x1, x2)

    @op("x")
    def nan_to_num(self, x: Array, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Array:
        """Return `x` with nan and infinities replaced by finite numbers.

        Args:
            x: an array; integers are returned as they are.
            nan: the replacement for nan.
            posinf: the replacement for inf; by default, the largest number of the dtype.
            neginf: the replacement for -inf; by default, the lowest number of the dtype.
        """
        dtype = self.dtype(x)
        if dtype not in dtypes.FLOATS:
            return x
        largest = dtypes.limits(dtype)[1]
        x = self.where(self.isnan(x), nan, x)
        x = self.where(self.equal(x, float("inf")), largest if posinf is None else posinf, x)
        return self.where(self.equal(x, float("-inf")), -largest if neginf is None else neginf, x)
