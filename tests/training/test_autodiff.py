"""Gradients over variables and arguments, and compiled functions."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Variable, grad, layers, ops, value_and_grad
from polykeras.backend import Backend, use_backend


def host(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


def close(actual: Any, expected: Any, rtol: float = 1e-5) -> None:
    np.testing.assert_allclose(host(actual), expected, rtol=rtol, atol=1e-6)


# ---- value_and_grad ----------------------------------------------------------------------------------------------


def test_over_variables_in_their_structure(backend: Backend) -> None:
    a, b = Variable([1.0, 2.0]), Variable(3.0)

    def fn(scale: float) -> Any:
        return ops.sum(a * a) * b * scale

    value, gradient = value_and_grad(fn, a)(2.0)
    close(value, 30.0)
    close(gradient, [12.0, 24.0])
    _, gradients = value_and_grad(fn, [a, b])(2.0)
    close(gradients[0], [12.0, 24.0])
    close(gradients[1], 10.0)
    _, gradients = value_and_grad(fn, {"x": (a,), "y": b})(scale=2.0)
    close(gradients["x"][0], [12.0, 24.0])
    close(gradients["y"], 10.0)


def test_gradients_are_of_the_backend_in_shape_and_dtype(backend: Backend) -> None:
    a = Variable(np.ones((2, 3)), dtype="float16")
    _, gradient = value_and_grad(lambda: ops.sum(a * 2), a)()
    assert backend.is_tensor(gradient)
    assert (backend.shape(gradient), backend.dtype(gradient)) == ((2, 3), "float16")


OPERATORS: list[Any] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: a / b,
    lambda a, b: a**b,
    lambda a, b: a @ b,
]


@pytest.mark.parametrize("function", OPERATORS)
def test_operators_between_tensors_and_variables_carry_gradients(backend: Backend, function: Any) -> None:
    a = np.array([[1.2, 2.0], [2.7, 4.0]], "float32")
    b = np.array([[2.0, 1.5], [3.0, 1.0]], "float32")
    expected = grad(lambda x, y: ops.sum(ops.square(function(x, y))), argnums=(0, 1))(a, b)
    x, y = Variable(a), Variable(b)
    actual = grad(lambda: ops.sum(ops.square(function(x.value, y))), [x, y])()
    mirrored = grad(lambda: ops.sum(ops.square(function(x, y.value))), [x, y])()
    for one, other, reference in zip(actual, mirrored, expected, strict=True):
        assert np.abs(host(reference)).min() > 0.1
        close(one, host(reference))
        close(other, host(reference))


def test_a_variable_that_does_not_matter_has_a_gradient_of_zeros(backend: Backend) -> None:
    a, b = Variable([1.0, 2.0]), Variable([3.0])
    _, (_, unused) = value_and_grad(lambda: ops.sum(a), [a, b])()
    assert host(unused).tolist() == [0.0]
    assert value_and_grad(lambda: ops.sum(a), [])()[1] == []


def test_a_variable_listed_twice_has_one_gradient(backend: Backend) -> None:
    a = Variable([1.0, 2.0])
    first, second = grad(lambda: ops.sum(a * a), [a, a])()
    close(first, [2.0, 4.0])
    close(second, [2.0, 4.0])


def test_over_arguments(backend: Backend) -> None:
    def fn(x: Any, y: Any, scale: float = 1.0) -> Any:
        return ops.sum(ops.multiply(x["a"], y)) * scale

    x, y = {"a": np.array([1.0, 2.0], "float32"), "b": 5.0}, np.array([3.0, 4.0], "float32")
    value, gradient = value_and_grad(fn)(x, y, scale=2.0)
    close(value, 22.0)
    close(gradient["a"], [6.0, 8.0])
    close(gradient["b"], 0.0)
    close(grad(fn, argnums=1)(x, y), [1.0, 2.0])
    gradients = grad(fn, argnums=(1, 0))(x, y)
    close(gradients[0], [1.0, 2.0])
    close(gradients[1]["a"], [3.0, 4.0])


def test_aux_comes_out_as_plain_arrays(backend: Backend) -> None:
    a = Variable(2.0)

    def fn(x: Any) -> Any:
        return a * x, {"twice": a * 2, "note": "text", "number": 3}

    (value, aux), gradient = value_and_grad(fn, a, has_aux=True)(5.0)
    assert (float(value), float(gradient)) == (10.0, 5.0)
    assert aux["note"] == "text"
    assert aux["number"] == 3
    assert isinstance(backend.to_numpy(aux["twice"]), np.ndarray)
    gradient, aux = grad(fn, a, has_aux=True)(5.0)
    assert (float(gradient), float(host(aux["twice"]))) == (5.0, 4.0)


def test_updates_of_variables_are_carried_out(backend: Backend) -> None:
    w, count, total = Variable(2.0), Variable(0, trainable=False), Variable(0.0, trainable=False)

    def fn() -> Any:
        count.assign_add(1)
        total.assign_add(w * 3.0)
        w.assign(w * 1.0)
        return w * w + total

    for i in (1, 2):
        _, gradient = value_and_grad(fn, w)()
        close(gradient, 7.0)  # by the value of `total` before it is a number; what fn adds to it depends on w
        assert (int(count), float(total)) == (i, 6.0 * i)
    assert float(w) == 2.0


def test_batch_norm_statistics_and_seeds_advance_within(backend: Backend) -> None:
    model = polykeras.Sequential([layers.Input((2,)), layers.BatchNormalization(momentum=0.5), layers.Dropout(0.5)])
    x = np.array([[2.0, 4.0], [4.0, 8.0]], "float32")
    variables = model.trainable_variables
    seed = model.layers[1].seed_generator.state
    before = seed.numpy()
    value_and_grad(lambda: ops.sum(model(x, training=True)), variables)()
    close(model.layers[0].moving_mean, [1.5, 3.0])
    assert seed.numpy()[2] == before[2] + 1


def test_errors_say_what_is_wrong(backend: Backend) -> None:
    a, count = Variable([1.0, 2.0]), Variable([1, 2], name="count")

    def vector() -> Any:
        return a * 2

    with pytest.raises(ValueError, match=r"differentiates a scalar; <?vector.*array of shape \(2,\).*ops.sum"):
        value_and_grad(vector, a)()
    with pytest.raises(TypeError, match="'count' is int32: gradients are taken of floats only"):
        value_and_grad(lambda: ops.sum(a), [a, count])()
    with pytest.raises(TypeError, match="must be polykeras Variables; received 3"):
        value_and_grad(lambda: ops.sum(a), [3])()
    with pytest.raises(TypeError, match="float"):
        grad(lambda x: x * 2)(np.array(3, "int32"))


# ---- gradients of gradients --------------------------------------------------------------------------------------


def test_third_derivative(backend: Backend) -> None:
    assert float(grad(grad(grad(lambda x: x * x * x * x)))(2.0)) == pytest.approx(48.0)


def test_gradient_penalty_against_finite_differences(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    w1, w2 = Variable(rng.normal(size=(3, 4)), dtype="float32"), Variable(rng.normal(size=(4, 1)), dtype="float32")
    x = rng.normal(size=(5, 3)).astype("float32")

    def critic(x: Any) -> Any:
        return ops.sum(ops.matmul(ops.tanh(ops.matmul(x, w1)), w2))

    def penalty() -> Any:
        slope = grad(critic)(x)
        norm = ops.sqrt(ops.sum(ops.square(slope), axis=-1) + 1e-6)
        return ops.mean(ops.square(norm - 1.0))

    value, gradients = value_and_grad(penalty, [w1, w2])()

    def reference(a: np.ndarray, b: np.ndarray) -> float:
        hidden = np.tanh(x.astype("float64") @ a)
        slope = ((1 - hidden**2) * b[:, 0]) @ a.T
        return float(np.mean((np.sqrt((slope**2).sum(-1) + 1e-6) - 1) ** 2))

    weights = [w1.numpy().astype("float64"), w2.numpy().astype("float64")]
    close(value, reference(*weights))
    for k, gradient in enumerate(gradients):
        expected = np.zeros_like(weights[k])
        for place in np.ndindex(*expected.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = [w.copy() for w in weights]
                moved[k][place] += step
                sides.append(reference(*moved))
            expected[place] = (sides[0] - sides[1]) / 2e-5
        np.testing.assert_allclose(host(gradient), expected, rtol=1e-3, atol=1e-5)


def test_updates_in_a_nested_gradient_happen_once(backend: Backend) -> None:
    w, count = Variable(3.0), Variable(0, trainable=False)

    def inner(x: Any) -> Any:
        count.assign_add(1)
        return w * x * x

    def outer() -> Any:
        return ops.square(grad(inner)(2.0))

    value, gradient = value_and_grad(outer, w)()
    assert (float(value), float(gradient), int(count)) == (144.0, 96.0, 1)


# ---- stop_gradient and custom_gradient ---------------------------------------------------------------------------


def test_stop_gradient(backend: Backend) -> None:
    a = Variable(3.0)
    assert float(grad(lambda: a * ops.stop_gradient(a * 2.0), a)()) == 6.0
    assert float(grad(lambda: a * polykeras.stop_gradient(a), a)()) == 3.0


def test_custom_gradient(backend: Backend) -> None:
    @polykeras.custom_gradient
    def log1pexp(x: Any) -> Any:
        e = ops.exp(x)

        def gradient(*args: Any, upstream: Any = None) -> Any:
            if upstream is None:
                (upstream,) = args
            return ops.multiply(upstream, 1.0 - 1.0 / ops.add(1.0, e))

        return ops.log(1.0 + e), gradient

    assert np.isnan(float(grad(lambda x: ops.log(1.0 + ops.exp(x)))(100.0)))
    assert float(grad(log1pexp)(100.0)) == 1.0
    x = Variable(0.0)
    value, gradient = value_and_grad(lambda: log1pexp(x.value) * 2.0, x)()
    close(value, 2 * np.log(2))
    close(gradient, 1.0)
    run = polykeras.function(lambda x: grad(log1pexp)(x))
    assert float(run(100.0)) == 1.0


# ---- function ----------------------------------------------------------------------------------------------------


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
    first = 0 if backend.is_compiled() else 5
    assert fn.runs - learned == first
    if not backend.is_compiled():
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
    if backend.is_compiled():
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
