"""The tensorflow backend: compiled functions and steps."""

from __future__ import annotations

import threading
import traceback
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from helpers.slopes import gradient, twice
from polykeras import fast
from polykeras.backend import use_backend

# By way of the backend, which leaves Keras out of TensorFlow's import.
tf = pytest.importorskip("polykeras_tensorflow.backend").tf
trace = pytest.importorskip("polykeras_tensorflow.graphs").trace
shared = pytest.importorskip("polykeras_tensorflow.sharing").shared
RewriterConfig = pytest.importorskip("tensorflow.core.protobuf.rewriter_config_pb2").RewriterConfig
pytestmark = [pytest.mark.needs("tensorflow"), pytest.mark.cpu_only("what XLA is asked for on the CPU")]


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("tensorflow") as backend:
        yield backend


class Mistake(Exception):
    """An exception that no framework knows."""


def counted(fn: Callable[..., Any]) -> tuple[Callable[..., Any], list[int]]:
    """Return `fn`, and a list that grows by one with each run of its Python code."""
    runs: list[int] = []

    def run(*args: Any, **kwargs: Any) -> Any:
        runs.append(1)
        return fn(*args, **kwargs)

    return run, runs


# ---- compile ---------------------------------------------------------------------------------------------------------


def test_a_shape_and_a_dtype_are_traced_once(tb: Any, quiet: None) -> None:
    fn, runs = counted(lambda x, scale: x * tb.cast(scale, tb.dtype(x)))
    run = tb.compile(fn)
    for value in (1, 2, 3, 100):
        np.testing.assert_array_equal(run(tf.ones(2), value), [value, value])
    assert len(runs) == 1
    for n in range(3, 10):
        run(tf.ones(n), 1)
    run(tf.ones(2, tf.float64), 1)
    run(tf.ones(2), 1.5)
    assert len(runs) == 10


def test_numbers_and_host_arrays_are_traced(tb: Any) -> None:
    seen = []
    run = tb.compile(lambda *args: seen.extend(tb.dtype(a) for a in args) or args)
    results = run(True, 1, 2.5, 1j, np.float64(3), np.ones(2), tf.Variable(1.0))
    assert seen == ["bool", "int32", "float32", "complex64", "float64", "float64", "float32"]
    assert all(isinstance(x, tf.Tensor) for x in results)


def test_other_leaves_are_part_of_the_signature(tb: Any) -> None:
    fn, runs = counted(lambda x, mode=None: x + 1 if mode == "up" else x)
    run = tb.compile(fn)
    assert [float(run(1.0, mode=m)) for m in ("up", "down", "up", None)] == [2, 1, 2, 1]
    assert len(runs) == 3


def test_the_structure_of_the_result_is_kept(tb: Any) -> None:
    Pair = namedtuple("Pair", "first second")
    run = tb.compile(lambda x: {"b": Pair(x, None), "a": [(), {}, np.ones(2), 3, (x,)]})
    result = run(tf.ones(3))
    assert isinstance(result["b"], Pair)
    assert result["b"].second is None
    assert result["a"][:2] == [(), {}]
    assert result["a"][2].dtype == tf.float64
    assert int(result["a"][3]) == 3
    assert tb.compile(lambda: None)() is None


def test_a_result_that_is_no_array_is_an_error(tb: Any) -> None:
    with pytest.raises(TypeError, match=r"\['name'\] is str"):
        tb.compile(lambda x: {"x": x, "name": "text"})(tf.ones(2))


def test_exceptions_come_through_unchanged_and_the_next_call_traces_again(tb: Any) -> None:
    raised, cause = Mistake("once"), KeyError("reason")
    fail = [True]

    def culprit(x: Any) -> Any:
        if fail[0]:
            raise raised from cause
        return x

    run = tb.compile(culprit)
    with pytest.raises(Mistake) as info:
        run(tf.ones(2))
    assert info.value is raised
    assert str(info.value) == "once"
    assert info.value.__cause__ is cause
    assert "culprit" in [frame.name for frame in traceback.extract_tb(raised.__traceback__)]
    fail[0] = False
    np.testing.assert_array_equal(run(tf.ones(2)), [1, 1])


def test_a_python_branch_on_a_traced_value_is_an_error_not_autograph(tb: Any) -> None:
    with pytest.raises(TypeError, match="Python `bool`"):
        tb.compile(lambda x: x if x > 0 else -x)(1.0)


def test_compiled_functions_nest_and_differentiate(tb: Any) -> None:
    inner = tb.compile(lambda x: x * x * x)
    assert float(tb.compile(lambda x: inner(x) + 1)(2.0)) == 9
    assert float(gradient(tb, inner, tf.constant(2.0))) == 12
    assert float(tb.compile(lambda x: twice(tb, inner, x))(2.0)) == 12


