"""Convolution and pooling.

A convolution collects its windows into the rows of a matrix, and multiplies that by the kernel. It is a trilinear form
of inputs, kernel and upstream gradient. Its three derivatives are `_conv`, `_conv_inputs` and `_conv_kernel`, and the
gradients of each one are the other two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from polykeras.backend.families.convolution import Convolution
from polykeras.backend.spec import Array
from polykeras.backend.windows import Padding
from polykeras_numpy.tape import primitive, raw, rule

_CHUNK = 1 << 19
"""Elements of the window matrix that are made at once: few enough for the cache, many enough for BLAS."""

_SHORT = ("float16", "bfloat16")


def _padded(x: np.ndarray, padding: Padding, value: Any = 0) -> np.ndarray:
    """Return `x` with its spatial axes padded; negative numbers crop."""
    if not any(before or after for before, after in padding):
        return x
    inner = tuple(slice(max(0, -before), n - max(0, -after))
                  for n, (before, after) in zip(x.shape[1:-1], padding, strict=True))  # fmt: skip
    x = x[(slice(None), *inner)]
    wide = [n + max(0, before) + max(0, after) for n, (before, after) in zip(x.shape[1:-1], padding, strict=True)]
    out = np.full((x.shape[0], *wide, x.shape[-1]), value, x.dtype)
    places = (slice(max(0, before), max(0, before) + n)
              for n, (before, _) in zip(x.shape[1:-1], padding, strict=True))  # fmt: skip
    out[(slice(None), *places)] = x
    return out


def _opposite(padding: Padding) -> Padding:
    return [(-before, -after) for before, after in padding]


# ---- convolution -------------------------------------------------------------------------------------------------


class _Windows:
    """The windows of a padded input: their shape, and their positions."""

    def __init__(
        self, spatial: Sequence[int], window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
    ) -> None:
        self.window, self.strides, self.dilation = window, strides, dilation
        self.reach = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
        self.places = [(n - r) // s + 1 for n, r, s in zip(spatial, self.reach, strides, strict=True)]
        if min(self.places) < 1:
            raise ValueError(
                f"A window of {tuple(window)} (dilation {tuple(dilation)}) does not fit into spatial axes "
                f"{tuple(spatial)} (padding included). Use larger inputs, a smaller window or padding='same'."
            )

    def view(self, x: np.ndarray) -> np.ndarray:
        """Return the windows of `x`, shape `(batch, *places, *window, channels)`, as a view."""
        n = len(self.window)
        windows = sliding_window_view(x, self.reach, axis=tuple(range(1, n + 1)))
        steps = (*(slice(None, None, s) for s in self.strides), slice(None),
                 *(slice(None, None, d) for d in self.dilation))  # fmt: skip
        return np.moveaxis(windows[(slice(None), *steps)], n + 1, -1)

    def shifts(self) -> Iterator[tuple[slice, ...]]:
        """Yield, for each element of the window in row-major order, the slices of the input that it covers."""
        for offset in product(*map(range, self.window)):
            starts = [o * d for o, d in zip(offset, self.dilation, strict=True)]
            lines = zip(starts, self.places, self.strides, strict=True)
            yield (slice(None), *(slice(start, start + (n - 1) * s + 1, s) for start, n, s in lines))

    def chunks(self, batch: int, channels: int) -> Iterator[slice]:
        """Yield slices of the batch whose window matrices have about `_CHUNK` elements."""
        step = max(1, _CHUNK // max(1, prod(self.places) * prod(self.window) * channels))
        return (slice(i, min(i + step, batch)) for i in range(0, batch, step))

    def rows(self, view: np.ndarray, groups: int) -> np.ndarray:
        """Return part of a view as matrices, shape `(groups, rows, window * channels / groups)`."""
        channels, rows = view.shape[-1], view.shape[0] * prod(self.places)
        columns = prod(self.window) * channels // groups
        if groups == 1:
            return view.reshape(1, rows, columns)
        split = view.reshape(rows, prod(self.window), groups, channels // groups)
        return split.transpose(2, 0, 1, 3).reshape(groups, rows, columns)


def _grouped(x: np.ndarray, rows: int, groups: int) -> np.ndarray:
    """Return `(rows, channels)` (in any leading shape) as `(groups, rows, channels / groups)`."""
    return x.reshape(rows, groups, x.shape[-1] // groups).transpose(1, 0, 2)


@primitive
def _conv(x: Any, kernel: Any, strides: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    x = _padded(x, padding)
    windows = _Windows(x.shape[1:-1], kernel.shape[:-2], strides, dilation)
    view = windows.view(x)
    weights = _grouped(kernel, kernel.size // kernel.shape[-1], groups)
    out = np.empty((x.shape[0], *windows.places, kernel.shape[-1]), np.result_type(x, kernel))
    for part in windows.chunks(x.shape[0], x.shape[-1]):
        rows = windows.rows(view[part], groups)
        target = _grouped(out[part], rows.shape[1], groups)
        np.matmul(rows, weights, out=target)
    return out


@primitive
def _conv_inputs(
    g: Any, kernel: Any, spatial: Any, strides: Any, padding: Any, dilation: Any, groups: int
) -> np.ndarray:
    """Return the gradient of `_conv` for inputs with these spatial axes."""
    channels = kernel.shape[-2] * groups
    wide = [n + before + after for n, (before, after) in zip(spatial, padding, strict=True)]
    windows = _Windows(wide, kernel.shape[:-2], strides, dilation)
    weights = _grouped(kernel, kernel.size // kernel.shape[-1], groups).transpose(0, 2, 1)
    out = np.zeros((g.shape[0], *wide, channels), np.result_type(g, kernel))
    for part in windows.chunks(g.shape[0], channels):
        count = (part.stop - part.start) * prod(windows.places)
        columns = np.matmul(_grouped(g[part], count, groups), weights)
        columns = columns.reshape(groups, -1, *windows.places, prod(windows.window), channels // groups)
        target = out[part].reshape(-1, *wide, groups, channels // groups)
        for i, shift in enumerate(windows.shifts()):
            target[shift] += np.moveaxis(columns[..., i, :], 0, -2)
    return _padded(out, _opposite(padding))


@primitive
def _conv_kernel(x: Any, g: Any, shape: Any, strides: Any, padding: Any, dilation: Any, groups: int) -> np.ndarray:
    """Return the gradient of `_conv` for a kernel of this shape."""
    x = _padded(x, padding)
    windows = _Windows(x.shape[1:-1], shape[:-2], strides, dilation)
    view = windows.view(x)
    out = np.zeros((groups, prod(shape[:-1]), shape[-1] // groups), np.result_type(x, g))
    for part in windows.chunks(x.shape[0], x.shape[-1]):
        rows = windows.rows(view[part], groups)
        out += np.matmul(rows.transpose(0, 2, 1), _grouped(g[part], rows.shape[1], groups))
    return out.transpose(1, 0, 2).reshape(shape)


rule(_conv, lambda g, ans, x, k, *form: _conv_inputs(g, k, x.shape[1:-1], *form),
     lambda g, ans, x, k, *form: _conv_kernel(x, g, k.shape, *form))  # fmt: skip
rule(_conv_inputs, lambda h, ans, g, k, spatial, *form: _conv(h, k, *form),
     lambda h, ans, g, k, spatial, *form: _conv_kernel(h, g, k.shape, *form))  # fmt: skip
rule(_conv_kernel, lambda h, ans, x, g, shape, *form: _conv_inputs(g, h, x.shape[1:-1], *form),
     lambda h, ans, x, g, shape, *form: _conv(x, h, *form))  # fmt: skip


# ---- pooling -----------------------------------------------------------------------------------------------------


def _pool_windows(spatial: Sequence[int], pool: Any, strides: Any, padding: Any) -> _Windows:
    wide = [n + before + after for n, (before, after) in zip(spatial, padding, strict=True)]
    return _Windows(wide, pool, strides, (1,) * len(pool))


def _lowest(dtype: np.dtype[Any]) -> Any:
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


@primitive
def _max_pool(x: Any, pool: Any, strides: Any, padding: Any) -> np.ndarray:
    windows = _pool_windows(x.shape[1:-1], pool, strides, padding)
    x = _padded(x, padding, _lowest(x.dtype))
    shifts = windows.shifts()
    out = np.array(x[next(shifts)])
    for shift in shifts:
        np.maximum(out, x[shift], out=out)
    return out


def _winners(x: np.ndarray, ans: np.ndarray, pool: Any, strides: Any, padding: Any) -> np.ndarray:
    """Return the number of the first maximum in each window, or -1 if it is nan."""
    windows = _pool_windows(x.shape[1:-1], pool, strides, padding)
    x = _padded(x, padding, _lowest(x.dtype))
    which = np.full(ans.shape, -1, np.int8 if prod(pool) < 128 else np.int32)
    for i, shift in reversed(list(enumerate(windows.shifts()))):
        np.copyto(which, i, where=x[shift] == ans)
    return which


@primitive
def _spread(g: Any, which: Any, spatial: Any, pool: Any, strides: Any, padding: Any) -> np.ndarray:
    """Return zeros with each window's `g` added at element `which`, or at all its elements if `which` is None."""
    windows = _pool_windows(spatial, pool, strides, padding)
    wide = [n + before + after for n, (before, after) in zip(spatial, padding, strict=True)]
    out = np.zeros((g.shape[0], *wide, g.shape[-1]), g.dtype)
    for i, shift in enumerate(windows.shifts()):
        out[shift] += g if which is None else np.where(which == i, g, g.dtype.type(0))
    return _padded(out, _opposite(padding))


