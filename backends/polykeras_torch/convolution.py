"""Convolution and pooling on torch kernels.

Torch expects channels first. Its `channels_last` memory format is exactly the layout of the contract's arrays, so
permuting the axes there and back moves no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from polykeras.backend.families.convolution import Convolution
from polykeras.backend.windows import Padding
from polykeras_torch.layouts import whole

_CONV = (F.conv1d, F.conv2d, F.conv3d)
_CONV_TRANSPOSE = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
_MAX_POOL = (F.max_pool1d, F.max_pool2d, F.max_pool3d)
_AVERAGE_POOL = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, -1, *range(1, x.ndim - 1))


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, *range(2, x.ndim), 1)


def _pad_spatial(x: Tensor, padding: Padding, value: float = 0) -> Tensor:
    """Return `x` (channels first) with `(before, after)` elements along the spatial axes; negative ones crop."""
    return torch.constant_pad_nd(x, [n for widths in reversed(padding) for n in widths], value)


def _symmetric(padding: Padding) -> list[int] | None:
    """Return one number for each axis, as torch takes it, if both sides are equal; else None."""
    return [before for before, _ in padding] if all(before == after for before, after in padding) else None


def _pool_padding(padding: Padding, pool_size: Sequence[int]) -> list[int] | None:
    """Return the padding that torch's pooling can do itself: symmetric and at most half the window; else None."""
    widths = _symmetric(padding)
    return widths if widths and all(2 * n <= size for n, size in zip(widths, pool_size, strict=True)) else None


@lru_cache(maxsize=256)
def _shares(sizes: tuple[int, ...], pool: tuple[int, ...], strides: tuple[int, ...], padding: Any) -> np.ndarray:
    """Return, for each window, its size divided by the number of its unpadded elements; `(1, 1, *windows)`."""
    result = np.ones((1, 1))
    for n, size, stride, (before, after) in zip(sizes, pool, strides, padding, strict=True):
        first = np.arange(0, n + before + after - size + 1, stride) - before
        inside = np.minimum(first + size, n) - np.maximum(first, 0)
        result = result[..., None] * (size / inside)
    return result


class TorchConvolution(Convolution):
    """Windows over 1 to 3 spatial axes.

    Convolutions take whole arrays: those of DTensors may have wrong numbers (pytorch/pytorch#186129).
    """

    def conv_nd(
        self,
        inputs: Tensor,
        kernel: Tensor,
        strides: Sequence[int],
        padding: Padding,
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Tensor:
        if not (inputs.is_floating_point() or inputs.is_complex()):
            # Torch has few kernels for integers. Float64 holds them exactly, up to 2^53.
            exact = self.conv_nd(inputs.double(), kernel.double(), strides, padding, dilation, groups)
            return exact.long().to(inputs.dtype)
        inputs, kernel = whole(inputs), whole(kernel)
        x = _channels_first(inputs)
        widths = _symmetric(padding)
        if widths is None:
            x, widths = _pad_spatial(x, padding), [0] * len(padding)
        weight = kernel.permute(-1, -2, *range(kernel.ndim - 2))
        conv = _CONV[len(padding) - 1]
        return _channels_last(conv(x, weight, None, tuple(strides), widths, tuple(dilation), groups))

    def conv_transpose_nd(
        self, inputs: Tensor, kernel: Tensor, strides: Sequence[int], padding: Padding, dilation: Sequence[int]
    ) -> Tensor:
        if not (inputs.is_floating_point() or inputs.is_complex()):
            exact = self.conv_transpose_nd(inputs.double(), kernel.double(), strides, padding, dilation)
            return exact.long().to(inputs.dtype)
        inputs, kernel = whole(inputs), whole(kernel)
        weight = kernel.permute(-1, -2, *range(kernel.ndim - 2))
        # Torch drops the same number at both ends; the rest is cropped, or added if negative, afterwards.
        dropped = [max(0, min(widths)) for widths in padding]
        rest = [(n - before, n - after) for n, (before, after) in zip(dropped, padding, strict=True)]
        conv = _CONV_TRANSPOSE[len(padding) - 1]
        x = conv(_channels_first(inputs), weight, None, tuple(strides), dropped, 0, 1, tuple(dilation))
        return _channels_last(_pad_spatial(x, rest) if any(map(any, rest)) else x)

    def max_pool_nd(self, inputs: Tensor, pool_size: Sequence[int], strides: Sequence[int], padding: Padding) -> Tensor:
        x = _channels_first(inputs)
        if not x.is_floating_point():
            return _channels_last(self._max_pool_integers(x, pool_size, strides, padding))
        widths = _pool_padding(padding, pool_size)
        if widths is None:
            x, widths = _pad_spatial(x, padding, -torch.inf), [0] * len(padding)
        return _channels_last(_MAX_POOL[len(padding) - 1](x, tuple(pool_size), tuple(strides), widths))

    def _max_pool_integers(
        self, x: Tensor, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
    ) -> Tensor:
        lowest = False if x.dtype is torch.bool else torch.iinfo(x.dtype).min
        x = _pad_spatial(x, padding, lowest)
        for axis, (size, stride) in enumerate(zip(pool_size, strides, strict=True), start=2):
            x = self.max(x.unfold(axis, size, stride), -1)
        return x

    def average_pool_nd(
        self, inputs: Tensor, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
    ) -> Tensor:
        x = _channels_first(inputs)
        pool = _AVERAGE_POOL[len(padding) - 1]
        widths = _pool_padding(padding, pool_size)
        if widths is not None:
            return _channels_last(pool(x, tuple(pool_size), tuple(strides), widths, False, False))
        shares = _shares(tuple(x.shape[2:]), tuple(pool_size), tuple(strides), tuple(map(tuple, padding)))
        means = pool(_pad_spatial(x, padding), tuple(pool_size), tuple(strides))
        return _channels_last(means * torch.as_tensor(shares, dtype=x.dtype, device=x.device))