# ---- compile_steps ---------------------------------------------------------------------------------------------------


def fit_step(tb: Any) -> Callable[..., Any]:
    """Return a step of gradient descent on a linear model, with a counter in its state."""

    def step(state: list[Any], batch: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        weight, count = state

        def loss(arrays: list[Any]) -> tuple[Any, None]:
            return tb.mean(tb.square(tb.matmul(batch["x"], arrays[0]) - batch["y"])), None

        value, _, (slope,) = tb.value_and_grad(loss, [weight])
        return [weight - 0.1 * slope, count + 1], {"loss": value, "rows": batch["x"].shape[0]}

    return step


def rows(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"x": rng.normal(size=(n, 3)).astype("float32"), "y": rng.normal(size=(n, 1)).astype("float32")}


def placed(tb: Any, data: dict[str, np.ndarray]) -> dict[str, Any]:
    return {key: tb.place(value) for key, value in data.items()}


def test_a_chunk_equals_its_steps_and_compiles_once(tb: Any, quiet: None) -> None:
    data = placed(tb, rows(20))
    indices = tb.asarray(np.random.default_rng(1).permutation(20).reshape(5, 4).astype("int32"))
    step, runs = counted(fit_step(tb))
    run = tb.compile_steps(step)
    state, chunk = ([tb.zeros((3, 1)), tb.asarray(0)] for _ in range(2))
    for start, stop in ((0, 1), (1, 4), (4, 5), (0, 5)):
        chunk, logs = run(chunk, data, indices, start, stop)
        expected: dict[str, Any] = {}
        for i in range(start, stop):
            state, expected = fit_step(tb)(state, {k: tf.gather(v, indices[i]) for k, v in data.items()})
        np.testing.assert_allclose(chunk[0], state[0], rtol=1e-5)
        np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=1e-5)
    assert int(chunk[1]) == 10
    assert int(logs["rows"]) == 4
    assert tb.dtype(logs["rows"]) == "int32"
    assert len(runs) == 1


def test_only_another_batch_or_dtype_is_traced_anew(tb: Any, quiet: None) -> None:
    step, runs = counted(fit_step(tb))
    run = tb.compile_steps(step)
    state = [tb.zeros((3, 1)), tb.asarray(0)]
    for n in (8, 9, 12):  # of rows
        for steps in (1, 2, 3):
            state, _ = run(state, placed(tb, rows(n)), np.zeros((steps, 4), "int32"), 0, steps)
    assert len(runs) == 1
    state, _ = run(state, placed(tb, rows(8)), np.zeros((1, 5), "int32"), 0, 1)
    assert len(runs) == 2
    run([state[0], tb.cast(state[1], "int64")], placed(tb, rows(8)), np.zeros((1, 5), "int32"), 0, 1)
    assert len(runs) == 3


def test_batches_have_static_shapes(tb: Any) -> None:
    seen = []

    def step(state: list[Any], batch: Any) -> tuple[list[Any], dict[str, Any]]:
        seen.append([tb.shape(x) for x in (*state, *batch)])
        return state, {}

    _, logs = tb.compile_steps(step)([tb.ones((2,))], (tb.ones((5, 3)), tb.ones((5,))), np.zeros((2, 4), "int32"), 0, 2)
    assert seen == [[(2,), (4, 3), (4,)]]
    assert logs == {}


def test_exceptions_of_a_step_come_through_unchanged(tb: Any) -> None:
    raised = Mistake()

    def step(state: list[Any], batch: Any) -> Any:
        raise raised

    with pytest.raises(Mistake) as info:
        tb.compile_steps(step)([], tb.ones((4,)), np.zeros((1, 2), "int32"), 0, 1)
    assert info.value is raised


def test_the_sum_of_an_array_with_itself_survives_the_graph_optimizer(tb: Any) -> None:
    """TensorFlow's makes a tensor of shape (0,) of its gradient inside a loop, without an error."""

    def step(state: list[Any], batch: Any) -> Any:
        def loss(weights: list[Any]) -> Any:
            y = tb.matmul(batch, weights[0])
            return tb.mean((y + y) * (y + y)), None

        value, _, (gradient,) = tb.value_and_grad(loss, state)
        return [state[0] - 0.1 * gradient], {"loss": value}

    state, _ = tb.compile_steps(step)(
        [tb.ones((3, 1))], tb.ones((4, 3)), np.arange(4, dtype="int32").reshape(2, 2), 0, 2
    )
    # d/dw mean(4 (x w)^2) = 8 (x w) x: 24 for each weight at w = 1; then -33.6 at w = -1.4.
    np.testing.assert_allclose(state[0].numpy(), np.full((3, 1), 1 - 2.4 + 3.36), rtol=1e-6)


