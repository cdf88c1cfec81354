"""`value_and_grad` over variables and arguments, gradients of gradients, gradients of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import host
from polykeras import Variable, grad, layers, ops, value_and_grad
from polykeras.backend import Backend


def close(actual: Any, expected: Any, rtol: float = 1e-5) -> None:
    np.testing.assert_allclose(host(actual), expected, rtol=rtol, atol=1e-6)


# ---- value_and_grad --------------------------------------------------------------------------------------------------


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


# ---- gradients of gradients ------------------------------------------------------------------------------------------


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


# ---- stop_gradient and custom_gradient -------------------------------------------------------------------------------


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
