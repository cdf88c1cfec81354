"""Functions that are compiled on torch: recorded once, repeated below autograd, or run as plain Python with a warning."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as k
from helpers.calls import counted
from polykeras import fast
from polykeras.backend import use_backend
from polykeras.backend.host_memory import aligned_empty

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.needs("torch")


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("torch") as backend:
        yield backend


def draw(*shape: int, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype("float32"))


# ---- what is repeated ------------------------------------------------------------------------------------------------


def test_python_runs_once_a_shape_dtype_and_structure(tb: Any) -> None:
    fn, runs = counted(lambda tree: {"y": tb.exp(tree["x"]) * 2})
    compiled = tb.compile(fn)
    for seed in range(3):
        x = draw(2, 3, seed=seed)
        assert torch.equal(compiled({"x": x})["y"], torch.exp(x) * 2)
    assert len(runs) == 1
    compiled({"x": draw(3, 3)})
    compiled({"x": draw(3, 3).double()})
    compiled({"x": draw(3, 3).double()})
    assert len(runs) == 3


def test_a_training_step_is_bit_equal_to_eager(tb: Any) -> None:
    def make() -> Any:
        k.utils.set_random_seed(3)
        layers = k.layers
        return k.Sequential(
            [
                k.Input((8, 8, 1)),
                layers.Conv2D(4, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dropout(0.3),
                layers.Dense(3, activation="softmax"),
            ]
        )

    x, y = draw(64, 8, 8, 1).numpy(), np.arange(64) % 3
    results = []
    for eagerly in (False, True):
        model = make()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=eagerly)
        history = model.fit(x, y, batch_size=16, epochs=3, verbose=0).history
        results.append((history, [v.numpy() for v in model.variables]))
    (recorded, variables), (eager, others) = results
    assert recorded == eager
    for one, other in zip(variables, others, strict=True):
        np.testing.assert_array_equal(one, other)


def test_numbers_do_not_record_again_and_other_leaves_do(tb: Any) -> None:
    fn, runs = counted(lambda x, n, name: x * n if name == "times" else x + n)
    compiled = tb.compile(fn)
    x = draw(3)
    for n in (1.0, 2.0, 3.0):
        assert torch.equal(compiled(x, n, "times"), x * n)
    assert torch.equal(compiled(x, 2.0, "plus"), x + 2.0)
    assert len(runs) == 2


def test_results_that_are_no_arrays_come_back(tb: Any) -> None:
    compiled = tb.compile(lambda x: {"x": x + 1, "none": None, "name": "a", "number": 0.5})
    for _ in range(2):
        result = compiled(draw(2))
        assert (result["none"], result["name"], result["number"]) == (None, "a", 0.5)


def test_views_and_changes_in_place_are_repeated(tb: Any) -> None:
    def fn(x: Any) -> Any:
        y = torch.zeros(3, 4)
        y[1].copy_(x)
        y[:, 2].add_(5)
        return y.t(), y.sum()

    compiled = tb.compile(fn)
    for seed in range(3):
        x = draw(4, seed=seed)
        for got, want in zip(compiled(x), fn(x), strict=True):
            assert torch.equal(got, want)


def test_arguments_that_native_code_changes_in_place_stay_the_callers(tb: Any) -> None:
    """`nn.ReLU(inplace=True)` on a model's input, for instance, which is the memory of a NumPy array."""
    compiled = tb.compile(lambda x, y: x.relu_().sum() + y.mul_(2.0).sum())
    x, y = np.array([-1.0, 2.0], "float32"), draw(3)
    before = y.clone()
    results = [float(compiled(x, y)) for _ in range(3)]
    assert x.tolist() == [-1.0, 2.0]
    assert torch.equal(y, before)
    assert len(set(results)) == 1


def test_they_stay_the_callers_also_where_nothing_is_recorded(tb: Any) -> None:
    compiled = tb.compile(lambda x: x.relu_() * float(x.sum()))  # the number is read: it cannot be repeated
    x = np.array([-1.0, 2.0], "float32")
    for _ in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # that it runs as plain Python
            assert compiled(x).tolist() == [0.0, 4.0]
    assert x.tolist() == [-1.0, 2.0]


