"""What the tensorflow backend alone promises: native tensors in and out, and kernels brought to the contract."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from helpers.parity import assert_parity
from polykeras import ops
from polykeras.backend import Backend, use_backend

# By way of the backend, which leaves Keras out of TensorFlow's import.
tf = pytest.importorskip("polykeras_tensorflow.backend").tf
pytestmark = pytest.mark.needs("tensorflow")

INF, NAN = float("inf"), float("nan")


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("tensorflow") as backend:
        yield backend


def random(*shape: int, seed: int = 0, dtype: str = "float32") -> Any:
    return tf.constant(np.random.default_rng(seed).normal(size=shape).astype(dtype))


def gradients(tb: Any, fn: Callable[..., Any], *arrays: Any) -> list[np.ndarray]:
    """Return the gradients of the sum of `fn(*arrays)`."""
    return [g.numpy() for g in tb.value_and_grad(lambda xs: (tb.sum(fn(*xs)), None), [*map(tb.asarray, arrays)])[2]]


def second(tb: Any, fn: Callable[[Any], Any], x: Any) -> np.ndarray:
    """Return the gradient of the sum of the gradient of the sum of `fn(x)`."""

    def inner(xs: list[Any]) -> tuple[Any, None]:
        return tb.sum(tb.value_and_grad(lambda ys: (tb.sum(fn(ys[0])), None), xs)[2][0]), None

    return tb.value_and_grad(inner, [x])[2][0].numpy()


# ---- import --------------------------------------------------------------------------------------------------------


def run_python(code: str, **environment: str) -> str:
    env = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"} | environment
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_loading_imports_no_keras_and_leaves_it_to_the_user() -> None:
    code = """
import os, sys
from polykeras.backend.registry import load
b = load("tensorflow")
b.compile(lambda x: b.sum(x))(b.ones((2,)))
print("keras" in sys.modules, "tf_keras" in sys.modules, os.environ["TF_CPP_MIN_LOG_LEVEL"])
import keras
print(keras.backend.backend())
"""
    assert run_python(code, KERAS_BACKEND="tensorflow").split() == ["False", "False", "2", "tensorflow"]


def test_a_keras_that_is_imported_already_stays() -> None:
    code = """