def test_a_step_of_tensorflows_kernels_stays_a_graph_of_its_own_in_the_loop(tb: Any) -> None:
    """In the loop's graph the gradient of pooling would be the slow one in half of all processes."""

    def step(state: list[Any], batch: Any) -> Any:
        def loss(weights: list[Any]) -> Any:
            return tb.mean(tb.max_pool(batch * weights[0], 2)), None

        _, _, (gradient,) = tb.value_and_grad(loss, state)
        return [state[0] - gradient], {}

    runner = tb.compile_steps(step)
    runner([tb.ones((1,))], tb.ones((4, 4, 4, 1)), np.arange(4, dtype="int32").reshape(2, 2), 0, 2)
    ((program, _),) = runner.programs.values()
    functions = program._graph.graph.as_graph_def().library.function
    (apart,) = (f for f in functions if f.attr["_noinline"].b)
    calls = [n for f in functions for n in f.node_def if n.attr["f"].func.name == apart.signature.name]
    assert len(calls) == 1  # in the loop's body
    config = tf.compat.v1.ConfigProto.FromString(calls[0].attr["config_proto"].s)
    assert config.graph_options.rewrite_options.arithmetic_optimization == RewriterConfig.OFF
    inner = {n.attr["f"].func.name for n in apart.node_def}
    kinds = {n.op for f in functions if f.signature.name in inner for n in f.node_def}
    assert {"MaxPool", "MaxPoolGrad"} <= kinds


def test_waiting_for_work_is_possible_with_and_without_arrays(tb: Any) -> None:
    tb.synchronize()
    tb.synchronize({"x": tb.ones((2,))})


# ---- what XLA runs ---------------------------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return a function that returns what was told of choices since its last call."""
    monkeypatch.setattr(fast, "explaining", lambda: True)
    monkeypatch.setattr(fast, "enabled", lambda *path: True)
    return lambda: capsys.readouterr().err


def test_xla_runs_what_has_no_windows(tb: Any, told: Callable[[], str]) -> None:
    x = tb.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32"))
    given = tb.compile(lambda x: tb.sigmoid(x * x), donate_first=True)(x)
    assert (
        told()
        == "polykeras: a compiled function: XLA, as it fuses operations, and nothing in the graph is slow in it\n"
    )
    np.testing.assert_allclose(given, tb.sigmoid(x * x), rtol=1e-6)
    tb.compile(lambda x: x * x)(x)
    assert told() == "", "a function that trains nothing may be called once"
    tb.compile(lambda x: tb.max_pool(x, 2), donate_first=True)(x)
    assert "TensorFlow's kernels, as XLA is slow at MaxPool" in told()


def test_the_switch_leaves_all_to_tensorflow(tb: Any, monkeypatch: pytest.MonkeyPatch, told: Callable[[], str]) -> None:
    monkeypatch.setattr(fast, "enabled", lambda *path: False)
    assert float(tb.compile(lambda x: x + 1)(1.0)) == 2
    assert told() == ""


@pytest.mark.parametrize(("size", "runner"), [(200, ": XLA"), (5000, "slow at Cumsum")])
def test_xla_runs_short_sums_along_an_axis(tb: Any, told: Callable[[], str], size: int, runner: str) -> None:
    step = tb.compile(lambda state, x: (state + tb.cumsum(x), None), donate_first=True)
    state, _ = step(tb.zeros((size,)), tb.ones((size,)))
    assert runner in told()
    np.testing.assert_array_equal(state, np.arange(1, size + 1))


def test_what_xla_cannot_compile_is_run_by_tensorflow(tb: Any, told: Callable[[], str]) -> None:
    run = tb.compile(lambda x: tf.numpy_function(lambda x: x + 1, [x], tf.float32, stateful=False), donate_first=True)
    for _ in range(2):
        assert float(run(1.0)) == 2
    assert "TensorFlow's kernels, as XLA could not compile it" in told()


def test_indices_out_of_range_are_errors_in_xla_too(tb: Any, told: Callable[[], str]) -> None:
    table = tb.asarray([1.0, 2.0, 3.0])
    run = tb.compile(lambda i: tb.take(table, i, axis=0), donate_first=True)
    assert [float(run(i)) for i in (0, 2, -1, -3)] == [1, 3, 3, 1]
    assert "XLA" in told()
    for wrong in (3, -4):
        with pytest.raises(IndexError, match="out of range in a compiled step"):
            run(wrong)

    # As part of another graph, which is asked for the check in its place.
    outer = tb.compile(lambda i: 2 * run(i), donate_first=True)
    assert float(outer(2)) == 6
    assert "XLA" in told()
    with pytest.raises(IndexError, match="out of range"):
        outer(3)


