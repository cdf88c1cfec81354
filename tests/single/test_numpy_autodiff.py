"""Gradients of functions, control flow and the host side of the numpy backend."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import autograd
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from helpers.slopes import assert_slopes
from polykeras.backend import Backend, registry

pytestmark = pytest.mark.cpu_only("NumPy alone")

B: Backend = registry.load("numpy")
X = np.array([0.5, -1.0, 2.0])


def grad(fn: Any, *arrays: Any) -> list[Any]:
    """Return the gradients of a scalar function."""
    return B.value_and_grad(lambda xs: (fn(*xs), None), list(arrays))[2]


# ---- value_and_grad ----------------------------------------------------------------------------------------------


def test_value_aux_and_gradients() -> None:
    other = np.arange(3.0)

    def fn(arrays: list[Any]) -> tuple[Any, Any]:
        x, y = arrays
        return B.sum(x * y), {"product": x * y, "other": [other, "text", None], "x": x}

    value, aux, grads = B.value_and_grad(fn, [X, X + 1])
    assert value == np.sum(X * (X + 1))
    assert type(aux["product"]) is np.ndarray
    assert_array_equal(aux["product"], X * (X + 1))
    assert aux["other"][0] is other
    assert aux["other"][1:] == ["text", None]
    assert aux["x"] is X
    assert_array_equal(grads[0], X + 1)
    assert_array_equal(grads[1], X)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_gradients_have_the_shapes_and_dtypes_of_the_arrays(dtype: str) -> None:
    x, w, unused = X.astype(dtype), np.float64(2).astype(dtype), np.ones((2, 2), dtype)
    value, _, grads = B.value_and_grad(lambda a: (B.mean(B.exp(a[0]) * a[1] + 1.0), None), [x, w, unused])
    assert value.dtype == dtype
    assert [(g.shape, g.dtype) for g in grads] == [((3,), dtype), ((), dtype), ((2, 2), dtype)]
    assert_array_equal(grads[2], 0)
    assert [g.dtype for g in grad(lambda x: B.sum(x * X), x)] == [dtype]  # a user's mixture of widths


def test_a_value_that_does_not_depend_on_the_arrays() -> None:
    assert_array_equal(grad(lambda x: np.float64(1), X)[0], np.zeros(3))
    assert_array_equal(grad(lambda x: B.sum(B.floor(x) + B.round(x)), X)[0], np.zeros(3))
    assert_array_equal(grad(lambda x: B.sum(B.stop_gradient(x) * x), X)[0], X)


def test_mistakes_are_named() -> None:
    with pytest.raises(TypeError, match="array 1 has dtype int32"):
        grad(lambda x, y: B.sum(x), X, np.arange(3, dtype="int32"))
    with pytest.raises(ValueError, match=r"float scalar.*shape \(3,\)"):
        grad(lambda x: x * 2, X)
    with pytest.raises(KeyError, match="mine"):
        grad(lambda x: {}["mine"], X)


@pytest.mark.parametrize(
    ("name", "fn"),
    [
        ("svd", lambda x: B.sum(B.svd(B.reshape(x, (3, 1)))[0])),
        ("qr", lambda x: B.sum(B.qr(B.reshape(x, (3, 1)), "complete")[0])),
        ("scatter", lambda x: B.sum(B.scatter_reduce(x, np.array([[0]]), x[:1], "max"))),
        ("lu", lambda x: B.sum(B.lu_factor(B.reshape(x, (3, 1)))[0])),
    ],
)
def test_what_cannot_be_differentiated_names_the_op_and_the_backends_that_can(name: str, fn: Any) -> None:
    with pytest.raises(TypeError, match=rf"`{name}`.*jax, torch, tensorflow"):
        grad(fn, X)


def test_nested() -> None:
    def inner(x: Any) -> Any:
        value, aux, (g,) = B.value_and_grad(lambda a: (B.sum(a[0] ** 3 * x[0]), a[0] * 2), [x])
        assert_array_equal(B.stop_gradient(aux), 2 * X)
        return value + B.sum(g * g) + B.sum(aux)

    def plain(x: np.ndarray) -> Any:
        return np.sum(x**3) * x[0] + np.sum((3 * x**2 * x[0]) ** 2) + 2 * np.sum(x)

    (got,) = grad(inner, X)
    want = [(plain(X + h) - plain(X - h)) / 2e-6 for h in 1e-6 * np.eye(3)]
    assert_allclose(got, want, rtol=1e-7)


def test_third_derivative() -> None:
    def derivative(fn: Any) -> Any:
        return lambda x: grad(lambda y: B.sum(fn(y)), x)[0]

    slope = 1 - np.tanh(X) ** 2
    assert_allclose(derivative(derivative(derivative(B.tanh)))(X), slope * (4 - 6 * slope))


def test_autograd_itself_inside_and_outside() -> None:
    cube = autograd.elementwise_grad(lambda x: x**3)
    assert_allclose(grad(lambda x: B.sum(cube(x) * x), X)[0], 9 * X**2)
    outer = autograd.grad(lambda x: autograd.numpy.sum(grad(lambda y: B.sum(y**3) * x[0], x)[0] * 1.0))
    assert_allclose(outer(X), 6 * X * X[0] + np.array([np.sum(3 * X**2), 0, 0]))


def test_gradients_in_several_threads() -> None:
    results: dict[int, Any] = {}

    def work(i: int) -> None:
        for _ in range(50):
            results[i] = grad(lambda x: B.sum(grad(lambda y: B.sum(y**3), x)[0] ** 2) * i, X)[0]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        assert_allclose(results[i], 36 * X**3 * i)


def test_infinities_warn_neither_forward_nor_backward() -> None:
    x = np.array([0.0, 1e30, -1e30], "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (g,) = grad(lambda x: B.sum(B.sqrt(x) + x * x * x / x + B.log(x)), x)
        B.logsumexp(B.divide(x, 1e-30))
        B.compile(lambda y: y * y * y)(x)
        run = B.compile_steps(lambda state, batch: ([state[0] * batch["x"][0]], {"s": B.sum(state[0])}))
        run([x], {"x": x[None]}, np.zeros((2, 1), "int32"), 0, 2)
    assert g.dtype == "float32"


def test_gradients_at_ties_and_at_zero() -> None:
    one, zero = np.array([1.0, 1.0]), np.array(0.0)
    assert_array_equal(grad(lambda x, y: B.sum(B.maximum(x, y)), one, one), [[0.5, 0.5]] * 2)
    assert_array_equal(grad(lambda x: B.sum(B.minimum(x, 1.0)), one)[0], [0.5, 0.5])
    assert_array_equal(grad(lambda x: B.max(x), np.array([3.0, 1.0, 3.0]))[0], [0.5, 0, 0.5])
    assert_array_equal(grad(lambda x: B.min(x), np.array([3.0, 1.0, np.nan]))[0], [0, 0, 0])
    assert grad(B.abs, zero)[0] == 0
    assert grad(lambda x: B.abs(B.complex(x, x)), zero)[0] == 0
    assert grad(B.sqrt, zero)[0] == np.inf
    assert grad(B.power, zero, zero) == [0, 0]
    assert grad(lambda x: x**0, zero)[0] == 0
    assert grad(lambda x: x**1, zero)[0] == 1
    assert grad(lambda x: B.power(0.0, x), np.array(2.0))[0] == 0
    assert grad(B.tanh, np.array(1e4))[0] == 0
    assert grad(lambda x: B.where(x < 1, x, 1 / x), zero)[0].tolist() != grad(lambda x: x, zero)[0]  # single where: nan
    assert grad(lambda x: B.where(x < 1, x, 1 / B.where(x < 1, 1.0, x)), zero)[0] == 1


# ---- functions of functions --------------------------------------------------------------------------------------


def test_custom_gradient_in_all_its_forms() -> None:
    @B.custom_gradient
    def one(x: Any) -> Any:
        return x * 2, lambda upstream: upstream * 10

    @B.custom_gradient
    def named(x: Any, y: Any) -> Any:
        def gradient(*, upstream: Any) -> Any:
            return upstream * 3, upstream * 4

        return x + y, gradient

    @B.custom_gradient
    def two(x: Any) -> Any:
        return (x, x * x), lambda g1, g2: g1 + 100 * g2

    assert_array_equal(one(X), 2 * X)
    assert_array_equal(grad(lambda x: B.sum(one(x)), X)[0], [10] * 3)
    assert_array_equal(grad(lambda x, y: B.sum(named(x, y)), X, X), [[3] * 3, [4] * 3])
    assert_array_equal(grad(lambda x: B.sum(two(x)[1]), X)[0], [100] * 3)
    assert_array_equal(grad(lambda x: B.sum(two(x)[0] * two(x)[1]), X)[0], X * X + 100 * X)


def test_custom_gradient_is_differentiable_itself() -> None:
    @B.custom_gradient
    def square(x: Any) -> Any:
        return x * x, lambda upstream: upstream * 2 * x

    first = lambda x: grad(lambda y: B.sum(square(y) * y), x)[0]  # noqa: E731
    assert_allclose(first(X), 3 * X**2)
    assert_allclose(grad(lambda x: B.sum(first(x)), X)[0], 6 * X)


def test_custom_gradient_checks_the_number_of_gradients() -> None:
    wrong = B.custom_gradient(lambda x, y: (x * y, lambda upstream: upstream))
    with pytest.raises(ValueError, match="took 2 arguments; its `grad` returned 1"):
        grad(lambda x: B.sum(wrong(x, x)), X)


def test_vectorized_map_and_remat() -> None:
    x = np.arange(6.0).reshape(3, 2)
    result = B.vectorized_map(lambda d: {"sum": B.sum(d["a"]) * d["b"], "a": d["a"]}, {"a": x, "b": X})
    assert_array_equal(result["sum"], np.sum(x, 1) * X)
    assert_array_equal(result["a"], x)
    assert_slopes(B, lambda x: B.vectorized_map(lambda row: B.sum(row) ** 2, x), (x,))
    assert_array_equal(grad(lambda x: B.sum(B.remat(B.square)(x)), X)[0], 2 * X)
    with pytest.raises(ValueError, match="one first length"):
        B.vectorized_map(lambda pair: pair[0], (x, np.ones(2)))


def test_branches_and_loops() -> None:
    assert B.cond(np.bool_(True), lambda: 1, lambda: 2) == 1
    assert B.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), (0, 0)) == (4, 6)
    assert B.while_loop(lambda i: i < 4, lambda i: i + 1, 0, maximum_iterations=2) == 2
    assert_slopes(B, lambda x: B.cond(B.sum(x) > 0, lambda: x * x, lambda: x), (X,))
    assert_slopes(B, lambda x: B.while_loop(lambda y: B.sum(y) < 100, lambda y: y * y + 1.0, x), (X,))


@pytest.mark.parametrize("reverse", [False, True])
def test_scan(reverse: bool) -> None:
    xs = {"a": np.arange(4.0), "b": np.ones((4, 2))}
    carry, ys = B.scan(lambda c, x: (c + x["a"], (c * x["b"], None)), np.float64(1), xs, reverse=reverse)
    totals = np.cumsum([1, *(xs["a"][::-1] if reverse else xs["a"])])
    assert carry == totals[-1]
    want = totals[:-1][::-1] if reverse else totals[:-1]
    assert_array_equal(ys[0], np.repeat(want[:, None], 2, 1))
    assert ys[1] is None
    assert_slopes(B, lambda w, x: B.scan(lambda h, x: (B.tanh(w * h + x), h * h), X, x, reverse=reverse)[1],
                  (X, np.ones((3, 3))))  # fmt: skip
    assert B.scan(lambda c, _: (c * 2, None), 1, length=5) == (32, None)
    with pytest.raises(ValueError, match="one first length"):
        B.scan(lambda c, x: (c, x), 0, (np.ones(2), np.ones(3)))


# ---- arrays and the host -----------------------------------------------------------------------------------------


def test_asarray() -> None:
    assert [B.dtype(B.asarray(v)) for v in (1, 1.0, True, 1j)] == ["int32", "float32", "bool", "complex64"]
    assert B.dtype(B.asarray([[1, 2.5], [True, 4]])) == "float32"
    assert B.dtype(B.asarray([np.float64(1), 2.5])) == "float64"
    assert B.dtype(B.asarray([np.ones(2, "float16"), [1, 2]])) == "float16"
    assert B.asarray(X) is X
    assert B.asarray(X, "int32").tolist() == [0, -1, 2]
    assert B.asarray(X.astype(">f4")).dtype == np.float32
    assert B.asarray(X.astype(">f4")).dtype.isnative
    assert B.dtype(B.asarray([])) == "float32"
    with pytest.raises(TypeError, match="Expected numbers"):
        B.asarray(np.array(["a"]))
    assert_array_equal(grad(lambda x: B.sum(B.asarray([[x[0], 2.0], [1.0, x[1]]]) * 3.0), X)[0], [3, 3, 0])


def test_cast() -> None:
    x = np.array([-1.7, 2.9, np.nan, np.inf])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert B.cast(x, "int32")[:2].tolist() == [-1, 2]
        assert B.cast(x, "bool").tolist() == [True] * 4
        assert B.cast(np.array([0j, 1j]), "bool").tolist() == [False, True]
        assert B.cast(np.array([2 + 1j]), "float32").tolist() == [2]
    assert_array_equal(grad(lambda x: B.sum(B.cast(B.cast(x, "float32"), "float64") * 2), X)[0], [2] * 3)
    assert_array_equal(grad(lambda x: B.sum(B.cast(x, "int32") * x), X)[0], [0, -1, 2])


def test_bfloat16_needs_ml_dtypes() -> None:
    pytest.importorskip("ml_dtypes")
    x = B.asarray(X, "bfloat16")
    assert B.dtype(x) == "bfloat16"
    for y in (B.multiply(x, 2.5), B.sigmoid(x), B.where(x < 1, x, 0.0), B.matmul(x, x), B.sum(x)):
        assert B.dtype(y) == "bfloat16"
    (g,) = grad(lambda x: B.sum(B.exp(x) * 2.0), x)
    assert B.dtype(g) == "bfloat16"
    assert_allclose(g.astype("float32"), 2 * np.exp(X), rtol=2**-7)


def test_arange_and_full() -> None:
    assert B.arange(3).dtype == "int32"
    assert_array_equal(B.arange(0, 1, 0.1), np.arange(0, 1, 0.1).astype("float32"))
    assert B.arange(5, dtype="float32").dtype == "float32"
    assert B.full((2,), 1).dtype == "float32"  # as in Keras
    assert B.full((2,), X[:2], "float64").dtype == "float64"
    assert_array_equal(grad(lambda x: B.sum(B.full((2, 3), x)), X)[0], [2] * 3)


def test_the_host_side() -> None:
    assert B.to_numpy(np.float32(1)).shape == ()
    with pytest.raises(TypeError, match="while it is being differentiated"):
        grad(lambda x: B.sum(B.asarray(B.to_numpy(x))), X)
    assert B.devices() == ["cpu:0"]
    with B.device_scope("cpu:0"):
        assert B.asarray(X) is X
    with pytest.raises(ValueError, match="'gpu:0'"):
        B.device_scope("gpu:0")
    mine = X.copy()
    placed = B.place(mine)
    mine[0] = 7
    assert placed[0] == X[0]
    B.synchronize()


def test_compile_steps() -> None:
    data = {"x": np.arange(4.0), "y": np.ones((4, 2))}

    def step(state: list[Any], batch: dict[str, Any]) -> tuple[list[Any], Any]:
        return [state[0] + B.sum(batch["x"])], {"n": batch["y"].shape[0], "s": state[0]}

    run = B.compile_steps(step)
    (total,), logs = run([np.float64(0)], data, np.array([[0, 1], [2, 3], [3, 3]], "int32"), 1, 3)
    assert total == 11
    assert logs == {"n": 2, "s": 5}
