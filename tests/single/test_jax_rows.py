"""The jax backend: rows of a table, and their gradient row by row, against JAX's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import fast
from polykeras.backend.registry import load

jax = pytest.importorskip("jax")
jnp = jax.numpy
rows = pytest.importorskip("polykeras_jax.rows")
in_loop = pytest.importorskip("polykeras_jax.loops").in_loop
pytestmark = pytest.mark.needs("jax")

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


@pytest.mark.skipif(not fast.enabled(), reason="a fast path")
def test_wide_rows_in_loops_on_the_cpu_are_added_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = load("jax")
    asked: list[bool] = []
    is_added_fast = rows.is_added_fast
    monkeypatch.setattr(
        "polykeras_jax.indexing.is_added_fast", lambda x: (asked.append(is_added_fast(x)), asked[-1])[1]
    )
    indices = jnp.asarray([0, 2, 2], "int32")
    wide, narrow = jnp.ones((4, 64)), jnp.ones((4, 3))
    for table, dtype, expected in ((wide, "float32", True), (narrow, "float32", False), (wide, "float16", False)):
        in_loop(lambda x: backend.take(x, indices, 0))(table.astype(dtype))
        assert asked.pop() == expected
    backend.take(wide, indices, 0)
    assert not asked.pop(), "outside of loops XLA's scatter is compiled at the third level"
