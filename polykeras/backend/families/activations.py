"""Activation functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from polykeras.backend.axes import canonical_axis
from polykeras.backend.spec import Array, Family, op

# Klambauer et al., "Self-Normalizing Neural Networks" (2017), eq. 14.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


class Activations(Family):
    """Activation functions. At a corner, the docstring states the gradient; elsewhere it is the derivative.

    A branch that is not taken never gets an argument at which it overflows, so it cannot turn the gradient into nan.
    """

    # ---- piecewise linear --------------------------------------------------------------------------------------

    @op("x", "common")
    def relu(self, x: Array) -> Array:
        """Return `max(x, 0)` (Nair and Hinton, 2010). The gradient at 0 is 0, and nan stays nan."""
        return self.where(x <= 0, 0, x)

    @op("x", "number")
    def relu6(self, x: Array) -> Array:
        """Return `x` limited to [0, 6]; the gradient at both ends is 0."""
        return self.where(x <= 0, 0, self.where(x >= 6, 6, x))

    @op("x", "float")
    def leaky_relu(self, x: Array, negative_slope: float = 0.2) -> Array:
        """Return `x` where it is positive, else `negative_slope * x` (Maas et al., 2013).

        The gradient at 0 is `negative_slope`.

        Args:
            x: numbers of any shape; integers become floats.
            negative_slope: the slope below 0.
        """
        return self.where(x > 0, x, x * negative_slope)

    @op("x", "float")
    def hard_sigmoid(self, x: Array) -> Array:
        """Return `relu6(x + 3) / 6` (Howard et al., 2019)."""
        return self.relu6(x + 3.0) * (1.0 / 6.0)

    @op("x", "float")
    def hard_silu(self, x: Array) -> Array:
        """Return `x * hard_sigmoid(x)` (Howard et al., 2019)."""
        return x * self.hard_sigmoid(x)

    @op("x", "float")
    def hard_swish(self, x: Array) -> Array:
        """Return `x * hard_sigmoid(x)`: `hard_silu`."""
        return self.hard_silu(x)

    @op("x", "float")
    def hard_tanh(self, x: Array) -> Array:
        """Return `x` limited to [-1, 1]; the gradient at both ends is 1."""
        return self.where(x > 1, 1.0, self.where(x < -1, -1.0, x))

    @op("x", "float")
    def sparse_sigmoid(self, x: Array) -> Array:
        """Return 0 up to -1, `(x + 1) / 2` between, and 1 from 1 on; the gradient at both corners is 1/2."""
        return 0.5 * self.hard_tanh(x) + 0.5

    @op("x", "float")
    def hard_shrink(self, x: Array, threshold: float = 0.5) -> Array:
        """Return `x` where `|x|` is above `threshold`, else 0 (Donoho and Johnstone, 1994).

        Args:
            x: numbers of any shape; integers become floats.
            threshold: the largest `|x|` that becomes 0; not negative.
        """
        return self.where(self.abs(x) <= threshold, 0.0, x)

    @op("x", "float")
    def soft_shrink(self, x: Array, threshold: float = 0.5) -> Array:
        """Return `x` moved toward 0 by `threshold`, and 0 where `|x|` is not above it (Donoho, 1995).

        Args:
            x: numbers of any shape; integers become floats.
            threshold: the amount by which each `|x|` shrinks; not negative.
        """
        return self.where(self.abs(x) <= threshold, 0.0, self.where(x < 0, x + threshold, x - threshold))

    @op("x", "float")
    def threshold(self, x: Array, threshold: float, default_value: float) -> Array:
        """Return `x` where it is above `threshold`, else `default_value`.

        Args:
            x: numbers of any shape; integers become floats.
            threshold: a value equal to it is replaced too.
            default_value: the replacement for values up to `threshold`.
        """
        return self.where(x > threshold, x, default_value)

    # ---- smooth ------------------------------------------------------------------------------------------------

    @op("x", "float")
    def elu(self, x: Array, alpha: float = 1.0) -> Array:
        """Return `x` where it is positive, else `alpha * (exp(x) - 1)` (Clevert et al., 2015).

        The gradient at 0 is `alpha`.

        Args:
            x: numbers of any shape; integers become floats.
            alpha: the result approaches `-alpha` as `x` falls.
        """
        return self.where(x > 0, x, alpha * self.expm1(self.where(x > 0, 0.0, x)))

    @op("x", "float")
    def selu(self, x: Array) -> Array:
        """Return `1.0507 * elu(x, 1.6733)`, which keeps mean 0 and variance 1 (Klambauer et al., 2017)."""
        return SELU_SCALE * self.elu(x, SELU_ALPHA)

    @op("x", "float")
    def celu(self, x: Array, alpha: float = 1.0) -> Array:
        """Return `x` where it is positive, else `alpha * (exp(x / alpha) - 1)` (Barron, 2017).

        Args:
            x: numbers of any shape; integers become floats.
            alpha: not 0; the result approaches `-alpha` as `x` falls. The slope at 0 is 1 for each `alpha`.
        """
        return self.where(x > 0, x, alpha * self.expm1(self.where(x > 0, 0.0, x) * (1.0 / alpha)))

    @op("x", "float")
    def gelu(self, x: Array, approximate: bool = True) -> Array:
        """Return `x` times the normal distribution function of `x` (Hendrycks and Gimpel, 2016).

        Args:
            x: an array.
            approximate: use `tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3))` in place of the error function.
        """
        if approximate:
            inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))
            return 0.5 * x * (1.0 + self.tanh(inner))
        return 0.5 * x * (1.0 + self.erf(x * math.sqrt(0.5)))

    @op("x", "float")
    def silu(self, x: Array) -> Array:
        """Return `x * sigmoid(x)` (Elfwing et al., 2017)."""
        return x * self.sigmoid(x)

    @op("x", "float")
    def swish(self, x: Array) -> Array:
        """Return `x * sigmoid(x)`: `silu`."""
        return self.silu(x)

    @op("x", "float")
    def softsign(self, x: Array) -> Array:
        """Return `x / (1 + |x|)`, with the exact gradient `1 / (1 + |x|) ** 2`."""

        @self.custom_gradient
        def quotient(x: Array) -> tuple[Array, Any]:
            inverse = 1.0 / (1.0 + self.abs(x))
            return x * inverse, lambda upstream: upstream * self.square(inverse)

        return quotient(x)

    @op("x", "float")
    def log_sigmoid(self, x: Array) -> Array:
        """Return `log(sigmoid(x))`, without overflow."""
        return -self.softplus(-x)

    @op("x", "float")
    def tanh_shrink(self, x: Array) -> Array:
        """Return `x - tanh(x)`."""
        return x - self.tanh(x)

    @op("x", "float")
    def sparse_plus(self, x: Array) -> Array:
        """Return 0 up to -1, `(x + 1) ** 2 / 4` between, and `x` from 1 on."""
        between = self.where(self.abs(x) > 1, 0.0, x)
        return self.where(x <= -1, 0.0, self.where(x >= 1, x, 0.25 * self.square(between + 1.0)))

    @op("x", "float")
    def squareplus(self, x: Array, b: float = 4) -> Array:
        """Return `(x + sqrt(x ** 2 + b)) / 2` (Barron, 2021); the lower tail `b / (4 |x|)` keeps its digits.

        Args:
            x: numbers of any shape; integers become floats.
            b: how round the bend at 0 is: 0 gives `relu`, and the value at 0 is `sqrt(b) / 2`. Not negative.
        """
        root = self.sqrt(x * x + float(b))
        below = float(b) / (root - self.where(x < 0, x, 0.0)) if b else 0.0
        return 0.5 * self.where(x < 0, below, x + root)

    # ---- along an axis -----------------------------------------------------------------------------------------

    @op("x", "float")
    def glu(self, x: Array, axis: int = -1) -> Array:
        """Return the first half of `x` along `axis` times the sigmoid of the second (Dauphin et al., 2016).

        Args:
            x: floats, of an even size along `axis`.
            axis: the axis to halve.

        Returns:
            The shape of `x`, with half the size along `axis`.

        Raises:
            ValueError: if the size along `axis` is odd.
        """
        place = canonical_axis(axis, self.ndim(x))
        size = self.shape(x)[place]
        if size % 2:
            raise ValueError(f"glu halves axis {axis}, which must be even; received shape {self.shape(x)}.")
        half = size // 2
        return self._axis_slice(x, place, 0, half) * self.sigmoid(self._axis_slice(x, place, half, size))

    @op("x", "float")
    def softmax(self, x: Array, axis: int | Sequence[int] = -1) -> Array:
        """Return `exp(x) / sum(exp(x))` over `axis`, without overflow.

        Args:
            x: logits of any shape; integers become floats.
            axis: the axis, or axes, of the classes: probabilities over them add up to 1.
        """
        z = self.exp(x - self._largest(x, axis))
        return z / self.sum(z, axis, True)

    @op("x", "float")
    def log_softmax(self, x: Array, axis: int | Sequence[int] = -1) -> Array:
        """Return the logarithm of `softmax`, without losing small values.

        Args:
            x: logits of any shape; integers become floats.
            axis: the axis, or axes, of the classes.
        """
        z = x - self._largest(x, axis)
        return z - self.log(self.sum(self.exp(z), axis, True))

    @op("x", "float")
    def sparsemax(self, x: Array, axis: int = -1) -> Array:
        """Return the point of the probability simplex nearest to `x` along `axis` (Martins and Astudillo, 2016).

        Args:
            x: logits of any shape; integers become floats.
            axis: the axis of the classes; probabilities along it add up to 1, and many are exactly 0.
        """
        place = canonical_axis(axis, self.ndim(x))
        if self.shape(x)[place] == 0:  # it has no largest element
            return x
        x = x - self.stop_gradient(self.max(x, place, True))
        # The set of elements above 0 does not change under a small step, so only their mean needs a gradient.
        z = self.flip(self.sort(self.stop_gradient(x), place), place)
        shape = [1] * self.ndim(x)
        shape[place] = self.shape(x)[place]
        rank = self.reshape(self.arange(1, shape[place] + 1, dtype=self.dtype(x)), shape)
        supported = z * rank + 1.0 > self.cumsum(z, place)
        lowest = self.min(self.where(supported, z, 0.0), place, True)  # all z are at most 0
        kept = self.stop_gradient(x) >= lowest
        count = self.sum(self.cast(kept, self.dtype(x)), place, True)
        excess = (self.sum(self.where(kept, x, 0.0), place, True) - 1.0) / count
        return self.where(kept, x - excess, 0.0)
