"""Convolution and pooling of the numpy backend, against loops over windows and central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from helpers.slopes import assert_slopes
from polykeras.backend import Backend, registry

pytestmark = pytest.mark.cpu_only("NumPy alone")

B: Backend = registry.load("numpy")


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def windows(
    x: np.ndarray, size: Sequence[int], strides: Sequence[int], padding: Any, dilation: Sequence[int], fill: float
) -> tuple[list[tuple[int, ...]], list[np.ndarray], tuple[int, ...]]:
    """Return the places of all windows, the windows `(batch, *size, channels)`, and the number of places an axis."""
    x = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=fill)
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    counts = tuple((n - r) // s + 1 for n, r, s in zip(x.shape[1:-1], reach, strides, strict=True))
    places = list(product(*map(range, counts)))
    cuts = [
        tuple(slice(i * s, i * s + r, d) for i, s, r, d in zip(place, strides, reach, dilation, strict=True))
        for place in places
    ]
    return places, [x[(slice(None), *cut)] for cut in cuts], counts


def plain_conv(
    x: np.ndarray, kernel: np.ndarray, strides: Any, padding: Any, dilation: Any, groups: int = 1
) -> np.ndarray:
    places, cuts, counts = windows(x, kernel.shape[:-2], strides, padding, dilation, 0.0)
    out = np.zeros((x.shape[0], *counts, kernel.shape[-1]))
    depth, filters = kernel.shape[-2], kernel.shape[-1] // groups
    for place, cut in zip(places, cuts, strict=True):
        for g in range(groups):
            part = cut[..., g * depth : (g + 1) * depth].reshape(x.shape[0], -1)
            weights = kernel[..., g * filters : (g + 1) * filters].reshape(-1, filters)
            out[(slice(None), *place, slice(g * filters, (g + 1) * filters))] = part @ weights
    return out


CONVS = {
    "1d": ((2, 7, 3), (3, 3, 2), (1,), [(0, 0)], (1,), 1),
    "1d causal": ((2, 7, 3), (3, 3, 2), (1,), [(4, 0)], (2,), 1),
    "2d": ((2, 5, 6, 2), (3, 2, 2, 3), (1, 1), [(1, 1), (0, 1)], (1, 1), 1),
    "strides": ((2, 6, 7, 2), (3, 2, 2, 3), (2, 3), [(1, 0), (0, 0)], (1, 1), 1),
    "dilation": ((1, 7, 8, 2), (3, 2, 2, 3), (1, 2), [(0, 0), (2, 1)], (2, 3), 1),
    "groups": ((2, 5, 5, 4), (3, 3, 2, 6), (1, 1), [(1, 1), (1, 1)], (1, 1), 2),
    "depthwise": ((2, 5, 5, 3), (3, 3, 1, 6), (2, 2), [(0, 1), (0, 1)], (1, 1), 3),
    "pointwise": ((2, 4, 4, 3), (1, 1, 3, 5), (1, 1), [(0, 0), (0, 0)], (1, 1), 1),
    "3d": ((1, 4, 4, 5, 2), (2, 3, 2, 2, 2), (1, 2, 1), [(0, 1), (1, 0), (0, 0)], (1, 1, 2), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVS)
def test_conv_is_a_loop_over_windows(name: str) -> None:
    x_shape, k_shape, *form = CONVS[name]
    x, kernel = normal(*x_shape), normal(*k_shape, seed=1)
    assert_allclose(B.conv_nd(x, kernel, *form), plain_conv(x, kernel, *form), rtol=1e-12, atol=1e-12)
    assert B.conv_nd(x.astype("float32"), kernel.astype("float32"), *form).dtype == "float32"


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", CONVS)
def test_conv_gradients_are_slopes(name: str, order: int) -> None:
    x_shape, k_shape, *form = CONVS[name]
    args = (normal(*x_shape), normal(*k_shape, seed=1))
    assert_slopes(B, lambda x, k: B.square(B.conv_nd(x, k, *form)), args, order, step=1e-2)


def test_conv_in_chunks_of_the_batch() -> None:
    x, kernel = normal(9, 40, 40, 40), normal(3, 3, 40, 2)
    form = ((1, 1), [(0, 0), (0, 0)], (1, 1))
    whole = B.conv_nd(x, kernel, *form)
    assert_allclose(whole, np.concatenate([B.conv_nd(part[None], kernel, *form) for part in x]), rtol=1e-10, atol=1e-10)


def test_conv_of_an_empty_batch_and_of_a_window_too_large() -> None:
    form = ((1, 1), [(0, 0), (0, 0)], (1, 1))
    assert B.conv_nd(np.zeros((0, 4, 4, 2)), np.zeros((3, 3, 2, 5)), *form).shape == (0, 2, 2, 5)
    with pytest.raises(ValueError, match="does not fit"):
        B.conv_nd(np.zeros((1, 2, 4, 2)), np.zeros((3, 3, 2, 5)), *form)


TRANSPOSED = {
    "1d": ((2, 4, 3), (3, 2, 3), (2,), [(0, 0)], (1,)),
    "cut": ((2, 4, 3, 2), (3, 2, 4, 2), (2, 1), [(1, 0), (0, 1)], (1, 2)),
    "grown": ((1, 3, 3, 2), (2, 2, 1, 2), (3, 2), [(0, -1), (-1, -2)], (1, 1)),
    "3d": ((1, 2, 3, 2, 2), (2, 2, 2, 1, 2), (1, 2, 1), [(0, 1), (0, 0), (1, 0)], (1, 1, 1)),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_conv_transpose_is_the_adjoint(name: str) -> None:
    g_shape, k_shape, strides, padding, dilation = TRANSPOSED[name]
    g, kernel = normal(*g_shape), normal(*k_shape, seed=1)
    out = B.conv_transpose_nd(g, kernel, strides, padding, dilation)
    sizes = zip(g_shape[1:-1], k_shape[:-2], strides, padding, dilation, strict=True)
    assert out.shape[1:-1] == tuple((n - 1) * s + d * (k - 1) + 1 - sum(p) for n, k, s, p, d in sizes)
    inside = [(max(0, a), max(0, b)) for a, b in padding]
    cut = tuple(slice(max(0, -a), n - max(0, -b)) for n, (a, b) in zip(out.shape[1:-1], padding, strict=True))
    x = normal(*out.shape, seed=2)
    forward = plain_conv(x[(slice(None), *cut)], kernel, strides, inside, dilation)
    assert_allclose(np.sum(forward * g), np.sum(x * out), rtol=1e-10)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", TRANSPOSED)
def test_conv_transpose_gradients_are_slopes(name: str, order: int) -> None:
    g_shape, k_shape, *form = TRANSPOSED[name]
    args = (normal(*g_shape), normal(*k_shape, seed=1))
    assert_slopes(B, lambda x, k: B.square(B.conv_transpose_nd(x, k, *form)), args, order, step=1e-2)


POOLS = {
    "1d": ((2, 6, 2), (2,), (2,), [(0, 0)]),
    "overlap": ((2, 5, 6, 2), (3, 2), (1, 2), [(1, 1), (0, 1)]),
    "gaps": ((1, 7, 7, 1), (2, 2), (3, 3), [(0, 0), (1, 0)]),
    "3d": ((1, 4, 4, 4, 2), (2, 2, 2), (2, 2, 2), [(0, 0), (0, 0), (0, 0)]),
}


@pytest.mark.parametrize("name", POOLS)
def test_pools_are_loops_over_windows(name: str) -> None:
    shape, size, strides, padding = POOLS[name]
    x = normal(*shape) - 3  # negative: padding with zeros would win
    ones = (1,) * len(size)
    axes = tuple(range(1, len(size) + 1))
    for op, fill, reduce in [(B.max_pool_nd, -np.inf, np.max), (B.average_pool_nd, np.nan, np.nanmean)]:
        _, cuts, counts = windows(x, size, strides, padding, ones, fill)
        want = np.stack([reduce(cut, axis=axes) for cut in cuts], 1).reshape(shape[0], *counts, shape[-1])
        assert_allclose(op(x, size, strides, padding), want, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("op", [B.max_pool_nd, B.average_pool_nd], ids=["max", "average"])
@pytest.mark.parametrize("name", POOLS)
def test_pool_gradients_are_slopes(name: str, op: Callable[..., Any], order: int) -> None:
    shape, *form = POOLS[name]
    x = np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape) * 0.1
    assert_slopes(B, lambda x: B.square(op(x, *form)), (x,), order, step=1e-2)


def test_max_pool_sends_the_gradient_to_the_first_maximum() -> None:
    x = np.zeros((1, 4, 4, 1))
    _, _, (g,) = B.value_and_grad(lambda a: (B.sum(B.max_pool_nd(a[0], (2, 2), (2, 2), [(0, 0)] * 2)), None), [x])
    assert_array_equal(g[0, :, :, 0], [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])


def test_pools_of_integers_and_nan() -> None:
    x = np.arange(-8, 8, dtype="int32").reshape(1, 4, 4, 1)
    assert_array_equal(B.max_pool_nd(x, (2, 2), (2, 2), [(1, 1)] * 2)[0, :, :, 0], [[-8, -6, -5], [0, 2, 3], [4, 6, 7]])
    y = np.array([1.0, np.nan, 3.0, 4.0]).reshape(1, 4, 1)
    assert_array_equal(B.max_pool_nd(y, (2,), (2,), [(0, 0)]).ravel(), [np.nan, 4.0])


def test_a_gradient_penalty_through_a_small_critic() -> None:
    """The second derivatives that a WGAN-GP needs, in inputs and weights together."""
    x, k1, k2, w = normal(2, 6, 6, 2), normal(3, 3, 2, 3, seed=1) / 2, normal(2, 2, 3, 2, seed=2), normal(8, 1, seed=3)
    form = ((1, 1), [(0, 0), (0, 0)], (1, 1))

    def critic(x: Any, k1: Any, k2: Any, w: Any) -> Any:
        h = B.conv_nd(x, k1, *form)
        h = B.where(B.less(0, h), h, 0.2 * h)
        h = B.tanh(B.conv_nd(B.average_pool_nd(h, (2, 2), (1, 1), [(0, 0)] * 2), k2, *form))
        h = B.max_pool_nd(h, (1, 1), (1, 1), [(0, 0)] * 2)
        return B.matmul(B.reshape(h, (2, -1)), w)

    def penalty(x: Any, k1: Any, k2: Any, w: Any) -> Any:
        _, _, (g,) = B.value_and_grad(lambda a: (B.sum(critic(a[0], k1, k2, w)), None), [x])
        norms = B.sqrt(B.sum(B.square(g), (1, 2, 3)))
        return B.mean(B.square(norms - 1.0))

    assert_slopes(B, penalty, (x, k1, k2, w), step=1e-4)