@pytest.mark.parametrize(("low", "high", "checked"), [(0, 2, False), (0, 3, True), (-1, 2, True), (0, -1, True)])
def test_indices_that_the_graph_limits_need_no_check(tb: Any, low: int, high: int, checked: bool) -> None:
    table = tb.asarray([1.0, 2.0, 3.0])

    def look_up(i: Any) -> Any:
        return tb.take(table, tb.reshape(tb.minimum(tb.maximum(i, low), high), (1,)), axis=0)

    run = tb.compile(look_up, donate_first=True)
    for i in (-9, -1, 0, 2, 9):
        place = min(max(i, low), high)
        if place < 3:
            assert float(run(np.int32(i))[0]) == [1, 2, 3][place]
        else:
            with pytest.raises(IndexError, match="out of range in a compiled step"):
                run(np.int32(i))
    [(program, _)] = run.programs.values()
    assert program._traced.has_check == checked


def test_a_chunk_with_an_index_out_of_range_changes_nothing(tb: Any, told: Callable[[], str]) -> None:
    def step(state: list[Any], batch: Any) -> tuple[list[Any], dict[str, Any]]:
        return [tb.scatter_reduce(state[0], batch[:, None], tb.ones((2,)), "add")], {"sum": tb.sum(state[0])}

    run = tb.compile_steps(step)
    state = [tb.zeros((3,))]
    run(state, tb.asarray([0, 1, 2, 3]), np.asarray([[0, 1], [2, 1]], "int32"), 0, 2)
    assert "XLA" in told()
    with pytest.raises(IndexError, match="Nothing was changed"):
        run(state, tb.asarray([0, 1, 2, 3]), np.asarray([[2, 3], [0, 1]], "int32"), 0, 2)
    np.testing.assert_array_equal(state[0], np.zeros(3))


def test_indices_in_a_loop_are_left_to_tensorflow(tb: Any, told: Callable[[], str]) -> None:
    table = tb.asarray([1.0, 2.0, 3.0])

    def add(total: Any, place: Any) -> tuple[Any, Any]:
        return total + tb.take(table, place, axis=0), place

    run = tb.compile(lambda places: tb.scan(add, tb.asarray(0.0), places)[0], donate_first=True)
    assert float(run(np.asarray([0, 2], "int32"))) == 4
    assert "within a loop or branch" in told()
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(np.asarray([0, 3], "int32"))


# From one to the next number.
STEP = {"float64": 2**-52, "float32": 2**-23, "float16": 2**-10, "bfloat16": 2**-7, "complex64": 2**-23, "int64": 1}


@pytest.mark.parametrize("dtype", STEP)
@pytest.mark.parametrize("shape", [(), (3,)], ids=str)
def test_graphs_with_other_constants_are_not_shared(tb: Any, dtype: str, shape: tuple[int, ...]) -> None:
    spec = tf.TensorSpec(shape, dtype)
    one = np.ones(shape, tf.as_dtype(dtype).as_numpy_dtype)
    numbers = [1, 1 + STEP[dtype], -1, 0, *([] if dtype == "int64" else [-0.0, np.nan])]
    values = [np.full_like(one, number) for number in numbers]

    def graph(value: Any) -> Any:
        return shared(trace(lambda x: [x + tf.constant(value)], [spec], xla=True))

    graphs = [graph(value) for value in values]
    assert len(set(map(id, graphs))) == len(values)
    assert [graph(value) for value in values] == graphs


@pytest.mark.parametrize(
    "other",
    [
        lambda: tf.debugging.enable_check_numerics(),
        lambda: tf.config.experimental.enable_tensor_float_32_execution(True),
    ],
    ids=["check_numerics", "tensor_float_32"],
)
def test_graphs_that_were_traced_under_other_settings_are_not_shared(tb: Any, other: Any) -> None:
    def graph() -> Any:
        return shared(trace(lambda x: [tf.identity(x)], [tf.TensorSpec((3,))], xla=True))

    first = graph()
    assert graph() is first
    try:
        other()
        assert graph() is not first
    finally:
        tf.debugging.disable_check_numerics()
        tf.config.experimental.enable_tensor_float_32_execution(False)  # as it is once the backend is loaded
    assert graph() is first


@pytest.mark.parametrize("asked", [False, True])
def test_threads_that_trace_at_once_leave_the_switch_of_functions_as_it_was(asked: bool) -> None:
    from polykeras_tensorflow.graphs import functions_run_plainly, inlined_functions

    tf.config.run_functions_eagerly(asked)
    inside, go_on = threading.Event(), threading.Event()

    def trace_for_long() -> None:
        with inlined_functions():
            inside.set()
            go_on.wait(60)

    try:
        with inlined_functions():
            thread = threading.Thread(target=trace_for_long)
            thread.start()
            assert inside.wait(60)
            assert functions_run_plainly()
        assert functions_run_plainly() is asked, "the other thread's tracing is none of this one's"
        go_on.set()
        thread.join()
        assert tf.config.functions_run_eagerly() is asked
    finally:
        tf.config.run_functions_eagerly(False)
