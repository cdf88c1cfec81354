"""The tensorflow backend: gradients, values and decompositions that TensorFlow gives otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from polykeras.backend import Backend, use_backend
from polykeras.random import set_random_seed
from single.on_tensorflow import gradients, random, second, tf

pytestmark = pytest.mark.needs("tensorflow")

INF, NAN = float("inf"), float("nan")


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("tensorflow") as backend:
        yield backend


# ---- gradients that TensorFlow gives otherwise -----------------------------------------------------------------------


@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_a_tie_halves_the_gradient(tb: Any, op: str) -> None:
    choose = getattr(tb, op)
    x, y = tf.constant([[1.0, 2.0, 0.0]]), tf.constant([[1.0], [2.0]])
    gx, gy = gradients(tb, choose, x, y)
    wins = {"maximum": np.greater, "minimum": np.less}[op]
    share = wins(x, y) + 0.5 * np.equal(x, y)
    np.testing.assert_array_equal(gx, share.sum(0, keepdims=True))
    np.testing.assert_array_equal(gy, (1 - share).sum(1, keepdims=True))
    np.testing.assert_array_equal(second(tb, lambda x: choose(x, 1.0) * x * x, tf.constant([1.0, 3.0, -2.0]))[0], 4.0)
    assert gradients(tb, lambda x: choose(x, 1.0), tf.constant([1.0]))[0] == 0.5
    assert gradients(tb, lambda x: choose(NAN, x), tf.constant([1.0]))[0] == 0


@pytest.mark.parametrize(
    ("exponent", "first", "twice"),
    [(0, [0, 0], [0, 0]), (1, [1, 1], [0, 0]), (2, [0, 4], [2, 2]), (3, [0, 12], [0, 12])],
)
def test_powers_have_finite_derivatives_at_zero(tb: Any, exponent: int, first: list, twice: list) -> None:
    x = tf.constant([0.0, 2.0])
    for y in (exponent, float(exponent), tf.constant(float(exponent))):

        def power(x: Any, y: Any = y) -> Any:
            return tb.power(x, y)

        np.testing.assert_allclose(gradients(tb, power, x)[0], first, err_msg=f"x ** {y}")
        np.testing.assert_allclose(second(tb, power, x), twice, err_msg=f"x ** {y}")


def test_powers_are_flat_in_the_exponent_where_the_base_is_zero(tb: Any) -> None:
    _, slope = gradients(tb, tb.power, tf.constant([0.0, 0.0, 2.0]), tf.constant([0.0, 2.0, 3.0]))
    np.testing.assert_allclose(slope, [0, 0, 8 * np.log(2)], rtol=1e-6)


@pytest.mark.parametrize("op", ["prod", "cumprod"])
def test_products_with_zeros_have_derivatives_of_every_order(tb: Any, op: str) -> None:
    values = np.array([2.0, 0.0, 3.0, 0.0, 5.0], "float32")

    def fn(x: Any) -> Any:
        return tb.sum(getattr(tb, op)(x) * tf.range(1.0, 6.0))

    def at(**changes: float) -> float:
        point = values.copy()
        for place, value in changes.items():
            point[int(place[1:])] = value
        return float(fn(tf.constant(point)))

    # A product is linear in each factor: differences over a step of 1 are derivatives.
    slopes = [at(**{f"x{i}": 1}) - at(**{f"x{i}": 0}) for i in range(5)]
    np.testing.assert_allclose(gradients(tb, fn, values)[0], slopes)
    others = [f"x{j}" for j in (0, 2, 3, 4)]
    crossed = [at(x1=1, **{x: 1}) - at(x1=1, **{x: 0}) - at(x1=0, **{x: 1}) + at(x1=0, **{x: 0}) for x in others]
    assert second(tb, fn, tf.constant(values))[1] == pytest.approx(sum(crossed))


def test_equal_maxima_share_evenly(tb: Any) -> None:
    x = tf.constant([[3.0, 3.0, 1.0], [0.0, 2.0, 1.0]])
    np.testing.assert_array_equal(gradients(tb, lambda x: tb.max(x, 1), x)[0], [[0.5, 0.5, 0], [0, 1, 0]])


def test_eigenvalues_share_the_gradient_between_the_halves(tb: Any) -> None:
    gradient = gradients(tb, lambda x: tb.eigh(x)[0][-1], tf.constant([[2.0, 1.0], [1.0, 2.0]]))[0]
    np.testing.assert_allclose(gradient, [[0.5, 0.5], [0.5, 0.5]], atol=1e-6)


# ---- values that TensorFlow gives otherwise --------------------------------------------------------------------------


def test_floor_division_is_exact(tb: Any) -> None:
    values = np.array([1.0, -1.0, 5.5, -5.5, 0.0, 7.0, -7.0, INF, 1e30])
    x, y = (grid.ravel() for grid in np.meshgrid(values, [0.1, -0.7, 3.0, -3.0, INF, -INF, 0.0]))
    with np.errstate(all="ignore"):
        expected = np.floor_divide(x, y)
    np.testing.assert_array_equal(tb.floor_divide(tf.constant(x), tf.constant(y)), expected)
    assert gradients(tb, lambda x: tb.floor_divide(x, 2.0), tf.constant([3.0]))[0] == 0


def test_error_functions_at_their_weak_points(tb: Any) -> None:
    np.testing.assert_array_equal(tb.erf(tf.constant([INF, -INF, NAN], tf.float64)), [1, -1, NAN])
    small = np.array([0.0, 1e-30, -1e-12, 1e-5])
    half_root_pi = np.sqrt(np.pi) / 2
    np.testing.assert_allclose(tb.erfinv(tf.constant(small)), half_root_pi * small, rtol=1e-9)
    x = np.concatenate([np.linspace(-0.999, 0.999, 41), [9.99e-3, 1.001e-2]])
    for dtype, rtol in (("float64", 1e-12), ("float32", 1e-6)):
        exact = x.astype(dtype)
        np.testing.assert_allclose(tb.erf(tb.erfinv(tf.constant(exact))), exact, rtol=rtol)
    np.testing.assert_array_equal(tb.erfinv(tf.constant([1.0, -1.0, 1.5])), [INF, -INF, NAN])


def test_sorting_is_stable_and_puts_nan_last(tb: Any) -> None:
    x = np.array([0.0, NAN, -0.0, INF, 1.0, -INF, -NAN, 0.0, INF, 1.0])
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        array = tb.cast(tf.constant(x), dtype)
        np.testing.assert_array_equal(tb.argsort(array), np.argsort(x, kind="stable"))
        np.testing.assert_array_equal(tb.cast(tb.sort(array), "float64"), np.sort(x))
    for dtype in ("int8", "int32", "int64", "uint8", "uint32", "uint64"):
        info = np.iinfo(dtype)
        whole = np.array([info.max, info.min, 1, info.max - 1, 1, info.min + 1], dtype)
        np.testing.assert_array_equal(tb.argsort(tf.constant(whole)), np.argsort(whole, kind="stable"))
        found = tb.searchsorted(tf.constant(np.sort(whole)), tf.constant(whole))
        np.testing.assert_array_equal(found, np.searchsorted(np.sort(whole), whole))
    for side in ("left", "right"):
        found = tb.searchsorted(tb.sort(tf.constant(x)), tf.constant(x), side)
        np.testing.assert_array_equal(found, np.searchsorted(np.sort(x), x, side))


def test_argmax_takes_the_first_nan(tb: Any) -> None:
    x = np.zeros((3, 40), "float32")
    x[0, [5, 9]], x[1, [7, 3]], x[2, [1, 30]] = 2, NAN, [INF, NAN]
    np.testing.assert_array_equal(tb.argmax(tf.constant(x), 1), np.argmax(x, 1))
    assert tb.argmax(tf.constant(x)) == np.argmax(x)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int64"])
def test_products_of_integers_without_a_kernel(tb: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 2 if dtype == "bool" else 127, shape).astype(dtype) for shape in ((2, 3, 4), (4, 5)))
    product = tb.matmul(tf.constant(x), tf.constant(y))
    expected = x.astype("int32") @ y.astype("int32") if dtype == "int8" else x @ y
    assert tb.dtype(product) == expected.dtype.name
    np.testing.assert_array_equal(product, expected)
    subscripts = "bij,jk->bik"
    wide = (x.astype("int32"), y.astype("int32")) if dtype == "int8" else (x, y)
    np.testing.assert_array_equal(tb.einsum(subscripts, tf.constant(x), tf.constant(y)), np.einsum(subscripts, *wide))


def test_random_bits_are_those_of_the_contract(tb: Any) -> None:
    for key in ([0, 0], [1, 2], [-1, 2**31 - 1], [-(2**31), 123456789]):
        for shape in ((), (1,), (1000,), (3, 5)):
            expected = Backend.random_bits(tb, tf.constant(key), shape)
            np.testing.assert_array_equal(tb.random_bits(tf.constant(key), shape), expected)


def test_the_frameworks_own_random_numbers_can_be_seeded(tb: Any) -> None:
    draws = []
    for _ in range(2):
        set_random_seed(7)
        draws.append(tf.random.normal((3,)).numpy())
    np.testing.assert_array_equal(*draws)


# ---- linear algebra --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 3, 3), (1, 1), (0, 3, 3)])
def test_lu_factors_with_swaps_multiply_to_the_matrix(tb: Any, shape: tuple[int, ...]) -> None:
    x = random(*shape, dtype="float64")
    packed, pivots = (a.numpy() for a in tb.lu_factor(x))
    turns = min(shape[-2:])
    assert pivots.dtype == "int32"
    assert pivots.shape == (*shape[:-2], turns)
    rows = x.numpy().copy()
    for place in np.ndindex(shape[:-2]):
        for i, j in enumerate(pivots[place]):
            rows[place][[i, j]] = rows[place][[j, i]]
    lower = np.tril(packed, -1)[..., :, :turns] + np.eye(shape[-2], turns)
    np.testing.assert_allclose(lower @ np.triu(packed)[..., :turns, :], rows, atol=1e-12)


def test_lu_factors_of_a_singular_matrix_exist(tb: Any) -> None:
    packed, _ = tb.lu_factor(tf.constant([[1.0, 2.0], [2.0, 4.0]]))
    assert packed.numpy()[1, 1] == 0
    np.testing.assert_array_equal(tb.lu_factor(tf.zeros((3, 3)))[0], np.zeros((3, 3)))


def test_matrices_that_have_no_answer_are_value_errors(tb: Any) -> None:
    with pytest.raises(ValueError, match="solve"):
        tb.solve(tf.zeros((2, 2)), tf.ones(2))
    with pytest.raises(ValueError, match="cholesky"):
        tb.cholesky(-tf.eye(2))
    factor = tb.compile(tb.cholesky)(-tf.eye(2)).numpy()
    assert np.isnan(factor[0, 0])
    assert factor[0, 1] == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_decompositions_take_16_bit_floats(tb: Any, dtype: str) -> None:
    matrix = tb.cast(tf.constant([[4.0, 1.0], [1.0, 3.0]]), dtype)
    parts = [tb.cholesky(matrix), *tb.qr(matrix), *tb.svd(matrix), *tb.eigh(matrix), tb.lu_factor(matrix)[0]]
    parts += [tb.solve(matrix, matrix), tb.solve_triangular(matrix, matrix)]
    assert {tb.dtype(part) for part in parts} == {dtype}
    np.testing.assert_allclose(tb.cast(tb.solve(matrix, matrix), "float32"), np.eye(2), atol=1e-2)
