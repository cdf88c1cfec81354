"""Activations, convolutions, losses, normalisations and encodings, said with NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import scipy.special

from contract.references.primitives import average_pool_nd, conv_nd, conv_transpose_nd, max_pool_nd

# ---- convolutions and pools --------------------------------------------------------------------------------------


def per_axis(value: Any, n: int) -> tuple[int, ...]:
    return (value,) * n if isinstance(value, int) else tuple(value)


def around(padding: str, sizes: Any, window: Any, strides: Any, dilation: Any) -> list[tuple[int, int]]:
    """Return the padding of TensorFlow's names: "same" gives `ceil(size / stride)` windows, the odd one at the end."""
    pairs = []
    for n, k, s, d in zip(sizes, window, strides, dilation, strict=True):
        reach = d * (k - 1) + 1
        total = max((-(-n // s) - 1) * s + reach - n, 0)
        pairs.append({"valid": (0, 0), "same": (total // 2, total - total // 2), "causal": (reach - 1, 0)}[padding])
    return pairs


def channels_last(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` so that it takes `data_format`."""

    def wrapped(inputs: Any, *rest: Any, data_format: str | None = None, **options: Any) -> Any:
        if data_format != "channels_first":
            return function(inputs, *rest, **options)
        return np.moveaxis(function(np.moveaxis(inputs, 1, -1), *rest, **options), -1, 1)

    return wrapped


def conv(inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", dilation_rate: Any = 1) -> Any:
    n = kernel.ndim - 2
    steps, dilation = per_axis(strides, n), per_axis(dilation_rate, n)
    pairs = around(padding, inputs.shape[1:-1], kernel.shape[:n], steps, dilation)
    return conv_nd(inputs, kernel, steps, pairs, dilation, inputs.shape[-1] // kernel.shape[-2])


def depthwise_conv(inputs: Any, kernel: Any, *rest: Any, **options: Any) -> Any:
    parts = [conv(inputs[..., c : c + 1], kernel[..., c : c + 1, :], *rest, **options) for c in range(kernel.shape[-2])]
    return np.concatenate(parts, -1)


def separable_conv(inputs: Any, depthwise: Any, pointwise: Any, *rest: Any, **options: Any) -> Any:
    return depthwise_conv(inputs, depthwise, *rest, **options) @ pointwise.reshape(pointwise.shape[-2:])


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
) -> Any:
    """Keras's rule on JAX: the input, spread by the strides, is padded on both sides and convolved."""
    n = kernel.ndim - 2
    steps, dilation = per_axis(strides, n), per_axis(dilation_rate, n)
    extra = (None,) * n if output_padding is None else per_axis(output_padding, n)
    drops = []
    for k, s, d, o in zip(kernel.shape, steps, dilation, extra, strict=False):
        reach = d * (k - 1) + 1
        if padding == "valid":
            left = reach - 1
            right = left + (max(reach, s) - reach if o is None else o)
        else:
            both = s + reach - 2 if o is None else reach + reach % 2 - 2 + o
            left = min(both // 2 + both % 2, reach - 1)
            right = both - left
        drops.append((reach - 1 - left, reach - 1 - right))
    return conv_transpose_nd(inputs, kernel, steps, drops, dilation)


def pool(function: Callable[..., Any]) -> Callable[..., Any]:
    def pooled(inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid") -> Any:
        n = inputs.ndim - 2
        window = per_axis(pool_size, n)
        steps = window if strides is None else per_axis(strides, n)
        return function(inputs, window, steps, around(padding, inputs.shape[1:-1], window, steps, (1,) * n))

    return channels_last(pooled)


def adaptive(reduce: Callable[..., Any]) -> Callable[..., Any]:
    def pooled(inputs: Any, output_size: Any) -> Any:
        sizes = inputs.shape[1:-1]
        counts = per_axis(output_size, len(sizes))
        out = np.empty((len(inputs), *counts, inputs.shape[-1]))
        for place in np.ndindex(*counts):
            window = tuple(
                slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(place, sizes, counts, strict=True)
            )
            out[(slice(None), *place)] = reduce(inputs[(slice(None), *window)], tuple(range(1, len(sizes) + 1)))
        return out

    return channels_last(pooled)


def block_places(size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    """Yield, for each element of a block, the rows and columns of a padded image at which it lies."""
    counts = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in
              zip(size, kernel, dilation, padding, stride, strict=True)]  # fmt: skip
    for offset in product(*map(range, kernel)):
        yield tuple(slice(o * d, o * d + (c - 1) * s + 1, s) for o, d, c, s in
                    zip(offset, dilation, counts, stride, strict=True))  # fmt: skip


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    k, d, p, s = (per_axis(v, 2) for v in (kernel_size, dilation, padding, stride))
    padded = np.pad(x, [(0, 0), (0, 0), (p[0],) * 2, (p[1],) * 2])
    blocks = [padded[(slice(None), slice(None), *place)] for place in block_places(x.shape[2:], k, d, p, s)]
    return np.stack(blocks, 2).reshape(len(x), x.shape[1] * len(blocks), -1)


def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    size, k, d, p, s = (per_axis(v, 2) for v in (output_size, kernel_size, dilation, padding, stride))
    parts = x.reshape(len(x), -1, k[0] * k[1], x.shape[-1])
    out = np.zeros((len(x), parts.shape[1], size[0] + 2 * p[0], size[1] + 2 * p[1]))
    for i, place in enumerate(block_places(size, k, d, p, s)):
        target = out[(slice(None), slice(None), *place)]
        target += parts[:, :, i].reshape(target.shape)
    return out[:, :, p[0] : p[0] + size[0], p[1] : p[1] + size[1]]


def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    r = block_size
    if data_format == "channels_first":
        n, _, h, w = x.shape
        return np.einsum("ncijhw->nchiwj", x.reshape(n, -1, r, r, h, w)).reshape(n, -1, h * r, w * r)
    n, h, w, _ = x.shape
    return np.einsum("nhwijc->nhiwjc", x.reshape(n, h, w, r, r, -1)).reshape(n, h * r, w * r, -1)


def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    r = block_size
    if data_format == "channels_first":
        n, c, h, w = x.shape
        return np.einsum("nchiwj->ncijhw", x.reshape(n, c, h // r, r, w // r, r)).reshape(n, -1, h // r, w // r)
    n, h, w, c = x.shape
    return np.einsum("nhiwjc->nhwijc", x.reshape(n, h // r, r, w // r, r, c)).reshape(n, h // r, w // r, -1)


# ---- losses, normalisations, attention ---------------------------------------------------------------------------


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    if from_logits:
        return np.logaddexp(0, output) - target * output
    p = np.clip(output, 1e-7, 1 - 1e-7)
    return -target * np.log(p) - (1 - target) * np.log(1 - p)


def log_probabilities(output: Any, from_logits: bool, axis: int) -> Any:
    if from_logits:
        return scipy.special.log_softmax(output, axis)
    return np.log(np.clip(output / output.sum(axis, keepdims=True), 1e-7, 1 - 1e-7))


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    return -(target * log_probabilities(output, from_logits, axis)).sum(axis)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    logs = log_probabilities(output, from_logits, axis)
    return -np.take_along_axis(logs, np.expand_dims(target, axis), axis).squeeze(axis)


def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    """Every alignment is tried: a few thousand for the sizes of the cases."""
    losses = []
    for labels, logits, n, time in zip(target, output, target_length, output_length, strict=True):
        logs = scipy.special.log_softmax(logits[:time], -1)
        wanted = [int(label) for label in labels[:n]]
        alphabet = sorted({mask_index, *wanted})
        total = -np.inf
        for path in product(alphabet, repeat=int(time)):
            merged = [c for i, c in enumerate(path) if i == 0 or c != path[i - 1]]
            if [c for c in merged if c != mask_index] == wanted:
                total = np.logaddexp(total, sum(logs[t, c] for t, c in enumerate(path)))
        losses.append(-total)
    return np.array(losses)


def ctc_decode(inputs: Any, sequence_lengths: Any, merge_repeated: bool = True, mask_index: int = 0) -> Any:
    decoded = np.full((1, *inputs.shape[:2]), -1, np.int32)
    scores = []
    for row, (logits, time) in enumerate(zip(inputs, sequence_lengths, strict=True)):
        best = logits[:time].argmax(-1)
        kept = [c for i, c in enumerate(best) if not (merge_repeated and i and c == best[i - 1])]
        labels = [c for c in kept if c != mask_index]
        decoded[0, row, : len(labels)] = labels
        scores.append([-logits[:time].max(-1).sum()])
    return decoded, np.array(scores)


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    return x / np.maximum(np.linalg.norm(x, order, axis, keepdims=True), 1e-7)


def batch_normalization(x: Any, mean: Any, variance: Any, axis: int, offset: Any = 0.0, scale: Any = 1.0) -> Any:
    moved = np.moveaxis(x, axis, -1)
    return np.moveaxis((moved - mean) / np.sqrt(variance + 1e-3) * scale + offset, -1, axis)


def normalize_batch(x: Any, axis: int = -1, offset: Any = 0.0, scale: Any = 1.0) -> Any:
    moved = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
    mean, variance = moved.mean(0), moved.var(0)
    return batch_normalization(x, mean, variance, axis, offset, scale), mean, variance


def layer_normalization(x: Any, gamma: Any = 1.0, beta: Any = 0.0, axis: Any = -1) -> Any:
    mean, variance = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-7) * gamma + beta


def rms_normalization(x: Any, scale: Any = 1.0, axis: Any = -1, epsilon: float = 1e-7) -> Any:
    return x / np.sqrt((x**2).mean(axis, keepdims=True) + epsilon) * scale


def lstm(x: Any, h: Any, c: Any, kernel: Any, recurrent_kernel: Any, bias: Any = 0.0) -> Any:
    outputs = []
    for row in x:
        i, f, g, o = np.split(row @ kernel + h @ recurrent_kernel + bias, 4, axis=-1)
        c = scipy.special.expit(f) * c + scipy.special.expit(i) * np.tanh(g)
        h = scipy.special.expit(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), c


def gru(x: Any, h: Any, kernel: Any, recurrent_kernel: Any, bias: Any = (0.0, 0.0)) -> Any:
    outputs = []
    for row in x:
        zx, rx, nx = np.split(row @ kernel + bias[0], 3, axis=-1)
        zs, rs, ns = np.split(h @ recurrent_kernel + bias[1], 3, axis=-1)
        update, new = scipy.special.expit(zx + zs), np.tanh(nx + scipy.special.expit(rx + rs) * ns)
        h = update * h + (1 - update) * new
        outputs.append(h)
    return np.stack(outputs)


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: Any = None,
    is_causal: bool = False,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    groups = query.shape[2] // key.shape[2]
    key, value = np.repeat(key, groups, 2), np.repeat(value, groups, 2)
    logits = np.einsum("btnh,bsnh->bnts", query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
    logits = logits if bias is None else logits + bias
    if attn_logits_soft_cap is not None:
        logits = attn_logits_soft_cap * np.tanh(logits / attn_logits_soft_cap)
    if is_causal:
        logits = np.where(np.tri(*logits.shape[-2:], dtype=bool), logits, -np.inf)
    if mask is not None:
        logits = np.where(mask, logits, -np.inf)
    return np.einsum("bnts,bsnh->btnh", scipy.special.softmax(logits, -1), value)


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None) -> Any:
    return np.moveaxis((x[..., None] == np.arange(num_classes)).astype(float), -1, axis)


def multi_hot(inputs: Any, num_classes: int) -> Any:
    return one_hot(inputs, num_classes).max(-2)


def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    return (predictions > np.take_along_axis(predictions, targets[:, None], 1)).sum(1) < k


def segment(ufunc: np.ufunc, empty: float) -> Callable[..., Any]:
    def reduced(data: Any, ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
        start = empty
        if data.dtype.kind == "i" and np.isinf(empty):
            start = np.iinfo(data.dtype).min if empty < 0 else np.iinfo(data.dtype).max
        out = np.full((num_segments or int(ids.max()) + 1, *data.shape[1:]), start, data.dtype)
        ufunc.at(out, ids, data)
        return out

    return reduced


def sparsemax(x: Any, axis: int = -1) -> Any:
    """The threshold is found by bisection, not by sorting."""
    low, high = x.max(axis, keepdims=True) - 1, x.max(axis, keepdims=True)
    for _ in range(80):
        middle = (low + high) / 2
        over = np.maximum(x - middle, 0).sum(axis, keepdims=True) > 1
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return np.maximum(x - low, 0)


def gelu(x: Any, approximate: bool = True) -> Any:
    if approximate:
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x / 2 * scipy.special.erfc(-x / np.sqrt(2))


def glu(x: Any, axis: int = -1) -> Any:
    a, b = np.split(x, 2, axis)
    return a * scipy.special.expit(b)


ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
expit, maximum, minimum, where = scipy.special.expit, np.maximum, np.minimum, np.where

NETWORKS: dict[str, Callable[..., Any]] = {
    "relu": lambda x: maximum(x, 0),
    "relu6": lambda x: minimum(maximum(x, 0), 6),
    "leaky_relu": lambda x, negative_slope=0.2: where(x < 0, negative_slope * x, x),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_silu": lambda x: where(x == -np.inf, 0 * x, x * np.clip(x / 6 + 0.5, 0, 1)),
    "hard_swish": lambda x: where(x == -np.inf, 0 * x, x * np.clip(x / 6 + 0.5, 0, 1)),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "hard_shrink": lambda x, threshold=0.5: where(np.abs(x) <= threshold, 0, x),
    "soft_shrink": lambda x, threshold=0.5: np.sign(x) * maximum(np.abs(x) - threshold, 0),
    "threshold": lambda x, threshold, default_value: where(x > threshold, x, default_value),
    "elu": lambda x, alpha=1.0: where(x > 0, x, alpha * np.expm1(minimum(x, 0))),
    "selu": lambda x: SCALE * where(x > 0, x, ALPHA * np.expm1(minimum(x, 0))),
    "celu": lambda x, alpha=1.0: where(x > 0, x, alpha * np.expm1(minimum(x, 0) / alpha)),
    "gelu": gelu,
    "silu": lambda x: x * expit(x),
    "swish": lambda x: x * expit(x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "log_sigmoid": scipy.special.log_expit,
    "tanh_shrink": lambda x: x - np.tanh(x),
    "sparse_plus": lambda x: where(x <= -1, 0, where(x < 1, (x + 1) ** 2 / 4, x)),
    "squareplus": lambda x, b=4: where(x < 0, b / (np.sqrt(x * x + b) - x), x + np.sqrt(x * x + b)) / 2,
    "glu": glu,
    "softmax": lambda x, axis=-1: scipy.special.softmax(x, axis),
    "log_softmax": lambda x, axis=-1: scipy.special.log_softmax(x, axis),
    "sparsemax": sparsemax,
    "conv": channels_last(conv),
    "depthwise_conv": channels_last(depthwise_conv),
    "separable_conv": channels_last(separable_conv),
    "conv_transpose": channels_last(conv_transpose),
    "max_pool": pool(max_pool_nd),
    "average_pool": pool(average_pool_nd),
    "adaptive_average_pool": adaptive(np.mean),
    "adaptive_max_pool": adaptive(np.max),
    "unfold": unfold,
    "fold": fold,
    "depth_to_space": depth_to_space,
    "space_to_depth": space_to_depth,
    "binary_crossentropy": binary_crossentropy,
    "categorical_crossentropy": categorical_crossentropy,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
    "psnr": lambda x1, x2, max_val: 10 * np.log10(max_val**2 / ((x1 - x2) ** 2).mean()),
    "ctc_loss": ctc_loss,
    "ctc_decode": ctc_decode,
    "moments": lambda x, axes, keepdims=False: (x.mean(axes, keepdims=keepdims), x.var(axes, keepdims=keepdims)),
    "normalize": normalize,
    "batch_normalization": batch_normalization,
    "layer_normalization": layer_normalization,
    "normalize_batch": normalize_batch,
    "rms_normalization": rms_normalization,
    "lstm": lstm,
    "gru": gru,
    "dot_product_attention": dot_product_attention,
    "one_hot": one_hot,
    "multi_hot": multi_hot,
    "in_top_k": in_top_k,
    "erfc": scipy.special.erfc,
    "lgamma": lambda x: np.where(np.isinf(x), np.inf, scipy.special.gammaln(x)),
    "gammainc": scipy.special.gammainc,
    "segment_sum": segment(np.add, 0),
    "segment_max": segment(maximum, -np.inf),
    "segment_min": segment(minimum, np.inf),
    "segment_prod": segment(np.multiply, 1),
    "cdist": lambda x, y: np.sqrt(((x[..., :, None, :] - y[..., None, :, :]) ** 2).sum(-1)),
}