@primitive
def _gather(x: Any, which: Any, pool: Any, strides: Any, padding: Any) -> np.ndarray:
    """Return element `which` of each window, or the sum of all if `which` is None: the transpose of `_spread`."""
    windows = _pool_windows(x.shape[1:-1], pool, strides, padding)
    x = _padded(x, padding)
    out = np.zeros((x.shape[0], *windows.places, x.shape[-1]), x.dtype)
    for i, shift in enumerate(windows.shifts()):
        out += x[shift] if which is None else np.where(which == i, x[shift], x.dtype.type(0))
    return out


rule(_max_pool, lambda g, ans, x, *form: _spread(g, _winners(raw(x), raw(ans), *form), x.shape[1:-1], *form))
rule(_spread, lambda h, ans, g, which, spatial, *form: _gather(h, which, *form))
rule(_gather, lambda g, ans, x, which, *form: _spread(g, which, x.shape[1:-1], *form))


class NumpyConvolution(Convolution):
    """Convolution as matrix products, pooling as a few strided passes."""

    def _in_float32(self, function: Any, arrays: Sequence[Array], *form: Any) -> Array:
        """Call `function` on the arrays; 16-bit floats are computed in float32."""
        dtype = self.dtype(arrays[0])
        if dtype not in _SHORT:
            return function(*arrays, *form)
        return self.cast(function(*(self.cast(x, "float32") for x in arrays), *form), dtype)

    def conv_nd(
        self,
        inputs: Array,
        kernel: Array,
        strides: Sequence[int],
        padding: Padding,
        dilation: Sequence[int],
        groups: int = 1,
    ) -> Array:
        return self._in_float32(_conv, (inputs, kernel), strides, padding, dilation, groups)

    def conv_transpose_nd(
        self, inputs: Array, kernel: Array, strides: Sequence[int], padding: Padding, dilation: Sequence[int]
    ) -> Array:
        sizes = zip(inputs.shape[1:-1], kernel.shape[:-2], strides, padding, dilation, strict=True)
        spatial = [(n - 1) * s + d * (w - 1) + 1 - before - after for n, w, s, (before, after), d in sizes]
        return self._in_float32(_conv_inputs, (inputs, kernel), spatial, strides, padding, dilation, 1)

    def max_pool_nd(self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding) -> Array:
        return _max_pool(inputs, pool_size, strides, padding)

    def average_pool_nd(
        self, inputs: Array, pool_size: Sequence[int], strides: Sequence[int], padding: Padding
    ) -> Array:
        total = self._in_float32(_gather, (inputs,), None, pool_size, strides, padding)
        if not any(before or after for before, after in padding):
            return total / prod(pool_size)
        ones = np.ones((1, *inputs.shape[1:-1], 1), np.float32)
        return total / self.asarray(_gather(ones, None, pool_size, strides, padding), self.dtype(inputs))
