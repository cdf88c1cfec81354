"""What the jax backend alone promises: JAX's arrays in and out, traces counted, memory donated, native kernels."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from polykeras.backend import Backend, use_backend
from polykeras.backend.registry import load

jax = pytest.importorskip("jax")
jnp = jax.numpy
pytestmark = pytest.mark.needs("jax")


@pytest.fixture
def jb() -> Backend:
    """The jax backend."""
    return load("jax")


def random(*shape: int, seed: int = 0) -> Any:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape).astype("float32"))


def gradients(jb: Backend, fn: Callable[..., Any], *arrays: Any) -> list[np.ndarray]:
    """Return the gradients of the sum of `fn(*arrays)`."""
    arrays = [jb.asarray(x, "float32") for x in arrays]
    return [np.asarray(g) for g in jb.value_and_grad(lambda xs: (jb.sum(fn(*xs)), None), arrays)[2]]


# ---- arrays ------------------------------------------------------------------------------------------------------


def test_jax_arrays_go_in_and_out(jb: Backend) -> None:
    x = jnp.ones((2, 3))
    assert jb.asarray(x) is x
    assert jb.is_tensor(x)
    assert not jb.is_tensor(np.ones(2))
    assert isinstance(jb.add(x, 1.0), jax.Array)


def test_a_list_may_hold_jax_arrays(jb: Backend) -> None:
    x = jb.asarray([[jnp.int32(1), 2.5], [3, True]])
    assert x.dtype == "float32"
    np.testing.assert_array_equal(x, [[1, 2.5], [3, 1]])
    traced = jax.jit(lambda a: jb.asarray([a, 2 * a]))(jnp.float32(3))
    np.testing.assert_array_equal(traced, [3, 6])


def test_asarray_makes_no_weak_types(jb: Backend) -> None:
    for value in (True, 1, 1.0, 1j, [1, 2.0]):
        assert not jb.asarray(value).weak_type
    assert not jb.full((2,), 1.0).weak_type
    assert not jb.cast(jnp.asarray(1.0), "float32").weak_type


def test_64_bit_host_data_is_narrowed_in_silence(jb: Backend) -> None:
    values = {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}
    for wide, narrow in values.items():
        assert jb.dtype(jb.asarray(np.ones(2, wide))) == narrow
    assert np.isinf(jb.asarray(np.array([1e300]))).all()


def test_an_explicit_64_bit_dtype_is_an_error_that_says_how_to_enable_it(jb: Backend) -> None:
    requests = [
        lambda: jb.asarray(1.0, "float64"),
        lambda: jb.full((2,), 1, "int64"),
        lambda: jb.arange(3, dtype="uint64"),
        lambda: jb.cast(jnp.ones(2), "float64"),
        lambda: jb.cumsum(jnp.ones(2), dtype="float64"),
        lambda: jb.prod(jnp.ones(2), dtype="float64"),
    ]
    for request in requests:
        with pytest.raises(TypeError, match="JAX_ENABLE_X64=1"):
            request()
    assert set(jb.unsupported_dtypes) == {"float64", "int64", "uint64", "complex128"}


def test_with_x64_enabled_wide_dtypes_work_and_defaults_stay() -> None:
    code = """
import numpy as np
from polykeras.backend.registry import load
b = load("jax")
assert b.unsupported_dtypes == {}
assert b.dtype(b.asarray(np.ones(2))) == "float64"
assert b.dtype(b.asarray(1.0, "float64")) == "float64"
x = b.asarray([3, 1, 2])
found = [b.asarray(1.0), b.asarray([1.5]), b.arange(3), b.sum(x), b.prod(x), b.cumsum(x), b.argmax(x), b.argsort(x),
         b.searchsorted(x, x), b.nonzero(x)[0], b.asarray(True), b.sum(b.asarray([True])), b.divide(b.asarray(1.0), 2)]
print(*(b.dtype(a) for a in found))
state, logs = b.compile_steps(lambda s, rows: ([s[0] + 1], {"n": 1.0}))([x], x, np.zeros((4, 1), "int32"), 0, 3)
print(b.dtype(state[0]), b.dtype(logs["n"]))
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=_environment(JAX_ENABLE_X64="1"),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    first, second = run.stdout.strip().splitlines()
    i, f = "int32", "float32"
    assert first.split() == [f, f, i, i, i, i, i, i, i, i, "bool", i, f]
    assert second.split() == [i, f]


def _environment(**extra: str) -> dict[str, str]:
    import os

    return {**os.environ, "JAX_PLATFORMS": "cpu", **extra}


