"""What the torch backend alone promises: native tensors in and out, graphs only where asked for, its own kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from helpers.parity import assert_parity
from polykeras.backend import Backend, registry, use_backend
from polykeras.backend.dispatch import bind
from polykeras.random import set_random_seed

torch = pytest.importorskip("torch")
F = torch.nn.functional
pytestmark = pytest.mark.needs("torch")

INF, NAN = float("inf"), float("nan")
HARD = [0.0, -0.0, 1e-30, -1e-30, 0.5, -0.5, 3.25, -3.25, 15, 20, 30, -30, 88, -88, 1e4, -1e4, INF, -INF, NAN]


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("torch") as backend:
        yield backend


def vector(*values: Any, dtype: Any = None) -> Any:
    return torch.tensor(values, dtype=dtype or torch.float32)


def value_and_gradient(fn: Callable[[Any], Any], x: Any, weights: Any = 1.0) -> tuple[np.ndarray, np.ndarray]:
    leaf = x.detach().clone().requires_grad_()
    y = fn(leaf)
    (gradient,) = torch.autograd.grad((y * weights).sum(), leaf)
    return y.detach().numpy(), gradient.numpy()


def assert_same(actual: Any, expected: Any, **options: Any) -> None:
    for kind, a, e in zip(("value", "gradient"), actual, expected, strict=True):
        assert_parity(a, e, what=kind, **options)


# ---- native tensors --------------------------------------------------------------------------------------------------


def test_a_users_tensor_is_the_array(tb: Any) -> None:
    x = torch.tensor([1.0, 4.0])
    assert tb.is_tensor(x)
    assert tb.asarray(x) is x
    assert isinstance(bind(Backend.sqrt)(x), torch.Tensor)
    assert tb.is_tensor(torch.nn.Parameter(x))
    assert not tb.is_tensor(np.ones(2))


def test_a_users_graph_runs_through_ops(tb: Any) -> None:
    weight: Any = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    loss = bind(Backend.sum)(bind(Backend.multiply)(tb.asarray(weight), weight))
    loss.backward()
    assert weight.grad.tolist() == [2.0, 4.0]


def test_no_graph_outside_value_and_grad(tb: Any) -> None:
    x = tb.asarray([1.0, 2.0])
    value, aux, (gradient,) = tb.value_and_grad(lambda a: (tb.sum(a[0] * a[0]), {"twice": a[0] * 2}), [x])
    for tensor in (tb.exp(x), value, aux["twice"], gradient):
        assert not tensor.requires_grad
        assert tensor.grad_fn is None
    assert not x.requires_grad


def test_names_of_arguments_reach_torchs_own_functions(tb: Any) -> None:
    x = tb.asarray([0.5, 1.0])
    assert_parity(tb.to_numpy(bind(Backend.exp)(x=x)), np.exp(np.array([0.5, 1.0], np.float32)))
    assert bind(Backend.relu)(x=x).tolist() == [0.5, 1.0]


# ---- the host --------------------------------------------------------------------------------------------------------


def test_numpy_memory_is_shared_where_torch_can(tb: Any) -> None:
    host = np.arange(6.0).reshape(2, 3)
    assert tb.asarray(host).data_ptr() == host.ctypes.data
    assert tb.dtype(tb.asarray(host)) == "float64"
    assert tb.place(host).data_ptr() != host.ctypes.data
    shared = tb.asarray(host)
    assert tb.place(shared).data_ptr() != shared.data_ptr()


@pytest.mark.parametrize(
    "host",
    [
        np.arange(4.0)[::-1],
        np.broadcast_to(np.float32(2), (3,)),
        np.frombuffer(b"\x01\x02", np.uint8),
        np.arange(3, dtype=">i4"),
        np.zeros(3, [("a", "i1"), ("b", "f4")])["b"],
        np.float32(3),
        np.array(3, np.int64),
    ],
    ids=["negative step", "read only", "buffer", "big endian", "unaligned", "scalar", "0d"],
)
def test_awkward_numpy_arrays_are_copied(tb: Any, host: Any) -> None:
    array = tb.asarray(host)
    assert_parity(tb.to_numpy(array), np.asarray(host).astype(np.asarray(host).dtype.newbyteorder("=")))


def test_to_numpy_is_a_copy(tb: Any) -> None:
    x = tb.asarray([1.0, 2.0])
    host = tb.to_numpy(x)
    host[0] = 5.0
    assert x.tolist() == [1.0, 2.0]
    assert tb.to_numpy(torch.ones(2, requires_grad=True)).tolist() == [1.0, 1.0]
    assert tb.to_numpy(torch.tensor([1 + 2j]).conj()).tolist() == [1 - 2j]


def test_bfloat16_reaches_the_host(tb: Any) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    host = tb.to_numpy(tb.asarray([1.0, 2.5], "bfloat16"))
    assert host.dtype == ml_dtypes.bfloat16
    assert tb.to_numpy(tb.asarray(host)).tolist() == [1.0, 2.5]


def test_lists_hold_scalars_arrays_and_tensors(tb: Any) -> None:
    assert tb.dtype(tb.asarray([1, 2])) == "int32"
    assert tb.dtype(tb.asarray([1, 2.0])) == "float32"
    assert tb.dtype(tb.asarray([])) == "float32"
    assert tb.dtype(tb.asarray([np.float64(1), 2])) == "float64"
    weight = torch.tensor(2.0, requires_grad=True)
    both = tb.asarray([[weight, 1], [3.0, weight]])
    assert both.tolist() == [[2.0, 1.0], [3.0, 2.0]]
    assert torch.autograd.grad(both.sum(), weight)[0].item() == 2.0


@pytest.mark.parametrize("bad", ["text", None, object(), ["a"], np.ones(2, np.uint64)])
def test_what_is_no_number_is_refused(tb: Any, bad: Any) -> None:
    with pytest.raises(TypeError):
        tb.asarray(bad)


def test_uint64_is_refused_with_a_way_out(tb: Any) -> None:
    assert "uint64" in tb.unsupported_dtypes
    with pytest.raises(TypeError, match="int64"):
        tb.cast(tb.asarray([1]), "uint64")


def test_unknown_devices_list_the_known(tb: Any) -> None:
    with pytest.raises(ValueError, match="cpu:0"), tb.device_scope("gpu:77"):
        pass
    with tb.device_scope("cpu:0"):
        assert tb.asarray([1.0]).device.type == "cpu"


# ---- unsigned integers that torch has no kernels for -----------------------------------------------------------------

UNSIGNED: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda b, x, y: b.add(x, y),
    "subtract": lambda b, x, y: b.subtract(x, y),
    "negative": lambda b, x, y: b.negative(x),
    "multiply": lambda b, x, y: b.multiply(x, y),
    "floor_divide": lambda b, x, y: b.floor_divide(x, y),
    "power": lambda b, x, y: b.power(y, 2),
    "maximum": lambda b, x, y: b.maximum(x, y),
    "less": lambda b, x, y: b.less(x, y),
    "left_shift": lambda b, x, y: b.left_shift(x, 3),
    "right_shift": lambda b, x, y: b.right_shift(x, 3),
    "max": lambda b, x, y: b.max(x, 0),
    "argmax": lambda b, x, y: b.argmax(x),
    "flip": lambda b, x, y: b.flip(x),
    "sort": lambda b, x, y: b.sort(x),
    "take": lambda b, x, y: b.take(x, b.asarray([[0, -1]])),
    "take_along_axis": lambda b, x, y: b.take_along_axis(x, b.asarray([2, 0]), 0),
    "scatter_reduce": lambda b, x, y: b.scatter_reduce(x, b.asarray([[1], [1]]), y[:2], "add"),
    "dynamic_slice": lambda b, x, y: b.dynamic_slice(x, b.asarray([1]), (2,)),
    "matmul": lambda b, x, y: b.matmul(x, y),
}


@pytest.mark.parametrize("name", UNSIGNED)
@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_wide_unsigned_integers_wrap_around_as_in_int64(tb: Any, name: str, dtype: str) -> None:
    high = 2 ** (16 if dtype == "uint16" else 32) - 1
    x, y = np.array([high, 7, 0, high - 5], dtype), np.array([3, 9, 1, high], dtype)
    got = UNSIGNED[name](tb, tb.asarray(x), tb.asarray(y))
    wide = UNSIGNED[name](tb, tb.asarray(x.astype("int64")), tb.asarray(y.astype("int64")))
    wide = tb.to_numpy(wide)
    assert_parity(tb.to_numpy(got), wide.astype(dtype) if wide.dtype == np.int64 else wide)


def test_sums_of_small_unsigned_integers_are_uint32(tb: Any) -> None:
    assert tb.dtype(tb.sum(tb.asarray(np.array([200, 100], np.uint8)))) == "uint32"
    running = tb.cumsum(tb.asarray(np.array([65534, 1], np.uint16)))
    assert tb.dtype(running) == "uint16"  # as in Keras
    assert tb.to_numpy(running).tolist() == [65534, 65535]


def test_errors_of_ordinary_dtypes_are_torchs_own(tb: Any) -> None:
    with pytest.raises(RuntimeError, match="size of tensor"):
        tb.add(torch.ones(2), torch.ones(3))


# ---- gradients -------------------------------------------------------------------------------------------------------


def test_leaves_share_memory_with_the_arrays(tb: Any) -> None:
    x = tb.asarray([1.0, 2.0])
    seen = []

    def fn(arrays: list[Any]) -> tuple[Any, Any]:
        seen.append(arrays[0].data_ptr())
        return tb.sum(arrays[0]), None

    tb.value_and_grad(fn, [x])
    assert seen == [x.data_ptr()]


def test_gradients_although_the_user_set_no_grad(tb: Any) -> None:
    with torch.no_grad():
        value, _, (gradient,) = tb.value_and_grad(lambda a: (tb.sum(a[0] ** 3), None), [tb.asarray([2.0])])
    assert (value.item(), gradient.tolist()) == (8.0, [12.0])


def test_unused_arrays_and_constants_get_zeros(tb: Any) -> None:
    x, y = tb.asarray([1.0, 2.0]), tb.asarray([[3.0]], "float64")
    _, _, grads = tb.value_and_grad(lambda a: (tb.sum(a[0]), None), [x, y])
    assert [g.tolist() for g in grads] == [[1.0, 1.0], [[0.0]]]
    assert grads[1].dtype == torch.float64
    _, _, grads = tb.value_and_grad(lambda a: (tb.asarray(1.0), None), [x])
    assert grads[0].tolist() == [0.0, 0.0]


def test_integers_and_vectors_are_refused(tb: Any) -> None:
    with pytest.raises(TypeError, match="float arrays"):
        tb.value_and_grad(lambda a: (tb.sum(a[0]), None), [tb.asarray([1])])
    with pytest.raises(TypeError, match="float scalar"):
        tb.value_and_grad(lambda a: (a[0], None), [tb.asarray([1.0])])


def test_nested_gradients(tb: Any) -> None:
    def inner(x: Any) -> Any:
        return tb.value_and_grad(lambda a: (tb.sum(a[0] ** 3), {"square": a[0] ** 2}), [x])

    def outer(arrays: list[Any]) -> tuple[Any, Any]:
        value, aux, (gradient,) = inner(arrays[0])
        return value + tb.sum(gradient) + tb.sum(aux["square"]), aux

    value, aux, (gradient,) = tb.value_and_grad(outer, [tb.asarray([2.0])])
    assert value.item() == 8.0 + 12.0 + 4.0
    assert gradient.tolist() == [3 * 4.0 + 6 * 2.0 + 2 * 2.0]
    assert not aux["square"].requires_grad


def test_an_inner_gradient_does_not_see_the_outer_use_of_its_array(tb: Any) -> None:
    def outer(arrays: list[Any]) -> tuple[Any, Any]:
        x = arrays[0]
        _, _, (gradient,) = tb.value_and_grad(lambda a: (tb.sum(a[0] * x), None), [x])  # x itself is a constant here
        return tb.sum(gradient * x), None

    _, _, (gradient,) = tb.value_and_grad(outer, [tb.asarray([3.0])])
    assert gradient.tolist() == [6.0]


def test_inner_gradients_in_fresh_arrays_keep_the_outer_graph(tb: Any) -> None:
    def outer(arrays: list[Any]) -> tuple[Any, Any]:
        fresh = tb.asarray([5.0])
        _, _, (gradient,) = tb.value_and_grad(lambda a: (tb.sum(a[0] * arrays[0] ** 2), None), [fresh])
        return tb.sum(gradient), None

    assert tb.value_and_grad(outer, [tb.asarray([3.0])])[2][0].tolist() == [6.0]


def test_third_derivative(tb: Any) -> None:
    def derivative(fn: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: tb.sum(tb.value_and_grad(lambda a: (fn(a[0]), None), [x])[2][0])

    third = derivative(derivative(derivative(lambda x: tb.sum(x**5))))
    assert third(tb.asarray([2.0])).item() == 60 * 4.0


def test_a_failing_function_leaves_no_depth_behind(tb: Any) -> None:
    def fail(arrays: list[Any]) -> tuple[Any, Any]:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        tb.value_and_grad(fail, [tb.asarray([1.0])])
    assert not tb.value_and_grad(lambda a: (tb.sum(a[0]), a[0] * 1), [tb.asarray([1.0])])[1].requires_grad


def test_custom_gradient_and_the_gradient_of_it(tb: Any) -> None:
    @tb.custom_gradient
    def cube(x: Any) -> tuple[Any, Any]:
        square = x * x  # an intermediate that the gradient holds
        return square * x, lambda upstream: upstream * square * 3

    def first(arrays: list[Any]) -> tuple[Any, Any]:
        _, _, (gradient,) = tb.value_and_grad(lambda a: (tb.sum(cube(a[0])), None), arrays)
        return tb.sum(gradient), gradient

    _, gradient, (second,) = tb.value_and_grad(first, [tb.asarray([2.0])])
    assert gradient.tolist() == [12.0]
    assert second.tolist() == [12.0]


def test_custom_gradient_of_several_arguments_and_outputs(tb: Any) -> None:
    @tb.custom_gradient
    def both(x: Any, y: Any) -> tuple[Any, Any]:
        return (x + y, x * y), lambda a, b: (a * 10, b * 100)

    def total(arrays: list[Any]) -> tuple[Any, Any]:
        added, product = both(*arrays)
        return tb.sum(added) + 2 * tb.sum(product), None

    grads = tb.value_and_grad(total, [tb.asarray([2.0]), tb.asarray([3.0])])[2]
    assert [g.tolist() for g in grads] == [[10.0], [200.0]]


def test_custom_gradient_by_name_and_with_too_few_results(tb: Any) -> None:
    named = tb.custom_gradient(lambda x: (x * 1, lambda *, upstream: upstream * 7))
    assert tb.value_and_grad(lambda a: (tb.sum(named(a[0])), None), [tb.asarray([1.0])])[2][0].tolist() == [7.0]
    short = tb.custom_gradient(lambda x, y: (x * y, lambda upstream: upstream))
    with pytest.raises(ValueError, match="2 arguments"):
        tb.value_and_grad(lambda a: (tb.sum(short(a[0], a[0])), None), [tb.asarray([1.0])])


def test_remat_computes_again_and_reaches_closures(tb: Any) -> None:
    calls = []

    def run(arrays: list[Any]) -> tuple[Any, Any]:
        def body(x: Any) -> Any:
            calls.append(1)
            return tb.sin(tb.exp(x) * arrays[1])

        return tb.sum(tb.remat(body)(arrays[0])), None

    arrays = [tb.asarray([0.5, 1.0]), tb.asarray(2.0)]
    _, _, grads = tb.value_and_grad(run, arrays)
    assert len(calls) == 2
    x, w = arrays
    expected = tb.value_and_grad(lambda a: (tb.sum(tb.sin(tb.exp(a[0]) * a[1])), None), [x, w])[2]
    assert all(torch.equal(g, e) for g, e in zip(grads, expected, strict=True))


def test_vectorized_map_and_what_only_a_loop_can(tb: Any) -> None:
    x = tb.asarray([[1.0, 2.0], [3.0, -4.0]])
    mapped = tb.vectorized_map(lambda row: {"sum": tb.sum(row), "twice": row * 2}, x)
    assert mapped["sum"].tolist() == [3.0, -1.0]
    assert mapped["twice"].tolist() == [[2.0, 4.0], [6.0, -8.0]]
    branching = tb.vectorized_map(lambda row: row if tb.sum(row) > 0 else -row, x)
    assert branching.tolist() == [[1.0, 2.0], [-3.0, 4.0]]
    per_row = tb.vectorized_map(lambda row: tb.value_and_grad(lambda a: (tb.sum(a[0] ** 2), None), [row])[2][0], x)
    assert per_row.tolist() == [[2.0, 4.0], [6.0, -8.0]]
    with pytest.raises(ZeroDivisionError):
        tb.vectorized_map(lambda row: 1 / 0, x)


# ---- kernels in the place of composites ------------------------------------------------------------------------------


# The kernel's gradient of the sigmoid is y * (1 - y), the difference of which is off by half a unit in 1.
@pytest.mark.parametrize(("name", "atol"), [("sigmoid", 6e-8), ("softplus", 0.0), ("relu", 0.0), ("rsqrt", 0.0)])
def test_elementwise_kernels_agree_with_the_composite_in_the_hard_points(tb: Any, name: str, atol: float) -> None:
    x = vector(*HARD)
    composite = getattr(Backend, name)
    expected = value_and_gradient(lambda a: composite(tb, a), x)
    assert_same(value_and_gradient(getattr(tb, name), x), expected, atol=max(atol, 1.2e-38))


def test_gradient_of_expm1_keeps_the_lower_tail(tb: Any) -> None:
    x = vector(*HARD)
    with np.errstate(over="ignore"):
        expected = np.expm1(x.numpy()), np.exp(x.numpy())
    assert_same(value_and_gradient(tb.expm1, x), expected)
    assert tb.expm1(x).grad_fn is None
    leaf = torch.tensor([-30.0, 1.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(tb.expm1, (leaf,))
    assert torch.allclose(tb.vectorized_map(tb.expm1, leaf), torch.expm1(leaf))


def test_floor_divide_is_torchs_with_a_gradient(tb: Any) -> None:
    x = torch.tensor([7.0, -7.0, 7.5, INF, 1.0], requires_grad=True)
    y = torch.tensor([2.0, 2.0, -2.0, 1.0, 0.0])
    got = tb.floor_divide(x, y)
    assert_parity(got.detach().numpy(), torch.floor_divide(x.detach(), y).numpy())
    assert torch.autograd.grad(got[:3].sum(), x)[0].tolist() == [0.0] * 5


def test_operands_that_torch_refuses(tb: Any) -> None:
    x = torch.tensor([3, 5], dtype=torch.uint8)
    assert tb.subtract(x, True).tolist() == [2, 4]
    assert tb.subtract(True, tb.asarray([3, 0], "uint16")).dtype == torch.uint16
    with pytest.raises(RuntimeError, match="bool"):
        tb.subtract(torch.tensor([True]), torch.tensor([True]))
    assert tb.divide(3.0, torch.tensor(1e-39)).item() == INF
    assert tb.divide(1e-3, torch.tensor(1e-39)).item() == np.float32(1e-3) / np.float32(1e-39)
    assert tb.maximum(torch.tensor([1, 5]), 3).tolist() == [3, 5]
    assert tb.complex(torch.ones(1), 2.0).tolist() == [1 + 2j]


def test_softplus_is_exact_in_float64_too(tb: Any) -> None:
    x = torch.linspace(-40, 45, 400, dtype=torch.float64)
    assert_parity(tb.to_numpy(tb.softplus(x)), np.logaddexp(0, x.numpy()), rtol=5e-16)


ROWS = [
    [0.0, 1.0, 2.0],
    [1.0, 1.0],
    [0.0, -INF, 1.0],
    [-INF, -INF],
    [INF, 0.0],
    [INF, -INF],
    [1e4, -1e4, 0.0],
    [88.0, -88.0],
    [NAN, 1.0],
]


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_kernels_along_an_axis_agree_with_the_composite_in_the_hard_points(
    tb: Any, name: str, row: list[float]
) -> None:
    x, weights = vector(*row), torch.arange(1.0, len(row) + 1)
    composite = getattr(Backend, name)
    got = value_and_gradient(lambda a: getattr(tb, name)(a, -1), x, weights)
    assert_same(got, value_and_gradient(lambda a: composite(tb, a, -1), x, weights), atol=3e-7)


def test_axes_of_kernels_along_several_axes(tb: Any) -> None:
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    for name in ("softmax", "log_softmax"):
        composite = getattr(Backend, name)
        for axis in (0, (0, 2), (1,)):
            assert_parity(getattr(tb, name)(x, axis).numpy(), composite(tb, x, axis).numpy(), atol=1e-6)


@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 1000)])
def test_random_bits_are_those_of_the_contract(tb: Any, shape: tuple[int, ...]) -> None:
    for words in ((0, 0), (1, 2), (-(2**31), 2**31 - 1), (123456789, -987654321)):
        key = torch.tensor(words, dtype=torch.int32)
        before = key.clone()
        bits = tb.random_bits(key, shape)
        assert_parity(tb.to_numpy(bits), tb.to_numpy(Backend.random_bits(tb, key, shape)))
        assert torch.equal(key, before)


@pytest.mark.parametrize("name", ["isnan", "isfinite"])
def test_tests_of_values_agree_with_the_composite(tb: Any, name: str) -> None:
    for x in (vector(*HARD), torch.tensor([1, 2]), torch.tensor([True]), torch.tensor([complex(1, INF), 1j])):
        assert_parity(getattr(tb, name)(x).numpy(), getattr(Backend, name)(tb, x).numpy())


# ---- reductions: where torch has other rules -------------------------------------------------------------------------


def test_no_axes_reduce_nothing(tb: Any) -> None:
    x = torch.tensor([[1.0, 0.0], [2.0, 3.0]])
    for name in ("sum", "prod", "max", "min"):
        assert torch.equal(getattr(tb, name)(x, ()), x)
    assert tb.any(x, ()).tolist() == [[True, False], [True, True]]
    assert tb.sum(x.to(torch.int8), ()).dtype == torch.int32


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (2, 1), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_over_axes(tb: Any, axis: Any, keepdims: bool) -> None:
    host = np.random.default_rng(0).integers(-2, 3, (2, 3, 4)).astype(np.int32)
    for name in ("sum", "prod", "max", "min", "any", "all"):
        expected = getattr(np, name)(host, axis=axis, keepdims=keepdims)
        got = tb.to_numpy(getattr(tb, name)(tb.asarray(host), axis, keepdims))
        assert_parity(got, np.asarray(expected, got.dtype))
        assert got.dtype == (np.bool_ if name in ("any", "all") else np.int32)


def test_bounds_and_empty_axes(tb: Any) -> None:
    empty = torch.ones(2, 0)
    assert tb.max(empty, 1, initial=-1.0).tolist() == [-1.0, -1.0]
    assert tb.min(empty, 1, True, initial=4.0).tolist() == [[4.0], [4.0]]
    assert tb.max(torch.tensor([1, 5], dtype=torch.int32), initial=7).item() == 7
    assert tb.max(torch.ones(0, 3), 1, initial=0.0).shape == (0,)


# ---- indexing --------------------------------------------------------------------------------------------------------


def test_negative_indices_count_from_the_end_and_others_are_refused(tb: Any) -> None:
    x = torch.arange(6.0).reshape(2, 3)
    assert tb.take(x, torch.tensor([-1, 0], dtype=torch.int32), 1).tolist() == [[2.0, 0.0], [5.0, 3.0]]
    assert tb.take_along_axis(x, torch.tensor([[-1], [0]], dtype=torch.int32), 1).tolist() == [[2.0], [3.0]]
    assert tb.take(x, torch.tensor(-1, dtype=torch.int32)).item() == 5.0
    for index in (3, -4):
        with pytest.raises((IndexError, RuntimeError)):
            tb.take(x, torch.tensor([index]), 1)


def test_blocks_move_inward(tb: Any) -> None:
    x = torch.arange(12).reshape(3, 4)
    start = torch.tensor([2, 3], dtype=torch.int32)
    assert tb.dynamic_slice(x, start, (2, 3)).tolist() == [[5, 6, 7], [9, 10, 11]]
    updated = tb.dynamic_update_slice(x, start, torch.zeros(2, 4, dtype=x.dtype))
    assert updated.tolist() == [[0, 1, 2, 3], [0] * 4, [0] * 4]
    assert x[1, 0].item() == 4


# ---- convolution and pooling against torch's own ---------------------------------------------------------------------


def channels_last(x: Any) -> Any:
    return x.movedim(1, -1)


def draw(*shape: int, seed: int = 0) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(("stride", "dilation", "groups"), [(1, 1, 1), (2, 1, 2), (1, 2, 4)])
def test_convolution(tb: Any, ndim: int, stride: int, dilation: int, groups: int) -> None:
    x, weight = draw(2, 4, *[7, 6, 5][:ndim]), draw(8, 4 // groups, *[3] * ndim, seed=1)
    kernel = weight.permute(*range(2, ndim + 2), 1, 0)
    around = [(1, 1), (2, 2), (1, 1)][:ndim]
    widths = [before for before, _ in around]
    got = tb.conv_nd(channels_last(x), kernel, [stride] * ndim, around, [dilation] * ndim, groups)
    expected = CONV[ndim](x, weight, None, stride, widths, dilation, groups)
    torch.testing.assert_close(got, channels_last(expected))
    uneven = [(before, after + 1) for before, after in around]
    got = tb.conv_nd(channels_last(x), kernel, [stride] * ndim, uneven, [dilation] * ndim, groups)
    padded = F.pad(x, [n for pair in reversed(uneven) for n in pair])
    torch.testing.assert_close(got, channels_last(CONV[ndim](padded, weight, None, stride, 0, dilation, groups)))


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("around", [(0, 0), (1, 1), (2, 1), (0, 2), (-1, 0), (1, -2)])
def test_transposed_convolution_crops_and_pads_the_full_output(tb: Any, ndim: int, around: tuple[int, int]) -> None:
    x, weight = draw(2, 3, *[4, 3, 2][:ndim]), draw(3, 5, *[3] * ndim, seed=1)
    kernel = weight.permute(*range(2, ndim + 2), 1, 0)
    got = tb.conv_transpose_nd(channels_last(x), kernel, [2] * ndim, [around] * ndim, [1] * ndim)
    full = TRANSPOSED[ndim](x, weight, None, 2)
    torch.testing.assert_close(got, channels_last(F.pad(full, [-n for n in around] * ndim)))


def test_transposed_convolution_is_the_gradient_of_convolution(tb: Any) -> None:
    x, kernel = draw(2, 8, 7, 3), draw(3, 2, 3, 4, seed=1)
    settings = ((2, 1), ((1, 0), (1, 1)), (2, 1))
    leaf = x.clone().requires_grad_()
    y = tb.conv_nd(leaf, kernel, *settings)
    upstream = draw(*y.shape, seed=2)
    (gradient,) = torch.autograd.grad(y, leaf, upstream)
    back = tb.conv_transpose_nd(upstream, kernel, *settings)
    torch.testing.assert_close(gradient[:, : back.shape[1], : back.shape[2]], back)


def test_arrays_of_images_are_not_moved(tb: Any) -> None:
    x, kernel = torch.randn(2, 8, 8, 4), torch.randn(3, 3, 4, 6)
    assert tb.conv_nd(x, kernel, (1, 1), ((1, 1), (1, 1)), (1, 1)).is_contiguous()
    assert tb.max_pool_nd(x, (2, 2), (2, 2), ((0, 0), (0, 0))).is_contiguous()
    assert tb.average_pool_nd(x, (2, 2), (2, 2), ((0, 0), (0, 0))).is_contiguous()


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("around", [(0, 0), (1, 1), (0, 1), (2, 2)])
def test_pooling(tb: Any, ndim: int, around: tuple[int, int]) -> None:
    x = draw(2, 3, *[7, 6, 5][:ndim])
    pads = list(around) * ndim
    size, strides = [3] * ndim, [2, 1, 2][:ndim]
    windows = lambda x: [x := x.unfold(2 + i, 3, strides[i]) for i in range(ndim)][-1].flatten(2 + ndim)  # noqa: E731
    highest = windows(F.pad(x, pads, value=-INF)).amax(-1)
    got = tb.max_pool_nd(channels_last(x), size, strides, [around] * ndim)
    assert torch.equal(got, channels_last(highest))
    mean = windows(F.pad(x, pads)).sum(-1) / windows(F.pad(torch.ones_like(x), pads)).sum(-1)
    got = tb.average_pool_nd(channels_last(x), size, strides, [around] * ndim)
    torch.testing.assert_close(got, channels_last(mean))


@pytest.mark.parametrize("around", [((0, 0), (0, 0)), ((1, 1), (1, 1)), ((0, 1), (1, 0))])
def test_gradient_of_max_pooling_goes_to_the_first_of_equals(tb: Any, around: Any) -> None:
    x = torch.zeros(1, 4, 4, 2, requires_grad=True)
    y = tb.max_pool_nd(x, (2, 2), (2, 2), around)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    expected = np.zeros((4, 4))
    for i in range(y.shape[1]):
        for j in range(y.shape[2]):
            expected[max(0, 2 * i - around[0][0]), max(0, 2 * j - around[1][0])] += 1
    assert gradient[0, :, :, 1].tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool"])
def test_maximum_of_windows_of_integers(tb: Any, dtype: str) -> None:
    x = tb.asarray(np.array([[[0], [3], [2], [0]]], dtype))
    got = tb.max_pool_nd(x, (2,), (2,), ((1, 1),))
    assert_parity(tb.to_numpy(got), np.array([[[0], [3], [0]]], dtype))


def test_windows_have_second_gradients(tb: Any) -> None:
    x, kernel = draw(1, 5, 5, 2).requires_grad_(), draw(2, 2, 2, 2, seed=1).requires_grad_()
    uneven = ((0, 1), (1, 0))
    assert torch.autograd.gradgradcheck(lambda x, k: tb.conv_nd(x, k, (2, 1), uneven, (1, 1)), (x, kernel))
    assert torch.autograd.gradgradcheck(lambda x, k: tb.conv_transpose_nd(x, k, (2, 1), uneven, (1, 1)), (x, kernel))
    squared = lambda pool: lambda x: pool(x, (2, 2), (2, 2), uneven) ** 2  # noqa: E731
    assert torch.autograd.gradgradcheck(squared(tb.max_pool_nd), (x,))
    assert torch.autograd.gradgradcheck(squared(tb.average_pool_nd), (x,))


# ---- execution -------------------------------------------------------------------------------------------------------


def test_steps_get_the_rows_of_their_indices(tb: Any) -> None:
    data = {"x": torch.arange(6.0).reshape(6, 1), "y": tb.asarray(np.arange(6, dtype=np.uint16))}
    indices = torch.tensor([[0, 1], [5, 4], [2, 2]], dtype=torch.int32)

    def step(state: list[Any], batch: Any) -> tuple[list[Any], Any]:
        return [state[0] * 10 + batch["x"][:, 0], state[1] * 10 + tb.cast(batch["y"], "int32")], {"x": batch["x"][0, 0]}

    state, logs = tb.compile_steps(step)([tb.zeros((2,)), tb.zeros((2,), "int32")], data, indices, 1, 3)
    assert (state[0].tolist(), state[1].tolist(), logs["x"].item()) == ([52.0, 42.0], [52, 42], 2.0)


def test_scan_runs_backward_and_over_nothing(tb: Any) -> None:
    carry, ys = tb.scan(
        lambda c, x: (c + x, {"sum": c + x}), tb.asarray(0.0), tb.asarray([1.0, 2.0, 3.0]), reverse=True
    )
    assert carry.item() == 6.0
    assert ys["sum"].tolist() == [6.0, 5.0, 3.0]
    carry, ys = tb.scan(lambda c, x: (c, x * 2), tb.asarray(0.0), torch.ones(0, 4))
    assert ys.shape == (0, 4)
    assert tb.scan(lambda c, _: (c + 1, None), tb.asarray(0), length=3)[0].item() == 3
    with pytest.raises(ValueError, match="length"):
        tb.scan(lambda c, x: (c, x), tb.asarray(0.0))


def test_torch_is_seeded_with_everything_else(tb: Any) -> None:
    with torch.random.fork_rng(devices=[]):
        set_random_seed(3)
        first = torch.rand(2)
        set_random_seed(3)
        assert torch.equal(torch.rand(2), first)


def test_the_compiler_of_torch_is_not_imported() -> None:
    """It takes over half a second; a training step needs none of it."""
    code = """
import sys
from polykeras.backend import registry
b = registry.load("torch")
x = b.asarray([[1.0, 2.0]])
b.value_and_grad(lambda a: (b.sum(b.softmax(b.matmul(a[0], b.transpose(a[0])))), None), [x])
b.custom_gradient(lambda x: (x, lambda g: g))(x)
if tuple(map(int, b.version.split(".")[:2])) >= (2, 13):  # `torch.vmap` of 2.6 imports it
    b.vectorized_map(b.sum, x)
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_registry_finds_it() -> None:
    backend = registry.load("torch")
    assert backend.name == "torch"
    assert backend.version == torch.__version__
    assert type(backend.version) is str


def test_methods_of_modules_are_there_before_anything_was_computed() -> None:
    code = (
        "from polykeras import Sequential, layers\n"
        "model = Sequential([layers.Input((3,)), layers.Dense(4)])\n"
        "print(*[tuple(p.shape) for p in model.parameters()])\n"
    )
    environment = os.environ | {"POLYKERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "(3, 4) (4,)", done.stderr
