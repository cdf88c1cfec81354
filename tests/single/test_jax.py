"""The jax backend: arrays that go in and out, dtypes, devices, memory of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from typing import Any

import numpy as np
import pytest

from polykeras import fast
from polykeras.backend import Backend
from polykeras.backend.registry import load

jax = pytest.importorskip("jax")
jnp = jax.numpy
pytestmark = pytest.mark.needs("jax")


@pytest.fixture
def jb() -> Backend:
    """The jax backend."""
    return load("jax")


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


def test_loading_sets_but_one_option_of_jax() -> None:
    """Where programs for the CPU run; nothing on which a number depends."""
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
    wanted = {"jax_cpu_enable_async_dispatch"} if fast.enabled() else set()
    assert run.stdout.strip() == str(wanted)


def test_an_option_that_the_environment_names_stays_as_it_is() -> None:
    code = """
import jax
from polykeras.backend.registry import load
load("jax")
print(jax.config.values["jax_cpu_enable_async_dispatch"])
"""
    environment = _environment(JAX_CPU_ENABLE_ASYNC_DISPATCH="true", POLYKERAS_FAST="1")
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "True"


def test_programs_run_in_the_thread_that_calls_them() -> None:
    """So that what a call returns is there at once, also where it takes some time."""
    code = """
from polykeras.backend.registry import load
b = load("jax")
fn, x = b.compile(lambda x: b.matmul(b.matmul(x, x), x)), b.ones((1024, 1024))
fn(x).block_until_ready()
print(fn(x).is_ready())
"""
    run = subprocess.run([sys.executable, "-c", code], env=_environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(fast.enabled())


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
        assert jb.asarray([1.0]).devices() == set(jax.devices("cpu")[:1])
    with pytest.raises(ValueError, match=r"no device 'tpu:7'.*cpu:0"):
        jb.device_scope("tpu:7")


def test_random_bits_are_those_of_the_composite(jb: Backend) -> None:
    for key, shape in product([(0, 0), (123, -456), (2**31 - 1, -(2**31))], [(), (0,), (7,), (3, 5), (4099,)]):
        native = jb.random_bits(jb.asarray(key), shape)
        assert native.dtype == "int32"
        np.testing.assert_array_equal(native, Backend.random_bits(jb, jb.asarray(key), shape))


PROGRAMS = [
    "elu",
    "hard_sigmoid",
    "hard_silu",
    "leaky_relu",
    "log_sigmoid",
    "relu",
    "relu6",
    "selu",
    "silu",
    "softplus",
]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_composite_that_is_one_program_gives_the_same(jb: Backend, name: str) -> None:
    edges = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-30, -1e-30, 1, -1, 3, -3, 6, 88, -88]
    values = np.concatenate([edges, np.random.default_rng(0).normal(0, 4, 5000)])
    plain = getattr(Backend, name)
    for dtype in ("float32", "float16", "bfloat16"):
        x = jnp.asarray(values).astype(dtype)
        one, several = getattr(jb, name)(x), plain(jb, x)
        assert (one.dtype, one.weak_type) == (several.dtype, False)
        # To the bit with XLA's own flags; those of the tests, which save time, compile exp in a program in another way.
        close = {"rtol": 4 * float(jnp.finfo(dtype).eps), "atol": float(jnp.finfo(dtype).tiny)}
        np.testing.assert_allclose(np.asarray(one, "float32"), np.asarray(several, "float32"), **close)
        slopes = [jax.grad(lambda x, f=f: f(x).sum())(x) for f in (getattr(jb, name), lambda x: plain(jb, x))]
        np.testing.assert_allclose(*(np.asarray(slope, "float32") for slope in slopes), **close)
    assert getattr(jb, name)(jnp.ones(3)).shape == (3,)


@pytest.mark.parametrize("name", [*PROGRAMS, "divide", "abs", "sigmoid"])
def test_a_program_becomes_part_of_a_trace(jb: Backend, name: str) -> None:
    arguments = (2.0,) if name == "divide" else ()

    def programs(function: Any) -> set[str]:
        """Return the names of the programs that a compiled function calls."""
        lowered = jax.jit(lambda *args: function(*args)).lower(jnp.ones(3), *arguments)
        return set(re.findall(r"func\.func private @(\w+)", lowered.as_text()))

    assert not {name, f"_{name}"} & programs(getattr(jb, name))
    assert programs(jax.jit(getattr(jb, name)))  # else the line above shows nothing


def test_divide_takes_numbers(jb: Backend) -> None:
    x = jnp.asarray([1.0, 4.0], "bfloat16")
    for result, expected in ((jb.divide(x, 2.0), [0.5, 2.0]), (jb.divide(2.0, x), [2.0, 0.5])):
        assert (result.dtype, result.weak_type) == ("bfloat16", False)
        assert result.tolist() == expected
