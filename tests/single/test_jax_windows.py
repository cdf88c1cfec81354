"""The jax backend: convolution and pooling in our own forms against those of XLA."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from polykeras import fast
from polykeras.backend import Backend, use_backend
from polykeras.backend.registry import load

jax = pytest.importorskip("jax")
jnp = jax.numpy
conv_products = pytest.importorskip("polykeras_jax.conv_products").conv_products
in_loop = pytest.importorskip("polykeras_jax.traces").in_loop
pytestmark = [pytest.mark.needs("jax"), pytest.mark.cpu_only("what XLA is asked for on the CPU")]


@pytest.fixture
def jb() -> Backend:
    """The jax backend."""
    return load("jax")


def random(*shape: int, seed: int = 0) -> Any:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape).astype("float32"))


def gradients(jb: Backend, fn: Callable[..., Any], *arrays: Any) -> list[np.ndarray]:
    """Return the gradients of the sum of `fn(*arrays)`."""
    arrays = [jb.asarray(x, "float32") for x in arrays]
    return [np.asarray(g) for g in jb.value_and_grad(lambda xs: (jb.sum(fn(*xs)), None), arrays)[2]]


CONVOLUTIONS = [
    # inputs, kernel, strides, padding, dilation, groups
    ((2, 9, 3), (3, 3, 4), (1,), ((0, 0),), (1,), 1),
    ((2, 9, 3), (4, 3, 4), (2,), ((1, 2),), (2,), 1),
    ((2, 8, 9, 3), (3, 2, 3, 5), (1, 2), ((1, 1), (0, 3)), (2, 1), 1),
    ((2, 8, 9, 3), (1, 1, 3, 5), (3, 2), ((0, 0), (0, 0)), (1, 1), 1),
    ((2, 8, 9, 3), (3, 3, 3, 5), (1, 1), ((-1, -2), (0, 0)), (1, 1), 1),
    ((2, 8, 9, 4), (3, 3, 1, 4), (2, 1), ((1, 1), (1, 1)), (1, 2), 4),
    ((2, 8, 9, 4), (3, 2, 1, 12), (1, 1), ((1, 1), (1, 1)), (1, 1), 4),
    ((2, 8, 9, 6), (3, 3, 2, 9), (2, 2), ((1, 0), (0, 1)), (1, 1), 3),
    ((2, 5, 6, 7, 2), (2, 3, 2, 2, 3), (1, 2, 1), ((0, 1), (1, 1), (0, 0)), (2, 1, 1), 1),
]


@pytest.mark.parametrize("on_cpu", [True, False])
@pytest.mark.parametrize(("shape", "window", "strides", "padding", "dilation", "groups"), CONVOLUTIONS)
def test_convolution_equals_that_of_xla(
    jb: Backend,
    monkeypatch: pytest.MonkeyPatch,
    on_cpu: bool,
    shape: Any,
    window: Any,
    strides: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> None:
    monkeypatch.setattr("polykeras_jax.convolution.on_cpu", lambda: on_cpu)
    layouts: list[Any] = []
    monkeypatch.setattr(
        "polykeras_jax.convolution.conv_products", lambda *args: (layouts.append(args), conv_products(*args))[1]
    )
    x, kernel = random(*shape), random(*window, seed=1)
    axes = "DHW"[: len(strides)]

    def native(x: Any, kernel: Any) -> Any:
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            strides,
            padding,
            rhs_dilation=dilation,
            dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
            feature_group_count=groups,
        )

    @in_loop
    def ours(x: Any, kernel: Any) -> Any:
        return jb.conv_nd(x, kernel, strides, padding, dilation, groups)

    out = native(x, kernel)
    np.testing.assert_allclose(ours(x, kernel), out, rtol=1e-4, atol=1e-4)
    assert bool(layouts) == (on_cpu and fast.enabled()), "in loops on the CPU it is a product"
    weight = random(*out.shape, seed=2)
    expected = jax.grad(lambda x, kernel: (native(x, kernel) * weight).sum(), (0, 1))(x, kernel)
    found = gradients(jb, lambda x, kernel: ours(x, kernel) * weight, x, kernel)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("on_cpu", [True, False])
@pytest.mark.parametrize(
    ("window", "strides", "padding", "dilation"),
    [
        ((4,), (3,), ((1, 2),), (2,)),
        ((3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1)),
        ((3, 2), (2, 3), ((1, 0), (2, 1)), (1, 2)),
        ((3, 2), (3, 2), ((0, -2), (-1, 1)), (2, 1)),
        ((2, 3, 4), (2, 1, 3), ((0, 1), (1, 0), (2, 1)), (1, 2, 1)),
    ],
)
def test_transposed_convolution_is_the_gradient_of_convolution(
    jb: Backend, monkeypatch: pytest.MonkeyPatch, on_cpu: bool, window: Any, strides: Any, padding: Any, dilation: Any
) -> None:
    monkeypatch.setattr("polykeras_jax.convolution.on_cpu", lambda: on_cpu)
    inputs = (4, 5, 3)[: len(window)]
    x, kernel = random(2, *inputs, 3), random(*window, 6, 3, seed=1)
    out = jb.conv_transpose_nd(x, kernel, strides, padding, dilation)
    sizes = [
        (n - 1) * s + d * (w - 1) + 1 - before - after
        for n, s, d, w, (before, after) in zip(inputs, strides, dilation, window, padding, strict=True)
    ]
    assert out.shape == (2, *sizes, 6)
    full = jnp.zeros(out.shape)
    (expected,) = gradients(jb, lambda y: jb.conv_nd(y, kernel, strides, padding, dilation) * x, full)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)
    found = gradients(jb, lambda x, k: jb.conv_transpose_nd(x, k, strides, padding, dilation) * out, x, kernel)
    assert [g.shape for g in found] == [x.shape, kernel.shape]
    np.testing.assert_allclose(found[0], jb.conv_nd(out, kernel, strides, padding, dilation), rtol=1e-4, atol=1e-3)


POOLS = [
    # shape, pool size, strides, padding
    ((2, 6, 8, 2), (2, 2), (2, 2), ((0, 0), (0, 0))),
    ((2, 7, 9, 2), (2, 3), (2, 3), ((0, 0), (0, 0))),
    ((1, 7, 8, 2), (3, 3), (2, 1), ((1, 1), (2, 0))),
    ((1, 5, 6, 2), (3, 2), (3, 2), ((1, 1), (1, 1))),
    ((2, 7, 3), (3,), (1,), ((1, 1),)),
    ((1, 4, 4, 4, 2), (2, 2, 2), (2, 1, 2), ((0, 0), (1, 0), (0, 0))),
]


def _max_pool_by_hand(x: np.ndarray, size: Any, strides: Any, padding: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the maxima of all windows and the gradient of their sum, window by window."""
    pad = np.pad(x, [(0, 0), *padding, (0, 0)], constant_values=-np.inf)
    gradient = np.zeros_like(pad)
    counts = [(n - k) // s + 1 for n, k, s in zip(pad.shape[1:-1], size, strides, strict=True)]
    out = np.zeros((x.shape[0], *counts, x.shape[-1]), x.dtype)
    for place in product(*(range(n) for n in out.shape)):
        corner = [i * s for i, s in zip(place[1:-1], strides, strict=True)]
        block = (place[0], *(slice(a, a + k) for a, k in zip(corner, size, strict=True)), place[-1])
        first = np.unravel_index(np.argmax(pad[block]), size)
        out[place] = pad[block].max()
        gradient[block][first] += 1
    return out, gradient[(slice(None), *(slice(b, b + n) for (b, _), n in zip(padding, x.shape[1:-1], strict=True)))]


@pytest.mark.parametrize(("shape", "size", "strides", "padding"), POOLS)
def test_the_first_of_equal_maxima_gets_the_gradient(
    jb: Backend, shape: Any, size: Any, strides: Any, padding: Any
) -> None:
    x = np.random.default_rng(0).integers(0, 3, shape).astype("float32")  # full of ties
    out, gradient = _max_pool_by_hand(x, size, strides, padding)
    np.testing.assert_array_equal(jb.max_pool_nd(jb.asarray(x), size, strides, padding), out)
    np.testing.assert_array_equal(gradients(jb, lambda x: jb.max_pool_nd(x, size, strides, padding), x)[0], gradient)


@pytest.mark.parametrize(("shape", "size", "strides", "padding"), POOLS)
def test_average_pooling_equals_that_of_xla(jb: Backend, shape: Any, size: Any, strides: Any, padding: Any) -> None:
    x = random(*shape)

    def total(x: Any) -> Any:
        window, steps, pad = (1, *size, 1), (1, *strides, 1), ((0, 0), *padding, (0, 0))
        return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, steps, pad)

    expected = total(x) / total(jnp.ones_like(x))
    np.testing.assert_allclose(jb.average_pool_nd(x, size, strides, padding), expected, rtol=1e-5, atol=1e-6)
    (found,) = gradients(jb, lambda x: jb.square(jb.average_pool_nd(x, size, strides, padding)), x)
    np.testing.assert_allclose(
        found, jax.grad(lambda x: ((total(x) / total(jnp.ones_like(x))) ** 2).sum())(x), rtol=1e-4, atol=1e-5
    )


