"""The gamma function's logarithm, and the incomplete gamma function."""

from __future__ import annotations

import math

import numpy as np

from polykeras.backend.spec import Array, Family, op

# The Taylor series of log(gamma(2 + t)) after the term 1 - Euler's constant: (-1)^k (zeta(k) - 1) / k for k = 2, 3, ...
# We computed the coefficients ourselves with 40 digits. For |t| <= 1/2, all 26 are accurate to 1e-17, 12 to 1e-9.
_TAYLOR = (
    0.42278433509846713, 0.3224670334241132, -0.0673523010531981, 0.020580808427784546, -0.007385551028673986,
    0.0028905103307415234, -0.001192753911703261, 0.0005096695247430425, -0.00022315475845357939, 9.945751278180853e-05,
    -4.492623673813314e-05, 2.050721277567069e-05, -9.439488275268397e-06, 4.374866789907488e-06,
    -2.039215753801366e-06, 9.55141213040742e-07, -4.492469198764566e-07, 2.1207184805554665e-07,
    -1.0043224823968099e-07, 4.7698101693639804e-08, -2.2711094608943164e-08, 1.0838659214896955e-08,
    -5.183475041970047e-09, 2.4836745438024785e-09, -1.1921401405860912e-09, 5.731367241678862e-10,
)  # fmt: skip
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400)
_LARGE = 8.0  # from here on, Stirling's series is accurate to 1e-16
_FAR = 1e15  # such numbers are not squared: float32 would overflow
_ENDLESS = 1e36  # in place of inf, which has no difference from itself