import keras, sys
from polykeras.backend.registry import load
load("tensorflow")
print(sys.modules["keras"] is keras)
"""
    assert run_python(code, KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3") == "True"


def test_memory_growth_is_set_on_each_gpu_that_is_not_in_use(tb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    grown = []

    def grow(device: str, enable: bool) -> None:
        grown.append((device, enable))
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind}0", f"{kind}1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", grow)
    type(tb)()
    assert grown == [("GPU0", True), ("GPU1", True)]


# ---- arrays --------------------------------------------------------------------------------------------------------


def test_a_users_tensor_is_the_array(tb: Any) -> None:
    x = tf.constant([1.0, 4.0])
    assert tb.is_tensor(x)
    assert tb.asarray(x) is x
    assert not tb.is_tensor(np.ones(2))
    assert isinstance(ops.sqrt(x), tf.Tensor)


def test_a_users_variable_is_read(tb: Any) -> None:
    variable = tf.Variable([1.0, 2.0])
    assert not tb.is_tensor(variable)
    x = tb.asarray(variable)
    variable.assign([5.0, 5.0])
    assert tb.is_tensor(x)
    np.testing.assert_array_equal(x, [1, 2])
    np.testing.assert_array_equal(ops.add(variable, 1), [6, 6])


def test_a_list_may_hold_tensors(tb: Any) -> None:
    x = tb.asarray([[tf.constant(1), 2.5], [3, True]])
    assert tb.dtype(x) == "float32"
    np.testing.assert_array_equal(x, [[1, 2.5], [3, 1]])


def test_arrays_of_other_frameworks_come_through_numpy(tb: Any) -> None:
    class Foreign:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return np.arange(3, dtype="int16")

    assert tb.dtype(tb.asarray(Foreign())) == "int16"
    assert tb.dtype(tb.asarray(np.arange(3, dtype=">f8"))) == "float64"


@pytest.mark.parametrize("value", ["text", ["text"], object(), None, np.array(["text"])])
def test_what_is_not_numeric_is_a_type_error(tb: Any, value: Any) -> None:
    with pytest.raises(TypeError, match="Expected numbers"):
        tb.asarray(value)


def test_bfloat16_goes_to_numpy_and_back(tb: Any) -> None:
    host = tb.to_numpy(tb.asarray([1.0, 2.5], "bfloat16"))
    assert host.dtype.name == "bfloat16"
    assert tb.dtype(tb.asarray(host)) == "bfloat16"


def test_placed_data_has_memory_of_its_own(tb: Any) -> None:
    host = np.zeros(1000, "float32")
    x = tb.place(host)
    host[:] = 1
    np.testing.assert_array_equal(x, np.zeros(1000))
    back = tb.to_numpy(x)
    back[:] = 2
    np.testing.assert_array_equal(x, np.zeros(1000))


def test_a_cpu_is_there_and_an_unknown_device_is_an_error(tb: Any) -> None:
    assert "cpu:0" in tb.devices()
    with tb.device_scope("cpu"):
        x = tb.ones((2,))
    assert tb.to_device(x, "cpu:0") is x
    for call in (lambda: tb.device_scope("tpu:7"), lambda: tb.to_device(x, "tpu:7")):
        with pytest.raises(ValueError, match=r"'tpu:7'.*cpu:0"):
            call()


def test_complex_casts_do_not_warn_of_a_lost_imaginary_part(tb: Any, caplog: pytest.LogCaptureFixture) -> None:
    x = tf.constant([1.0, 2.0])
    with caplog.at_level(logging.WARNING, logger="tensorflow"):
        assert gradients(tb, lambda x: tb.cast(tb.cast(x, "complex64"), "float32"), x)[0].tolist() == [1, 1]
        assert tb.cast(tf.constant([1 + 2j]), "int32").numpy().tolist() == [1]
    assert caplog.records == []


# ---- a user's tf.function ------------------------------------------------------------------------------------------


def test_ops_run_inside_a_users_function_and_tape(tb: Any) -> None:
    weight = tf.Variable([[1.0], [2.0]])

    @tf.function
    def loss(x: Any) -> Any:
        return ops.sum(ops.square(ops.matmul(x, weight)))

    with tf.GradientTape() as tape:
        value = loss(tf.constant([[1.0, 1.0]]))
    assert value.numpy() == 9
    np.testing.assert_array_equal(tape.gradient(value, weight), [[6], [6]])


def test_values_that_are_not_computed_yet_are_refused(tb: Any) -> None:
    with pytest.raises(TypeError, match="not computed yet"):
        tb.compile(tb.to_numpy)(tf.ones(2))
    with pytest.raises(TypeError, match="nonzero"):
        tb.compile(tb.nonzero)(tf.ones(2))


def test_an_unknown_size_is_an_error_that_says_what_to_do(tb: Any) -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 2))], autograph=False)
    def mean(x: Any) -> Any:
        return tb.mean(x)

    with pytest.raises(ValueError, match="input_signature"):
        mean(tf.ones((3, 2)))


def test_tracing_can_be_told(tb: Any) -> None:
    seen = []
    tb.compile(lambda x: seen.append((tb.is_traced(x), tb.is_traced(1.0))) or x)(tf.ones(2))
    assert seen == [(True, False)]
    assert not tb.is_traced(tf.ones(2))
    assert tb.is_compiled()


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


# ---- values that TensorFlow gives otherwise ------------------------------------------------------------------------


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
    np.testing.assert_array_equal(tb.einsum(subscripts, tf.constant(x), tf.constant(y)), np.einsum(subscripts, x, y))


def test_random_bits_are_those_of_the_contract(tb: Any) -> None:
    for key in ([0, 0], [1, 2], [-1, 2**31 - 1], [-(2**31), 123456789]):
        for shape in ((), (1,), (1000,), (3, 5)):
            expected = Backend.random_bits(tb, tf.constant(key), shape)
            np.testing.assert_array_equal(tb.random_bits(tf.constant(key), shape), expected)


def test_the_frameworks_own_random_numbers_can_be_seeded(tb: Any) -> None:
    draws = []
    for _ in range(2):
        tb.seed_framework(7)
        draws.append(tf.random.normal((3,)).numpy())
    np.testing.assert_array_equal(*draws)


# ---- linear algebra ------------------------------------------------------------------------------------------------


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


# ---- convolution and pooling against tf.nn ---------------------------------------------------------------------------

PADDINGS = {"VALID": [(0, 0), (0, 0)], "EXPLICIT": [(1, 2), (0, 1)]}


def check_against(tb: Any, ours: Callable[..., Any], theirs: Callable[..., Any], *arrays: Any) -> None:
    """Compare values and gradients of two functions."""
    assert_parity(ours(*arrays).numpy(), theirs(*arrays).numpy(), 1e-5, 1e-5)
    weight = np.cos(np.arange(ours(*arrays).numpy().size)).reshape(ours(*arrays).shape).astype("float32")
    pairs = zip(
        gradients(tb, lambda *xs: ours(*xs) * weight, *arrays),
        gradients(tb, lambda *xs: theirs(*xs) * weight, *arrays),
        strict=True,
    )
    for actual, expected in pairs:
        assert_parity(actual, expected, 1e-4, 1e-4)


@pytest.mark.parametrize(("padding", "strides"), list(product(PADDINGS, [(1, 1), (2, 1), (2, 3)])))
def test_convolution_is_that_of_tensorflow(tb: Any, padding: str, strides: tuple[int, int]) -> None:
    explicit = [[0, 0], *PADDINGS[padding], [0, 0]] if padding == "EXPLICIT" else padding
    check_against(
        tb,
        lambda x, w: tb.conv_nd(x, w, strides, PADDINGS[padding], (1, 1)),
        lambda x, w: tf.nn.conv2d(x, w, strides, explicit),
        random(2, 7, 8, 3),
        random(3, 2, 3, 4, seed=1),
    )


@pytest.mark.parametrize(("rank", "dilation"), list(product((1, 2, 3), (2, 3))))
def test_dilated_convolution_equals_one_with_a_spread_kernel(tb: Any, rank: int, dilation: int) -> None:
    def spread(x: Any, w: Any) -> Any:
        for axis in range(rank):
            shape = w.shape.as_list()
            w = tf.stack([w] + [tf.zeros_like(w)] * (dilation - 1), axis + 1)
            w = tf.reshape(w, [*shape[:axis], shape[axis] * dilation, *shape[axis + 1 :]])
            w = w[(slice(None),) * axis + (slice(None, 1 - dilation),)]
        return tb.conv_nd(x, w, (1,) * rank, [(1, 2)] * rank, (1,) * rank)

    check_against(
        tb,
        lambda x, w: tb.conv_nd(x, w, (1,) * rank, [(1, 2)] * rank, (dilation,) * rank),
        spread,
        random(2, *(7, 6, 5)[:rank], 2),
        random(*(2, 3, 2)[:rank], 2, 3, seed=1),
    )


@pytest.mark.parametrize(("groups", "filters"), [(2, 6), (4, 4), (4, 8)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_grouped_convolution_is_one_for_each_group(tb: Any, groups: int, filters: int, rank: int) -> None:
    strides, padding = (2, 1, 1)[:rank], [(1, 0)] * rank

    def parts(x: Any, w: Any) -> Any:
        pairs = zip(tf.split(x, groups, -1), tf.split(w, groups, -1), strict=True)
        return tf.concat([tb.conv_nd(a, b, strides, padding, (1,) * rank) for a, b in pairs], -1)

    check_against(
        tb,
        lambda x, w: tb.conv_nd(x, w, strides, padding, (1,) * rank, groups),
        parts,
        random(2, *(7, 6, 5)[:rank], 4),
        random(*(2, 3, 2)[:rank], 4 // groups, filters, seed=1),
    )


def test_depthwise_convolution_is_that_of_tensorflow(tb: Any) -> None:
    check_against(
        tb,
        lambda x, w: tb.conv_nd(x, tf.reshape(w, (3, 2, 1, 6)), (2, 2), PADDINGS["VALID"], (1, 1), 3),
        lambda x, w: tf.nn.depthwise_conv2d(x, w, (1, 2, 2, 1), "VALID"),
        random(2, 7, 8, 3),
        random(3, 2, 3, 2, seed=1),
    )


@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 2)])
def test_transposed_convolution_is_that_of_tensorflow(tb: Any, strides: tuple[int, int]) -> None:
    shape = [2, 3 * strides[0] + 3, 4 * strides[1] + 2, 4]
    check_against(
        tb,
        lambda x, w: tb.conv_transpose_nd(x, w, strides, PADDINGS["VALID"], (1, 1)),
        lambda x, w: tf.nn.conv2d_transpose(x, w, shape, strides, "VALID"),
        random(2, 4, 5, 3),
        random(3, 2, 4, 3, seed=1),
    )


@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_dilated_transposed_convolution_is_the_gradient_of_the_convolution(tb: Any, strides: tuple[int, int]) -> None:
    kernel, x = random(3, 2, 4, 3, seed=1), random(2, 9, 9, 4)
    padding, dilation = [(1, 2), (0, 1)], (2, 3)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tb.conv_nd(x, kernel, strides, padding, dilation)
    upstream = random(*y.shape, seed=2)
    expected = tape.gradient(y, x, upstream).numpy()
    actual = tb.conv_transpose_nd(upstream, kernel, strides, padding, dilation).numpy()
    assert_parity(actual, expected[:, : actual.shape[1], : actual.shape[2]], 1e-4, 1e-5)


@pytest.mark.parametrize(("dilation", "groups"), list(product((1, 2), (1, 2, 4))))
def test_convolutions_have_second_derivatives_in_every_form(tb: Any, dilation: int, groups: int) -> None:
    kernel = random(2, 2, 4 // groups, 4, seed=1, dtype="float64")

    def cubed(x: Any) -> Any:
        return tb.conv_nd(x, kernel, (1, 1), [(1, 1)] * 2, (dilation,) * 2, groups) ** 3

    x, step = random(1, 6, 6, 4, dtype="float64"), 1e-5
    slopes = [gradients(tb, cubed, x + sign * step)[0] for sign in (1, -1)]
    expected = (slopes[0] - slopes[1]) / (2 * step)  # the product of the second derivatives with a vector of ones
    np.testing.assert_allclose(second(tb, cubed, x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("strides", "kind"), list(product([(1, 1), (2, 2), (2, 3)], ["max", "average"])))
def test_pooling_is_that_of_tensorflow(tb: Any, strides: tuple[int, int], kind: str) -> None:
    theirs = tf.nn.max_pool2d if kind == "max" else tf.nn.avg_pool2d
    padding = []
    for size, pool, stride in zip((7, 8), (3, 2), strides, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + pool - size)
        padding.append((total // 2, total - total // 2))
    check_against(
        tb,
        lambda x: getattr(tb, f"{kind}_pool_nd")(x, (3, 2), strides, padding),
        lambda x: theirs(x, (3, 2), strides, "SAME"),
        random(2, 7, 8, 3),
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_first_of_equal_maxima_gets_the_gradient(tb: Any, rank: int) -> None:
    x = tf.ones((1, *(4,) * rank, 1))
    expected = np.zeros((4,) * rank)
    expected[(slice(None, None, 2),) * rank] = 1
    (gradient,) = gradients(tb, lambda x: tb.max_pool_nd(x, (2,) * rank, (2,) * rank, [(0, 0)] * rank), x)
    np.testing.assert_array_equal(gradient[0, ..., 0], expected)


def test_padding_never_wins(tb: Any) -> None:
    x = -1.0 - tf.abs(random(1, 4, 4, 1))
    pooled = tb.max_pool_nd(x, (3, 3), (1, 1), [(1, 1), (1, 1)])
    assert_parity(pooled.numpy(), tf.nn.max_pool2d(x, 3, 1, "SAME").numpy())
    whole = tb.max_pool_nd(tb.cast(x * 10, "int8"), (3, 3), (1, 1), [(1, 1), (1, 1)])
    assert whole.numpy().max() < 0
