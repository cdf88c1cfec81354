"""The jax backend: rows of a table, and their gradient row by row, against JAX's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as pk
from polykeras import fast
from polykeras.backend import use_backend
from polykeras.backend.registry import load

jax = pytest.importorskip("jax")
jnp = jax.numpy
rows = pytest.importorskip("polykeras_jax.rows")
in_loop = pytest.importorskip("polykeras_jax.traces").in_loop
pytestmark = [pytest.mark.needs("jax"), pytest.mark.cpu_only("what XLA is asked for on the CPU")]

INDICES = [[3, 0, 3, -1], [[0, 1], [1, 1]], [7, -8, 2], [], 2]


def native(x: Any, indices: Any) -> Any:
    return jnp.take(x, indices, 0, mode="fill")


@pytest.mark.parametrize("indices", INDICES)
@pytest.mark.parametrize("shape", [(5, 4), (5, 2, 3), (5, 0)])
def test_value_and_derivatives_are_those_of_jax(shape: Any, indices: Any) -> None:
    rng = np.random.default_rng(0)
    x, direction = (jnp.asarray(rng.normal(size=shape), "float32") for _ in range(2))
    indices = jnp.asarray(indices, "int32")

    def both(take: Any) -> Any:
        def loss(x: Any) -> Any:
            return jnp.nansum(jnp.tanh(take(x, indices)) ** 2)

        def slope(x: Any) -> Any:
            return (jax.grad(loss)(x) ** 2).sum()

        tangents = jax.jvp(lambda x: take(x, indices), (x,), (direction,))
        stacked = jnp.stack([x, 2 * x])
        over_tables = jax.vmap(jax.grad(loss))(stacked)
        more = jnp.stack([indices, (indices + 1) % 3])
        over_indices = jax.vmap(lambda i: jax.grad(lambda x: jnp.nansum(take(x, i) ** 2))(x))(more)
        return take(x, indices), tangents, jax.grad(loss)(x), jax.grad(slope)(x), over_tables, over_indices

    found, expected = jax.jit(lambda: both(rows.take_rows))(), jax.jit(lambda: both(native))()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)


def used(program: Any, *args: Any) -> set[str]:
    """Return which of our primitives a program is made of."""
    return {
        name for name in ("polykeras_take_rows", "polykeras_add_rows") if name in str(jax.make_jaxpr(program)(*args))
    }


@pytest.mark.skipif(not fast.enabled(), reason="a fast path")
@pytest.mark.parametrize(
    ("width", "dtype", "indices", "ours"),
    [
        (64, "float32", "int32", True),
        (64, "float32", "uint8", True),  # widened on the way
        (64, "float32", "uint32", False),
        (3, "float32", "int32", False),
        (64, "float16", "int32", False),
    ],
)
def test_wide_rows_in_loops_on_the_cpu_are_added_row_by_row(width: int, dtype: str, indices: str, ours: bool) -> None:
    backend = load("jax")
    table = jnp.asarray(np.random.default_rng(0).normal(size=(4, width)), dtype)
    places = jnp.asarray([0, 2, 2], indices)

    def loss(take: Any) -> Any:
        return jax.grad(lambda x: (take(x) ** 2).sum())

    inside = loss(in_loop(lambda x: backend.take(x, places, 0)))
    assert used(inside, table) == ({"polykeras_take_rows", "polykeras_add_rows"} if ours else set())
    outside = loss(lambda x: backend.take(x, places, 0))
    assert not used(outside, table), "outside of loops XLA's scatter is compiled at the third level"
    np.testing.assert_allclose(inside(table), outside(table), rtol=1e-6)


@pytest.mark.parametrize("indices", ["int32", "int64"])
def test_indices_of_all_widths_beside_wide_numbers(indices: str) -> None:
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    wide = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    with wide(True):
        places = jnp.asarray([1, -1, 1], indices)
        assert places.dtype == indices
        gradient = jax.grad(lambda x: (rows.take_rows(x, places) ** 2).sum())(jnp.asarray(x))
        expected = jax.grad(lambda x: (native(x, places) ** 2).sum())(jnp.asarray(x))
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)


def test_a_wide_embedding_is_trained_as_on_numpy() -> None:
    def losses(backend: str) -> list[float]:
        with use_backend(backend):
            pk.utils.set_random_seed(0)
            model = pk.Sequential([pk.Input((6,), dtype="int32"), pk.layers.Embedding(20, 64), pk.layers.Flatten()])
            model.add(pk.layers.Dense(1))
            model.compile(pk.optimizers.SGD(0.1), "mse")
            x = np.random.default_rng(0).integers(0, 20, (32, 6)).astype("int32")
            return model.fit(x, x[:, :1] / 20, batch_size=8, epochs=3, verbose=0).history["loss"]

    np.testing.assert_allclose(losses("jax"), losses("numpy"), rtol=1e-5)