def test_loading_sets_nothing_in_the_config_of_jax() -> None:
    code = """
import jax
before = dict(jax.config.values)
from polykeras.backend.registry import load
b = load("jax")
b.compile(lambda x: b.conv_nd(x, b.ones((3, 2, 4)), (1,), ((0, 0),), (1,)))(b.ones((1, 8, 2)))
print({k for k, v in jax.config.values.items() if before[k] is not v})
"""
    run = subprocess.run([sys.executable, "-c", code], env=_environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "set()"


def test_to_numpy_of_a_tracer_is_a_type_error(jb: Backend) -> None:
    with pytest.raises(TypeError, match=r"float32\[2\]"):
        jb.compile(jb.to_numpy)(jnp.ones(2))
    with pytest.raises(TypeError, match="mapped"):
        jb.vectorized_map(jb.to_numpy, jnp.ones(2))


def test_values_can_be_read_while_an_eager_gradient_is_taken(jb: Backend) -> None:
    seen = []

    def fn(xs: list[Any]) -> tuple[Any, None]:
        seen.append((float(jb.to_numpy(xs[0])), jb.is_traced(xs[0])))
        return xs[0] * 2, None

    jb.value_and_grad(fn, [jnp.float32(3)])
    assert seen == [(3.0, False)]
    assert jb.compile(lambda x: jnp.asarray(jb.is_traced(x)))(jnp.ones(2))


def test_place_gives_memory_of_its_own(jb: Backend) -> None:
    host = np.zeros(1024, "float32")
    placed = jb.place(host)
    host[:] = 1
    assert not np.asarray(placed).any()
    again = jb.place(placed)
    assert again.unsafe_buffer_pointer() != placed.unsafe_buffer_pointer()


def test_devices_are_named(jb: Backend) -> None:
    assert "cpu:0" in jb.devices()
    with jb.device_scope("cpu"):
        x = jb.asarray([1.0])
    assert jb.to_device(x, "cpu:0") is x
    with pytest.raises(ValueError, match=r"no device 'tpu:7'.*cpu:0"):
        jb.device_scope("tpu:7")


def test_random_bits_are_those_of_the_composite(jb: Backend) -> None:
    for key, shape in product([(0, 0), (123, -456), (2**31 - 1, -(2**31))], [(), (0,), (7,), (3, 5), (4099,)]):
        native = jb.random_bits(jb.asarray(key), shape)
        assert native.dtype == "int32"
        np.testing.assert_array_equal(native, Backend.random_bits(jb, jb.asarray(key), shape))


# ---- compile -----------------------------------------------------------------------------------------------------


def test_compile_traces_once_for_each_shape(jb: Backend) -> None:
    traces = []
    compiled = jb.compile(lambda x: (traces.append(x.shape), x + 1)[1])
    for n in (2, 2, 3, 2):
        compiled(jnp.ones(n))
    assert traces == [(2,), (3,)]


def test_an_exception_passes_unchanged_and_the_next_call_traces_again(jb: Backend) -> None:
    error = KeyError("of the caller")
    fail = [True, False]

    def fn(state: list[Any]) -> list[Any]:
        if fail.pop(0):
            raise error
        return [x + 1 for x in state]

    for donate in (False, True):
        fail[:] = [True, False]
        compiled = jb.compile(fn, donate_first=donate)
        with pytest.raises(KeyError) as caught:
            compiled([jnp.ones(2)])
        assert caught.value is error
        np.testing.assert_array_equal(compiled([jnp.ones(2)])[0], [2, 2])


def test_donated_memory_is_used_for_the_result(jb: Backend) -> None:
    x = jb.place(np.zeros(1000, "float32"))
    address = x.unsafe_buffer_pointer()
    (result,) = jb.compile(lambda state: [state[0] + 1], donate_first=True)([x])
    assert x.is_deleted()
    assert result.unsafe_buffer_pointer() == address


def test_an_array_that_occurs_twice_may_be_donated(jb: Backend) -> None:
    compiled = jb.compile(lambda state, y: [x + y for x in state], donate_first=True)
    x = jb.place(np.ones(3, "float32"))
    first, second = compiled([x, x], jb.ones((3,)))
    np.testing.assert_array_equal([first, second], np.full((2, 3), 2))
    x = jb.place(np.ones(3, "float32"))
    (result,) = compiled([x], x)
    np.testing.assert_array_equal(result, [2, 2, 2])
    np.testing.assert_array_equal(x, [1, 1, 1])


def test_a_numpy_view_survives_donation(jb: Backend) -> None:
    x = jb.place(np.arange(64, dtype="float32"))
    view = jb.to_numpy(x)
    jb.synchronize(jb.compile(lambda state: [state[0] * 0 - 1], donate_first=True)([x]))
    np.testing.assert_array_equal(view, np.arange(64))


# ---- steps -------------------------------------------------------------------------------------------------------

DATA = np.arange(20, dtype="float32").reshape(10, 2)
INDICES = np.random.default_rng(0).permutation(10).astype("int32").reshape(5, 2)


def test_steps_equal_a_python_loop_and_compile_once(jb: Backend) -> None:
    traces = []

    def step(state: list[Any], batch: Any) -> tuple[list[Any], dict[str, Any]]:
        traces.append(1)
        weights, count = state
        total = jb.sum(batch["x"], 0)
        return [weights * 0.5 + total, count + 1], {"total": jb.sum(total), "one": 1.0}

    run = jb.compile_steps(step)
    data = {"x": jb.asarray(DATA)}
    for start, stop in ((0, 1), (1, 4), (0, 5), (4, 5)):
        state, logs = run([jb.ones((2,)), jb.asarray(0)], data, jb.asarray(INDICES), start, stop)
        weights = np.ones(2)
        for row in INDICES[start:stop]:
            weights = weights * 0.5 + DATA[row].sum(0)
        np.testing.assert_allclose(state[0], weights)
        assert int(state[1]) == stop - start
        assert float(logs["total"]) == DATA[INDICES[stop - 1]].sum()
        assert float(logs["one"]) == 1
    assert len(traces) == 1


def test_steps_donate_their_state_and_keep_their_data(jb: Backend) -> None:
    run = jb.compile_steps(lambda state, batch: ([state[0] + jb.sum(batch)], {}))
    data, indices = jb.asarray(DATA), jb.asarray(INDICES)
    x = jb.place(np.zeros((), "float32"))
    state, logs = run([x], data, indices, 0, 5)
    assert logs == {}
    assert x.is_deleted()
    assert float(state[0]) == DATA.sum()
    assert not data.is_deleted()
    assert not indices.is_deleted()
    run([jb.asarray(0.0)], data, indices, 0, 5)


def test_one_array_may_stand_at_two_places_of_the_state(jb: Backend) -> None:
    x = jb.zeros((2,))
    run = jb.compile_steps(lambda state, batch: ([state[0] + 1, state[1] + 2], {}))
    (a, b), _ = run([x, x], jb.asarray(DATA), jb.asarray(INDICES), 0, 2)
    np.testing.assert_array_equal([a, b], [[2, 2], [4, 4]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda jb, x: jb.cast(x, "float16"), r"state\[1\] went from float32\[2\] to float16\[2\]"),
        (lambda jb, x: jb.reshape(x, (1, 2)), r"state\[1\] went from float32\[2\] to float32\[1,? ?2\]"),
        (lambda jb, x: jb.cast(x, "int32"), r"state\[1\] went from float32\[2\] to int32\[2\]"),
    ],
)
def test_a_step_that_changes_its_state_is_told_where(jb: Backend, change: Any, message: str) -> None:
    run = jb.compile_steps(lambda state, batch: ([state[0], change(jb, state[1])], {}))
    with pytest.raises(ValueError, match=message):
        run([jb.ones((2,)), jb.ones((2,))], jb.asarray(DATA), jb.asarray(INDICES), 0, 2)