def test_a_step_that_runs_eagerly_leaves_the_data_alone(tb: Any) -> None:
    model = k.Sequential([k.layers.Lambda(lambda x: x.relu_())])
    model.compile(loss="mse", run_eagerly=True)
    x = np.array([[-1.0, 2.0]], "float32")
    assert model.predict_on_batch(x).tolist() == [[0.0, 2.0]]
    assert x.tolist() == [[-1.0, 2.0]]


def test_random_numbers_of_torch_are_drawn_each_time(tb: Any) -> None:
    compiled = tb.compile(lambda x: x + torch.rand(3))
    torch.manual_seed(0)
    first, second = compiled(torch.zeros(3)), compiled(torch.zeros(3))
    torch.manual_seed(0)
    assert torch.equal(first, torch.rand(3))
    assert torch.equal(second, torch.rand(3))


def test_inputs_of_one_memory_are_told_apart(tb: Any) -> None:
    compiled = tb.compile(lambda x, y: x - 2 * y)
    x, y = draw(3), draw(3, seed=1)
    assert torch.equal(compiled(x, x), -x)
    assert torch.equal(compiled(x, y), x - 2 * y)
    rows = draw(2, 3)
    assert torch.equal(compiled(rows[0], rows[1]), rows[0] - 2 * rows[1])


def test_inputs_in_other_orders_of_memory(tb: Any) -> None:
    compiled = tb.compile(lambda x: x.reshape(-1) * 1.0)
    x = draw(3, 4)
    assert torch.equal(compiled(x), x.reshape(-1))
    assert torch.equal(compiled(draw(4, 3).t()), draw(4, 3).t().reshape(-1))
    assert torch.equal(compiled(x[0].expand(3, 4)), x[0].expand(3, 4).reshape(-1))


def test_results_own_their_memory(tb: Any) -> None:
    constant = torch.ones(2)
    compiled = tb.compile(lambda x: (constant, tb.zeros((2,)), x + 1, (x + 1)[:1]))
    for _ in range(2):
        results = compiled(draw(2))
        for result in results:
            result.fill_(7.0)
    assert constant.tolist() == [1.0, 1.0]
    assert [r.tolist() for r in compiled(torch.zeros(2))] == [[1.0, 1.0], [0.0, 0.0], [1.0, 1.0], [1.0]]


def test_logs_and_state_of_one_memory_are_told_apart(tb: Any) -> None:
    def step(state: list[Any], batch: Any) -> Any:
        total = state[0] + batch.sum()
        return [total, state[1]], {"total": total, "other": state[1]}

    run = tb.compile_steps(step)
    state, logs = run([torch.zeros(()), torch.ones(())], torch.arange(4.0), torch.arange(4)[:, None], 0, 2)
    later, _ = run(state, torch.arange(4.0), torch.arange(4)[:, None], 2, 4)
    assert (logs["total"].item(), logs["other"].item(), later[0].item()) == (1.0, 1.0, 6.0)


def test_gradients_flow_through_a_compiled_function(tb: Any) -> None:
    cube = tb.compile(lambda x: x * x * x)
    for _ in range(2):
        _, _, (gradient,) = tb.value_and_grad(lambda leaves: (cube(leaves[0]).sum(), None), [torch.tensor([2.0])])
        assert gradient.tolist() == [12.0]
        assert cube(torch.tensor([2.0])).tolist() == [8.0]  # recorded, in between


def test_compiled_functions_nest_and_are_mapped(tb: Any) -> None:
    inner = tb.compile(lambda x: x + 1)
    outer = tb.compile(lambda x: inner(x) * 2)
    for _ in range(2):
        assert outer(torch.ones(2)).tolist() == [4.0, 4.0]
        assert tb.vectorized_map(inner, torch.zeros(3)).tolist() == [1.0, 1.0, 1.0]


