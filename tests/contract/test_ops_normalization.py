"""Encodings of labels, normalization and attention against formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from contract.agreement import agree, gradient
from polykeras import ops
from polykeras.backend import Backend

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


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