def test_a_step_must_return_all_of_its_state(jb: Backend) -> None:
    run = jb.compile_steps(lambda state, batch: ([], {}))
    with pytest.raises(ValueError, match="1 state arrays and returned 0"):
        run([jb.ones((2,))], jb.asarray(DATA), jb.asarray(INDICES), 0, 1)
    with pytest.raises(ValueError, match="start < stop"):
        run([jb.ones((2,))], jb.asarray(DATA), jb.asarray(INDICES), 1, 1)


def test_python_scalars_may_become_state_but_not_change_its_kind(jb: Backend) -> None:
    data, indices = jb.asarray(DATA), jb.asarray(INDICES)
    run = jb.compile_steps(lambda state, batch: ([1.0, jnp.where(True, 2, 3)], {}))
    (a, b), _ = run([jb.asarray(0.0, "bfloat16"), jb.asarray(0.0)], data, indices, 0, 3)
    assert (jb.dtype(a), float(a), jb.dtype(b), float(b)) == ("bfloat16", 1.0, "float32", 2.0)
    run = jb.compile_steps(lambda state, batch: ([state[0] * 0.5], {}))
    with pytest.raises(ValueError, match=r"state\[0\] went from int32\[\] to float32\[\]"):
        run([jb.asarray(8)], data, indices, 0, 3)


