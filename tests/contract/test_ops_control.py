"""Control flow, transformations of functions, conversion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from contract.agreement import agree, gradient
from polykeras import ops, random
from polykeras.backend import Backend
from polykeras.variables import Variable

RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


def test_branches_read_variables(backend: Backend) -> None:
    v = Variable([1.0, 2.0])
    agree(ops.cond(ops.sum(v) > 1.0, lambda: v, lambda: ops.zeros((2,))), [1, 2])
    agree(ops.cond(False, lambda: v, lambda: [0.0, 0.0])[0], 0)
    branches = [lambda x: x, lambda x: x * 10.0, lambda x: x * 100.0]
    for index, factor in ((-1, 1), (0, 1), (1, 10), (2, 100), (7, 100)):
        agree(ops.switch(index, branches, v), np.array([1, 2]) * factor)


def test_loops(backend: Backend) -> None:
    v = Variable([1.0, 2.0])
    count, power = ops.while_loop(lambda i, x: i < 5, lambda i, x: (i + 1, x * v), (0, v))
    agree(count, 5)
    agree(power, [1, 64])
    agree(ops.while_loop(lambda x: x < 100, lambda x: x * 2, 3), 192)
    agree(ops.fori_loop(0, 4, lambda i, x: x + ops.cast(i, "float32"), v), [7, 8])
    agree(ops.fori_loop(ops.convert_to_tensor(1), 4, lambda i, x: x + v, v), [4, 8])
    agree(ops.fori_loop(3, 3, lambda i, x: x * 2, v), [1, 2])
    carry, sums = ops.scan(lambda c, x: (c + x, c * x), 0.0, v)
    agree(carry, 3)
    agree(sums, [0, 2])
    agree(ops.map(lambda d: d["a"] + d["b"], {"a": v, "b": v}), [2, 4])
    agree(ops.vectorized_map(lambda x: x * v, np.ones((3, 2), "float32")), np.tile([1, 2], (3, 1)))
    agree(gradient(lambda x: ops.fori_loop(0, 3, lambda i, y: y * x, x), np.array([2.0, 3.0], "float32")), [32, 108])


def test_a_loop_over_nothing_changes_nothing(backend: Backend) -> None:
    """What a loop over something changes is changed there; JAX refuses such loops, over nothing too."""
    v, seed = Variable([1.0, 2.0]), random.SeedGenerator(1)
    before = np.asarray(seed.state).tolist()

    def step(carry: Any, x: Any) -> Any:
        v.assign(v + 1.0)
        return carry, random.uniform((3,), seed=seed) * x

    if backend.name == "jax":
        with pytest.raises(TypeError, match="was assigned inside a function that jax compiles"):
            ops.scan(step, 5.0, np.zeros((0, 3), "float32"))
    else:
        carry, ys = ops.scan(step, 5.0, np.zeros((0, 3), "float32"))
        assert ops.shape(ys) == (0, 3)
        agree(carry, 5)
    agree(v, [1, 2])
    assert np.asarray(seed.state).tolist() == before


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_associative_scan(n: int, backend: Backend) -> None:
    x = normal(n, 3)
    agree(ops.associative_scan(ops.add, x), np.cumsum(x, 0))
    agree(ops.associative_scan(ops.maximum, x, reverse=True), np.maximum.accumulate(x[::-1])[::-1])
    agree(ops.associative_scan(ops.add, x, axis=-1), np.cumsum(x, 1))
    turns = normal(n, 2, 2)
    expected = [turns[0]]
    for turn in turns[1:]:
        expected.append(expected[-1] @ turn)
    agree(ops.associative_scan(ops.matmul, turns), expected, 1e-4, 1e-4)


def test_vectorize(backend: Backend) -> None:
    agree(ops.vectorize(lambda a, b: a * b + 1)([[1], [2]], [3, 4]), [[4, 5], [7, 9]])
    x, y = normal(5, 1, 2, 3), normal(4, 3)
    products = np.einsum("abnm,bm->abn", np.tile(x, (1, 4, 1, 1)), y)
    agree(ops.vectorize(ops.matmul, signature="(n,m),(m)->(n)")(x, y), products)
    agree(ops.vectorize(lambda a, k: a * k, excluded={1})([1, 2], 3), [3, 6])


def test_custom_gradient_and_remat(backend: Backend) -> None:
    function = ops.custom_gradient(lambda x: (ops.sin(x), lambda upstream: upstream * 7.0))
    x = np.array([1.0, 2.0], "float32")
    agree(function(x), np.sin(x))
    agree(gradient(function, x), [7, 7])
    agree(gradient(ops.remat(lambda a: ops.sin(a) * a), x), np.cos(x) * x + np.sin(x))


def test_jvp(backend: Backend) -> None:
    value, slope = ops.jvp(lambda x, y: {"p": x * y, "s": ops.sin(x)}, (2.0, 3.0), (1.0, 0.5))
    agree(value["p"], 6)
    agree(slope["p"], 4)
    agree(slope["s"], np.cos(2))
    assert ops.jvp(lambda x: (x * x, "kept"), (2.0,), (1.0,), has_aux=True)[2] == "kept"


def test_grad_is_of_the_sum(backend: Backend) -> None:
    x, y = np.array([1.0, 2.0], "float32"), np.array([3.0, 4.0], "float32")

    def product(x: Any, y: Any, scale: float = 1.0) -> Any:
        return ops.multiply(x, y) * scale

    agree(ops.grad(product)(x, Variable(y), scale=2.0), [6.0, 8.0])
    by_x, by_y = ops.grad(product, argnums=(0, 1))(Variable(x), y)
    agree(by_x, y)
    agree(by_y, x)
    tree = ops.grad(lambda t: ops.square(t["a"]) + 0 * t["b"][0])({"a": x, "b": [y]})
    agree(tree["a"], [2.0, 4.0])
    agree(tree["b"][0], [0.0, 0.0])
    calls = Variable(0.0)
    agree(ops.grad(lambda x: ops.square(x) + calls.assign_add(1.0))(3.0), 6.0)
    agree(calls, 1.0)
    agree(ops.grad(ops.grad(ops.lgamma))(2.0), np.pi**2 / 6 - 1)
    agree(polykeras.function(ops.grad(ops.tanh))(x), 1 - np.tanh(x) ** 2)
    symbol = polykeras.Input((2,))
    agree(polykeras.Model(symbol, ops.grad(ops.square)(symbol))(x[None]), [[2.0, 4.0]])


def test_conversion(backend: Backend) -> None:
    v = Variable([1.0, 2.0])
    assert backend.dtype(ops.convert_to_tensor([v, v], "int32")) == "int32"
    assert (ops.shape(v), ops.dtype(v), ops.shape([[1]]), ops.dtype(1.5)) == ((2,), "float32", (1, 1), "float32")
    assert not ops.is_tensor(v)
    assert ops.is_tensor(v.value)
    agree(ops.unstack(np.arange(6).reshape(2, 3), axis=1)[2], [2, 5])
    with pytest.raises(ValueError, match="`num` is 2, but axis 1"):
        ops.unstack(np.zeros((2, 3)), 2, 1)
    with pytest.raises(ValueError, match="no sparse arrays"):
        ops.convert_to_tensor([1], sparse=True)


SATURATED = [
    ([-300.0, 3.7, 3e10, np.inf, np.nan], "float32", "int32", [-300, 3, 2147483647, 2147483647, 0]),
    ([-300.0, 300.0], "float32", "uint8", [0, 255]),
    ([-np.inf, 1e5], "float32", "float16", [-65504, 65504]),
    ([-1e6, 2e9], "int32", "float16", [-65504, 65504]),
    ([-3, 300], "int32", "uint8", [0, 255]),
    ([200], "uint8", "int8", [127]),
    ([1, 0], "bool", "int8", [1, 0]),
    ([-1.0, 0.2], "float32", "bool", [False, True]),
]


@pytest.mark.parametrize(("values", "source", "target", "expected"), SATURATED)
def test_saturate_cast(values: Any, source: str, target: str, expected: Any, backend: Backend) -> None:
    result = ops.convert_to_numpy(ops.saturate_cast(np.asarray(values).astype(source), target))
    assert result.dtype == target
    assert result.tolist() == expected


def test_rearrange(backend: Backend) -> None:
    x = np.arange(48).reshape(2, 12, 2)
    agree(ops.rearrange(x, "b (h w) c -> b c h w", h=3), x.reshape(2, 3, 4, 2).transpose(0, 3, 1, 2))
    agree(ops.rearrange(x, "... c -> c ..."), x.transpose(2, 0, 1))
    agree(ops.rearrange(x, "a b c -> (c a) 1 b"), x.transpose(2, 0, 1).reshape(4, 1, 12))
    with pytest.raises(ValueError, match="each name must appear once"):
        ops.rearrange(x, "a b c -> a b")
    with pytest.raises(ValueError, match=r"an axis of size 12 does not split into \(h w\)"):
        ops.rearrange(x, "b (h w) c -> b h w c", h=5)
    with pytest.raises(ValueError, match="does not fit an array of shape"):
        ops.rearrange(x, "a b -> b a")
