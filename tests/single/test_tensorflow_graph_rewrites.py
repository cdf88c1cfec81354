"""The tensorflow backend: nodes in the place of those that XLA is slow to take over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, fast, layers
from polykeras.backend import use_backend

# By way of the backend, which leaves Keras out of TensorFlow's import.
tf = pytest.importorskip("polykeras_tensorflow.backend").tf
graph_rewrites = pytest.importorskip("polykeras_tensorflow.graph_rewrites")
graphs = pytest.importorskip("polykeras_tensorflow.graphs")
programs = pytest.importorskip("polykeras_tensorflow.programs")
pytestmark = [pytest.mark.needs("tensorflow"), pytest.mark.cpu_only("what XLA is asked for on the CPU")]
raw = tf.raw_ops

NEW = tuple(map(int, tf.__version__.split(".")[:2])) >= (2, 21)  # whose XLA makes of a power the same root
KINDS = ("Relu", "ReluGrad", "Reciprocal", "Sigmoid", "Log1p", *(("Sqrt",) if NEW else ()))
EDGES = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e38, -1e38, 3.0, 1e-38]


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("tensorflow") as backend:
        yield backend


def _all_kinds(x: Any, y: Any) -> list[Any]:
    kept = raw.Relu(features=x)
    results = [kept, raw.ReluGrad(gradients=y, features=kept), raw.Reciprocal(x=x), raw.Relu(features=kept) - y]
    results += [raw.Sigmoid(x=x), raw.Log1p(x=x), raw.Sqrt(x=x), raw.Sqrt(x=raw.Square(x=y)) + y]
    return [*results, raw.Sqrt(x=raw.Square(x=y)) / x]


def _what_xla_has_rules_for(x: Any, y: Any) -> list[Any]:
    root = [raw.Sqrt(x=raw.Square(x=x) + float(i)) for i in range(3)]
    results = [y / root[0], raw.Reciprocal(x=root[1]), raw.Log(x=root[2]), raw.Sqrt(x=raw.Exp(x=x))]
    roots = raw.Sqrt(x=raw.Square(x=y))
    return [*results, roots * roots, raw.Sigmoid(x=tf.constant([0.3, 2.0, -5.0], x.dtype))]


def _values(dtype: str, seed: int = 0) -> np.ndarray:
    tiny = np.finfo(dtype).smallest_subnormal
    random = np.random.default_rng(seed).normal(size=5000)
    return np.concatenate([np.asarray(EDGES[:: 1 - 2 * seed], dtype), [tiny, -tiny], random.astype(dtype)])


def _living(graph: Any, results: list[Any]) -> set[str]:
    """Return the kinds of the nodes on which results depend."""
    found, left = set(), [x.op for x in results]
    while left:
        op = left.pop()
        if op.name not in found:
            found.add(op.name)
            left += [x.op for x in op.inputs]
    return {graph.get_operation_by_name(name).type for name in found}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fn", [_all_kinds, _what_xla_has_rules_for])
def test_no_bit_changes_in_xla(tb: Any, fn: Any, dtype: str) -> None:
    x, y = _values(dtype), _values(dtype, seed=1)

    def others(x: Any, y: Any) -> list[Any]:
        results = graph_rewrites.replace_slow_nodes(tf.compat.v1.get_default_graph(), fn(x, y))
        assert fn is not _all_kinds or not _living(x.graph, results) & {*KINDS}
        return results

    plain, replaced = (tf.function(fn, autograph=False, jit_compile=True)(x, y) for fn in (fn, others))
    for expected, got in zip(plain, replaced, strict=True):
        assert expected.numpy().tobytes() == got.numpy().tobytes()


@pytest.mark.skipif(not fast.enabled(), reason="nothing is given to XLA")
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad"])
def test_single_steps_give_the_bits_of_fit(tb: Any, optimizer: str) -> None:
    x = np.random.default_rng(0).normal(size=(24, 5)).astype("float32")
    y = np.sin(x).sum(1, keepdims=True)

    def model() -> Any:
        polykeras.utils.set_random_seed(0)
        hidden = [layers.Dense(16, activation="relu"), layers.Dense(16, activation="sigmoid")]
        made = Sequential([layers.Input((5,)), *hidden, layers.Dense(1)])
        made.compile(optimizer, "mse")
        return made

    fitted, stepped = model(), model()
    fitted.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    for _ in range(3):
        for i in range(0, 24, 8):
            stepped.train_on_batch(x[i : i + 8], y[i : i + 8])
    for ours, theirs in zip(fitted.get_weights(), stepped.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_other_dtypes_stay_as_they_are(tb: Any) -> None:
    @tf.function(autograph=False)
    def kept(x: Any) -> Any:
        result = raw.Relu(features=x)
        (same,) = graph_rewrites.replace_slow_nodes(x.graph, [result])
        assert same is result
        return same

    np.testing.assert_array_equal(kept(tf.constant([-1, 2], tf.int32)), [0, 2])


@pytest.mark.skipif(not fast.enabled(), reason="nothing is given to XLA")
def test_a_training_step_is_rewritten_at_once(tb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def noted(graph: Any, results: Any) -> Any:
        before = _living(graph, results)
        results = graph_rewrites.replace_slow_nodes(graph, results)
        seen.append(before - _living(graph, results))
        return results

    monkeypatch.setattr(programs, "replace_slow_nodes", noted)
    polykeras.utils.set_random_seed(0)
    hidden = [layers.Dense(4, activation="relu"), layers.Dense(4, activation="sigmoid")]
    model = Sequential([layers.Input((3,)), *hidden, layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 3), "float32"), np.ones((8, 1), "float32"), verbose=0)
    assert seen == [{"Relu", "ReluGrad", "Sigmoid", "Sqrt"} & {*KINDS}]


def test_what_waits_for_a_node_goes_on_waiting(tb: Any) -> None:
    """An order that the user asked for holds: before a node, and after it."""

    def flat(x: Any) -> list[Any]:
        with tf.control_dependencies([tf.debugging.assert_less(x, 2.0)]):
            after = raw.Relu(features=x)
        with tf.control_dependencies([raw.Relu(features=-x)]):
            last = tf.identity(after)
        (last,) = graph_rewrites.replace_slow_nodes(x.graph, [last])
        (other,) = last.op.inputs
        assert other.op.type == "Maximum"
        assert other.op.control_inputs
        assert [op.type for op in last.op.control_inputs] == ["Relu"]
        return [last]

    ordered = graphs.trace(flat, [tf.TensorSpec((None,), tf.float32)])
    np.testing.assert_array_equal(ordered(tf.constant([-1.0, 1.0]))[0], [0.0, 1.0])
    with pytest.raises(tf.errors.InvalidArgumentError):
        ordered(tf.constant([3.0]))


def test_a_function_that_may_be_differentiated_stays_as_it_is(tb: Any) -> None:
    """A maximum has a gradient where both are equal, a relu has none at 0."""
    compiled = tb.compile(lambda state: [tb.relu(state[0])], donate_first=True)
    x = tf.constant([0.0, -1.0, 2.0])
    gradient = tb.value_and_grad(lambda xs: (tb.sum(compiled([xs[0]])[0]), None), [x])[2][0]
    np.testing.assert_array_equal(gradient, [0.0, 0.0, 1.0])


def test_steps_that_xla_cannot_compile_run_on_the_nodes_that_were_traced(tb: Any) -> None:
    def step(state: Any, batch: Any) -> Any:
        known = tf.numpy_function(lambda x: x, [batch], tf.float32)
        return [tb.relu(state[0]) + tf.reshape(known, (2,))], {}

    run = tb.compile_steps(step)
    data, indices = tf.constant([1.0, 2.0]), tf.constant([[0, 1]])
    (state,), _ = run([tf.constant([-1.0, 1.0])], data, indices, 0, 1)
    np.testing.assert_array_equal(state, [1.0, 3.0])
    ((program, _),) = run.programs.values()
    assert "Relu" in {node.type for node in program._traced.graph.graph.get_operations()}
    assert "Maximum" not in {node.type for node in program._traced.graph.graph.get_operations()}


def test_equal_numbers_are_one_node_of_a_graph_and_of_no_other(tb: Any) -> None:
    def flat(x: Any) -> list[Any]:
        with tf.control_dependencies([tf.debugging.assert_less(x, 2.0)]):
            first = tb.add(x, 0.5)
        last = tb.scan(lambda carry, _: (tb.multiply(tb.add(carry, 0.5), 0.5), None), first, None, length=2)[0]
        return [last, tb.subtract(x, 0.5), tb.maximum(x, -0.0), tb.maximum(x, 0.0)]

    function = graphs.trace(flat, [tf.TensorSpec((), tf.float32)])
    numbers = [tf.get_static_value(op.outputs[0]) for op in function.graph.get_operations() if op.type == "Const"]
    halves = [x for x in numbers if x.dtype == np.float32 and x == 0.5]
    zeros = [x for x in numbers if x.dtype == np.float32 and x == 0.0]
    assert (len(halves), len(zeros)) == (1, 2)  # those of the loop's body are in a graph of its own; -0 is not 0
    np.testing.assert_array_equal(function(tf.constant(1.0))[0], ((1.5 + 0.5) * 0.5 + 0.5) * 0.5)
    with pytest.raises(tf.errors.InvalidArgumentError):
        function(tf.constant(3.0))


def test_numbers_of_the_user_are_nodes_of_their_own(tb: Any) -> None:
    """A gradient goes by the identity of a tensor, not by its value."""

    def product() -> Any:
        x = tb.asarray(3.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tb.multiply(tb.multiply(x, tb.asarray(3.0)), 3.0)
        return tape.gradient(y, x)

    def powers(s: Any) -> Any:
        a = tb.asarray(2.0)
        return tf.gradients(tb.multiply(tb.multiply(a, tb.power(s, 2.0)), 2.0), a)[0]

    assert tb.compile(product)() == product() == 9.0
    assert tb.compile(powers)(tf.constant(3.0)) == 18.0
