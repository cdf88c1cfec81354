"""The symbolic backend: shapes and dtypes as the numpy backend computes them, and sizes that nobody knows yet."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

from polykeras import layers, ops
from polykeras.backend import Backend, registry
from polykeras.backend.symbolic import SYMBOLIC, SymbolicArray, UnknownDim
from polykeras.backend.symbolic.dims import broadcast, index_shape, infer_reshape
from polykeras.backend.symbolic.products import einsum_shape
from polykeras.graph import KerasTensor, infer_outputs

N = UnknownDim(7)


def f32(*shape: int) -> SymbolicArray:
    return SymbolicArray(shape, "float32")


def unknown(shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return a shape with None for sizes that are not known."""
    return tuple(None if isinstance(n, UnknownDim) else n for n in shape)


# ---- the same as numpy ---------------------------------------------------------------------------------------------
# One line a method: its arguments with the shapes of arrays (tuples stand for float32; a dtype may follow).


def _arrays(backend: Backend, value: Any) -> Any:
    if isinstance(value, Arr):
        return backend.ones(value.shape, value.dtype)
    return [_arrays(backend, part) for part in value] if isinstance(value, list) else value


class Arr:
    """An array of ones to be made."""

    def __init__(self, *shape: int, dtype: str = "float32") -> None:
        self.shape, self.dtype = shape, dtype


def _names(text: str) -> list[str]:
    return text.split()


COMPLEX, INT, BOOL = ({"dtype": d} for d in ("complex64", "int32", "bool"))
PAIRS = [(1, 0), (0, 2)]

CALLS: list[tuple[str, tuple[Any, ...]]] = [
    *(
        (name, (Arr(2, 3),))
        for name in _names("abs negative floor exp expm1 log log1p sqrt sin cos tanh erf real imag")
    ),
    *((name, (Arr(2, 3, **COMPLEX),)) for name in ("abs", "real", "imag", "exp", "complex_fft")),
    ("round", (Arr(3, **INT), 1)),
    *((name, (Arr(2, 1, 3), Arr(4, 1))) for name in _names("add subtract multiply divide power maximum arctan2")),
    *((name, (Arr(2, 3, **INT), 2)) for name in _names("add floor_divide power minimum bitwise_and left_shift less")),
    *((name, (Arr(2, **BOOL), Arr(2, **BOOL))) for name in _names("add multiply bitwise_or equal")),
    ("divide", (1.0, Arr(2, 0))),
    ("complex", (Arr(2), 0.0)),
    ("where", (Arr(2, 1, **BOOL), Arr(3), 0.0)),
    ("cast", (Arr(2, **BOOL), "float16")),
    ("bitcast", (Arr(2), "uint32")),
    ("full", ((2, 3), 1.5)),
    ("full", ((2,), True)),
    ("arange", (5,)),
    ("arange", (0.0, 1.0, 0.3)),
    ("arange", (9, 0, -2, "int8")),
    ("reshape", (Arr(2, 6), (3, -1))),
    ("reshape", (Arr(2, 6), -1)),
    ("transpose", (Arr(2, 3, 4),)),
    ("transpose", (Arr(2, 3, 4), (-1, 0, 1))),
    ("broadcast_to", (Arr(3, 1), (2, 3, 4))),
    ("concatenate", ([Arr(2, 3), Arr(2, 1)], -1)),
    ("constant_pad", (Arr(2, 3), PAIRS)),
    ("flip", (Arr(2, 3), (0, 1))),
    ("strided_slice", (Arr(5, 6), (1, 0), (5, 6), (2, 4))),
    *(
        (name, (Arr(2, 3, 4), axis, keep))
        for name in ("sum", "max", "any")
        for axis in (None, 1, (0, -1), ())
        for keep in (0, 1)
    ),
    *(
        (name, (Arr(2, 3, dtype=d), 0))
        for name in ("sum", "prod", "cumsum", "cumprod", "min")
        for d in ("int8", "uint8", "float16")
    ),
    *((name, (Arr(2, **BOOL),)) for name in ("sum", "prod", "cumsum", "all", "sort")),
    ("prod", (Arr(2, 3), None, True, "int32")),
    ("max", (Arr(0, 3), 0, False, -1.0)),
    ("argmax", (Arr(2, 3),)),
    ("argmax", (Arr(2, 3), 1, True)),
    ("cumsum", (Arr(2, 3), None)),
    ("take", (Arr(4, 5, 6), Arr(2, 3, **INT), 1)),
    ("take", (Arr(4, 5), Arr(3, **INT))),
    ("take_along_axis", (Arr(4, 5), Arr(1, 2, **INT), 1)),
    ("scatter_reduce", (Arr(4, 5), Arr(3, 1, **INT), Arr(3, 5), "add")),
    ("dynamic_slice", (Arr(4, 5), Arr(2, **INT), (2, 3))),
    ("dynamic_update_slice", (Arr(4, 5), Arr(2, **INT), Arr(2, 3))),
    ("sort", (Arr(2, 3), None)),
    ("argsort", (Arr(2, 3),)),
    ("searchsorted", (Arr(4), Arr(2, 3))),
    ("matmul", (Arr(4), Arr(2, 4, 3))),
    ("matmul", (Arr(5, 2, 4), Arr(4, 3))),
    ("matmul", (Arr(4), Arr(4))),
    ("matmul", (Arr(2, 3, dtype="int8"), Arr(3, dtype="int8"))),
    ("cholesky", (Arr(1, 1),)),
    *(("qr", (Arr(2, *shape), mode)) for shape in ((3, 2), (2, 3)) for mode in ("reduced", "complete")),
    *(("svd", (Arr(3, 2), *flags)) for flags in ((), (False,), (True, False))),
    ("eigh", (Arr(2, 3, 3),)),
    ("eig", (Arr(2, 3, 3),)),
    ("lu_factor", (Arr(1, 1),)),
    ("solve", (Arr(1, 1), Arr(1))),
    ("solve_triangular", (Arr(1, 1), Arr(1, 2), True)),
    ("complex_rfft", (Arr(2, 5),)),
    ("complex_irfft", (Arr(2, 3, **COMPLEX), 5)),
    ("conv_nd", (Arr(2, 7, 8, 4), Arr(3, 2, 2, 6), (2, 1), PAIRS, (1, 2), 2)),
    ("conv_transpose_nd", (Arr(2, 3, 4), Arr(3, 5, 4), (2,), [(1, 0)], (2,))),
    ("max_pool_nd", (Arr(2, 5, 3), (2,), (2,), [(0, 1)])),
    ("average_pool_nd", (Arr(2, 5, 6, 3), (2, 3), (1, 2), [(0, 1), (1, 1)])),
]
"""The required methods, and calls at their corners. Composites are covered by tests/contract/test_symbolic.py."""


