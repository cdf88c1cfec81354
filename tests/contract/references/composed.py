"""Composites, said with NumPy and SciPy. A name in `SAME` means in NumPy what it means here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.signal
import scipy.special

from contract.references.primitives import PRIMITIVES

SAME = """
absolute fabs square reciprocal sign signbit conjugate conj angle heaviside true_divide mod fmod gcd lcm ceil trunc
clip fmax fmin nan_to_num exp2 log2 log10 logaddexp logaddexp2 cbrt hypot i0 tan arcsin arccos arctan sinh cosh
copysign float_power cov column_stack
arcsinh arccosh arctanh deg2rad rad2deg sinc not_equal greater less_equal greater_equal isclose allclose isnan isinf
isposinf isneginf isreal isfinite logical_not logical_and logical_or logical_xor bitwise_not isin
tril triu diagonal diag diagflat vander linspace logspace geomspace bartlett hanning hamming blackman kaiser ravel
moveaxis swapaxes fliplr flipud rot90 copy roll append hstack vstack dstack tile repeat split array_split hsplit
vsplit dsplit dot vdot inner outer tensordot kron trace mean var std median quantile percentile ptp corrcoef
diff trapezoid nanmax nanmin nansum nanprod nanmean nanvar nanstd  nancumsum nancumprod nanmedian
nanquantile nanpercentile digitize histogram argmin count_nonzero correlate select pad
"""


def divide_no_nan(x1: Any, x2: Any) -> Any:
    return np.where(x2 == 0, 0, np.divide(x1, np.where(x2 == 0, 1, x2)))


def meshgrid(*x: Any, indexing: str = "xy") -> Any:
    return np.meshgrid(*x, indexing=indexing)


def saturate_cast(x: Any, dtype: str) -> Any:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return x.astype(kind)
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    exact = [min(max(int(v), low), high) if np.isfinite(v) else 0 for v in x.ravel()]
    return np.array(exact, kind).reshape(x.shape)


def unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    return list(np.moveaxis(x, axis, 0))


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    return np.average(x, axis, weights)


def cross(x1: Any, x2: Any, *axes: Any, **more: Any) -> Any:
    if axes or more or x1.shape[-1] == x2.shape[-1] == 3:
        return np.cross(x1, x2, *axes, **more)
    # NumPy 2.5 takes no vectors of the plane any more.
    plane = x1.shape[-1] == x2.shape[-1] == 2
    found = np.cross(*(np.pad(x, [*[(0, 0)] * (x.ndim - 1), (0, 3 - x.shape[-1])]) for x in (x1, x2)))
    return found[..., 2] if plane else found


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    if x.ndim == 2:
        return np.stack([np.bincount(row, minlength=minlength) for row in x])
    return np.bincount(x, weights, minlength)


def top_k(x: Any, k: int, is_stable: bool = True) -> Any:
    order = np.argsort(-x, -1, kind="stable")[..., :k]
    return np.take_along_axis(x, order, -1), order


def argpartition(x: Any, kth: int, axis: int = -1) -> Any:
    return np.argsort(x, axis, kind="stable")


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    parts = np.unique(x, return_index, return_inverse, return_counts, axis)
    if size is None:
        return parts
    parts = parts if isinstance(parts, tuple) else (parts,)
    return [np.concatenate([p, np.full(size - len(p), fill_value if i == 0 else 0)]) for i, p in enumerate(parts)]


def get_item(x: Any, key: Any) -> Any:
    return x[key]


def scatter(indices: Any, values: Any, shape: Any) -> Any:
    result = np.zeros(shape, values.dtype)
    np.add.at(result, tuple(np.moveaxis(indices, -1, 0)), values)
    return result


def rearrange(tensor: Any, pattern: str, **lengths: int) -> Any:
    if pattern == "... a b -> (b a) ...":
        return tensor.transpose(2, 1, 0).reshape(-1, tensor.shape[0])
    b, _, c = tensor.shape
    return tensor.reshape(b, lengths["h"], -1, c).transpose(0, 3, 1, 2)


# ---- matrices, norms, transforms ---------------------------------------------------------------------------------


def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    return np.linalg.inv(x.T @ x if upper else x @ x.T)


def lstsq(a: Any, b: Any) -> Any:
    return np.linalg.lstsq(a, b, rcond=None)[0]


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None and ord is None:
        return np.sqrt((x**2).sum(keepdims=keepdims))
    return np.linalg.norm(x, ord, axis, keepdims)


def pair(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a transform of complex arrays as one of pairs."""

    def transform(x: Any, *rest: Any) -> Any:
        z = function(x[0] + 1j * x[1] if isinstance(x, list) else x, *rest)
        return [z.real, z.imag] if np.iscomplexobj(z) else z

    return transform


def irfft(x: Any, fft_length: int | None = None) -> Any:
    return np.fft.irfft(x[0] + 1j * x[1], fft_length)


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, sequence_length, -1)[..., ::sequence_stride, :]


def window_of(window: Any, sequence_length: int, fft_length: int) -> Any:
    before = (fft_length - sequence_length) // 2
    values = np.ones(fft_length) if window is None else scipy.signal.get_window(window, sequence_length)
    return values if window is None else np.pad(values, (before, fft_length - sequence_length - before))


def stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True
) -> Any:
    if center:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(fft_length // 2,) * 2], mode="reflect")
    weights = window_of(window, sequence_length, fft_length)
    z = np.fft.rfft(extract_sequences(x, fft_length, sequence_stride) * weights)
    return [z.real, z.imag]


def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    weights = window_of(window, sequence_length, fft_length)
    frames = np.fft.irfft(x[0] + 1j * x[1], fft_length) * weights
    count = frames.shape[-2]
    total = np.zeros((*frames.shape[:-2], (count - 1) * sequence_stride + fft_length))
    squares = np.zeros(total.shape[-1])
    for i in range(count):
        place = slice(i * sequence_stride, i * sequence_stride + fft_length)
        total[..., place] += frames[..., i, :]
        squares[place] += weights**2
    total = total / np.where(squares > 1e-12, squares, 1.0)
    start = fft_length // 2 if center else 0
    stop = start + length if length else total.shape[-1] - start
    return total[..., start:stop]


def nan_arg(function: Callable[..., Any], other: float) -> Callable[..., Any]:
    """Return `argmax` or `argmin` of what is not nan; -1 where nothing is left."""

    def index(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        places = function(np.where(np.isnan(x), other, x), axis, keepdims=keepdims)
        return np.where(np.isnan(x).all(axis, keepdims=keepdims), -1, places)

    return index


COMPOSED: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in SAME.split()},
    "sigmoid": scipy.special.expit,
    "softplus": lambda x: np.logaddexp(x, 0),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "logsumexp": lambda x, axis=None, keepdims=False: scipy.special.logsumexp(x, axis=axis, keepdims=keepdims),
    "divide_no_nan": divide_no_nan,
    "ldexp": lambda x1, x2: x1 * 2.0**x2,
    "bitwise_invert": np.bitwise_not,
    "bitwise_left_shift": np.left_shift,
    "bitwise_right_shift": np.right_shift,
    "array": lambda x, dtype=None: np.asarray(x),
    "empty": lambda shape, dtype=None: np.zeros(shape),
    "empty_like": lambda x, dtype=None: np.zeros_like(x),
    "full_like": lambda x, fill_value, dtype=None: np.full(x.shape, fill_value),
    "eye": lambda N, M=None, k=0, dtype=None: np.eye(N, M, k),
    "identity": lambda n, dtype=None: np.eye(n),
    "tri": lambda N, M=None, k=0, dtype=None: np.tri(N, M, k),
    "meshgrid": meshgrid,
    "unstack": unstack,
    "saturate_cast": saturate_cast,
    "amax": PRIMITIVES["max"],
    "amin": PRIMITIVES["min"],
    "argmin": lambda x, axis=None, keepdims=False: np.argmin(x, axis, keepdims=keepdims),
    "mean": lambda x, axis=None, keepdims=False: np.mean(x, axis, keepdims=keepdims),
    "var": lambda x, axis=None, keepdims=False: np.var(x, axis, keepdims=keepdims),
    "std": lambda x, axis=None, keepdims=False: np.std(x, axis, keepdims=keepdims),
    "median": lambda x, axis=None, keepdims=False: np.median(x, axis, keepdims=keepdims),
    "quantile": lambda x, q, axis=None, method="linear", keepdims=False: np.quantile(
        x, q, axis, method=method, keepdims=keepdims
    ),
    "percentile": lambda x, q, axis=None: np.percentile(x, q, axis),
    "nanargmax": nan_arg(np.argmax, -np.inf),
    "nanargmin": nan_arg(np.argmin, np.inf),
    "average": average,
    "bincount": bincount,
    "cross": cross,
    "top_k": top_k,
    "argpartition": argpartition,
    "unique": unique,
    "unravel_index": np.unravel_index,
    "get_item": get_item,
    "scatter": scatter,
    "slice": lambda inputs, start_indices, shape: inputs[
        tuple(slice(s, s + n) for s, n in zip(start_indices, shape, strict=True))
    ],
    "stop_gradient": lambda variable: variable,
    "rearrange": rearrange,
    "det": np.linalg.det,
    "slogdet": np.linalg.slogdet,
    "logdet": lambda x: np.linalg.slogdet(x)[1],
    "inv": np.linalg.inv,
    "cholesky_inverse": cholesky_inverse,
    "pinv": np.linalg.pinv,
    "lstsq": lstsq,
    "matrix_power": np.linalg.matrix_power,
    "matrix_rank": np.linalg.matrix_rank,
    "norm": norm,
    "polar": lambda abs_, angle: abs_ * np.exp(1j * angle),
    "view_as_complex": lambda x: x[..., 0] + 1j * x[..., 1],
    "view_as_real": lambda x: np.stack([x.real, x.imag], -1),
    "fft": pair(np.fft.fft),
    "ifft": pair(np.fft.ifft),
    "fft2": pair(np.fft.fft2),
    "ifft2": pair(np.fft.ifft2),
    "rfft": pair(np.fft.rfft),
    "irfft": irfft,
    "extract_sequences": extract_sequences,
    "stft": stft,
    "istft": istft,
}
