"""`function`: code with variables, compiled on each backend."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import host
from polykeras import Variable, grad, layers, ops, value_and_grad
from polykeras.backend import Backend, use_backend


class Counted:
    """Counts the runs of a function's Python code."""

    def __init__(self, fn: Any) -> None:
        self.fn, self.runs = fn, 0
        functools.update_wrapper(self, fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.runs += 1
        return self.fn(*args, **kwargs)


def test_state_goes_in_and_out(backend: Backend) -> None:
    total, factor = Variable(0.0), Variable(2.0, trainable=False)

    @polykeras.function
    def add(x: Any) -> Any:
        """Add to the total."""
        total.assign_add(x * factor)
        return total.value, {"x": x}

    assert (add.__name__, add.__doc__) == ("add", "Add to the total.")
    result, rest = add(3.0)
    assert (float(host(result)), float(host(rest["x"])), float(total)) == (6.0, 3.0, 6.0)
    factor.assign(10.0)  # state is read at each call
    total.assign(1.0)
    add(1.0)
    assert float(total) == 11.0


def test_traces_again_only_for_new_shapes_and_static_arguments(backend: Backend) -> None:
    scale = Variable(2.0)
    fn = Counted(lambda x, power=1, mode="plain", flag=False: ops.sum(x) * scale if mode == "plain" else ops.max(x))
    run = polykeras.function(fn)
    run(np.ones(3, "float32"))
    learned = fn.runs  # the first call also learns which variables there are
    assert learned <= 2
    for i in range(5):
        assert float(run(np.full(3, i, "float32"))) == 6.0 * i
    first = 0 if backend.execution.compiles else 5
    assert fn.runs - learned == first
    if not backend.execution.compiles:
        return
    for arguments, traces in [
        ((np.ones(4, "float32"),), True),  # another shape
        ((np.ones(4, "float32"),), False),
        ((np.ones(4, "int32"),), True),  # another dtype
        ((np.ones(3, "float32"), 2), True),  # another structure
        ((np.ones(3, "float32"), 3), False),  # numbers are arrays
        ((np.ones(3, "float32"), 3, "max"), True),  # strings are static
        ((np.ones(3, "float32"), 3, "max"), False),
        ((np.ones(3, "float32"), 3, "max", True), True),  # and so are bools
        ((np.ones(3, "float32"), 4, "max", True), False),
    ]:
        before = fn.runs
        run(*arguments)
        assert (fn.runs > before) == traces, arguments


def test_variables_made_inside_once(backend: Backend) -> None:
    made: list[Variable] = []

    @polykeras.function
    def run(x: Any) -> Any:
        if not made:
            made.append(Variable(10.0))
        made[0].assign_add(x)
        return made[0].value

    assert float(host(run(1.0))) == 11.0
    assert float(host(run(1.0))) == 12.0
    assert len(made) == 1
    assert float(made[0]) == 12.0


def test_variables_made_in_each_run_are_refused(backend: Backend) -> None:
    @polykeras.function
    def run(x: Any) -> Any:
        fresh = Variable(0.0, name="fresh")
        fresh.assign_add(x)
        return fresh.value

    with pytest.raises(RuntimeError, match=r"'run' makes new variables each time.*'fresh'.*Make them once"):
        run(1.0)


def test_layers_build_inside(backend: Backend) -> None:
    dense = layers.Dense(2)

    @polykeras.function
    def run(x: Any) -> Any:
        return dense(x)

    x = np.ones((3, 4), "float32")
    result = host(run(x))
    np.testing.assert_allclose(result, x @ dense.kernel.numpy() + dense.bias.numpy(), rtol=1e-5)


def test_a_training_loop_without_fit(backend: Backend) -> None:
    model = polykeras.Sequential([layers.Dense(4, "tanh", input_dim=2), layers.Dropout(0.1), layers.Dense(1)])
    optimizer = polykeras.optimizers.Adam(0.05)
    optimizer.build(model.trainable_variables)
    loss_fn = polykeras.losses.MeanSquaredError()

    def step(x: Any, y: Any) -> Any:
        loss, gradients = value_and_grad(lambda: loss_fn(y, model(x, training=True)), model.trainable_variables)()
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    fn = Counted(step)
    run = polykeras.function(fn)
    x = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")
    y = x[:, :1] - x[:, 1:]
    losses = [float(host(run(x, y))) for _ in range(20)]
    assert losses[-1] < 0.5 * losses[0]
    assert int(optimizer.iterations) == 20
    if backend.execution.compiles:
        assert fn.runs <= 2


def test_exceptions_pass_unchanged_and_the_next_call_works(backend: Backend) -> None:
    class Mistake(Exception):
        pass

    total = Variable(0.0)
    wrong = True

    @polykeras.function
    def run(x: Any) -> Any:
        total.assign_add(x)
        if wrong:
            raise Mistake("inside")
        return total.value

    with pytest.raises(Mistake) as caught:
        run(1.0)
    assert caught.value.args == ("inside",)
    assert float(total) == 0.0
    wrong = False
    assert float(host(run(1.0))) == 1.0


def test_methods_are_compiled_an_instance(backend: Backend) -> None:
    class Accumulator:
        def __init__(self, start: float) -> None:
            self.total = Variable(start)

        @polykeras.function
        def add(self, x: Any) -> Any:
            self.total.assign_add(x)
            return self.total.value

    first, second = Accumulator(0.0), Accumulator(100.0)
    assert [float(host(a.add(1.0))) for a in (first, second, first)] == [1.0, 101.0, 2.0]
    assert first.add.__name__ == "add"
    assert first.add is first.add


def test_functions_may_call_functions(backend: Backend) -> None:
    count = Variable(0, trainable=False)

    @polykeras.function
    def inner(x: Any) -> Any:
        count.assign_add(1)
        return x * x

    @polykeras.function
    def outer(x: Any) -> Any:
        return inner(x) + inner(x)

    assert float(host(outer(3.0))) == 18.0
    assert int(count) == 2
    assert float(grad(outer)(3.0)) == 12.0
    assert int(count) == 4


def test_one_function_on_all_backends(all_backends: list[Backend]) -> None:
    total = Variable(0.0)

    @polykeras.function
    def add(x: Any) -> Any:
        total.assign_add(ops.sum(x))
        return total * 1.0

    for i, backend in enumerate([*all_backends, *all_backends], start=1):
        with use_backend(backend):
            result = add(np.ones(3, "float32"))
            assert backend.is_tensor(result)
            assert float(host(result)) == 3.0 * i