def _described(backend: Backend, result: Any) -> Any:
    if isinstance(result, (tuple, list)):
        return [_described(backend, part) for part in result]
    return backend.shape(result), backend.dtype(result)


@pytest.mark.parametrize(("name", "args"), CALLS, ids=[f"{i}-{name}" for i, (name, _) in enumerate(CALLS)])
def test_shape_and_dtype_are_those_of_numpy(name: str, args: tuple[Any, ...]) -> None:
    described = []
    for backend in (SYMBOLIC, registry.load("numpy")):
        with np.errstate(all="ignore"):
            result = getattr(backend, name)(*(_arrays(backend, arg) for arg in args))
        described.append(_described(backend, result))
    assert described[0] == described[1]


@given(mutually_broadcastable_shapes(num_shapes=3, max_dims=4))
def test_broadcast_is_numpys(shapes: Any) -> None:
    assert broadcast(*shapes.input_shapes) == shapes.result_shape


@given(st.lists(st.integers(0, 4), max_size=4), st.lists(st.integers(-1, 6), max_size=4))
def test_reshape_is_numpys(shape: list[int], newshape: list[int]) -> None:
    try:
        expected = np.zeros(shape).reshape(newshape).shape
    except ValueError:
        with pytest.raises(ValueError, match="reshape"):
            infer_reshape(tuple(shape), tuple(newshape))
    else:
        assert infer_reshape(tuple(shape), tuple(newshape)) == expected


_index = st.one_of(
    st.integers(-3, 2),
    st.none(),
    st.builds(slice, *[st.none() | st.integers(-4, 4)] * 2, st.sampled_from([None, 1, 2, -1, -3])),
)


