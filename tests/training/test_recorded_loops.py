"""Long eager loops: what their bodies compute, assign, draw and count is what plain Python gives, on each backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import ops
from polykeras.backend import Backend

TURNS = 50


def _looped(body: Callable[..., Any], state: Any, limit: int | None = TURNS) -> list[np.ndarray]:
    """Return the state after `TURNS` turns, which a counter ends, or the limit."""
    given = (ops.array(0), *(ops.array(x) for x in state))
    result = ops.while_loop(lambda i, *_: i < TURNS, lambda i, *values: (i + 1, *body(i, *values)), given, limit)
    return [ops.convert_to_numpy(x) for x in result[1:]]


@pytest.mark.parametrize("limit", [TURNS, 40, 3, None])
def test_values(backend: Backend, limit: int | None) -> None:
    weight = keras.Variable(np.float32([[0.5, 0.1], [0.2, 0.4]]))

    def body(i: Any, x: Any) -> Any:
        return (ops.tanh(ops.matmul(x, weight)) + ops.cast(i, "float32"),)

    want = np.float32([[1.0, 2.0]])
    for i in range(TURNS if limit is None else limit):
        want = np.tanh(want @ np.float32([[0.5, 0.1], [0.2, 0.4]])) + np.float32(i)
    np.testing.assert_allclose(_looped(body, [np.float32([[1.0, 2.0]])], limit)[0], want, rtol=1e-5)


def test_rows_of_a_table_are_read_and_written_at_the_counter(backend: Backend) -> None:
    def body(i: Any, table: Any) -> Any:
        row = ops.take(table, ops.reshape(i, (1,)), axis=0)
        return (ops.slice_update(table, [i + 1, 0], row + 1.0),)

    found = _looped(body, [np.zeros((TURNS + 1, 2), "float32")])[0]
    np.testing.assert_array_equal(found, np.arange(TURNS + 1, dtype="float32")[:, None].repeat(2, 1))


def test_variables_are_assigned_in_each_turn(backend: Backend) -> None:
    if backend.name == "jax":
        pytest.skip("a loop of JAX assigns nothing outside of it")
    total = keras.Variable(1.0)

    def body(i: Any, x: Any) -> Any:
        total.assign(total * 0.5 + x)
        return (x + total.value,)

    found = _looped(body, [np.float32(1.0)])[0]
    want, sum_ = np.float64(1.0), 1.0
    for _ in range(TURNS):
        sum_ = sum_ * 0.5 + want
        want = want + sum_
    np.testing.assert_allclose([found, total.numpy()], [want, sum_], rtol=1e-4)


def test_random_numbers_are_other_ones_in_each_turn(backend: Backend) -> None:
    if backend.name == "jax":
        pytest.skip("a loop of JAX assigns nothing outside of it, the state of a seed neither")
    seed = keras.random.SeedGenerator(3)

    def body(i: Any, rows: Any) -> Any:
        return (ops.slice_update(rows, [i, 0], keras.random.uniform((1, 4), seed=seed)),)

    rows = _looped(body, [np.zeros((TURNS, 4), "float32")])[0]
    plain = keras.random.SeedGenerator(3)
    want = [ops.convert_to_numpy(keras.random.uniform((1, 4), seed=plain)) for _ in range(TURNS)]
    np.testing.assert_allclose(rows, np.concatenate(want), rtol=1e-6)


class _Counter(keras.layers.Layer):
    """Counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def call(self, x: Any) -> Any:
        self.count += 1
        return x + float(self.count)


def test_what_a_body_counts_itself_goes_on(backend: Backend) -> None:
    if backend.name == "jax":
        pytest.skip("a loop of JAX runs its body once")
    layer, seen, outside = _Counter(), [], 0.0

    def body(i: Any, x: Any, y: Any, z: Any) -> Any:
        nonlocal outside
        outside += 1.0
        seen.append(i)
        return layer(x), y + outside, z + len(seen)

    found = _looped(body, [np.float32(0.0)] * 3)
    assert (layer.count, len(seen), outside) == (TURNS, TURNS, TURNS)
    np.testing.assert_allclose(found, [TURNS * (TURNS + 1) / 2] * 3)
