"""The required ops, said with NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special


def _float(x: np.ndarray) -> np.ndarray:
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def constant_pad(x: Any, pad_width: Any, value: Any = 0) -> Any:
    return np.pad(x, pad_width, constant_values=value)


def strided_slice(x: Any, start: Any, stop: Any, step: Any) -> Any:
    return x[tuple(slice(*triple) for triple in zip(start, stop, step, strict=True))]


def scatter_reduce(x: Any, indices: Any, values: Any, reduction: str = "add") -> Any:
    result = np.array(x, dtype=np.result_type(x, values))
    places = tuple(np.moveaxis(np.asarray(indices), -1, 0))
    if reduction == "set":
        result[places] = values
    else:
        {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}[reduction].at(result, places, values)
    return result


def _block(x: Any, start: Any, shape: Any) -> tuple[slice, ...]:
    first = [int(np.clip(s, 0, n - m)) for s, n, m in zip(start, x.shape, shape, strict=True)]
    return tuple(slice(s, s + m) for s, m in zip(first, shape, strict=True))


def dynamic_slice(x: Any, start_indices: Any, shape: Any) -> Any:
    return x[_block(x, start_indices, shape)]


def dynamic_update_slice(x: Any, start_indices: Any, updates: Any) -> Any:
    result = x.copy()
    result[_block(x, start_indices, updates.shape)] = updates
    return result


def matmul(x1: Any, x2: Any) -> Any:
    if x1.dtype == x2.dtype == np.int8:
        return x1.astype(np.int32) @ x2.astype(np.int32)
    return x1 @ x2


def lu_factor(x: Any) -> Any:
    factors = [scipy.linalg.lu_factor(matrix) for matrix in x.reshape(-1, *x.shape[-2:])]
    lu, pivots = (np.stack(part) for part in zip(*factors, strict=True))
    return lu.reshape(x.shape), pivots.reshape(x.shape[:-1]).astype(np.int32)


def solve(a: Any, b: Any) -> Any:
    return np.linalg.solve(a, b[..., None])[..., 0] if b.ndim == a.ndim - 1 else np.linalg.solve(a, b)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    return np.linalg.solve(np.tril(a) if lower else np.triu(a), b)


def _windows(x: Any, window: Any, strides: Any, dilation: Any) -> np.ndarray:
    """Return `(batch, *spatial', channels, *window)`."""
    n = len(window)
    reach = [d * (w - 1) + 1 for d, w in zip(dilation, window, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axis=tuple(range(1, n + 1)))
    spatial = tuple(slice(None, None, s) for s in strides)
    inside = tuple(slice(None, None, d) for d in dilation)
    return view[(slice(None), *spatial, slice(None), *inside)]


def _padded(x: Any, padding: Any, value: float = 0.0) -> np.ndarray:
    return np.pad(x, [(0, 0), *padding, (0, 0)], constant_values=value)


def conv_nd(inputs: Any, kernel: Any, strides: Any, padding: Any, dilation: Any, groups: int = 1) -> Any:
    n = kernel.ndim - 2
    windows = _windows(_padded(inputs, padding), kernel.shape[:n], strides, dilation)
    parts = []
    for x, k in zip(np.split(windows, groups, n + 1), np.split(kernel, groups, -1), strict=True):
        # x: (batch, *spatial, channels, *window); k: (*window, channels, filters)
        parts.append(np.tensordot(x, np.moveaxis(k, -2, 0), (range(n + 1, 2 * n + 2), range(n + 1))))
    return np.concatenate(parts, -1)


def conv_transpose_nd(inputs: Any, kernel: Any, strides: Any, padding: Any, dilation: Any) -> Any:
    n = kernel.ndim - 2
    full = [(s - 1) * st + d * (w - 1) + 1 for s, st, d, w in
            zip(inputs.shape[1:-1], strides, dilation, kernel.shape, strict=False)]  # fmt: skip
    out = np.zeros((len(inputs), *full, kernel.shape[-2]), inputs.dtype)
    for place in np.ndindex(inputs.shape[1:-1]):
        for offset in np.ndindex(kernel.shape[:n]):
            target = tuple(p * s + o * d for p, s, o, d in zip(place, strides, offset, dilation, strict=True))
            out[(slice(None), *target)] += inputs[(slice(None), *place)] @ kernel[offset].T
    out = np.pad(out, [(0, 0), *((max(-b, 0), max(-a, 0)) for b, a in padding), (0, 0)])
    inner = tuple(slice(max(b, 0), size - max(a, 0)) for (b, a), size in zip(padding, out.shape[1:-1], strict=True))
    return out[(slice(None), *inner)]


def max_pool_nd(inputs: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
    low = -np.inf if inputs.dtype.kind == "f" else np.iinfo(inputs.dtype).min
    n = len(pool_size)
    windows = _windows(_padded(inputs, padding, low), pool_size, strides, (1,) * n)
    return windows.max(tuple(range(-n, 0)))


def average_pool_nd(inputs: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
    n = len(pool_size)
    total = _windows(_padded(inputs, padding), pool_size, strides, (1,) * n).sum(tuple(range(-n, 0)))
    count = _windows(_padded(np.ones_like(inputs), padding), pool_size, strides, (1,) * n).sum(tuple(range(-n, 0)))
    return total / count


def nonfloat_kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, for floats; other arrays are returned as they are."""
    return lambda x, *rest: function(x, *rest) if x.dtype.kind in "fc" else x