@given(st.lists(_index, max_size=3), st.booleans())
def test_indexing_is_numpys(keys: list[Any], dots: bool) -> None:
    key = (*keys[:1], ..., *keys[1:]) if dots else tuple(keys)
    assert index_shape((3, 4, 5), key) == np.zeros((3, 4, 5))[key].shape


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("ba,ba", [(2, 3), (2, 3)]),
        ("b a", [(2, 3)]),
        ("ii->i", [(3, 3)]),
        ("ii", [(3, 3)]),
        ("...i,ij->...j", [(2, 1, 3), (3, 4)]),
        ("...i,...i", [(2, 1, 3), (5, 3)]),
        ("i...j->...", [(2, 7, 3)]),
        ("abc,cd,db->a", [(2, 3, 4), (4, 5), (5, 3)]),
    ],
)
def test_einsum_is_numpys(subscripts: str, shapes: list[tuple[int, ...]]) -> None:
    assert einsum_shape(subscripts, shapes) == np.einsum(subscripts, *map(np.zeros, shapes)).shape


# ---- what does not fit ---------------------------------------------------------------------------------------------

MISFITS: list[tuple[str, Callable[[], Any], str]] = [
    ("broadcasting", lambda: SYMBOLIC.add(f32(2, 3), f32(4)), r"\(2, 3\) and \(4,\)"),
    ("matmul", lambda: SYMBOLIC.matmul(f32(2, 3), f32(2, 3)), r"\(2, 3\) and \(2, 3\)"),
    ("matmul of a scalar", lambda: SYMBOLIC.matmul(f32(), f32(3)), "matmul"),
    ("concatenate", lambda: SYMBOLIC.concatenate([f32(2, 3), f32(3, 3)], 1), r"\(2, 3\), \(3, 3\)"),
    ("reshape", lambda: SYMBOLIC.reshape(f32(2, 3), (4,)), r"\(2, 3\) cannot become \(4,\)"),
    ("reshape, unknown", lambda: SYMBOLIC.reshape(f32(N, 3), (N, 4)), r"\(None, 3\) cannot become \(None, 4\)"),
    ("einsum, sizes", lambda: SYMBOLIC.einsum("ij,jk->ik", f32(2, 3), f32(4, 5)), "'j'.*3 and 4"),
    ("einsum, axes", lambda: SYMBOLIC.einsum("ij->i", f32(2)), "1 axes"),
    ("einsum, operands", lambda: SYMBOLIC.einsum("ij,jk", f32(2, 3)), "2 operands; received 1"),
    ("einsum, output", lambda: SYMBOLIC.einsum("ij->ik", f32(2, 3)), "output"),
    ("conv, channels", lambda: SYMBOLIC.conv_nd(f32(1, 5, 3), f32(3, 4, 2), (1,), [(0, 0)], (1,)), r"\(1, 5, 3\)"),
    ("conv, window", lambda: SYMBOLIC.conv_nd(f32(1, 2, 3), f32(3, 3, 2), (1,), [(0, 0)], (1,)), "does not fit"),
    ("axis", lambda: SYMBOLIC.sum(f32(2, 3), 2), "out of range"),
    ("axis twice", lambda: SYMBOLIC.sum(f32(2, 3), (0, -2)), "twice"),
    ("transpose", lambda: SYMBOLIC.transpose(f32(2, 3), (0,)), "permutation"),
    ("broadcast_to", lambda: SYMBOLIC.broadcast_to(f32(3), (2, 4)), r"\(3,\) does not broadcast to \(2, 4\)"),
    ("solve", lambda: SYMBOLIC.solve(f32(3, 3), f32(2)), "3 rows"),
    ("not square", lambda: SYMBOLIC.cholesky(f32(3, 2)), "square"),
    ("maximum of nothing", lambda: SYMBOLIC.max(f32(0, 2), 0), "No elements to reduce"),
    ("list", lambda: SYMBOLIC.asarray([[1, 2], [3]]), "one shape"),
    ("scatter", lambda: SYMBOLIC.scatter_reduce(f32(4), SymbolicArray((2, 1), "int32"), f32(3)), "indices"),
    ("gradient of a vector", lambda: SYMBOLIC.value_and_grad(lambda xs: (xs[0], None), [f32(3)]), "scalar"),
    ("branches", lambda: SYMBOLIC.cond(True, lambda: f32(2), lambda: f32(3)), "agree"),
    ("carry", lambda: SYMBOLIC.scan(lambda c, x: (x, c), f32(2), f32(4, 3)), "carry"),
]