class GammaFunctions(Family):
    """Composed so that the same code gives the values and all gradients, on every backend."""

    @op("x", "float")
    def lgamma(self, x: Array) -> Array:
        """Return `log(|gamma(x)|)`: inf at 0, -1, -2, ... and at both infinities, as in C.

        Below 1/2, the reflection formula (DLMF 5.5.3) is used; up to 8, the recurrence and the Taylor series at 2 (DLMF
        5.7.3); above, Stirling's series (DLMF 5.11.1).
        """
        dtype, x = self.dtype(x), self._wide(x)
        infinite = self.equal(self.abs(x), math.inf)
        near = self.where(infinite, 1.0, x)
        reflected = near < 0.5
        value = self._lgamma_of_positive(self.where(reflected, 1.0 - near, near))
        distance = self.where(reflected, near - self.round(near), 0.5)
        mirrored = math.log(math.pi) - self.log(self.abs(self.sin(math.pi * distance))) - value
        far = self.where(infinite, x, 1.0)
        return self.cast(self.where(infinite, far * far, self.where(reflected, mirrored, value)), dtype)

    def _lgamma_of_positive(self, x: Array) -> Array:
        """Return `lgamma` of finite numbers from 1/2 on."""
        large, low = self.logical_not(x < _LARGE), x < 1.5
        above = self.where(large, x, _LARGE)
        stirling = (above - 0.5) * (self.log(above) - 1.0) + 0.5 * (math.log(2 * math.pi) - 1.0)
        stirling = stirling + self._stirling_series(above)
        # lgamma(x) = lgamma(x - 1) + log(x - 1) is used until x is within 1/2 of 2.
        rest = self.where(large, 2.0, x)
        product = self.where(low, rest, 1.0)
        for _ in range(round(_LARGE) - 2):
            step = self.logical_not(rest < 2.5)
            product = self.where(step, product * (rest - 1.0), product)
            rest = self.where(step, rest - 1.0, rest)
        t = self.where(low, rest - 1.0, rest - 2.0)
        total = self.zeros_like(t)
        for coefficient in reversed(_TAYLOR if self.dtype(x) == "float64" else _TAYLOR[:12]):
            total = (total + coefficient) * t
        small = total + self.where(low, -1.0, 1.0) * self.log(product)
        return self.where(large, stirling, small)

    def _stirling_series(self, x: Array) -> Array:
        """Return `lgamma(x) - ((x - 1/2) log(x) - x + log(2 pi) / 2)` for `x` of 8 and more."""
        inverse = 1.0 / x
        total, square = self.zeros_like(x), inverse * inverse
        for coefficient in reversed(_STIRLING):
            total = total * square + coefficient
        return total * inverse

    @op("x1 x2", "float")
    def gammainc(self, x1: Array, x2: Array) -> Array:
        """Return the regularized lower incomplete gamma function `P(x1, x2)` (DLMF 8.2.4).

        It is the integral of `t ** (x1 - 1) * exp(-t)` from 0 to `x2`, divided by `gamma(x1)`. The smaller of it and of
        its complement is computed, with `t = x2 * exp(w)`, by Gauss and Legendre's rule. There are gradients in both.
        Where `x1` is large, values have an error of `sqrt(x1)` roundings; in float64 elsewhere of 3e-13.

        Args:
            x1: the shape `a` of the distribution, not negative; integers become floats.
            x2: the limit of the integral, not negative, of a shape that broadcasts with that of `x1`. Where an argument
                is out of range, or both are 0 or infinite, the result is nan.
        """
        x1, x2 = self.both_arrays(x1, x2)
        dtype = self.dtype(x1)
        a, x = (self._wide(part) for part in (x1, x2))
        unclear = self.logical_and(self.equal(a, x), self.logical_or(self.equal(a, 0), self.equal(a, math.inf)))
        wrong = self.logical_or(unclear, self.minimum(a, x) < 0)
        outside = self.logical_or(wrong, self.maximum(a, x) > _FAR)
        inside = self._gammainc_inside(self.where(outside, 1.0, a), self.where(outside, 1.0, x))
        far = self.logical_and(outside, self.logical_not(wrong))
        a, x = (self.where(far, self.minimum(part, _ENDLESS), 1.0) for part in (a, x))
        a = self.maximum(a, 1.0)
        normal = 0.5 * self.erfc((a - x) / self.sqrt(2.0 * a))  # the limit for large `a`
        return self.cast(self.where(wrong, math.nan, self.where(outside, normal, inside)), dtype)

    def _gammainc_inside(self, a: Array, x: Array) -> Array:
        low = x <= a + 1.0  # P(a, x) = factor + P(a + 1, x) is below its complement
        end = self.where(low, a + 1.0, a)
        distance = x - end
        nodes, weights = np.polynomial.legendre.leggauss(32 if self.dtype(x) == "float64" else 16)
        reach = self._reach(low, self.stop_gradient(self.abs(distance)), self.stop_gradient(x))
        places = self.host_constant(0.5 + 0.5 * nodes, self.dtype(x))
        w = self.expand_dims(self.where(low, -reach, reach), -1) * places
        exponent = self.expand_dims(distance, -1) * w + self.expand_dims(x, -1) * (self.expm1(w) - w)
        heights = self.exp(-exponent) * self.host_constant(0.5 * weights, self.dtype(x))
        integral = reach * self.sum(heights, -1)
        factor = self._gamma_factor(a, x)
        return self.where(low, factor * (1.0 + x * integral), 1.0 - a * factor * integral)

    def _reach(self, low: Array, distance: Array, x: Array) -> Array:
        """Return from where on the integrand of `gammainc` is below the rounding of 1, from simple bounds of it."""
        bound = 40.0 if self.dtype(x) == "float64" else 20.0  # exp(-bound) is below that
        # expm1(-w) + w >= w * w / (2 + 2 * w / 3), so that w is the root of a quadratic
        first = 2.0 * distance - bound * (2.0 / 3.0)
        below = 4.0 * bound / (first + self.sqrt(first * first + 8.0 * bound * (2.0 / 3.0 * distance + x)))
        # expm1(w) - w >= w * w / 2; and where x is small, x * exp(w) is what ends it
        size = self.where(low, 1.0, x)
        above = 2.0 * bound / (distance + self.sqrt(distance * distance + 2.0 * bound * size))
        above = self.where(size < 0.8 * bound, self.minimum(above, self.log1p(2.0 * bound / size)), above)
        return self.where(low, below, above)

    def _gamma_factor(self, a: Array, x: Array) -> Array:
        """Return `x ** a * exp(-x) / gamma(a + 1)`, without large terms that cancel."""
        large = self.logical_not(a < _LARGE)
        small_a, small_x = self.where(large, 1.0, a), self.minimum(x, 1000.0)
        power = self.power(small_x, small_a)
        small = power * self.exp(-small_x - self._lgamma_of_positive(small_a + 1.0))
        positive = self.logical_and(large, x > 0)
        above, x = self.where(positive, a, _LARGE), self.where(positive, x, _LARGE)
        ratio = (x - above) / above
        close = self.abs(ratio) < 0.5
        log = self.where(close, self.log1p(self.where(close, ratio, 0.0)), self.log(x / above))
        exponent = above * (ratio - log) + self._stirling_series(above)
        shown = self.exp(-exponent) / self.sqrt((2 * math.pi) * above)
        return self.where(large, self.where(positive, shown, 0.0), small)