def test_max_pooling_of_nan_and_of_integers(jb: Backend) -> None:
    x = jnp.asarray([[1.0], [np.nan], [2.0], [3.0], [-np.inf], [-np.inf]])[None]
    np.testing.assert_array_equal(jb.max_pool_nd(x, (2,), (2,), ((0, 0),))[0, :, 0], [np.nan, 3, -np.inf])
    tile, no_padding = np.array([[1, 5], [np.nan, np.nan]], "float32"), ((0, 0), (0, 0))
    (found,) = gradients(jb, lambda x: jb.max_pool_nd(x, (2, 2), (2, 2), no_padding), tile[None, :, :, None])
    np.testing.assert_array_equal(found[0, :, :, 0], [[0, 0], [1, 0]], "nan is the largest, and the first one counts")
    small = jnp.asarray([[-5], [-7]], "int8")[None]
    np.testing.assert_array_equal(jb.max_pool_nd(small, (2,), (1,), ((1, 0),))[0, :, 0], [-5, -5])


def test_ops_by_dispatch(jb: Backend) -> None:
    from polykeras.backend.dispatch import bind

    with use_backend("jax"):
        assert isinstance(bind(Backend.add)(1, np.float64(2)), jax.Array)
        assert isinstance(bind(Backend.power)(jnp.ones(2), 2), jax.Array)
