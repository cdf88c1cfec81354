"""The jax backend: gradients and control flow that JAX does otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polykeras.backend import Backend
from polykeras.backend.registry import load

jax = pytest.importorskip("jax")
jnp = jax.numpy
pytestmark = pytest.mark.needs("jax")


@pytest.fixture
def jb() -> Backend:
    """The jax backend."""
    return load("jax")


def gradients(jb: Backend, fn: Callable[..., Any], *arrays: Any) -> list[np.ndarray]:
    """Return the gradients of the sum of `fn(*arrays)`."""
    arrays = [jb.asarray(x, "float32") for x in arrays]
    return [np.asarray(g) for g in jb.value_and_grad(lambda xs: (jb.sum(fn(*xs)), None), arrays)[2]]


# ---- gradients -------------------------------------------------------------------------------------------------------


def test_aux_keeps_leaves_that_are_no_arrays(jb: Backend) -> None:
    def fn(xs: list[Any]) -> tuple[Any, Any]:
        return xs[0] * 2, {"text": "a", "none": None, "int": 3, "twice": xs[0] * 2, "list": [np.ones(1), jnp.ones(1)]}

    _, aux, _ = jb.value_and_grad(fn, [jnp.float32(1)])
    assert (aux["text"], aux["none"], aux["int"]) == ("a", None, 3)
    assert type(aux["list"][0]) is np.ndarray
    assert not isinstance(aux["twice"], jax.core.Tracer)
    assert float(aux["twice"]) == 2
    assert float(jax.jit(lambda x: jb.value_and_grad(fn, [x])[1]["twice"])(1.0)) == 2


def test_aux_of_an_inner_gradient_still_depends_on_the_outer_input(jb: Backend) -> None:
    def outer(xs: list[Any]) -> tuple[Any, None]:
        _, aux, _ = jb.value_and_grad(lambda ys: (ys[0], ys[0] * xs[0]), [xs[0] * 3])
        return aux, None

    assert float(jb.value_and_grad(outer, [jnp.float32(2)])[2][0]) == 12  # of 3 x ** 2


def test_what_cannot_be_differentiated_is_named(jb: Backend) -> None:
    with pytest.raises(TypeError, match="received int32 at place 1"):
        jb.value_and_grad(lambda xs: (xs[0], None), [jnp.float32(1), jnp.int32(1)])
    with pytest.raises(TypeError, match=r"float scalar first; received float32 of shape \(2,\)"):
        jb.value_and_grad(lambda xs: (xs[0], None), [jnp.ones(2)])


def _tenfold(jb: Backend) -> Callable[..., Any]:
    """Return the square with ten times its gradient."""
    return jb.custom_gradient(lambda x: (x * x, lambda upstream: upstream * x * 20))


def test_a_custom_gradient_works_in_every_transformation(jb: Backend) -> None:
    square = _tenfold(jb)

    def gradient(x: Any) -> Any:
        return jb.value_and_grad(lambda xs: (jb.sum(square(xs[0])), None), [x])[2][0]

    x = jnp.asarray([1.0, 3.0])
    np.testing.assert_array_equal(square(x), [1, 9])
    for function in (
        gradient,
        jb.compile(gradient),
        lambda x: jb.vectorized_map(gradient, x),
        lambda x: gradients(jb, jb.remat(square), x)[0],
        lambda x: gradients(jb, lambda x: jb.vectorized_map(square, x), x)[0],
        lambda x: gradients(jb, lambda x: jb.scan(lambda c, row: (c + square(row), None), 0.0, x)[0], x)[0],
    ):
        np.testing.assert_array_equal(function(x), [20, 60])
    second = jb.value_and_grad(lambda xs: (gradient(xs[0]), None), [jnp.float32(3)])[2][0]
    assert float(second) == 20


def test_a_custom_gradient_may_close_over_traced_values(jb: Backend) -> None:
    def scaled(w: Any, x: Any) -> Any:
        return jb.custom_gradient(lambda x: (x * w, lambda upstream: 7 * upstream * w))(x)

    gradient_w, gradient_x = gradients(jb, scaled, 2.0, 3.0)
    assert (gradient_w, gradient_x) == (0, 14)  # what is closed over is a constant, as on the other backends


def test_a_custom_gradient_takes_several_arguments_and_the_keyword_upstream(jb: Backend) -> None:
    pick = jb.custom_gradient(lambda x, i: (jb.take(x, i, 0), lambda upstream: (jnp.full_like(x, 5), None)))
    np.testing.assert_array_equal(gradients(jb, lambda x: pick(x, jnp.asarray([0])), [1.0, 2.0])[0], [5, 5])

    def both(x: Any, y: Any) -> Any:
        return (x * y, x + y), lambda a, b: (a + 10 * b, 100 * b)

    found = gradients(
        jb, lambda x, y: 2 * jb.custom_gradient(both)(x, y)[0] + 3 * jb.custom_gradient(both)(x, y)[1], 1, 1
    )
    assert [float(g) for g in found] == [32, 300]

    def by_name(x: Any) -> Any:
        def grad(*, upstream: Any) -> Any:
            return 4 * upstream

        return x, grad

    assert gradients(jb, jb.custom_gradient(by_name), 1.0)[0] == 4


def test_a_custom_gradient_may_call_its_own_function(jb: Backend) -> None:
    @jb.custom_gradient
    def inverse(x: Any) -> Any:
        return 1 / x, lambda upstream: -upstream * jb.square(inverse(x))

    def derivative(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: jb.value_and_grad(lambda xs: (f(xs[0]), None), [x])[2][0]

    x, function, expected = jnp.float32(2), inverse, 0.5
    for order in range(1, 5):
        function, expected = derivative(function), -expected * order / 2
        np.testing.assert_allclose(function(x), expected, rtol=1e-6)
        np.testing.assert_allclose(jb.compile(function)(x), expected, rtol=1e-6)


def test_the_gradient_of_abs_is_the_sign(jb: Backend) -> None:
    x = [-2.0, -0.0, 0.0, 3.0, np.nan, np.inf]
    np.testing.assert_array_equal(gradients(jb, jb.abs, x)[0], [-1, 0, 0, 1, np.nan, 1])
    np.testing.assert_array_equal(jb.abs(jnp.asarray(x)), np.abs(x))
    np.testing.assert_allclose(gradients(jb, jb.expm1, [-30.0, 0.0])[0], np.exp([-30.0, 0.0]), rtol=1e-6)


def test_the_gradient_of_division_holds_where_the_square_of_the_divisor_does_not(jb: Backend) -> None:
    x, y = np.float32([3e-30, 3e20, 1.0]), np.float32([4e-30, 4e25, 2.0])
    gradient_x, gradient_y = gradients(jb, jb.divide, x, y)
    np.testing.assert_allclose(gradient_x, 1 / y, rtol=1e-6)
    np.testing.assert_allclose(gradient_y, -(x / y) / y, rtol=1e-6)
    first, second = gradients(jb, jb.divide, np.ones((2, 1)), np.full(3, 2.0))
    np.testing.assert_array_equal(first, [[1.5], [1.5]])
    np.testing.assert_array_equal(second, [-0.5, -0.5, -0.5])
    assert jb.divide(jnp.bfloat16(1), 2).dtype == jb.divide(1, jnp.bfloat16(2)).dtype == "bfloat16"


def test_remat_keeps_python_arguments_and_results(jb: Backend) -> None:
    def f(x: Any, training: bool, mode: str | None = None) -> Any:
        return (x * x if training else x), mode

    assert jb.remat(f)(jnp.float32(2), True, mode="m")[1] == "m"
    assert gradients(jb, lambda x: jb.remat(f)(x, True)[0], 3.0)[0] == 6


def test_zero_to_the_power_zero_has_gradient_zero(jb: Backend) -> None:
    x, y = [0.0, 0.0, 2.0, 0.0], [0.0, 1.0, 0.0, 2.0]
    gradient_x, gradient_y = gradients(jb, jb.power, x, y)
    np.testing.assert_array_equal(gradient_x, [0, 1, 0, 0])
    np.testing.assert_allclose(gradient_y, [0, 0, np.log(2), 0], rtol=1e-6)
    np.testing.assert_array_equal(gradients(jb, lambda x: jb.power(x, 0.0), x)[0], [0, 0, 0, 0])


# ---- control ---------------------------------------------------------------------------------------------------------


def test_a_carry_may_start_as_a_python_scalar(jb: Backend) -> None:
    carry, _ = jb.scan(lambda c, x: (c + x, None), 0.0, jnp.ones(3))
    assert float(carry) == 3
    count, value = jb.while_loop(lambda i, v: i < 3, lambda i, v: (i + 1, 1.0), (0, jnp.bfloat16(0)))
    assert (int(count), float(value), value.dtype) == (3, 1.0, jnp.bfloat16)
    with pytest.raises(TypeError, match="carry"):
        jb.scan(lambda c, x: (c * 1.5, None), 1, jnp.ones(3))


def test_cond_runs_one_branch_where_the_predicate_is_known(jb: Backend) -> None:
    assert float(jb.cond(jnp.asarray(True), lambda: 1.0, lambda: pytest.fail("ran"))) == 1
    choose = jb.compile(lambda p: jb.cond(p, lambda: 1.0, lambda: jnp.float32(2)))
    assert [float(choose(True)), float(choose(False))] == [1, 2]


def test_narrow_indices_count_from_the_end_of_long_axes(jb: Backend) -> None:
    x = jb.arange(300)
    assert int(jb.take(x, jnp.int8(-1), 0)) == 299
    assert int(jb.dynamic_slice(x, jnp.asarray([-1], "int8"), (1,))[0]) == 299
    assert int(jb.scatter_reduce(x, jnp.asarray([[-1]], "int8"), jnp.asarray([7]), "set")[299]) == 7
