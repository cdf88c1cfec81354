"""Convolutions, and the windows of pooling."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras import config
from polykeras.backend.axes import is_below
from polykeras.backend.spec import Array, Family, op, required
from polykeras.backend.windows import Padding, PerAxis, per_axis, transpose_padding, window_padding


class Convolution(Family):
    """Windows over 1 to 3 spatial axes, with channels last and explicit padding.

    Composites resolve `"same"`, channels first and scalar strides, so that a backend sees only one form.
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
            strides: one for each axis.
            padding: the zeros `(before, after)` to add along each spatial axis.
            dilation: the distance between the window's elements, one for each axis.
            groups: the number of independent parts into which channels and filters are split, in order.

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
            strides: one for each axis: the distance in the output between neighbouring inputs.
            padding: the number of elements `(before, after)` to drop from the full output; negative numbers add zeros.
            dilation: the distance between the window's elements, one for each axis.

        Returns:
            `(batch, *spatial', filters)` with
            `spatial' = (spatial - 1) * stride + dilation * (window - 1) + 1 - before - after`.
        """
        raise NotImplementedError

    @required("inputs")
    def max_pool_nd(self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding) -> Array:
        """Return the maximum of each window; padding is never the maximum.

        Args:
            inputs: `(batch, *spatial, channels)`.
            pool_size: one for each axis.
            strides: one for each axis.
            padding: `(before, after)` along each spatial axis, each less than the pool size.

        The gradient goes to the first of equal maxima in row-major order.
        """
        raise NotImplementedError

    @required("inputs", "float")
    def average_pool_nd(
        self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
    ) -> Array:
        """Return the mean of each window over the elements that are not padding; arguments as for `max_pool_nd`."""
        raise NotImplementedError

    # ---- composed ----------------------------------------------------------------------------------------------

    def _channels_last(self, x: Array, data_format: str | None) -> tuple[Array, bool]:
        """Return `x` with its channels last, and whether they were first."""
        first = config.standardize_data_format(data_format) == "channels_first"
        if not 3 <= self.ndim(x) <= 5:
            raise ValueError(
                "Windows move over 1 to 3 spatial axes between a batch axis and channels; received an array of shape "
                f"{self.shape(x)}."
            )
        return (self.transpose(x, [0, *range(2, self.ndim(x)), 1]) if first else x), first

    def _channels_back(self, x: Array, first: bool) -> Array:
        return self.transpose(x, [0, self.ndim(x) - 1, *range(1, self.ndim(x) - 1)]) if first else x

    @op("inputs kernel", "common")
    def conv(
        self,
        inputs: Array,
        kernel: Array,
        strides: PerAxis = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: PerAxis = 1,
    ) -> Array:
        """Return the convolution (cross-correlation) of `inputs` with `kernel` over 1 to 3 spatial axes.

        Args:
            inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
            kernel: `(*window, channels / groups, filters)`, which determines the number of groups.
            strides: the distance between neighbouring windows.
            padding: `"valid"`, `"same"` or `"causal"`; see `window_padding`.
            data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
            dilation_rate: the distance between the elements of a window.

        Raises:
            ValueError: if channels do not fit, or no window fits into the input.
        """
        x, first = self._channels_last(inputs, data_format)
        _, *sizes, channels = self.shape(x)
        *window, depth, filters = self.shape(kernel)
        steps = per_axis(strides, len(sizes), "strides")
        dilation = per_axis(dilation_rate, len(sizes), "dilation_rate")
        if len(window) != len(sizes) or depth < 1 or channels % depth or filters % (channels // depth):
            raise ValueError(
                f"conv: a kernel of shape {self.shape(kernel)} does not fit {channels} channels and {len(sizes)} "
                "spatial axes. Expected (*window, channels / groups, filters), with filters divisible by groups."
            )
        around = window_padding(padding.lower(), sizes, window, steps, dilation)
        for n, k, d, (before, after) in zip(sizes, window, dilation, around, strict=True):
            if is_below(n + before + after, d * (k - 1) + 1):
                raise ValueError(
                    f"conv: a window of {d * (k - 1) + 1} does not fit into a spatial size of {n} with padding "
                    f"{padding!r}. Use padding='same', a smaller kernel or dilation, or larger inputs."
                )
        return self._channels_back(self.conv_nd(x, kernel, steps, around, dilation, channels // depth), first)

    @op("inputs kernel", "common")
    def depthwise_conv(
        self,
        inputs: Array,
        kernel: Array,
        strides: PerAxis = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: PerAxis = 1,
    ) -> Array:
        """Return the convolution of each channel with its own kernels.

        Args:
            inputs: see `conv`.
            kernel: `(*window, channels, multiplier)`.
            strides: see `conv`.
            padding: see `conv`.
            data_format: see `conv`.
            dilation_rate: see `conv`.

        Returns:
            As `conv`, with `channels * multiplier` filters; the filters of one channel are adjacent.

        Raises:
            ValueError: if the inputs have another number of channels than the kernel.
        """
        *window, channels, multiplier = self.shape(kernel)
        axis = 1 if config.standardize_data_format(data_format) == "channels_first" else -1
        if self.shape(inputs)[axis] != channels:
            raise ValueError(
                f"depthwise_conv: a kernel of shape {self.shape(kernel)} needs {channels} channels; the inputs have "
                f"shape {self.shape(inputs)}."
            )
        kernel = self.reshape(kernel, (*window, 1, channels * multiplier))
        return self.conv(inputs, kernel, strides, padding, data_format, dilation_rate)

    @op("inputs depthwise_kernel pointwise_kernel", "common")
    def separable_conv(
        self,
        inputs: Array,
        depthwise_kernel: Array,
        pointwise_kernel: Array,
        strides: PerAxis = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: PerAxis = 1,
    ) -> Array:
        """Return `depthwise_conv`, then a convolution with a window of 1 that mixes the channels.

        Args:
            inputs: see `conv`.
            depthwise_kernel: `(*window, channels, multiplier)`.
            pointwise_kernel: `(1, ..., 1, channels * multiplier, filters)`.
            strides: see `conv`.
            padding: see `conv`.
            data_format: see `conv`.
            dilation_rate: see `conv`.
        """
        x = self.depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
        return self.conv(x, pointwise_kernel, 1, "valid", data_format)

    @op("inputs kernel", "common")
    def conv_transpose(
        self,
        inputs: Array,
        kernel: Array,
        strides: PerAxis = 1,
        padding: str = "valid",
        output_padding: PerAxis | None = None,
        data_format: str | None = None,
        dilation_rate: PerAxis = 1,
    ) -> Array:
        """Return the transposed convolution: the gradient of `conv` in its inputs, as a forward operation.

        Args:
            inputs: see `conv`.
            kernel: `(*window, filters, channels)`.
            strides: the distance in the output between neighbouring inputs.
            padding: `"valid"` or `"same"`, see `transpose_padding`.
            output_padding: see `transpose_padding`; by default the size follows from `padding`.
            data_format: see `conv`.
            dilation_rate: see `conv`.

        Raises:
            ValueError: if the kernel does not fit the inputs.
        """
        x, first = self._channels_last(inputs, data_format)
        *window, _, depth = self.shape(kernel)
        ndim = self.ndim(x) - 2
        if len(window) != ndim or depth != self.shape(x)[-1]:
            raise ValueError(
                f"conv_transpose: a kernel of shape {self.shape(kernel)} does not fit {self.shape(x)[-1]} channels and "
                f"{ndim} spatial axes. Expected (*window, filters, channels)."
            )
        steps = per_axis(strides, ndim, "strides")
        dilation = per_axis(dilation_rate, ndim, "dilation_rate")
        spans = [d * (k - 1) + 1 for k, d in zip(window, dilation, strict=True)]
        extra = [output_padding] * ndim if output_padding is None or isinstance(output_padding, int) else output_padding
        drops = transpose_padding(padding.lower(), spans, steps, extra)
        return self._channels_back(self.conv_transpose_nd(x, kernel, steps, drops, dilation), first)