@pytest.mark.parametrize(("call", "message"), [m[1:] for m in MISFITS], ids=[m[0] for m in MISFITS])
def test_a_misfit_is_told_with_shapes(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_dtypes_are_as_strict_as_the_strictest_backend() -> None:
    for call in (
        lambda: SYMBOLIC.exp(SymbolicArray((2,), "int32")),
        lambda: SYMBOLIC.add(f32(2), SymbolicArray((2,), "int32")),
        lambda: SYMBOLIC.maximum(SymbolicArray((2,), "int32"), 0.5),
        lambda: SYMBOLIC.bitwise_and(f32(2), 1),
        lambda: SYMBOLIC.bitcast(f32(2), "int16"),
        lambda: SYMBOLIC.value_and_grad(lambda xs: (xs[0], None), [SymbolicArray((), "int32")]),
    ):
        with pytest.raises(TypeError, match="expected"):
            call()


def test_there_are_no_values() -> None:
    x = f32(2)
    for use in (SYMBOLIC.to_numpy, np.asarray, bool, float, lambda a: np.add(1.0, a)[None].item()):
        with pytest.raises((TypeError, AttributeError)):
            use(x)


# ---- arrays --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shape", "dtype"),
    [
        (1, (), "int32"),
        (1.5, (), "float32"),
        (True, (), "bool"),
        (2j, (), "complex64"),
        ([[1, 2.5]], (1, 2), "float32"),
        ([], (0,), "float32"),
        (np.zeros((2, 3)), (2, 3), "float64"),
        (np.float64(1), (), "float64"),
        ([f32(N, 2), f32(5, 2)][:1], (1, 7, 2), "float32"),
        ([SymbolicArray((2,), "float16"), [1, 2]], (2, 2), "float16"),
    ],
)
def test_asarray(value: Any, shape: tuple[int, ...], dtype: str) -> None:
    array = SYMBOLIC.asarray(value)
    assert (array.shape, array.dtype) == (shape, dtype)


def test_asarray_refuses_what_is_not_numeric() -> None:
    for value in ("text", {"a": 1}, np.array(["a"])):
        with pytest.raises(TypeError, match="number"):
            SYMBOLIC.asarray(value)


