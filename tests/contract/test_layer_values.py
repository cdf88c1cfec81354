"""What layers compute, by the formulas of their papers in plain NumPy and float64: no code of ours."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from helpers.runner import running
from polykeras import layers as L
from polykeras import ops
from polykeras.backend import registry

RNG = np.random.default_rng(7)
SEQUENCE = RNG.standard_normal((3, 5, 4))
MASK = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1], [1, 1, 1, 1, 1]], bool)


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    """Run on the numpy backend in float64: `test_layers.py` ties the other backends to it."""
    with running(registry.load("numpy"), 64):
        yield


def fill(layer: L.Layer, *inputs: Any, **kwargs: Any) -> list[np.ndarray]:
    """Build a layer by calling it, give it random weights, and return them."""
    layer(*inputs, **kwargs)
    values = [0.7 * RNG.standard_normal(w.shape) for w in layer.weights]
    layer.set_weights(values)
    return values


def close(actual: Any, expected: Any) -> None:
    assert_allclose(np.asarray(actual), expected, rtol=1e-11, atol=1e-12)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# ---- recurrent layers ----------------------------------------------------------------------------------------------


def lstm_step(x: Any, h: Any, c: Any, w: Any, u: Any, b: Any) -> tuple[Any, Any]:
    """Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000)."""
    i, f, g, o = np.split(x @ w + h @ u + b, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x: Any, h: Any, w: Any, u: Any, b: Any, after: bool) -> Any:
    """Cho et al. (2014), equations 5 to 8; with `after` the variant of cuDNN, which has two biases."""
    (wz, wr, wn), (uz, ur, un) = np.split(w, 3, axis=-1), np.split(u, 3, axis=-1)
    (bz, br, bn), (cz, cr, cn) = np.split(b[0], 3), np.split(b[1], 3)
    z, r = sigmoid(x @ wz + h @ uz + bz + cz), sigmoid(x @ wr + h @ ur + br + cr)
    n = np.tanh(x @ wn + bn + r * (h @ un + cn)) if after else np.tanh(x @ wn + bn + cn + (r * h) @ un)
    return z * h + (1 - z) * n


def lstm_by_hand(x: Any, weights: Any, h: Any, c: Any, mask: Any = None) -> tuple[Any, Any, Any]:
    outputs = []
    for t in range(x.shape[1]):
        new_h, new_c = lstm_step(x[:, t], h, c, *weights)
        valid = np.ones((len(x), 1), bool) if mask is None else mask[:, t, None]
        h, c = np.where(valid, new_h, h), np.where(valid, new_c, c)
        outputs.append(h)
    return np.stack(outputs, 1), h, c


@pytest.mark.parametrize("mask", [None, MASK])
def test_lstm(mask: Any) -> None:
    layer = L.LSTM(2, return_sequences=True, return_state=True)
    weights = fill(layer, SEQUENCE)
    h, c = RNG.standard_normal((2, 3, 2))
    results = layer(SEQUENCE, initial_state=[h, c], mask=mask)
    for actual, expected in zip(results, lstm_by_hand(SEQUENCE, weights, h, c, mask), strict=True):
        close(actual, expected)


def test_lstm_begins_with_open_forget_gates() -> None:
    layer = L.LSTM(2)
    layer(SEQUENCE)
    close(layer.weights[2].numpy(), [0, 0, 1, 1, 0, 0, 0, 0])


def test_simple_rnn_backwards() -> None:
    layer = L.SimpleRNN(2, return_sequences=True, go_backwards=True)
    w, u, b = fill(layer, SEQUENCE)
    h, outputs = np.zeros((3, 2)), []
    for t in reversed(range(5)):
        h = np.tanh(SEQUENCE[:, t] @ w + h @ u + b)
        outputs.append(h)
    close(layer(SEQUENCE), np.stack(outputs, 1))


@pytest.mark.parametrize("after", [True, False])
def test_gru(after: bool) -> None:
    layer = L.GRU(2, reset_after=after)
    w, u, b = fill(layer, SEQUENCE)
    biases = b if after else np.stack([b, 0 * b])
    h = np.zeros((3, 2))
    for t in range(5):
        h = gru_step(SEQUENCE[:, t], h, w, u, biases, after)
    close(layer(SEQUENCE), h)


def test_stacked_cells_see_each_other_time_by_time() -> None:
    layer = L.RNN([L.LSTMCell(2), L.GRUCell(3)], return_state=True)
    *lstm, w, u, b = fill(layer, SEQUENCE)
    h, c, s = np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((3, 3))
    for t in range(5):
        h, c = lstm_step(SEQUENCE[:, t], h, c, *lstm)
        s = gru_step(h, s, w, u, b, True)
    output, (last_h, last_c), (last_s,) = layer(SEQUENCE)
    for actual, expected in ((output, s), (last_h, h), (last_c, c), (last_s, s)):
        close(actual, expected)


def test_bidirectional_masked() -> None:
    layer = L.Bidirectional(L.LSTM(2, return_sequences=True))
    weights = fill(layer, SEQUENCE)
    zeros = np.zeros((3, 2))
    forward, _, _ = lstm_by_hand(SEQUENCE, weights[:3], zeros, zeros, MASK)
    backward, _, _ = lstm_by_hand(SEQUENCE[:, ::-1], weights[3:], zeros, zeros, MASK[:, ::-1])
    both = np.concatenate([forward, backward[:, ::-1]], -1)
    close(layer(SEQUENCE, mask=MASK), np.where(MASK[..., None], both, 0))


# ---- convolution ---------------------------------------------------------------------------------------------------


def conv_by_loops(x: Any, kernel: Any, bias: Any, strides: Any, dilation: Any, padding: str) -> Any:
    """Every output one by one; channels last, "same" as TensorFlow documents it."""
    space, window = x.shape[1:-1], kernel.shape[:-2]
    spans = [d * (k - 1) + 1 for k, d in zip(window, dilation, strict=True)]
    before = [0] * len(space)
    counts = [(n - span) // s + 1 for n, span, s in zip(space, spans, strides, strict=True)]
    if padding == "same":
        counts = [-(-n // s) for n, s in zip(space, strides, strict=True)]
        totals = [max((c - 1) * s + e - n, 0) for c, s, e, n in zip(counts, strides, spans, space, strict=True)]
        before = [total // 2 for total in totals]
    elif padding == "causal":
        counts, before = list(space), [span - 1 for span in spans]
    groups = x.shape[-1] // kernel.shape[-2]
    out = np.zeros((len(x), *counts, kernel.shape[-1]))
    for place in np.ndindex(*out.shape):
        sample, *spot, filter_ = place
        group = filter_ * groups // kernel.shape[-1]
        for tap in product(*map(range, window)):
            source = tuple(
                p * s - b + t * d for p, s, b, t, d in zip(spot, strides, before, tap, dilation, strict=True)
            )
            if all(0 <= i < n for i, n in zip(source, space, strict=True)):
                channels = slice(group * kernel.shape[-2], (group + 1) * kernel.shape[-2])
                out[place] += x[(sample, *source, channels)] @ kernel[(*tap, slice(None), filter_)]
    return out + bias


@pytest.mark.parametrize(
    ("padding", "stride", "dilation"),
    [
        ("valid", 1, 1),
        ("valid", 2, 1),
        ("valid", 1, 2),
        ("same", 1, 1),
        ("same", 2, 1),
        ("same", 1, 2),
        ("causal", 1, 1),
        ("causal", 1, 2),
    ],
)
def test_conv1d(padding: str, stride: int, dilation: int) -> None:
    layer = L.Conv1D(3, 3, strides=stride, dilation_rate=dilation, padding=padding)
    kernel, bias = fill(layer, SEQUENCE)
    close(layer(SEQUENCE), conv_by_loops(SEQUENCE, kernel, bias, (stride,), (dilation,), padding))


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(("padding", "strides", "groups"), [("same", (2, 1), 1), ("valid", (1, 2), 2)])
def test_conv2d(padding: str, strides: tuple[int, int], groups: int, first: bool) -> None:
    x = RNG.standard_normal((2, 5, 4, 2))
    layer = L.Conv2D(4, (3, 2), strides, padding, "channels_first" if first else None, groups=groups, activation="relu")
    given = np.moveaxis(x, -1, 1) if first else x
    kernel, bias = fill(layer, given)
    expected = np.maximum(conv_by_loops(x, kernel, bias, strides, (1, 1), padding), 0)
    close(layer(given), np.moveaxis(expected, -1, 1) if first else expected)


def test_depthwise_and_separable_conv2d() -> None:
    x = RNG.standard_normal((1, 4, 5, 3))
    layer = L.DepthwiseConv2D((2, 3), padding="same", depth_multiplier=2)
    kernel, bias = fill(layer, x)
    each = [conv_by_loops(x[..., [c]], kernel[:, :, [c]], 0, (1, 1), (1, 1), "same") for c in range(3)]
    close(layer(x), np.concatenate(each, -1) + bias)
    layer = L.SeparableConv2D(4, (2, 3), padding="same", depth_multiplier=2)
    deep, point, bias = fill(layer, x)
    each = [conv_by_loops(x[..., [c]], deep[:, :, [c]], 0, (1, 1), (1, 1), "same") for c in range(3)]
    close(layer(x), np.concatenate(each, -1) @ point[0, 0] + bias)


def test_average_pooling_leaves_padding_out() -> None:
    x = np.arange(1.0, 4.0).reshape(1, 3, 1)
    close(L.AveragePooling1D(2, padding="same")(x), [[[1.5], [3.0]]])


# ---- normalization -------------------------------------------------------------------------------------------------


def test_batch_normalization_and_its_running_statistics() -> None:
    x = RNG.standard_normal((6, 2, 3)) * 2 + 1
    layer = L.BatchNormalization(momentum=0.8, epsilon=1e-3)
    fill(layer, x)
    layer.set_weights([np.array([1, 2, 3.0]), np.array([4, 5, 6.0]), np.zeros(3), np.ones(3)])
    mean, variance = x.mean((0, 1)), ((x - x.mean((0, 1))) ** 2).mean((0, 1))
    close(layer(x, training=True), (x - mean) / np.sqrt(variance + 1e-3) * [1, 2, 3] + [4, 5, 6])
    running_mean, running_variance = 0.2 * mean, 0.8 + 0.2 * variance
    close(layer.moving_mean.numpy(), running_mean)
    close(layer.moving_variance.numpy(), running_variance)
    close(layer(x), (x - running_mean) / np.sqrt(running_variance + 1e-3) * [1, 2, 3] + [4, 5, 6])
    layer.trainable = False
    close(layer(x, training=True), layer(x))


def test_batch_normalization_counts_what_is_not_masked() -> None:
    layer = L.BatchNormalization(momentum=0.0, epsilon=0.0)
    spoiled = np.where(MASK[..., None], SEQUENCE, 1e6)
    y = np.asarray(layer(spoiled, training=True, mask=MASK))
    count = MASK.sum()
    mean = SEQUENCE[MASK].sum(0) / count
    deviation = np.sqrt(((SEQUENCE[MASK] - mean) ** 2).sum(0) / count)
    assert_allclose(y[MASK], (SEQUENCE[MASK] - mean) / deviation, rtol=1e-6)  # the layer's count has an epsilon


def test_batch_renormalization() -> None:
    x = RNG.standard_normal((8, 2)) * 3 + 2
    layer = L.BatchNormalization(epsilon=0.01, renorm=True, renorm_clipping={"rmax": 1.5, "rmin": 0.5, "dmax": 0.7})
    layer.build(x.shape)
    layer.set_weights([np.ones(2), np.zeros(2), *[np.full(2, v) for v in (0.0, 1.0, 1.0, 0.5, 2.0)]])
    mean, deviation = x.mean(0), np.sqrt(x.var(0) + 0.01)
    r, d = np.clip(deviation / 2.0, 0.5, 1.5), np.clip((mean - 0.5) / 2.0, -0.7, 0.7)
    close(layer(x, training=True), (x - mean) / deviation * r + d)
    close(layer.renorm_mean.numpy(), 0.99 * 0.5 + 0.01 * mean)
    close(layer.moving_variance.numpy(), (0.99 + 0.01 * deviation) ** 2 - 0.01)


@pytest.mark.parametrize("axis", [-1, (1, 2), (-1, 1)])
def test_layer_normalization(axis: Any) -> None:
    x = RNG.standard_normal((2, 3, 4))
    layer = L.LayerNormalization(axis, epsilon=1e-4)
    gamma, beta = fill(layer, x)
    axes = (2,) if axis == -1 else (1, 2)
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    close(layer(x), (x - mean) / np.sqrt(variance + 1e-4) * gamma + beta)


def test_normalization_adapts_to_arrays_and_batches_alike() -> None:
    data = RNG.standard_normal((50, 3)) * 5 + 2
    whole, parts = L.Normalization(), L.Normalization()
    whole.adapt(data)
    parts.adapt((batch, None) for batch in np.array_split(data, 7))
    for layer in (whole, parts):
        close(layer(data), (data - data.mean(0)) / data.std(0))
    restored = L.Normalization(mean=data.mean(0), variance=data.var(0), invert=True)
    close(restored(whole(data)), data)


# ---- attention, embedding, merging, resizing -----------------------------------------------------------------------


def test_multi_head_attention() -> None:
    query, value, key = (RNG.standard_normal(shape) for shape in ((2, 3, 4), (2, 5, 3), (2, 5, 6)))
    mask = RNG.random((2, 3, 5)) > 0.4
    mask[..., 0] = True
    layer = L.MultiHeadAttention(2, 3, value_dim=4)
    wq, bq, wk, bk, wv, bv, wo, bo = fill(layer, query, value, key)
    output, weights = layer(query, value, key, attention_mask=mask, return_attention_scores=True, use_causal_mask=True)
    allowed = mask & (np.arange(5) <= np.arange(3)[:, None])
    total, heads = 0.0, []
    for head in range(2):
        q, k, v = query @ wq[:, head] + bq[head], key @ wk[:, head] + bk[head], value @ wv[:, head] + bv[head]
        scores = np.where(allowed, q @ k.transpose(0, 2, 1) / np.sqrt(3), -np.inf)
        attention = np.exp(scores - scores.max(-1, keepdims=True))
        attention /= attention.sum(-1, keepdims=True)
        heads.append(attention)
        total = total + attention @ v @ wo[head]
    close(output, total + bo)
    close(weights, np.stack(heads, 1))
    close(layer(query, value, key, attention_mask=mask, use_causal_mask=True), output)  # the kernel without weights


def test_embedding_is_a_table() -> None:
    layer = L.Embedding(5, 3)
    (table,) = fill(layer, np.array([[0]]))
    close(layer(np.array([[4, 0], [2, 2]])), table[[[4, 0], [2, 2]]])


def test_dot() -> None:
    x, y = RNG.standard_normal((2, 3, 4)), RNG.standard_normal((2, 5, 3))
    close(L.Dot((1, 2))([x, y]), np.einsum("bij,bki->bjk", x, y))
    u, v = RNG.standard_normal((2, 4)), RNG.standard_normal((2, 4))
    cosine = (u * v).sum(-1, keepdims=True) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1))[:, None]
    close(L.Dot(-1, normalize=True)([u, v]), cosine)


def test_bilinear_upsampling_is_linear_between_centres() -> None:
    x = np.array([0.0, 4.0, 8.0]).reshape(1, 3, 1, 1)
    y = np.asarray(L.UpSampling2D((2, 1), interpolation="bilinear")(x)).ravel()
    close(y, [0.0, 1.0, 3.0, 5.0, 7.0, 8.0])


def test_bicubic_upsampling_keeps_quadratics_inside() -> None:
    x = (np.arange(8.0) ** 2).reshape(1, 1, 8, 1)
    y = np.asarray(L.UpSampling2D((1, 2), interpolation="bicubic")(x)).ravel()
    places = (np.arange(16) + 0.5) / 2 - 0.5
    close(y[4:-4], places[4:-4] ** 2)


def test_prelu_and_softmax() -> None:
    x = RNG.standard_normal((2, 3, 4))
    layer = L.PReLU(shared_axes=[1])
    (alpha,) = fill(layer, x)
    close(layer(x), np.where(x > 0, x, alpha * x))
    e = np.exp(x)
    close(L.Softmax((1, 2))(x), e / e.sum((1, 2), keepdims=True))
    keep = x > 0.5
    masked = np.asarray(L.Softmax()(x, mask=keep))
    expected = np.where(keep, e, 0) / np.maximum(np.where(keep, e, 0).sum(-1, keepdims=True), 1e-300)
    close(masked, expected)


def test_a_users_cell_needs_no_base_class_of_ours() -> None:
    class Sum:
        state_size = 4

        def __call__(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
            total = ops.add(inputs, states[0])
            return total, [total]

    close(L.RNN(Sum(), return_sequences=True)(SEQUENCE), SEQUENCE.cumsum(1))
