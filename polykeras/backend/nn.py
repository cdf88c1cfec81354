"""Convolution, pooling and the functions of neural networks."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

from polykeras.backend.fourier import FourierMethods
from polykeras.backend.spec import Array, op, required

Padding = Sequence[tuple[int, int]]


class NeuralMethods(FourierMethods, ABC):
    """Windows over 1 to 3 spatial axes: channels last, explicit padding.

    `"same"`, channels-first and scalar strides are resolved in the composites, so that a backend sees one form only.
    """

    # ---- required ----------------------------------------------------------------------------------------------

    @required("inputs kernel", "common")
    def conv_nd(
        self,
        inputs: Array,
        kernel: Array,
        strides: Sequence[int],
        padding: Padding,
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Array:
        """Return the cross-correlation of `inputs` with `kernel`.

        Args:
            inputs: `(batch, *spatial, channels)`.
            kernel: `(*window, channels / groups, filters)`.
            strides: one an axis.
            padding: zeros `(before, after)` to add along each spatial axis.
            dilation: distance between the window's elements, one an axis.
            groups: channels and filters are split into this many independent parts, in order.

        Returns:
            `(batch, *spatial', filters)` with
            `spatial' = (spatial + before + after - dilation * (window - 1) - 1) // stride + 1`.
        """
        raise NotImplementedError

    @required("inputs kernel", "common")
    def conv_transpose_nd(
        self, inputs: Array, kernel: Array, strides: Sequence[int], padding: Padding, dilation: Sequence[int]
    ) -> Array:
        """Return the gradient of `conv_nd` in its inputs, as a forward operation.

        Args:
            inputs: `(batch, *spatial, channels)`.
            kernel: `(*window, filters, channels)`.
            strides: one an axis: the distance in the output between neighbouring inputs.
            padding: how many elements of the full output to drop `(before, after)`; negative numbers add zeros.
            dilation: distance between the window's elements, one an axis.

        Returns:
            `(batch, *spatial', filters)` with
            `spatial' = (spatial - 1) * stride + dilation * (window - 1) + 1 - before - after`.
        """
        raise NotImplementedError

    @required("inputs")
    def max_pool_nd(self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding) -> Array:
        """Return the maximum of each window; padding never wins.

        Args:
            inputs: `(batch, *spatial, channels)`.
            pool_size: one an axis.
            strides: one an axis.
            padding: `(before, after)` along each spatial axis, each less than the pool size.

        The gradient goes to the first of equal maxima in row-major order.
        """
        raise NotImplementedError

    @required("inputs", "float")
    def average_pool_nd(
        self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
    ) -> Array:
        """Return the mean of each window over the elements that are not padding; arguments as `max_pool_nd`."""
        raise NotImplementedError

    # ---- composed ----------------------------------------------------------------------------------------------

    @op("x", "common")
    def relu(self, x: Array) -> Array:
        """Return `max(x, 0)`; the gradient at 0 is 0."""
        return self.where(self.less(0, x), x, self.zeros_like(x))

    @op("x", "float")
    def softmax(self, x: Array, axis: int | Sequence[int] = -1) -> Array:
        """Return `exp(x) / sum(exp(x))` over `axis`, without overflow."""
        z = self.exp(x - self.stop_gradient(self.max(x, axis, True)))
        return z / self.sum(z, axis, True)

    @op("x", "float")
    def log_softmax(self, x: Array, axis: int | Sequence[int] = -1) -> Array:
        """Return the logarithm of `softmax`, without the loss of small values."""
        return x - self.logsumexp(x, axis, True)