def test_operators_promote() -> None:
    x, i = f32(2, 1), SymbolicArray((3,), "int32")
    for result, dtype in (
        (x + i, "float32"),
        (2 * i, "int32"),
        (2.0 - i, "float32"),
        (i / 2, "float32"),
        (i // 2, "int32"),
        (-i, "int32"),
        (x**2, "float32"),
        (np.ones(3, "float32") * x, "float32"),
        (x < i, "bool"),
        (i <= 1, "bool"),
    ):
        assert result.dtype == dtype
    assert (x + i).shape == (2, 3)
    assert [part.shape for part in f32(2, 5)] == [(5,), (5,)]


@pytest.mark.parametrize("other", [0, 0.0, np.zeros((4, 1, 3), "int8"), SymbolicArray((3,), "int32")])
def test_comparisons_are_arrays(other: Any) -> None:
    x = SymbolicArray((2, 3), "float32")
    for result in (x == other, x != other, other == x, other != x):
        assert isinstance(result, SymbolicArray)
        assert (result.dims, result.dtype) == (broadcast((2, 3), getattr(other, "shape", ()), where=""), "bool")
        with pytest.raises(TypeError, match="has no value"):
            bool(result)


def test_an_array_is_itself() -> None:
    """As of other frameworks: found by identity in dicts, sets and, where it comes first, lists."""
    x, y = SymbolicArray((2,), "float32"), SymbolicArray((2,), "float32")
    assert {x: 1, y: 2} == {x: 1, y: 2}
    assert len({x, y, x}) == 2
    assert x in [x, y]
    assert x in {x: 1}
    assert y not in {x: 1}
    assert (x == None, x != None) == (False, True)  # noqa: E711
    with pytest.raises(TypeError, match="has no value"):
        y in [x, y]  # noqa: B015


def test_layers_may_compare_with_numbers() -> None:
    """A mask by hand runs on shapes, in a step that is built by them and in a graph."""

    class Own(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.cast(x != 0, "float32") + ops.cast(x == 0, "float32") * ops.sum(x * (x == 1.0))

    assert Own()(KerasTensor((None, 3))).shape == (None, 3)
    tensor = KerasTensor((None, 3))
    for result in (tensor != 0, tensor == 0, tensor == 0, tensor != np.zeros(3)):
        assert isinstance(result, KerasTensor)
        assert (result.shape, result.dtype) == ((None, 3), "bool")
    assert {tensor: 1}[tensor] == 1
    assert tensor in [tensor]
    assert (tensor == None) is False  # noqa: E711


def test_it_pickles_as_itself() -> None:
    assert pickle.loads(pickle.dumps(SYMBOLIC)) is SYMBOLIC


# ---- functions -----------------------------------------------------------------------------------------------------


def test_functions_run_once() -> None:
    runs: list[str] = []

    def seen(name: str, result: Any) -> Any:
        runs.append(name)
        return result

    carry, ys = SYMBOLIC.scan(lambda c, x: seen("scan", (c + x, (x, c))), f32(3), f32(N, 3))
    assert carry.shape == (3,)
    assert unknown(ys[0].shape) == unknown(ys[1].shape) == (None, 3)
    x, n = SYMBOLIC.while_loop(lambda x, n: n < 5, lambda x, n: seen("while", (x * 2, n + 1)), (f32(2), 0))
    assert (x.shape, n.dtype) == ((2,), "int32")
    assert SYMBOLIC.cond(True, lambda: f32(N), lambda: f32(3)).shape == (3,)
    assert unknown(SYMBOLIC.vectorized_map(lambda x: seen("map", SYMBOLIC.sum(x)), f32(N, 3)).shape) == (None,)
    value, aux, grads = SYMBOLIC.value_and_grad(lambda xs: seen("grad", (SYMBOLIC.sum(xs[0]), "aux")), [f32(2, 3)])
    assert (value.shape, aux, grads[0].shape) == ((), "aux", (2, 3))
    assert SYMBOLIC.custom_gradient(lambda x: (seen("custom", x), None))(f32(2)).shape == (2,)
    run = SYMBOLIC.compile_steps(lambda state, batch: seen("step", (state, {"batch": batch["x"]})))
    _, logs = run([f32()], {"x": f32(100, 3)}, SymbolicArray((4, 8), "int32"), 0, 4)
    assert logs["batch"].shape == (8, 3)
    assert runs == ["scan", "while", "map", "grad", "custom", "step"]


# ---- unknown sizes -------------------------------------------------------------------------------------------------


def test_arithmetic_taints() -> None:
    for n in (N + 1, 1 + N, N - 1, 1 - N, N * 2, 2 * N, N // 2, 20 // N, N % 4, 20 % N, -N, N + N, prod((2, N))):
        assert isinstance(n, UnknownDim)
    assert sum([2, N, 3]) == 12
    assert isinstance(sum([2, N, 3]), UnknownDim)
    assert repr((N, 3)) == "(None, 3)"


@pytest.mark.parametrize(
    ("code", "runs", "shape"),
    [
        (lambda x: ops.relu(ops.matmul(x, np.ones((3, 5), "float32")) + 1.0), 1, (None, 5)),
        (lambda x: ops.sum(x[None, 1:], axis=-1), 1, (1, None)),
        (lambda x: ops.reshape(x, (x.shape[0], 3, 1)), 2, (None, 3, 1)),
        (lambda x: ops.zeros((int(x.shape[0] / 2), 4)), 2, (None, 4)),  # these lose the mark of the size
        (lambda x: ops.zeros((int(np.prod(ops.shape(x))), 4)), 2, (None, 4)),
        (lambda x: ops.zeros((4, len(x) + 1)), 2, (4, None)),
        (lambda x: ops.zeros((x.shape[1], x.ndim)), 2, (3, 2)),
    ],
)
def test_code_that_looks_at_an_unknown_size_runs_twice(
    code: Callable[[Any], Any], runs: int, shape: tuple[int | None, ...]
) -> None:
    seen = []
    result = infer_outputs(lambda x: (seen.append(x), code(x))[1], (KerasTensor((None, 3), "float32"),), {})
    assert (len(seen), result.shape) == (runs, shape)


def test_code_runs_once_where_all_sizes_are_known() -> None:
    seen = []
    infer_outputs(lambda x: seen.append(x.shape), (KerasTensor((2, 3), "float32"),), {})
    assert seen == [(2, 3)]


def test_a_layer_that_only_calls_ops_is_run_once() -> None:
    class Counted(layers.Dense):
        calls = 0

        def call(self, inputs: Any) -> Any:
            self.calls += 1
            return super().call(inputs)

    layer = Counted(4, activation="relu")
    assert layer(layers.Input((3,))).shape == (None, 4)
    assert layer.calls == 1


def test_a_known_size_is_trusted() -> None:
    assert unknown(broadcast((N, 1, 3), (1, 4, 1))) == (None, 4, 3)
    assert unknown(broadcast((N, 3), (5, 3))) == (5, 3)
    assert unknown(broadcast((N,), (UnknownDim(9),))) == (None,)
    assert unknown(SYMBOLIC.matmul(f32(N, N), f32(4, 2)).shape) == (None, 2)


@pytest.mark.parametrize(
    ("shape", "newshape", "expected"),
    [
        ((N, 4, 5), (-1, 20), (None, 20)),
        ((N, 4, 5), (N, -1), (None, 20)),
        ((N, 4, 5), (-1,), (None,)),
        ((N, N, 4), (N, -1), (None, None)),
        ((N, 4), (N * 2, -1), (None, 2)),
        ((N, UnknownDim(11), 4), (N * UnknownDim(11), -1), (None, 4)),
        ((N, 4), (3, -1), (3, None)),
        ((N, 4), (2, 14), (2, 14)),
        ((3, 4), (2, -1), (2, 6)),
    ],
)
def test_reshape_cancels(shape: tuple[int, ...], newshape: tuple[int, ...], expected: tuple[Any, ...]) -> None:
    assert unknown(infer_reshape(shape, newshape)) == expected


def test_unknown_sizes_pass_through_ops() -> None:
    x = f32(N, 6, 3)
    for result, expected in (
        (x[:, 1:-1, None], (None, 4, 1, 3)),
        (x[1:], (None, 6, 3)),
        (x[[slice(None), None, slice(0, 2)]], (None, 1, 2, 3)),  # a list, as PyTorch and TensorFlow take it
        (x[:5], (5, 6, 3)),
        (x[::2], (None, 6, 3)),
        (x[0], (6, 3)),
        (SYMBOLIC.concatenate([x, x]), (None, 6, 3)),
        (SYMBOLIC.transpose(x), (3, 6, None)),
        (SYMBOLIC.sum(x, 0, True), (1, 6, 3)),
        (SYMBOLIC.squeeze(f32(N, 1)), (None,)),
        (SYMBOLIC.softmax(x), (None, 6, 3)),
        (SYMBOLIC.constant_pad(x, [(1, 1), (0, 0), (0, 0)]), (None, 6, 3)),
        (SYMBOLIC.arange(N), (None,)),
        (SYMBOLIC.eye(N), (None, None)),
        (SYMBOLIC.split(f32(N, 4), 2)[0], (None, 4)),
        (SYMBOLIC.tile(f32(N), 3), (None,)),
        (SYMBOLIC.roll(x, 2, 0), (None, 6, 3)),
        (SYMBOLIC.pad(x, [(2, 2), (0, 0), (0, 0)], "reflect"), (None, 6, 3)),
        (SYMBOLIC.median(x, 0), (6, 3)),
        (SYMBOLIC.diff(x, axis=0), (None, 6, 3)),
        (SYMBOLIC.conv_nd(f32(2, N, 3), f32(3, 3, 4), (2,), [(1, 1)], (1,)), (2, None, 4)),
        (SYMBOLIC.random_uniform(SymbolicArray((2,), "int32"), (N, 3)), (None, 3)),
    ):
        assert unknown(result.shape) == expected