PRIMITIVES: dict[str, Callable[..., Any]] = {
    # arrays
    "shape": np.shape,
    "ndim": np.ndim,
    "size": np.size,
    "convert_to_numpy": np.asarray,
    "full": lambda shape, fill_value, dtype=None: np.full(shape, fill_value),
    "arange": lambda *args, dtype=None: np.arange(*args),
    "zeros": lambda shape, dtype=None: np.zeros(shape),
    "ones": lambda shape, dtype=None: np.ones(shape),
    "zeros_like": lambda x, dtype=None: np.zeros_like(x),
    "ones_like": lambda x, dtype=None: np.ones_like(x),
    # elementwise
    "abs": np.abs,
    "negative": np.negative,
    "floor": nonfloat_kept(np.floor),
    "round": np.round,
    "exp": lambda x: np.exp(_float(x)),
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "erf": scipy.special.erf,
    "erfinv": scipy.special.erfinv,
    "real": np.real,
    "imag": np.imag,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "floor_divide": np.floor_divide,
    "power": np.power,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "arctan2": np.arctan2,
    "equal": np.equal,
    "less": np.less,
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "left_shift": np.left_shift,
    "right_shift": np.right_shift,
    "complex": lambda real, imag: real + 1j * imag,
    "where": np.where,
    # shaping
    "reshape": np.reshape,
    "transpose": np.transpose,
    "broadcast_to": np.broadcast_to,
    "concatenate": np.concatenate,
    "constant_pad": constant_pad,
    "flip": np.flip,
    "strided_slice": strided_slice,
    "expand_dims": np.expand_dims,
    "squeeze": np.squeeze,
    "stack": np.stack,
    # reduction
    "sum": lambda x, axis=None, keepdims=False: np.sum(x, axis, keepdims=keepdims),
    "prod": lambda x, axis=None, keepdims=False, dtype=None: np.prod(x, axis, keepdims=keepdims),
    "max": lambda x, axis=None, keepdims=False, initial=None: np.max(
        x, axis, keepdims=keepdims, **({} if initial is None else {"initial": initial})
    ),
    "min": lambda x, axis=None, keepdims=False, initial=None: np.min(
        x, axis, keepdims=keepdims, **({} if initial is None else {"initial": initial})
    ),
    "any": lambda x, axis=None, keepdims=False: np.any(x, axis, keepdims=keepdims),
    "all": lambda x, axis=None, keepdims=False: np.all(x, axis, keepdims=keepdims),
    "argmax": lambda x, axis=None, keepdims=False: np.argmax(x, axis, keepdims=keepdims),
    "cumsum": lambda x, axis=None, dtype=None: np.cumsum(x, axis),
    "cumprod": lambda x, axis=None, dtype=None: np.cumprod(x, axis),
    # indexing
    "take": np.take,
    "take_along_axis": lambda x, indices, axis=None: np.take_along_axis(x, indices, axis),
    "scatter_reduce": scatter_reduce,
    "dynamic_slice": dynamic_slice,
    "dynamic_update_slice": dynamic_update_slice,
    "sort": np.sort,
    "argsort": lambda x, axis=-1: np.argsort(x, axis, kind="stable"),
    "searchsorted": np.searchsorted,
    "nonzero": np.nonzero,
    # linalg, fourier
    "matmul": matmul,
    "einsum": np.einsum,
    "cholesky": lambda x, upper=False: np.linalg.cholesky(x, upper=upper),
    "qr": np.linalg.qr,
    "svd": np.linalg.svd,
    "eigh": np.linalg.eigh,
    "eig": lambda x: tuple(part.astype(complex) for part in np.linalg.eig(x)),
    "lu_factor": lu_factor,
    "solve": solve,
    "solve_triangular": solve_triangular,
    "complex_fft": np.fft.fft,
    "complex_rfft": np.fft.rfft,
    "complex_irfft": np.fft.irfft,
    # nn
    "conv_nd": conv_nd,
    "conv_transpose_nd": conv_transpose_nd,
    "max_pool_nd": max_pool_nd,
    "average_pool_nd": average_pool_nd,
}