def test_state_is_ordinary_afterwards(tb: Any) -> None:
    """No inference tensors, whose use in a graph torch refuses."""
    compiled = tb.compile(lambda x: x * 2)
    compiled(draw(2))
    result = compiled(draw(2)).requires_grad_()
    (result * result).sum().backward()
    assert torch.equal(result.grad, 2 * result.detach())


def test_an_error_reaches_the_caller_and_the_next_call_records(tb: Any) -> None:
    fails = [True]

    def fn(x: Any) -> Any:
        if fails.pop() if fails else False:
            raise KeyError("the user's own")
        return x + 1

    compiled = tb.compile(fn)
    with pytest.raises(KeyError, match="the user's own"):
        compiled(torch.zeros(1))
    assert compiled(torch.zeros(1)).tolist() == compiled(torch.zeros(1)).tolist() == [1.0]


def test_threads_repeat_one_recording(tb: Any) -> None:
    compiled = tb.compile(lambda x: tb.sum(tb.exp(x) * x))
    inputs = [draw(50, seed=i) for i in range(4)]
    expected = [tb.sum(tb.exp(x) * x) for x in inputs]
    wrong = []

    def work(x: Any, want: Any) -> None:
        wrong.extend(1 for _ in range(50) if not torch.equal(compiled(x), want))

    threads = [threading.Thread(target=work, args=pair) for pair in zip(inputs, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_of_the_recorded_run_is_kept(tb: Any) -> None:
    seen = []

    def fn(x: Any) -> Any:
        y = x * 2
        seen.append(weakref.ref(y))
        return tb.sum(y)

    compiled = tb.compile(fn)
    compiled(draw(1000))
    gc.collect()
    assert seen[0]() is None


# ---- what cannot be repeated -----------------------------------------------------------------------------------------

REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: x * 2 if x.sum() > 0 else x * 3, "looks at a value"),
    (lambda x: x * float(x[0]), "looks at a value"),
    (lambda x: x[x > 0].sum(), "shape of a result"),
    (lambda x: torch.nonzero(x).sum(), "shape of a result"),
    (lambda x: x + float(x.numpy()[0]), "reads the values"),
    (lambda x: x + sum(x.tolist()), "reads the values"),
    (lambda x: x + float(np.asarray(x)[1]), "reads the values"),
    (lambda x: x + (1 if torch.equal(x, x) else 0), "looks at a value"),
]


