"""Pooling, and images as columns of windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polykeras import config, dtypes
from polykeras.backend.axes import is_below
from polykeras.backend.spec import Array, Family, op
from polykeras.backend.windows import PerAxis, per_axis, window_padding
from polykeras.common import budget


def _pair(value: PerAxis) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else value
    return first, second


class Pooling(Family):
    """Reductions over windows of 1 to 3 spatial axes; arguments as for `conv`."""

    def _pool(
        self,
        pool: Callable[..., Array],
        inputs: Array,
        pool_size: PerAxis,
        strides: PerAxis | None,
        padding: str,
        data_format: str | None,
    ) -> Array:
        x, first = self._channels_last(inputs, data_format)
        sizes = self.shape(x)[1:-1]
        window = per_axis(pool_size, len(sizes), "pool_size")
        steps = window if strides is None else per_axis(strides, len(sizes), "strides")
        if padding.lower() == "causal":
            raise ValueError("Pooling takes padding='valid' or 'same'; received 'causal'.")
        around = window_padding(padding.lower(), sizes, window, steps, (1,) * len(sizes))
        if padding.lower() == "valid" and any(map(is_below, sizes, window)):
            raise ValueError(
                f"A pool of {window} does not fit into the spatial size {sizes}. Use padding='same', or a smaller pool."
            )
        return self._channels_back(pool(x, window, steps, around), first)

    @op("inputs")
    def max_pool(
        self,
        inputs: Array,
        pool_size: PerAxis,
        strides: PerAxis | None = None,
        padding: str = "valid",
        data_format: str | None = None,
    ) -> Array:
        """Return the maximum of each window; the gradient goes to the first of equal maxima.

        Args:
            inputs: `(batch, *spatial, channels)`, or `(batch, channels, *spatial)` for `"channels_first"`.
            pool_size: the size of a window.
            strides: the distance between neighbouring windows; by default `pool_size`.
            padding: `"valid"` or `"same"`.
            data_format: `"channels_last"` or `"channels_first"`; by default the configured one.
        """
        return self._pool(self.max_pool_nd, inputs, pool_size, strides, padding, data_format)

    @op("inputs", "float")
    def average_pool(
        self,
        inputs: Array,
        pool_size: PerAxis,
        strides: PerAxis | None = None,
        padding: str = "valid",
        data_format: str | None = None,
    ) -> Array:
        """Return the mean of each windowover the elements that are not padding; arguments as for `max_pool`."""
        return self._pool(self.average_pool_nd, inputs, pool_size, strides, padding, data_format)

    # ---- a given number of windows -----------------------------------------------------------------------------

    def _adaptive_pool(
        self,
        inputs: Array,
        output_size: Any,
        data_format: str | None,
        reduce: Callable[[Array, np.ndarray, int], Array],
    ) -> Array:
        """Reduce one spatial axis after another: window `i` of `m` covers `[floor(i n / m), ceil((i + 1) n / m))`."""
        x, first = self._channels_last(inputs, data_format)
        ndim = self.ndim(x) - 2
        counts = (output_size,) * ndim if isinstance(output_size, int) or output_size is None else tuple(output_size)
        for axis, count in enumerate(counts, start=1):
            n = self.shape(x)[axis]
            m = n if count is None else per_axis(count, 1, "output_size")[0]
            budget.spend(2 * m + n)  # windows may overlap by one element
            starts, stops = np.arange(m) * n // m, -(-np.arange(1, m + 1) * n // m)
            places = starts[:, None] + np.arange((stops - starts).max())
            mask = places < stops[:, None]
            taken = self.take(x, self.host_constant(np.minimum(places, n - 1), "int32"), axis)
            x = reduce(taken, mask.reshape(mask.shape + (1,) * (self.ndim(x) - axis - 1)), axis + 1)
        return self._channels_back(x, first)

    @op("inputs", "float")
    def adaptive_average_pool(self, inputs: Array, output_size: Any, data_format: str | None = None) -> Array:
        """Return the means of `output_size` windows that together cover each spatial axis.

        Args:
            inputs: see `max_pool`.
            output_size: an int, or one for each spatial axis; None keeps an axis.
            data_format: see `max_pool`.
        """

        def mean(taken: Array, mask: np.ndarray, axis: int) -> Array:
            weights = mask / mask.sum(axis=1, keepdims=True)
            return self.sum(taken * self.host_constant(weights, self.dtype(taken)), axis)

        return self._adaptive_pool(inputs, output_size, data_format, mean)

    @op("inputs")
    def adaptive_max_pool(self, inputs: Array, output_size: Any, data_format: str | None = None) -> Array:
        """Return the maxima of `output_size` windows that together cover each spatial axis.

        Args:
            inputs: shape `(batch, *space, channels)`, or channels first by `data_format`.
            output_size: the number of windows: an int, or one for each spatial axis; None keeps the size of an axis.
            data_format: `"channels_last"` or `"channels_first"`; None is the configured one.
        """

        def maximum(taken: Array, mask: np.ndarray, axis: int) -> Array:
            dtype = self.dtype(taken)
            lowest = float("-inf") if dtypes.is_float(dtype) else dtypes.limits(dtype)[0]
            lowest = self.cast(self.asarray(lowest), dtype)
            return self.max(self.where(self.host_constant(mask, "bool"), taken, lowest), axis)

        return self._adaptive_pool(inputs, output_size, data_format, maximum)

    # ---- images as columns -------------------------------------------------------------------------------------

    def _block_places(
        self, size: Sequence[int], kernel_size: PerAxis, dilation: PerAxis, padding: PerAxis, stride: PerAxis
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """Return the indices of the blocks' elements in a flat padded image, `(elements, blocks)`, and its size."""
        height, width = (n + 2 * p for n, p in zip(size, _pair(padding), strict=True))
        axes = []
        for n, k, d, s in zip((height, width), _pair(kernel_size), _pair(dilation), _pair(stride), strict=True):
            count = (n - d * (k - 1) - 1) // s + 1
            if count < 1:
                raise ValueError(f"A block of {kernel_size} does not fit into images of {tuple(size)} with {padding=}.")
            budget.spend(k * count)
            axes.append(np.arange(k)[:, None] * d + np.arange(count) * s)
        rows, columns = axes
        budget.spend(rows.size * columns.size)
        places = rows[:, None, :, None] * width + columns[None, :, None, :]
        return places.reshape(rows.shape[0] * columns.shape[0], -1), (height, width)

    @op("x")
    def unfold(
        self, x: Array, kernel_size: PerAxis, dilation: PerAxis = 1, padding: PerAxis = 0, stride: PerAxis = 1
    ) -> Array:
        """Return the sliding blocks of images as columns.

        Args:
            x: shape `(batch, channels, height, width)`.
            kernel_size: the size of a block, an int or a pair.
            dilation: the distance between the elements of a block.
            padding: the number of zeros to add on both sides.
            stride: the distance between neighbouring blocks.

        Returns:
            Shape `(batch, channels * kernel height * kernel width, blocks)`.
        """
        batch, channels, *size = self.shape(x)
        places, padded = self._block_places(size, kernel_size, dilation, padding, stride)
        x = self.constant_pad(x, [(0, 0), (0, 0), *((p, p) for p in _pair(padding))])
        flat = self.reshape(x, (batch, channels, padded[0] * padded[1]))
        blocks = self.take(flat, self.host_constant(places, "int32"), 2)
        return self.reshape(blocks, (batch, channels * places.shape[0], places.shape[1]))

    @op("x")
    def fold(
        self,
        x: Array,
        output_size: PerAxis,
        kernel_size: PerAxis,
        dilation: PerAxis = 1,
        padding: PerAxis = 0,
        stride: PerAxis = 1,
    ) -> Array:
        """Return images that are the sum of blocks at their positions: the adjoint of `unfold`.

        Args:
            x: shape `(batch, channels * kernel height * kernel width, blocks)`.
            output_size: height and width of the images.
            kernel_size: see `unfold`.
            dilation: see `unfold`.
            padding: see `unfold`.
            stride: see `unfold`.

        Returns:
            Shape `(batch, channels, *output_size)`.

        Raises:
            ValueError: if the blocks do not fit an image of that size.
        """
        size, (top, left) = _pair(output_size), _pair(padding)
        places, padded = self._block_places(size, kernel_size, dilation, padding, stride)
        batch, rows, blocks = self.shape(x)
        elements = places.shape[0]
        if rows % elements or blocks != places.shape[1]:
            raise ValueError(
                f"fold: an image of {size} has {places.shape[1]} blocks of {elements} elements a channel; received an "
                f"array of shape {self.shape(x)}."
            )
        channels = rows // elements
        values = self.transpose(self.reshape(x, (batch * channels, elements * blocks)))
        total = self.zeros((padded[0] * padded[1], batch * channels), self.dtype(x))
        total = self.scatter_reduce(total, self.host_constant(places.reshape(-1, 1), "int32"), values, "add")
        images = self.reshape(self.transpose(total), (batch, channels, *padded))
        stop = (batch, channels, top + size[0], left + size[1])
        return self.strided_slice(images, (0, 0, top, left), stop, (1, 1, 1, 1))

    @op("x")
    def depth_to_space(self, x: Array, block_size: int, data_format: str = "channels_last") -> Array:
        """Return images whose channels have become blocks of `block_size` by `block_size` pixels.

        Args:
            x: `(batch, height, width, channels)`, or `(batch, channels, height, width)`.
            block_size: at least 2; its square divides the number of channels. The last part of the channels (with
                `"channels_first"`, the first) indexes the channels of the result.
            data_format: `"channels_last"` or `"channels_first"`.

        Raises:
            ValueError: if the square of `block_size` does not divide the channels.
        """
        r, n, c, h, w = self._blocks(x, block_size, data_format)
        if c % (r * r):
            raise ValueError(f"depth_to_space: {c} channels cannot be divided into blocks of {r} x {r}.")
        c //= r * r
        if data_format == "channels_last":
            parted = self.transpose(self.reshape(x, (n, h, w, r, r, c)), (0, 1, 3, 2, 4, 5))
            return self.reshape(parted, (n, h * r, w * r, c))
        parted = self.transpose(self.reshape(x, (n, c, r, r, h, w)), (0, 1, 4, 2, 5, 3))
        return self.reshape(parted, (n, c, h * r, w * r))

    @op("x")
    def space_to_depth(self, x: Array, block_size: int, data_format: str = "channels_last") -> Array:
        """Return images whose blocks of pixels have become channels: the inverse of `depth_to_space`.

        Args:
            x: `(batch, height, width, channels)`, or `(batch, channels, height, width)`.
            block_size: at least 2; it divides height and width.
            data_format: `"channels_last"` or `"channels_first"`.

        Returns:
            Height and width divided by `block_size`, channels multiplied by its square.

        Raises:
            ValueError: if `block_size` does not divide height or width.
        """
        r, n, c, h, w = self._blocks(x, block_size, data_format)
        if h % r or w % r:
            raise ValueError(f"space_to_depth: an image of {h} x {w} cannot be divided into blocks of {r} x {r}.")
        h, w = h // r, w // r
        if data_format == "channels_last":
            parted = self.transpose(self.reshape(x, (n, h, r, w, r, c)), (0, 1, 3, 2, 4, 5))
            return self.reshape(parted, (n, h, w, r * r * c))
        parted = self.transpose(self.reshape(x, (n, c, h, r, w, r)), (0, 1, 3, 5, 2, 4))
        return self.reshape(parted, (n, c * r * r, h, w))

    def _blocks(self, x: Array, block_size: int, data_format: str) -> tuple[int, int, int, int, int]:
        """Return the block size, then the batch, the channels, the height and the width."""
        if block_size < 2 or self.ndim(x) != 4:
            raise ValueError(
                f"`block_size` must be at least 2 and the images must have 4 axes; received {block_size} and an array "
                f"of shape {self.shape(x)}."
            )
        if config.standardize_data_format(data_format) == "channels_last":
            n, h, w, c = self.shape(x)
        else:
            n, c, h, w = self.shape(x)
        return block_size, n, c, h, w