def test_an_exception_in_a_step_passes_unchanged(jb: Backend) -> None:
    error = KeyError("of the caller")

    def step(state: Any, batch: Any) -> Any:
        raise error

    with pytest.raises(KeyError) as caught:
        jb.compile_steps(step)([jb.ones((2,))], jb.asarray(DATA), jb.asarray(INDICES), 0, 1)
    assert caught.value is error


# ---- gradients ---------------------------------------------------------------------------------------------------


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


# ---- control -----------------------------------------------------------------------------------------------------


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


# ---- windows -----------------------------------------------------------------------------------------------------

CONVOLUTIONS = [
    # inputs, kernel, strides, padding, dilation, groups
    ((2, 9, 3), (3, 3, 4), (1,), ((0, 0),), (1,), 1),
    ((2, 9, 3), (4, 3, 4), (2,), ((1, 2),), (2,), 1),
    ((2, 8, 9, 3), (3, 2, 3, 5), (1, 2), ((1, 1), (0, 3)), (2, 1), 1),
    ((2, 8, 9, 3), (1, 1, 3, 5), (3, 2), ((0, 0), (0, 0)), (1, 1), 1),
    ((2, 8, 9, 3), (3, 3, 3, 5), (1, 1), ((-1, -2), (0, 0)), (1, 1), 1),
    ((2, 8, 9, 4), (3, 3, 1, 4), (2, 1), ((1, 1), (1, 1)), (1, 2), 4),
    ((2, 8, 9, 4), (3, 2, 1, 12), (1, 1), ((1, 1), (1, 1)), (1, 1), 4),
    ((2, 8, 9, 6), (3, 3, 2, 9), (2, 2), ((1, 0), (0, 1)), (1, 1), 3),
    ((2, 5, 6, 7, 2), (2, 3, 2, 2, 3), (1, 2, 1), ((0, 1), (1, 1), (0, 0)), (2, 1, 1), 1),
]


@pytest.mark.parametrize("on_cpu", [True, False])
@pytest.mark.parametrize(("shape", "window", "strides", "padding", "dilation", "groups"), CONVOLUTIONS)
def test_convolution_equals_that_of_xla(
    jb: Backend,
    monkeypatch: pytest.MonkeyPatch,
    on_cpu: bool,
    shape: Any,
    window: Any,
    strides: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> None:
    monkeypatch.setattr("polykeras_jax.nn.on_cpu", lambda: on_cpu)
    x, kernel = random(*shape), random(*window, seed=1)
    axes = "DHW"[: len(strides)]

    def native(x: Any, kernel: Any) -> Any:
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            strides,
            padding,
            rhs_dilation=dilation,
            dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
            feature_group_count=groups,
        )

    def ours(x: Any, kernel: Any) -> Any:
        return jb.conv_nd(x, kernel, strides, padding, dilation, groups)

    out = native(x, kernel)
    np.testing.assert_allclose(ours(x, kernel), out, rtol=1e-4, atol=1e-4)
    weight = random(*out.shape, seed=2)
    expected = jax.grad(lambda x, kernel: (native(x, kernel) * weight).sum(), (0, 1))(x, kernel)
    found = gradients(jb, lambda x, kernel: ours(x, kernel) * weight, x, kernel)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("on_cpu", [True, False])
@pytest.mark.parametrize(
    ("strides", "padding", "dilation"),
    [((1, 1), ((0, 0), (0, 0)), (1, 1)), ((2, 3), ((1, 0), (2, 1)), (1, 2)), ((3, 2), ((0, -2), (-1, 1)), (2, 1))],
)
def test_transposed_convolution_is_the_gradient_of_convolution(
    jb: Backend, monkeypatch: pytest.MonkeyPatch, on_cpu: bool, strides: Any, padding: Any, dilation: Any
) -> None:
    monkeypatch.setattr("polykeras_jax.nn.on_cpu", lambda: on_cpu)
    x, kernel = random(2, 4, 5, 3), random(3, 2, 6, 3, seed=1)
    out = jb.conv_transpose_nd(x, kernel, strides, padding, dilation)
    sizes = [
        (n - 1) * s + d * (w - 1) + 1 - before - after
        for n, s, d, w, (before, after) in zip((4, 5), strides, dilation, (3, 2), padding, strict=True)
    ]
    assert out.shape == (2, *sizes, 6)
    full = jnp.zeros(out.shape)
    (expected,) = gradients(jb, lambda y: jb.conv_nd(y, kernel, strides, padding, dilation) * x, full)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)
    found = gradients(jb, lambda x, k: jb.conv_transpose_nd(x, k, strides, padding, dilation) * out, x, kernel)
    assert [g.shape for g in found] == [x.shape, kernel.shape]
    np.testing.assert_allclose(found[0], jb.conv_nd(out, kernel, strides, padding, dilation), rtol=1e-4, atol=1e-3)


