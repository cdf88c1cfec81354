"""The tensorflow backend: control flow and gradients, eagerly and in a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from helpers.slopes import gradient, twice
from polykeras.backend import use_backend

# By way of the backend, which leaves Keras out of TensorFlow's import.
tf = pytest.importorskip("polykeras_tensorflow.backend").tf
pytestmark = pytest.mark.needs("tensorflow")


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("tensorflow") as backend:
        yield backend


class Mistake(Exception):
    """An exception that no framework knows."""


def in_both(tb: Any, fn: Callable[..., Any], *args: Any) -> Any:
    """Run eagerly and compiled, and return the one result."""
    eager, compiled = fn(*args), tb.compile(fn)(*args)
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), eager, compiled)
    return eager


# ---- control flow ----------------------------------------------------------------------------------------------------


def test_cond_takes_one_branch_and_keeps_its_structure(tb: Any) -> None:
    def choose(flag: Any, x: Any) -> Any:
        return tb.cond(flag, lambda: {"y": [x * 2], "z": 1.0}, lambda: {"y": [-x], "z": 0.0})

    for flag, y, z in ((True, 6, 1), (False, -3, 0)):
        for run in (choose, tb.compile(choose)):
            result = run(flag, tf.constant(3.0))
            assert (float(result["y"][0]), float(result["z"])) == (y, z)
    assert float(tb.compile(lambda x: gradient(tb, lambda x: tb.cond(x > 0, lambda: x * x, lambda: x), x))(3.0)) == 6


def test_branches_of_two_structures_are_an_error(tb: Any) -> None:
    with pytest.raises(ValueError, match="the same structure"):
        tb.compile(lambda flag: tb.cond(flag, lambda: [1.0], lambda: (1.0,)))(True)


@pytest.mark.parametrize("limit", [None, 3])
def test_while_loops_run_eagerly_and_in_a_graph(tb: Any, limit: int | None) -> None:
    def loop(n: Any) -> Any:
        return tb.while_loop(lambda i, s: i < n, lambda i, s: (i + 1, s + i), (tf.constant(0), tf.constant(0)), limit)

    count = 5 if limit is None else limit
    assert tuple(map(int, in_both(tb, loop, tf.constant(5)))) == (count, sum(range(count)))
    assert int(in_both(tb, lambda x: tb.while_loop(lambda x: x < 100, lambda x: x * 2, x), tf.constant(3))) == 192
    nested = tb.while_loop(lambda s: s["i"] < 3, lambda s: [{"i": s["i"] + 1}], [{"i": tf.constant(0)}])
    assert isinstance(nested, list)
    assert int(nested[0]["i"]) == 3


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_is_a_loop_with_derivatives_of_every_order(tb: Any, reverse: bool) -> None:
    def run(x: Any) -> Any:
        carry, ys = tb.scan(lambda c, x: ({"c": c["c"] * x + 1}, (c["c"] * x, None)), {"c": x[0]}, x, reverse=reverse)
        return carry["c"] + ys[0]

    def plain(x: Any) -> Any:
        carry, ys = x[0], [None] * x.shape[0]
        for i in sorted(range(x.shape[0]), reverse=reverse):
            ys[i] = carry * x[i]
            carry = carry * x[i] + 1
        return carry + tf.stack(ys)

    x = tf.constant([0.5, -1.5, 2.0, 3.0])
    for order in (lambda f, x: f(x), lambda f, x: gradient(tb, f, x), lambda f, x: twice(tb, f, x)):
        np.testing.assert_allclose(in_both(tb, lambda x, o=order: o(run, x), x), order(plain, x), rtol=1e-5)


@pytest.mark.parametrize("length", [0, 3])
def test_scan_without_inputs_or_without_steps(tb: Any, length: int) -> None:
    carry, ys = in_both(
        tb, lambda c: tb.scan(lambda c, _: (c + 1, tb.stack([c, c])), c, length=length), tf.constant(0.0)
    )
    assert float(carry) == length
    np.testing.assert_array_equal(ys, np.repeat(np.arange(length)[:, None], 2, 1))
    assert tb.scan(lambda c, x: (c + x, None), tf.constant(0.0), tf.ones(length))[1] is None


def test_a_scan_of_no_one_length_is_an_error(tb: Any) -> None:
    for xs in (None, (tf.ones(2), tf.ones(3))):
        with pytest.raises(ValueError, match="of one length"):
            tb.scan(lambda c, x: (c, None), tf.constant(0.0), xs)


def test_a_scan_that_changes_its_carry_is_an_error(tb: Any) -> None:
    with pytest.raises(ValueError, match="carry of structure"):
        tb.compile(lambda x: tb.scan(lambda c, x: ((c, c), x), x[0], x))(tf.ones(3))


# ---- gradients -------------------------------------------------------------------------------------------------------


def test_gradients_of_rows_are_arrays(tb: Any) -> None:
    table, places = tf.ones((4, 2)), tf.constant([1, 1, -1])
    result = in_both(tb, lambda t: gradient(tb, lambda t: tb.take(t, places, 0), t), table)
    np.testing.assert_array_equal(result, [[0, 0], [2, 2], [0, 0], [1, 1]])


def test_an_array_that_is_given_twice_has_two_gradients(tb: Any) -> None:
    x = tf.constant([3.0])
    _, aux, grads = tb.value_and_grad(lambda xs: (tb.sum(xs[0] * xs[0] + 5 * xs[1]), {"seen": xs[1]}), [x, x])
    assert [float(g[0]) for g in grads] == [6, 5]
    assert isinstance(aux["seen"], tf.Tensor)


def test_what_cannot_be_differentiated_is_a_type_error(tb: Any) -> None:
    x = tf.ones((1, 2, 2, 1))
    with pytest.raises(TypeError, match="array 1 is int32"):
        tb.value_and_grad(lambda xs: (tb.sum(xs[0]), None), [x, tf.constant(1)])
    with pytest.raises(TypeError, match="float scalar"):
        tb.value_and_grad(lambda xs: (xs[0], None), [x])
    with pytest.raises(TypeError, match="ResizeArea"):
        gradient(tb, lambda x: tf.raw_ops.ResizeArea(images=x, size=[3, 3]), x)


def test_a_custom_gradient_is_called_as_it_asks(tb: Any) -> None:
    def positional(x: Any, y: Any) -> Any:
        return x * y, lambda upstream: (upstream * 10, upstream * x)

    def by_name(x: Any, y: Any) -> Any:
        def grad(*, upstream: Any) -> Any:
            return upstream * 10, upstream * x

        return x * y, grad

    for f in (positional, by_name):
        product = tb.custom_gradient(f)
        grads = in_both(
            tb,
            lambda x, y, p=product: tb.value_and_grad(lambda xs: (p(*xs), None), [x, y])[2],
            tf.constant(2.0),
            tf.constant(3.0),
        )
        assert [float(g) for g in grads] == [10, 2]


def test_remat_keeps_values_and_the_gradients_of_what_it_closes_over(tb: Any) -> None:
    def model(layer: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Callable[..., Any]:
        def run(x: Any, weight: Any) -> Any:
            def loss(arrays: list[Any]) -> tuple[Any, None]:
                block = layer(lambda tree: {"y": tb.sin(tree["x"] * arrays[1]) * tree["x"]})
                return tb.sum(block({"x": arrays[0]})["y"]), None

            def slopes(arrays: list[Any]) -> tuple[Any, Any]:
                first = tb.value_and_grad(loss, arrays)[2]
                return tb.sum(first[0]) + 2 * tb.sum(first[1]), first

            _, first, second = tb.value_and_grad(slopes, [x, weight])
            return first, second

        return run

    arguments = tf.constant([1.0, 2.0]), tf.constant(3.0)
    expected = in_both(tb, model(lambda f: f), *arguments)
    actual = in_both(tb, model(tb.remat), *arguments)
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), actual, expected)


def test_remat_runs_the_function_again_in_the_backward_pass(tb: Any) -> None:
    runs: list[int] = []

    def noted(x: Any) -> Any:
        y = tf.sin(x)
        tf.py_function(lambda: runs.append(1), [], [])
        return y * y

    run = tb.compile(lambda x: gradient(tb, tb.remat(noted), x))
    run(tf.constant(1.0))
    assert len(runs) == 2


def test_mapping_over_rows_is_quiet_and_meets_no_autograph(tb: Any, quiet: None) -> None:
    raised = Mistake()

    def fail(x: Any) -> Any:
        raise raised

    x = tf.reshape(tf.range(6.0), (3, 2))
    for _ in range(8):
        result = tb.vectorized_map(lambda parts: {"sum": tb.sum(parts[0]), "order": tb.argsort(parts[1])}, (x, -x))
        np.testing.assert_array_equal(result["sum"], [1, 5, 9])
        np.testing.assert_array_equal(result["order"], [[1, 0]] * 3)
    np.testing.assert_array_equal(tb.compile(lambda x: tb.vectorized_map(tb.sum, x))(x), [1, 5, 9])
    with pytest.raises(Mistake) as info:
        tb.vectorized_map(fail, x)
    assert info.value is raised


@pytest.mark.parametrize("order", [gradient, twice])
@pytest.mark.parametrize("by_xla", [False, True])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("within", [lambda write: write, lambda write: tf.function(write, autograph=False)])
def test_a_loop_writes_at_places_that_it_computes(
    tb: Any, order: Callable[..., Any], by_xla: bool, dtype: str, within: Callable[..., Any]
) -> None:
    write = within(tb.dynamic_update_slice)

    def written(x: Any) -> Any:
        def turn(i: Any, table: Any) -> Any:
            return i + 1, write(table, tf.cast(tf.stack([i, 1]), dtype), x[:1, :2] * table[:1, 2:4])

        return tb.power(tb.while_loop(lambda i, _: i < 3, turn, (tf.constant(0), x), 3)[1], 3)

    x = tf.constant(np.linspace(0.5, 1.5, 16, dtype="float32").reshape(4, 4))
    compiled = tf.function(lambda x: (written(x), order(tb, written, x)), autograph=False, jit_compile=by_xla)
    for got, want in zip(compiled(x), (written(x), order(tb, written, x)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