@pytest.mark.parametrize(("fn", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_what_depends_on_values_runs_as_plain_python(tb: Any, fn: Callable[[Any], Any], reason: str) -> None:
    compiled = tb.compile(fn)
    for i, x in enumerate((torch.tensor([1.0, 2.0, -1.0]), torch.tensor([-3.0, 1.0, -1.0]))):
        if i == 0:
            with pytest.warns(RuntimeWarning, match=reason):
                result = compiled(x)
        else:
            result = compiled(x)
        assert torch.equal(result, fn(x))


def test_memory_from_outside_is_not_changed_by_a_recording(tb: Any) -> None:
    calls = torch.zeros(())

    def fn(x: Any) -> Any:
        calls.add_(1)
        return x + calls

    compiled = tb.compile(fn)
    with pytest.warns(RuntimeWarning, match="does not hold"):
        compiled(torch.zeros(1))
    assert compiled(torch.zeros(1)).tolist() == [2.0]
    assert calls.item() == 2


def test_values_of_constants_may_be_looked_at(tb: Any) -> None:
    compiled = tb.compile(lambda x: x * float(torch.arange(3).sum()) + tb.full((1,), 2.0).numpy()[0])
    assert [compiled(torch.tensor([n])).tolist() for n in (1.0, 2.0)] == [[5.0], [8.0]]


def test_a_parameter_of_torch_keeps_its_gradient(tb: Any) -> None:
    weight = torch.nn.Parameter(torch.tensor([3.0]))
    compiled = tb.compile(lambda x: x * weight)
    with pytest.warns(RuntimeWarning, match="differentiated by torch itself"):
        compiled(torch.ones(1))
    compiled(torch.tensor([2.0])).sum().backward()
    assert weight.grad.tolist() == [2.0]


def test_recording_does_not_import_the_compiler_of_torch() -> None:
    code = (
        "import sys, torch; from polykeras.backend import registry; b = registry.load('torch')\n"
        "b.compile(lambda x: x + 1)(torch.ones(2)); print('torch._dynamo' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


# ---- memory ----------------------------------------------------------------------------------------------------------


def test_donated_state_is_updated_in_its_own_memory(tb: Any) -> None:
    def step(state: list[Any], batch: Any) -> Any:
        velocity = 0.9 * state[1] + batch
        return [state[0] - 0.1 * velocity, velocity], {"size": tb.sum(velocity)}

    data, indices = draw(4, 2048), torch.arange(4, dtype=torch.int32)[:, None]
    run = tb.compile_steps(lambda state, batch: step(state, batch[0]))
    state = [torch.zeros(2048), torch.ones(2048)]
    expected = list(state)
    for row in data:
        expected, logs = step(expected, row)
    state, _ = run(state, data, indices, 0, 1)
    places = {x.data_ptr() for x in state}
    state, got = run(state, data, indices, 1, 4)
    assert {x.data_ptr() for x in state} == places
    for x, want in zip([*state, got["size"]], [*expected, logs["size"]], strict=True):
        assert torch.equal(x, want)


def test_what_is_not_donated_is_left_alone(tb: Any) -> None:
    compiled = tb.compile(lambda x: [torch.exp(x * 2) - 1])
    donating = tb.compile(lambda state: ([state[0] * 2], state[0].sum()), donate_first=True)
    for _ in range(2):
        x = draw(2048)
        kept = x.clone()
        compiled(x)
        assert torch.equal(x, kept)
        (doubled,), total = donating([x])
        assert torch.equal(doubled, kept * 2)
        assert torch.equal(total, kept.sum())


def test_memory_that_is_read_later_is_not_reused(tb: Any) -> None:
    def fn(state: list[Any]) -> Any:
        (x,) = state
        view = x.view(32, 64)
        y = x + 1  # `x` is read later through its view
        z = y * y
        w = torch.where(z > 1, z, y)  # `y` and `z` are read for the last time
        return [w + view.t().reshape(-1)], y.sum()

    compiled = tb.compile(fn, donate_first=True)
    for seed in range(3):
        x = draw(2048, seed=seed)
        (want,), total = fn([x.clone()])
        (got,), other = compiled([x.clone()])
        assert torch.equal(got, want)
        assert torch.equal(other, total)


@pytest.mark.parametrize("number", [2, 0.1, -3, 1e-7, float("inf"), float("nan"), 2**40, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "int32", "int64", "uint8"])
def test_numbers_mean_the_same_in_a_recording(tb: Any, number: Any, dtype: str) -> None:
    def fn(x: Any) -> Any:
        results = [x + number, x - number, x * number, x / number, number - x, x > number, x == number]
        return results + [r[0] * number for r in results[:4]]

    x = tb.asarray(np.array([1, 2, 3]), dtype)
    try:
        expected = fn(x)
    except RuntimeError:  # torch refuses a number that the dtype cannot hold
        return
    compiled = tb.compile(fn)
    for _ in range(2):
        for got, want in zip(compiled(x), expected, strict=True):
            assert got.dtype == want.dtype
            assert torch.equal(torch.nan_to_num(got.double()), torch.nan_to_num(want.double()))


def test_shapes_alone_make_a_constant(tb: Any) -> None:
    compiled = tb.compile(lambda x: (torch.zeros_like(x), torch.full_like(x, 3.0).mul_(x)))
    for n in (1.0, 2.0):
        zeros, threes = compiled(torch.full((2,), n))
        assert (zeros.tolist(), threes.tolist()) == ([0.0, 0.0], [3 * n, 3 * n])
        zeros.add_(1)


def test_a_constant_that_changes_after_its_use_is_not_taken_late(tb: Any) -> None:
    def fn(x: Any) -> Any:
        c = torch.zeros(3)
        y = x + c
        c.add_(1.0)
        return y

    compiled = tb.compile(fn)
    assert [compiled(torch.ones(3)).tolist() for _ in range(3)] == [[1.0] * 3] * 3


def test_shapes_that_change_in_place_are_refused(tb: Any) -> None:
    compiled = tb.compile(lambda x: (x + 1).unsqueeze_(0) * 2)
    with pytest.warns(RuntimeWarning, match="shape of a tensor in place"):
        compiled(torch.ones(2))
    assert compiled(torch.ones(2)).tolist() == [[4.0, 4.0]]


def test_branches_by_value_are_recorded_where_nothing_is_differentiated(tb: Any) -> None:
    fn, runs = counted(lambda x: tb.cond(x.sum() > 0, lambda: (x * 2, x), lambda: (x * 3, x)))
    compiled = tb.compile(fn)
    for sign in (1.0, -1.0):
        x = torch.full((2,), sign)
        assert compiled(x)[0].tolist() == (x * (2 if sign > 0 else 3)).tolist()
    assert len(runs) == 1


def test_branches_that_are_differentiated_run_as_plain_python(tb: Any) -> None:
    """By `where` the gradient at 0 would be nan: 0 of the branch not taken times the slope inf of the root."""

    def slope(x: Any) -> Any:
        root = lambda leaves: (tb.cond(leaves[0] > 0, lambda: tb.sqrt(leaves[0]), lambda: leaves[0] * 2.0), None)  # noqa: E731
        return tb.value_and_grad(root, [x])[2][0]

    compiled = tb.compile(slope)
    with pytest.warns(RuntimeWarning, match="looks at a value"):
        assert compiled(torch.tensor(0.0)).item() == 2.0
    assert compiled(torch.tensor(4.0)).item() == 0.25


def test_accumulated_gradients_are_recorded(tb: Any) -> None:
    x, y = draw(16, 3).numpy(), draw(16, 1, seed=1).numpy()
    weights = []
    for eagerly in (False, True):
        k.utils.set_random_seed(0)
        model = k.Sequential([k.Input((3,)), k.layers.Dense(1)])
        model.compile(k.optimizers.Adam(0.1, gradient_accumulation_steps=2), "mse", run_eagerly=eagerly)
        model.fit(x, y, batch_size=4, epochs=2, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_predicting_in_inference_mode_leaves_the_model_trainable(tb: Any) -> None:
    model = k.Sequential([k.Input((3,)), k.layers.Dense(1)])
    model.compile("sgd", "mse")
    with torch.inference_mode():
        model.predict(draw(4, 3).numpy(), verbose=0)
        model(draw(4, 3))
    model.fit(draw(4, 3).numpy(), draw(4, 1).numpy(), verbose=0)


def test_training_in_inference_mode_trains(tb: Any) -> None:
    x, y = draw(8, 3).numpy(), draw(8, 1).numpy()

    def trained(mode: bool) -> list[Any]:
        k.utils.set_random_seed(0)
        model = k.Sequential([k.Input((3,)), k.layers.Dense(1)])
        model.compile("sgd", "mse")
        with torch.inference_mode(mode):
            model.fit(x, y, batch_size=4, verbose=0)
            model.train_on_batch(x, y)
            model.fit(iter([(x, y)] * 2), steps_per_epoch=2, verbose=0)
        model.fit(x, y, verbose=0)
        return model.get_weights()

    for one, other in zip(trained(False), trained(True), strict=True):
        assert (one == other).all()


def test_a_tensor_from_outside_that_is_changed_in_place_counts_as_it_is(tb: Any) -> None:
    """What is computed of it once, as it depends on no argument, is computed again."""
    scale = torch.tensor(1.0)
    function = tb.compile(lambda x: (x * scale, x * (scale * 2)))
    x = torch.ones(2)
    for _ in range(2):
        assert [y.tolist() for y in function(x)] == [[1, 1], [2, 2]]
    scale.mul_(10)
    for _ in range(2):
        assert [y.tolist() for y in function(x)] == [[10, 10], [20, 20]]


def test_so_it_does_in_training(tb: Any) -> None:
    class Scaled(k.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.tensor(1.0)

        def call(self, inputs: Any) -> Any:
            return inputs * (self.scale * 2)

    x, y = draw(8, 3).numpy(), draw(8, 1).numpy()

    def trained(change: bool, eagerly: bool) -> list[Any]:
        k.utils.set_random_seed(0)
        model = k.Sequential([k.Input((3,)), Scaled(), k.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"], run_eagerly=eagerly)
        model.fit(x, y, batch_size=2, verbose=0)
        if change:
            model.layers[0].scale.mul_(3)
        model.fit(x, y, batch_size=2, verbose=0)
        return model.get_weights()

    for one, other in zip(trained(True, False), trained(True, True), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert abs(trained(False, False)[0] - trained(True, False)[0]).max() > 1e-3


@pytest.mark.parametrize("op", [torch.bitwise_and, torch.bitwise_or, torch.bitwise_xor, torch.remainder, torch.mul])
def test_a_number_may_come_first(tb: Any, op: Any) -> None:
    function = tb.compile(lambda x: op(7, x + 1))
    x = torch.arange(2048)
    for _ in range(3):
        assert function(x).equal(op(7, x + 1))


def test_state_changed_in_place_by_a_step_that_fails_is_as_before(tb: Any) -> None:
    """Donated state is recorded in its own memory; what native code did to it before an error is taken back."""

    def failing(state: Any, batch: Any) -> Any:
        state[0].add_(1.0)
        state[0][0] = 7.0
        raise RuntimeError("half way")

    state = torch.arange(3.0)
    with pytest.raises(RuntimeError, match="half way"):
        tb.compile(failing, donate_first=True)([state], torch.ones(2))
    assert state.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.filterwarnings("ignore:On torch a function:RuntimeWarning")
def test_a_plain_function_may_return_another_structure_each_time(tb: Any) -> None:
    compiled = tb.compile(lambda x: {"large": x} if float(x) > 1 else {"small": x, "twice": 2 * x})
    for value, names in ((0.5, ["small", "twice"]), (2.0, ["large"]), (0.5, ["small", "twice"])):
        assert list(compiled(torch.tensor(value))) == names


def test_a_view_by_a_place_in_memory_is_not_repeated(tb: Any) -> None:
    def step(state: Any, batch: Any) -> Any:
        return [state[0] + torch.as_strided(batch, (2,), (1,), 0).sum()], {}

    data, indices = torch.arange(64.0).reshape(4, 16), torch.arange(4, dtype=torch.int32).reshape(4, 1)
    run = tb.compile_steps(step)
    with pytest.warns(RuntimeWarning, match="as_strided"):
        (total,), _ = run([torch.tensor(0.0)], data, indices, 0, 1)
    assert float(total) == 1.0


def test_native_code_that_changes_its_batch_leaves_the_rows_alone(tb: Any) -> None:
    def step(state: Any, batch: Any) -> Any:
        return [state[0] + batch.mul_(2.0).sum()], {"total": state[0]}

    indices = np.arange(10, dtype="int32").reshape(5, 2)
    indices.flags.writeable = False
    data = torch.from_dlpack(aligned_empty((10, 16), np.float32)).fill_(1.0)  # steps use it where it lies
    run = tb.compile_steps(step)
    for _ in range(2):
        (total,), _ = run([torch.tensor(0.0)], data, indices, 0, 5)
        assert float(total) == 320.0
        assert torch.equal(data, torch.ones(10, 16))


# ---- what a loop of steps leaves out -----------------------------------------------------------------------------------


def test_a_branch_that_is_not_taken_assigns_nothing(tb: Any) -> None:
    total, other = k.Variable(0.0), k.Variable(5.0)

    def count(i: Any) -> Any:
        def add() -> Any:
            total.assign_add(1.0)
            return total * 1.0

        def take() -> Any:
            other.assign(other - total)
            return other * 1.0

        return tb.cond(i % 2 == 0, add, take)

    compiled = k.function(count)
    found = [float(compiled(torch.tensor(i))) for i in range(6)]
    assert (found, float(total), float(other)) == ([1.0, 4.0, 2.0, 2.0, 3.0, -1.0], 3.0, -1.0)


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], list[str]]]:
    """The names of the calls before each loop that is written, and of those in it."""
    from polykeras_torch.compiler.program import _Writer

    written: list[tuple[list[str], list[str]]] = []
    loop = _Writer.loop

    def noted(self: Any, before: Any, instructions: Any, *args: Any) -> Any:
        written.append(
            tuple(
                [instruction.op._schema.name.removeprefix("aten::") for instruction in part]
                for part in (before, instructions)
            )
        )
        return loop(self, before, instructions, *args)

    monkeypatch.setattr(_Writer, "loop", noted)
    return written


def steps_as_eager(tb: Any, step: Callable[[Any, Any], Any], state: list[Any], data: Any) -> None:
    """Compare four steps with those of plain Python, to the bit."""
    indices, expected = torch.arange(4, dtype=torch.int32)[:, None], [x.clone() for x in state]
    for row in data:
        expected, logs = step(expected, row[None])
    state, got = tb.compile_steps(step)(state, data, indices, 0, 4)
    for x, want in zip([*state, got["sum"]], [*expected, logs["sum"]], strict=True):
        assert torch.equal(x, want)


def test_views_of_state_that_stays_in_its_place_are_made_before_the_loop(tb: Any, loops: list[Any]) -> None:
    def step(state: Any, batch: Any) -> Any:
        product = batch @ state[0].t()  # read before the update, and
        changed = 0.5 * state[0] + product.t()
        return [changed], {"sum": (product @ changed.t()).sum()}  # after it

    steps_as_eager(tb, step, [draw(64, 64)], draw(4, 64))
    ((before, within),) = loops
    assert before == ["t"]
    assert within.count("t") == 1  # of `product`; that of the last line is needed by logs alone


def test_views_of_state_that_changes_places_are_made_in_each_step(tb: Any, loops: list[Any]) -> None:
    def step(state: Any, batch: Any) -> Any:
        product = batch @ state[0].t()
        return [state[1], 0.5 * state[0] + product.t()], {"sum": product.sum()}

    steps_as_eager(tb, step, [draw(64, 64), draw(64, 64)], draw(4, 64))
    ((before, within),) = loops
    assert before == []
    assert within.count("t") == 2


def test_sums_leave_axes_out_at_once(tb: Any, loops: list[Any]) -> None:
    def step(state: Any, batch: Any) -> Any:
        kept = state[1].sum(0, keepdim=True)
        total = kept.view(8)
        return [state[0] + total + state[1].sum((0, 1), keepdim=True).view(()), state[1] + kept], {"sum": total.sum()}

    steps_as_eager(tb, step, [draw(8), draw(4, 8)], draw(4, 8))
    ((_, within),) = loops
    assert within.count("view") == 1  # of what is read with its axes too


def test_a_sum_in_another_shape_keeps_its_view(tb: Any, loops: list[Any]) -> None:
    def step(state: Any, batch: Any) -> Any:
        return [state[0] + state[1].sum(0, keepdim=True).view(2, 4), state[1]], {"sum": batch.sum()}

    steps_as_eager(tb, step, [draw(2, 4), draw(4, 8)], draw(4, 8))
    ((_, within),) = loops
    assert within.count("view") == 1


@pytest.mark.skipif(not fast.enabled(), reason="memory is given away by recorded steps")
def test_a_first_chunk_that_fails_after_its_first_step_says_what_may_be_lost(tb: Any) -> None:
    layers = k.layers

    class Lookup(layers.Embedding):  # `fit` does not check what a user's `call` is given
        def call(self, inputs: Any) -> Any:
            return super().call(inputs)

    model = k.Sequential([k.Input((4,), dtype="int32"), Lookup(10, 8), layers.Flatten(), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], steps_per_execution=8)
    x = np.zeros((64, 4), "int32")
    x[40, 0] = 99
    with pytest.raises(IndexError) as caught:
        model.fit(x, np.zeros((64, 1), "float32"), batch_size=8, shuffle=False, verbose=0)
    assert "may be those of no step" in "".join(caught.value.__notes__)