POOLS = [
    # shape, pool size, strides, padding
    ((2, 6, 8, 2), (2, 2), (2, 2), ((0, 0), (0, 0))),
    ((2, 7, 9, 2), (2, 3), (2, 3), ((0, 0), (0, 0))),
    ((1, 7, 8, 2), (3, 3), (2, 1), ((1, 1), (2, 0))),
    ((1, 5, 6, 2), (3, 2), (3, 2), ((1, 1), (1, 1))),
    ((2, 7, 3), (3,), (1,), ((1, 1),)),
    ((1, 4, 4, 4, 2), (2, 2, 2), (2, 1, 2), ((0, 0), (1, 0), (0, 0))),
]


def _max_pool_by_hand(x: np.ndarray, size: Any, strides: Any, padding: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the maxima of all windows and the gradient of their sum, window by window."""
    pad = np.pad(x, [(0, 0), *padding, (0, 0)], constant_values=-np.inf)
    gradient = np.zeros_like(pad)
    counts = [(n - k) // s + 1 for n, k, s in zip(pad.shape[1:-1], size, strides, strict=True)]
    out = np.zeros((x.shape[0], *counts, x.shape[-1]), x.dtype)
    for place in product(*(range(n) for n in out.shape)):
        corner = [i * s for i, s in zip(place[1:-1], strides, strict=True)]
        block = (place[0], *(slice(a, a + k) for a, k in zip(corner, size, strict=True)), place[-1])
        first = np.unravel_index(np.argmax(pad[block]), size)
        out[place] = pad[block].max()
        gradient[block][first] += 1
    return out, gradient[(slice(None), *(slice(b, b + n) for (b, _), n in zip(padding, x.shape[1:-1], strict=True)))]


@pytest.mark.parametrize(("shape", "size", "strides", "padding"), POOLS)
def test_the_first_of_equal_maxima_gets_the_gradient(
    jb: Backend, shape: Any, size: Any, strides: Any, padding: Any
) -> None:
    x = np.random.default_rng(0).integers(0, 3, shape).astype("float32")  # full of ties
    out, gradient = _max_pool_by_hand(x, size, strides, padding)
    np.testing.assert_array_equal(jb.max_pool_nd(jb.asarray(x), size, strides, padding), out)
    np.testing.assert_array_equal(gradients(jb, lambda x: jb.max_pool_nd(x, size, strides, padding), x)[0], gradient)


@pytest.mark.parametrize(("shape", "size", "strides", "padding"), POOLS)
def test_average_pooling_equals_that_of_xla(jb: Backend, shape: Any, size: Any, strides: Any, padding: Any) -> None:
    x = random(*shape)

    def total(x: Any) -> Any:
        window, steps, pad = (1, *size, 1), (1, *strides, 1), ((0, 0), *padding, (0, 0))
        return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, steps, pad)

    expected = total(x) / total(jnp.ones_like(x))
    np.testing.assert_allclose(jb.average_pool_nd(x, size, strides, padding), expected, rtol=1e-5, atol=1e-6)
    (found,) = gradients(jb, lambda x: jb.square(jb.average_pool_nd(x, size, strides, padding)), x)
    np.testing.assert_allclose(
        found, jax.grad(lambda x: ((total(x) / total(jnp.ones_like(x))) ** 2).sum())(x), rtol=1e-4, atol=1e-5
    )


def test_max_pooling_of_nan_and_of_integers(jb: Backend) -> None:
    x = jnp.asarray([[1.0], [np.nan], [2.0], [3.0], [-np.inf], [-np.inf]])[None]
    np.testing.assert_array_equal(jb.max_pool_nd(x, (2,), (2,), ((0, 0),))[0, :, 0], [np.nan, 3, -np.inf])
    small = jnp.asarray([[-5], [-7]], "int8")[None]
    np.testing.assert_array_equal(jb.max_pool_nd(small, (2,), (1,), ((1, 0),))[0, :, 0], [-5, -5])


def test_ops_through_the_door(jb: Backend) -> None:
    from polykeras.backend.door import bind

    with use_backend("jax"):
        assert isinstance(bind(Backend.add)(1, np.float64(2)), jax.Array)
        assert isinstance(bind(Backend.power)(jnp.ones(2), 2), jax.Array)
