"""Elementwise operations and selection."""

from __future__ import annotations

from polykeras.backend.spec import Array, Family, op, required
from polykeras.dtypes import SCALARS


class Elementwise(Family):
    """Elementwise operations. Two operands broadcast as in NumPy.

    The required binary methods take two arrays of one dtype, or an array and a Python scalar, which takes the array's
    dtype. Arrays of a backend also support Python's `+ - * / ** < <= > >=` and unary `-` in this way, and composites
    use them.
    """

    # ---- required: one argument --------------------------------------------------------------------------------

    @required("x")
    def abs(self, x: Array) -> Array:
        """Return the absolute value, which is real for complex numbers. The gradient at 0 is 0."""
        raise NotImplementedError

    @required("x")
    def negative(self, x: Array) -> Array:
        """Return `-x`."""
        raise NotImplementedError

    @required("x", "float")
    def floor(self, x: Array) -> Array:
        """Return the largest whole number not above `x`, as a float. The gradient is 0."""
        raise NotImplementedError

    @required("x")
    def round(self, x: Array, decimals: int = 0) -> Array:
        """Return `x` rounded to `decimals` places, halves to the even neighbour. The gradient is 0.

        Args:
            x: numbers of any shape.
            decimals: a negative number rounds to tens, hundreds, and so on.
        """
        raise NotImplementedError

    @required("x", "float")
    def exp(self, x: Array) -> Array:
        """Return e to the power `x`."""
        raise NotImplementedError

    @required("x", "float")
    def expm1(self, x: Array) -> Array:
        """Return `exp(x) - 1`, exact for small `x`."""
        raise NotImplementedError

    @required("x", "float")
    def log(self, x: Array) -> Array:
        """Return the natural logarithm: -inf at 0, nan below."""
        raise NotImplementedError

    @required("x", "float")
    def log1p(self, x: Array) -> Array:
        """Return `log(1 + x)`, exact for small `x`."""
        raise NotImplementedError

    @required("x", "float")
    def sqrt(self, x: Array) -> Array:
        """Return the square root; nan below 0. The gradient at 0 is inf."""
        raise NotImplementedError

    @required("x", "float")
    def sin(self, x: Array) -> Array:
        """Return the sine of `x` in radians."""
        raise NotImplementedError

    @required("x", "float")
    def cos(self, x: Array) -> Array:
        """Return the cosine of `x` in radians."""
        raise NotImplementedError

    @required("x", "float")
    def tanh(self, x: Array) -> Array:
        """Return the hyperbolic tangent."""
        raise NotImplementedError

    @required("x", "float")
    def erf(self, x: Array) -> Array:
        """Return the error function."""
        raise NotImplementedError

    @required("x", "float")
    def erfinv(self, x: Array) -> Array:
        """Return the inverse of the error function on [-1, 1]: -inf and inf at the ends, nan outside."""
        raise NotImplementedError

    @required("x")
    def real(self, x: Array) -> Array:
        """Return the real part; a real array is returned as it is."""
        raise NotImplementedError

    @required("x")
    def imag(self, x: Array) -> Array:
        """Return the imaginary part; zeros for a real array."""
        raise NotImplementedError

    # ---- required: two arguments -------------------------------------------------------------------------------

    @required("x1 x2", "common")
    def add(self, x1: Array, x2: Array) -> Array:
        """Return `x1 + x2`; for bools, the logical "or".

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    @required("x1 x2", "common")
    def subtract(self, x1: Array, x2: Array) -> Array:
        """Return `x1 - x2`. Not for bools.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    @required("x1 x2", "common")
    def multiply(self, x1: Array, x2: Array) -> Array:
        """Return `x1 * x2`; int32 wraps around; for bools, the logical "and".

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    @required("x1 x2", "float")
    def divide(self, x1: Array, x2: Array) -> Array:
        """Return `x1 / x2`: inf or nan where `x2` is 0.

        Args:
            x1: the dividend, of any shape; integers become floats.
            x2: the divisor, of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    @required("x1 x2", "number")
    def floor_divide(self, x1: Array, x2: Array) -> Array:
        """Return the largest whole number not above `x1 / x2`, in the dtype of the operands (int32 for bools).

        Args:
            x1: the dividend, of any shape.
            x2: the divisor, of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    @required("x1 x2", "number")
    def power(self, x1: Array, x2: Array) -> Array:
        """Return `x1` to the power `x2`; int32 for bools. `0 ** 0` is 1, and its gradient in `x1` is 0, never nan.

        Args:
            x1: the bases, of any shape.
            x2: the exponents, of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    @required("x1 x2", "common")
    def maximum(self, x1: Array, x2: Array) -> Array:
        """Return the larger of two numbers; nan where either is nan. A tie halves the gradient.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    @required("x1 x2", "common")
    def minimum(self, x1: Array, x2: Array) -> Array:
        """Return the smaller of two numbers; nan where either is nan. A tie halves the gradient.

        Args:
            x1: numbers of any shape.
            x2: of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    @required("x1 x2", "float")
    def arctan2(self, x1: Array, x2: Array) -> Array:
        """Return the angle of the point `(x2, x1)` in radians, in [-pi, pi].

        Args:
            x1: the second coordinates; integers become floats.
            x2: the first coordinates, of a shape that broadcasts with that of `x1`.
        """
        raise NotImplementedError

    @required("real imag", "float")
    def complex(self, real: Array, imag: Array) -> Array:
        """Return complex numbers from two float arrays of one dtype, float32 or float64."""
        raise NotImplementedError

    @required("x1 x2", "common", others="condition")
    def where(self, condition: Array, x1: Array, x2: Array) -> Array:
        """Return `x1` where `condition` (bool) holds, else `x2`; all three broadcast.

        The gradient of the branch that is not taken is 0 times that branch's own gradient. So a composite guards its
        argument first (the "double where"), so that no nan gets through.

        Args:
            condition: bools.
            x1: brought to a common dtype with `x2`.
            x2: see `x1`.
        """
        raise NotImplementedError

    # ---- composed ----------------------------------------------------------------------------------------------

    def both_arrays(self, x1: Array, x2: Array) -> tuple[Array, Array]:
        """Return both operands as arrays of one dtype; one of them may be a Python scalar."""
        if type(x1) in SCALARS:
            return self.full((), x1, self.dtype(x2)), x2
        return x1, self.full((), x2, self.dtype(x1)) if type(x2) in SCALARS else x2

    @op("x", "common")
    def square(self, x: Array) -> Array:
        """Return `x * x`; bools become int32."""
        x = self.cast(x, "int32") if self.dtype(x) == "bool" else x
        return self.multiply(x, x)

    @op("x", "float")
    def rsqrt(self, x: Array) -> Array:
        """Return `1 / sqrt(x)`."""
        return 1.0 / self.sqrt(x)

    @op("x", "float")
    def reciprocal(self, x: Array) -> Array:
        """Return `1 / x`."""
        return 1.0 / x

    @op("x")
    def sign(self, x: Array) -> Array:
        """Return -1, 0 or 1 by the sign of `x`, in its dtype; nan stays nan."""
        x = self.stop_gradient(x)
        zero = self.zeros_like(x)
        one = self.ones_like(x)
        negative = one if self.dtype(x).startswith("uint") else -one
        return self.where(self.less(zero, x), one, self.where(self.less(x, zero), negative, x))

    @op("x", "float")
    def sigmoid(self, x: Array) -> Array:
        """Return `1 / (1 + exp(-x))`.

        It is computed from one exponential of `-|x|`, so that neither the value nor the gradient overflows and small
        results keep their precision.
        """
        z = self.exp(self.where(self.less(x, 0), x, -x))  # not -abs(x), whose gradient at 0 is 0
        return self.divide(self.where(self.less(x, 0), z, 1.0), self.add(z, 1.0))  # not `/`: bfloat16

    @op("x", "float")
    def softplus(self, x: Array) -> Array:
        """Return `log(1 + exp(x))`, without overflow."""
        return self.logaddexp(x, self.zeros_like(x))

    @op("x1 x2", "float")
    def logaddexp(self, x1: Array, x2: Array) -> Array:
        """Return `log(exp(x1) + exp(x2))`, without overflow, even for two equal infinities.

        Args:
            x1: numbers of any shape; integers become floats.
            x2: of a shape that broadcasts with that of `x1`.
        """
        x1, x2 = self.both_arrays(x1, x2)
        same = self.equal(x1, x2)  # including infinities, whose difference would be nan
        distance = self.abs(self.where(same, 0.0, x1) - self.where(same, 0.0, x2))
        return self.maximum(x1, x2) + self.log1p(self.exp(-distance))
