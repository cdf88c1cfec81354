"""Activations, windows, normalization, attention and losses: composed ops against formulas, and at hard points."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import erf, expit, log_softmax, softmax

from helpers import assert_parity
from polykeras import autodiff, ops
from polykeras.backend import Backend

RNG = np.random.default_rng(11)
WIDER = 2e-5
"""Sums in float32 round more often than single operations."""


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


def agree(actual: Any, expected: Any, rtol: float = WIDER, atol: float = WIDER) -> None:
    """Compare in the dtype of the result: dtypes have their own tests."""
    got = ops.convert_to_numpy(actual)
    assert_parity(got, np.asarray(expected).astype(got.dtype), rtol, atol)


def gradient(fn: Callable[[Any], Any], x: Any) -> np.ndarray:
    """Return the gradient of the sum of `fn` at `x`."""
    return ops.convert_to_numpy(autodiff.grad(lambda a: ops.sum(fn(a)))(ops.convert_to_tensor(x)))


# ---- activations ---------------------------------------------------------------------------------------------------

X = np.concatenate([np.linspace(-6, 6, 49), [-88.0, 88.0, -1e4, 1e4]])


def _elu(x: np.ndarray, alpha: float = 1.0, width: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / width))


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": _elu,
    "selu": lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    "celu": _elu,
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x * expit(x),
    "swish": lambda x: x * expit(x),
    "sigmoid": expit,
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "squareplus": lambda x: np.where(x < 0, 2 / (np.sqrt(x**2 + 4) - x), (x + np.sqrt(x**2 + 4)) / 2),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, backend: Backend) -> None:
    x = X.astype("float32")
    agree(getattr(ops, name)(x), ACTIVATIONS[name](x.astype("float64")), 1e-5, 1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradients_of_activations_are_slopes_and_finite_everywhere(name: str, backend: Backend) -> None:
    smooth = np.setdiff1d(X, [-3, -1, -0.5, 0, 0.5, 1, 3, 6, -6]).astype("float32")
    found = gradient(getattr(ops, name), smooth)
    wide = smooth.astype("float64")
    step = 1e-6 * np.maximum(1, np.abs(wide))
    slopes = (ACTIVATIONS[name](wide + step) - ACTIVATIONS[name](wide - step)) / (2 * step)
    agree(found, slopes, 2e-4, 2e-4)
    everywhere = np.array([0.0, -0.0, 1e-30, -1e-30, 1e10, -1e10, -1.0, 1.0], "float32")
    assert np.isfinite(gradient(getattr(ops, name), everywhere)).all()


CORNERS = [
    ("relu", {}, [0.0], [0.0]),
    ("relu6", {}, [0.0, 6.0], [0.0, 0.0]),
    ("leaky_relu", {}, [0.0], [0.2]),
    ("hard_tanh", {}, [-1.0, 1.0], [1.0, 1.0]),
    ("elu", {"alpha": 0.5}, [0.0], [0.5]),
    ("squareplus", {}, [0.0, -1e4], [0.5, 1e-8]),
    ("softplus", {}, [0.0], [0.5]),
    ("sparse_plus", {}, [-1.0, 1.0], [0.0, 1.0]),
    ("softsign", {}, [0.0], [1.0]),
]


@pytest.mark.parametrize(("name", "kwargs", "at", "slopes"), CORNERS)
def test_named_gradients_at_corners(name: str, kwargs: Any, at: Any, slopes: Any, backend: Backend) -> None:
    agree(gradient(lambda x: getattr(ops, name)(x, **kwargs), np.array(at, "float32")), slopes, 1e-3, 1e-9)


def test_activations_with_options(backend: Backend) -> None:
    x = X.astype("float32")
    agree(ops.gelu(x, approximate=False), 0.5 * x * (1 + erf(x / np.sqrt(2))), atol=1e-6)
    agree(ops.celu(x, 2.0), _elu(x, 2.0, 2.0))
    agree(ops.threshold(x, 1.0, 7.0), np.where(x > 1, x, 7))
    assert np.isnan(ops.convert_to_numpy(ops.relu([np.nan]))).all()
    y = normal(3, 6)
    agree(ops.glu(y, 1), y[:, :3] * expit(y[:, 3:]))
    with pytest.raises(ValueError, match="glu halves axis 0, which must be even"):
        ops.glu(y, 0)


def test_softmax_has_no_overflow_and_keeps_small_logarithms(backend: Backend) -> None:
    x = np.array([[1e4, 1e4 - 1, 0.0], [-1e4, -1e4 - 3, -1e4]], "float32")
    agree(ops.softmax(x), softmax(x.astype("float64"), -1), atol=0)
    agree(ops.log_softmax(x), log_softmax(x.astype("float64"), -1), 1e-6, 0)
    y = normal(2, 3, 4)
    agree(ops.softmax(y, (0, 2)), softmax(y, (0, 2)))
    agree(gradient(lambda a: ops.log_softmax(a)[:, 0], x), np.eye(3)[[0, 0]] - softmax(x, -1), atol=1e-6)


@pytest.mark.parametrize("axis", [-1, 0])
def test_sparsemax_is_the_nearest_point_of_the_simplex(axis: int, backend: Backend) -> None:
    x = 3 * normal(5, 7)
    low, high = x.max(axis, keepdims=True) - 1, x.max(axis, keepdims=True)
    for _ in range(60):  # bisection for the threshold
        middle = (low + high) / 2
        above = np.maximum(x - middle, 0).sum(axis, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    expected = np.maximum(x - low, 0)
    agree(ops.sparsemax(x, axis), expected)
    weights, kept = normal(5, 7), expected > 0
    mean = (weights * kept).sum(axis, keepdims=True) / kept.sum(axis, keepdims=True)
    slope = gradient(lambda a: ops.multiply(ops.sparsemax(a, axis), weights), x)
    agree(slope, np.where(kept, weights - mean, 0))


# ---- windows -------------------------------------------------------------------------------------------------------


def same(n: int, span: int, stride: int) -> tuple[int, int]:
    total = max((-(-n // stride) - 1) * stride + span - n, 0)
    return total // 2, total - total // 2


def windows(x: np.ndarray, k: int, stride: int, padding: str, dilation: int = 1, fill: float = 0.0) -> np.ndarray:
    """Return windows over the one spatial axis, `(batch, windows, k, channels)`."""
    span = dilation * (k - 1) + 1
    around = same(x.shape[1], span, stride) if padding == "same" else (span - 1, 0) if padding == "causal" else (0, 0)
    x = np.pad(x, ((0, 0), around, (0, 0)), constant_values=fill)
    starts = range(0, x.shape[1] - span + 1, stride)
    return np.stack([x[:, i : i + span : dilation] for i in starts], 1)


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("k", "stride", "dilation"), [(1, 1, 1), (3, 1, 1), (4, 2, 1), (2, 3, 1), (3, 1, 2)])
def test_convolutions(padding: str, k: int, stride: int, dilation: int, backend: Backend) -> None:
    x, kernel = normal(2, 9, 4), normal(k, 4, 6)
    expected = np.einsum("bwkc,kcf->bwf", windows(x, k, stride, padding, dilation), kernel)
    agree(ops.conv(x, kernel, stride, padding, "channels_last", dilation), expected)
    first = ops.conv(x.transpose(0, 2, 1), kernel, stride, padding, "channels_first", dilation)
    agree(first, expected.transpose(0, 2, 1))
    grouped = normal(k, 2, 6)
    halves = [
        np.einsum("bwkc,kcf->bwf", windows(x[..., c], k, stride, padding, dilation), grouped[..., f])
        for c, f in ((slice(0, 2), slice(0, 3)), (slice(2, 4), slice(3, 6)))
    ]
    agree(ops.conv(x, grouped, stride, padding, dilation_rate=dilation), np.concatenate(halves, -1))
    depthwise = normal(k, 4, 2)
    spread = np.einsum("bwkc,kcm->bwcm", windows(x, k, stride, padding, dilation), depthwise)
    spread = spread.reshape(*spread.shape[:2], 8)
    agree(ops.depthwise_conv(x, depthwise, stride, padding, dilation_rate=dilation), spread)
    mix = normal(1, 8, 3)
    agree(ops.separable_conv(x, depthwise, mix, stride, padding, dilation_rate=dilation), spread @ mix[0])


def test_convolution_in_two_dimensions_is_two_in_one(backend: Backend) -> None:
    x, rows, columns = normal(2, 6, 8, 1), normal(3), normal(2)
    kernel = (rows[:, None] * columns)[:, :, None, None]
    across = windows(x.reshape(12, 8, 1), 2, 1, "same")[..., 0] @ columns
    down = windows(across.reshape(2, 6, 8).transpose(0, 2, 1).reshape(16, 6, 1), 3, 2, "same")[..., 0] @ rows
    agree(ops.conv(x, kernel, (2, 1), "same")[..., 0], down.reshape(2, 8, 3).transpose(0, 2, 1))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("k", "stride"), [(1, 1), (3, 1), (3, 2), (4, 2), (5, 3), (2, 3), (4, 1)])
def test_transposed_convolution_is_the_adjoint(padding: str, k: int, stride: int, backend: Backend) -> None:
    y, kernel = normal(2, 5, 4), normal(k, 3, 4)
    back = ops.convert_to_numpy(ops.conv_transpose(y, kernel, stride, padding))
    assert back.shape == (2, 5 * stride if padding == "same" else 4 * stride + max(k, stride), 3)
    x = normal(*back.shape)
    forward = ops.convert_to_numpy(ops.conv(x, kernel, stride, padding))
    assert (back * x).sum() == pytest.approx((forward * y).sum(), rel=1e-3, abs=1e-3)
    if stride > 1:
        longer = ops.conv_transpose(y, kernel, stride, padding, output_padding=1)
        assert ops.shape(longer)[1] == 4 * stride + (k % 2 if padding == "same" else k) + 1


def test_windows_that_do_not_fit_are_refused(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"a window of 5 does not fit into a spatial size of 3"):
        ops.conv(normal(1, 3, 2), normal(5, 2, 2))
    with pytest.raises(ValueError, match=r"does not fit 3 channels and 1 spatial axes"):
        ops.conv(normal(1, 3, 3), normal(2, 2, 2))
    with pytest.raises(ValueError, match="`padding` must be 'valid', 'same'"):
        ops.conv(normal(1, 3, 2), normal(2, 2, 2), padding="half")
    with pytest.raises(ValueError, match="`strides` must be a positive int, or 1 of them"):
        ops.conv(normal(1, 3, 2), normal(2, 2, 2), strides=(1, 1))
    with pytest.raises(ValueError, match="does not fit into the spatial size"):
        ops.max_pool(normal(1, 3, 2), 4)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("k", "stride"), [(2, None), (3, 1), (2, 3), (3, 2)])
def test_pooling(padding: str, k: int, stride: int | None, backend: Backend) -> None:
    x = normal(2, 8, 3)
    step = stride or k
    agree(ops.max_pool(x, k, stride, padding), windows(x, k, step, padding, fill=-np.inf).max(2))
    holes = windows(x, k, step, padding, fill=np.nan)
    agree(ops.average_pool(x, k, stride, padding), np.nanmean(holes, 2))
    first = ops.average_pool(x.transpose(0, 2, 1), k, stride, padding, "channels_first")
    agree(first, np.nanmean(holes, 2).transpose(0, 2, 1))


@pytest.mark.parametrize("size", [1, 3, 4, 7])
def test_adaptive_pooling(size: int, backend: Backend) -> None:
    x = normal(2, 7, 3)
    parts = [slice(i * 7 // size, -(-(i + 1) * 7 // size)) for i in range(size)]
    agree(ops.adaptive_average_pool(x, size), np.stack([x[:, p].mean(1) for p in parts], 1))
    agree(ops.adaptive_max_pool(x, size), np.stack([x[:, p].max(1) for p in parts], 1))
    image = normal(1, 4, 6, 2)
    agree(ops.adaptive_average_pool(image, (2, 3)), image.reshape(1, 2, 2, 3, 2, 2).mean((2, 4)))


def test_unfold_takes_blocks_and_fold_is_its_adjoint(backend: Backend) -> None:
    x = normal(2, 3, 5, 6)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    blocks = [padded[:, :, i : i + 2, j : j + 5 : 2].reshape(2, -1) for i in range(0, 6, 2) for j in range(0, 4, 2)]
    columns = ops.convert_to_numpy(ops.unfold(x, (2, 3), (1, 2), 1, 2))
    agree(columns, np.stack(blocks, -1))
    y = normal(*columns.shape)
    back = ops.convert_to_numpy(ops.fold(y, (5, 6), (2, 3), (1, 2), 1, 2))
    assert back.shape == x.shape
    assert (back * x).sum() == pytest.approx((columns * y).sum(), rel=1e-3)


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_depth_and_space(layout: str, backend: Backend) -> None:
    x = normal(2, 4, 6, 12)
    agree(ops.space_to_depth(ops.depth_to_space(x, 2, layout), 2, layout), x)
    pixels = np.arange(4, dtype="float32").reshape((1, 1, 1, 4) if layout == "channels_last" else (1, 4, 1, 1))
    agree(ops.convert_to_numpy(ops.depth_to_space(pixels, 2, layout)).reshape(2, 2), [[0, 1], [2, 3]])


# ---- labels, normalization, attention ------------------------------------------------------------------------------


def test_encodings(backend: Backend) -> None:
    agree(ops.one_hot([0, 2, -1, 3], 3), [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    agree(ops.one_hot([[0, 1]], 2, axis=0, dtype="int32"), [[[1, 0]], [[0, 1]]])
    agree(ops.one_hot(np.array([3], "uint8"), 300), np.eye(300)[[3]])
    agree(ops.multi_hot([[0, 2], [1, 1]], 4), [[1, 0, 1, 0], [0, 1, 0, 0]])
    agree(ops.multi_hot([0, 2], num_tokens=3), [1, 0, 1])
    with pytest.raises(ValueError, match="no sparse arrays"):
        ops.one_hot([0], 2, sparse=True)


def test_normalizations(backend: Backend) -> None:
    x = normal(2, 3, 4) + 100  # a mean far from 0 must not cost the variance its digits
    mean, variance = ops.moments(x, (0, 2))
    agree(mean, x.mean((0, 2)))
    agree(variance, x.astype("float64").var((0, 2)), 1e-4)
    half = ops.moments(np.full((4, 3), 300.0, "float16"), 0)
    assert [backend.dtype(part) for part in half] == ["float16", "float16"]
    agree(half[0], [300, 300, 300])
    gamma, beta, y = normal(4), normal(4), normal(2, 3, 4)
    centred = y - y.mean(-1, keepdims=True)
    agree(ops.layer_normalization(y, gamma, beta), centred / np.sqrt(y.var(-1, keepdims=True) + 1e-7) * gamma + beta)
    both = (y - y.mean((1, 2), keepdims=True)) / np.sqrt(y.var((1, 2), keepdims=True) + 1e-7)
    agree(ops.layer_normalization(y, normal(3, 4) * 0 + 2, axis=(1, 2)), 2 * both)
    agree(ops.rms_normalization(y, gamma, epsilon=0.1), y / np.sqrt((y**2).mean(-1, keepdims=True) + 0.1) * gamma)
    agree(ops.batch_normalization(y, gamma, beta**2, -1, beta, gamma),
          (y - gamma) / np.sqrt(beta**2 + 1e-3) * gamma + beta)  # fmt: skip
    agree(ops.normalize(y), y / np.linalg.norm(y, axis=-1, keepdims=True))
    agree(ops.normalize(y, (1, 2), 1), y / np.abs(y).sum((1, 2), keepdims=True))


def test_normalizing_nothing_has_finite_gradients(backend: Backend) -> None:
    zero, same_values = np.zeros((1, 3), "float32"), np.full((1, 3), 2.0, "float32")
    agree(ops.normalize(zero), zero)
    agree(gradient(lambda x: ops.normalize(x)[:, 0], zero), [[1e7, 0, 0]])
    for function in (ops.layer_normalization, ops.rms_normalization):
        for x in (zero, same_values):
            assert np.isfinite(gradient(lambda a, f=function: f(a)[:, 0], x)).all()


def attention(q: Any, k: Any, v: Any, bias: Any = 0.0, mask: Any = True, scale: float | None = None) -> np.ndarray:
    logits = np.einsum("btnh,bsnh->bnts", q, k) * (q.shape[-1] ** -0.5 if scale is None else scale) + bias
    return np.einsum("bnts,bsnh->btnh", softmax(np.where(mask, logits, -1e30), -1), v)


def test_attention(backend: Backend) -> None:
    q, k, v, bias = normal(2, 5, 4, 3), normal(2, 5, 4, 3), normal(2, 5, 4, 6), normal(1, 4, 5, 5)
    mask = RNG.random((2, 1, 5, 5)) > 0.3
    mask[..., 0] = True
    agree(ops.dot_product_attention(q, k, v), attention(q, k, v))
    agree(ops.dot_product_attention(q, k, v, bias, mask, 0.3), attention(q, k, v, bias, mask, 0.3))
    causal = np.tril(np.ones((5, 5), bool))
    agree(ops.dot_product_attention(q, k, v, mask=mask, is_causal=True), attention(q, k, v, mask=mask & causal))
    shared = ops.dot_product_attention(q, k[:, :, :2], v[:, :, :2])
    agree(shared, attention(q, k[:, :, [0, 0, 1, 1]], v[:, :, [0, 0, 1, 1]]))
    blind = ops.dot_product_attention(q, k, v, mask=np.zeros((5, 5), bool))
    agree(blind, np.tile(v.mean(1, keepdims=True), (1, 5, 1, 1)))
    with pytest.raises(ValueError, match="whose heads divide the query's"):
        ops.dot_product_attention(q, k[:, :, :3], v[:, :, :3])


# ---- losses --------------------------------------------------------------------------------------------------------


def test_crossentropies(backend: Backend) -> None:
    t, x = RNG.random((3, 4)).astype("float32"), 3 * normal(3, 4)
    p = softmax(x, -1)
    agree(ops.binary_crossentropy(t, x, from_logits=True), -t * np.log(expit(x)) - (1 - t) * np.log(expit(-x)))
    agree(ops.binary_crossentropy(t, expit(x)), -t * np.log(expit(x)) - (1 - t) * np.log(expit(-x)), 1e-4)
    agree(ops.categorical_crossentropy(t, x, from_logits=True), -(t * np.log(p)).sum(-1))
    agree(ops.categorical_crossentropy(t, 5 * p), -(t * np.log(p)).sum(-1))
    agree(ops.sparse_categorical_crossentropy([2, 0, -1], x, True), [-np.log(p[0, 2]), -np.log(p[1, 0]), 0])
    agree(ops.sparse_categorical_crossentropy([[2], [0], [1]], p), -np.log(p[[0, 1, 2], [2, 0, 1]]))
    agree(ops.sparse_categorical_crossentropy([2, 0, 1], x.T.copy(), True, 0), -np.log(p[[0, 1, 2], [2, 0, 1]]))
    agree(ops.psnr(t, t + 0.1, 1.0), 20.0, 1e-4)
    with pytest.raises(ValueError, match="`target` and `output` must have one shape"):
        ops.binary_crossentropy(t, x[:2])


def test_crossentropies_at_the_ends(backend: Backend) -> None:
    x, t = np.array([0.0, 100.0, -100.0, 1e4, -1e4, 0.0], "float32"), np.array([1, 1, 0, 0, 1, 0], "float32")
    losses = [np.log(2), np.exp(-100), np.exp(-100), 1e4, 1e4, np.log(2)]
    agree(ops.binary_crossentropy(t, x, True), losses, 1e-5, 1e-37)  # exp(-100) is no normal float32
    agree(gradient(lambda a: ops.binary_crossentropy(t, a, True), x), expit(x) - t)
    p = np.array([0.0, 1.0, 1.0, 0.0], "float32")
    ends = [0.0, 0.0, -np.log(1e-7), -np.log(1e-7)]
    agree(ops.binary_crossentropy(np.array([0, 1, 0, 1], "float32"), p), ends, 2e-2, 1e-6)  # 1 - 1e-7 in float32
    assert np.isfinite(gradient(lambda a: ops.binary_crossentropy(1.0 - p, a), p)).all()
    logits = np.array([[1e4, 0.0, -1e4]], "float32")
    agree(gradient(lambda a: ops.sparse_categorical_crossentropy([1], a, True), logits), [[1, -1, 0]])
    agree(ops.sparse_categorical_crossentropy([0], [[0.0, -np.inf]], True), [0.0])


def ctc_by_enumeration(logits: np.ndarray, label: list[int], blank: int = 0) -> float:
    """Return the loss as the sum over all paths."""
    probabilities, total = softmax(logits.astype("float64"), -1), 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=logits.shape[0]):
        merged = [c for c, _ in itertools.groupby(path) if c != blank]
        if merged == label:
            total += np.prod([probabilities[t, c] for t, c in enumerate(path)])
    return -np.log(total)


def test_ctc_loss_sums_over_all_paths(backend: Backend) -> None:
    logits = normal(3, 5, 3)
    labels, lengths, times = np.array([[1, 2, 0], [2, 2, 1], [1, 0, 0]]), np.array([2, 3, 0]), np.array([5, 5, 3])
    expected = [ctc_by_enumeration(logits[i, : times[i]], labels[i, : lengths[i]].tolist()) for i in range(3)]
    agree(ops.ctc_loss(labels, logits, lengths, times), expected, 1e-4)
    slope = gradient(lambda a: ops.ctc_loss(labels, a, lengths, times), logits)
    assert (slope[2, 3:] == 0).all()  # beyond the sequence
    moved = logits.copy()
    moved[0, 1, 2] += 0.01
    difference = ctc_by_enumeration(moved[0], [1, 2]) - expected[0]
    assert slope[0, 1, 2] == pytest.approx(difference / 0.01, rel=2e-2, abs=1e-3)
    last = ops.ctc_loss(np.array([[0, 1]]), logits[:1], [2], [5], mask_index=2)
    agree(last, [ctc_by_enumeration(logits[0], [0, 1], 2)], 1e-4)


def test_ctc_decode(backend: Backend) -> None:
    best = [[1, 1, 0, 1, 2], [2, 2, 2, 0, 1]]
    logits = np.eye(3, dtype="float32")[best] * 2
    labels, scores = ops.ctc_decode(logits, [5, 3])
    agree(labels, [[[1, 1, 2, -1, -1], [2, -1, -1, -1, -1]]])
    agree(scores, [[-10], [-6]])
    agree(ops.ctc_decode(logits, [5, 3], merge_repeated=False)[0], [[[1, 1, 1, 2, -1], [2, 2, 2, -1, -1]]])
    with pytest.raises(ValueError, match="`strategy` must be 'greedy'"):
        ops.ctc_decode(logits, [5, 3], strategy="beam_search")
