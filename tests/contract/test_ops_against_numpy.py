"""Ops in the dtypes that are given, and at NumPy's corners, against NumPy's own functions.

The cases of `contract/cases` compare values and gradients in working floats; here the references are NumPy's own
functions in the dtype that is given, and the dtype of each result is written down.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polykeras import ops
from polykeras.backend import Backend

i8, u8, i32, f16, f32 = np.int8, np.uint8, np.int32, np.float16, np.float32
INF, NAN = np.inf, np.nan

drawn = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)


def host(backend: Backend, result: Any) -> Any:
    if isinstance(result, (list, tuple)):
        return [host(backend, part) for part in result]
    return backend.to_numpy(result)


def assert_equal(backend: Backend, result: Any, expected: Any, rtol: float = 2e-6) -> None:
    if isinstance(result, (list, tuple)):
        assert len(result) == len(expected)
        for part, want in zip(result, expected, strict=True):
            assert_equal(backend, part, want, rtol)
        return
    actual = host(backend, result)
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-6 if actual.dtype.kind == "f" else 0)


# ---- values and dtypes -----------------------------------------------------------------------------------------------


M = np.array([[3, 1, 2], [0, -1, 5]], i32)
G = np.array([[3.0, NAN, 2.0], [NAN, NAN, NAN]], f32)
V = np.array([4, 0, 7], i32)
CUBE = np.arange(60, dtype=i32).reshape(3, 4, 5)
BITS = np.array([True, False, True])

# fmt: off
CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], Any, str]] = [
    # op, arguments, keywords, expected value, expected dtype
    # ---- integers and bools become floats, or stay
    ("mod", (M, 4), {}, np.mod(M, 4), "int32"),
    ("mod", (BITS, True), {}, [0, 0, 0], "int32"),
    ("mod", (np.array([1.0, -1.0], f32), INF), {}, [1.0, INF], "float32"),
    ("fmod", (np.array([-7, 7], i8), np.array([3, -3], i8)), {}, [-1, 1], "int8"),
    ("fmod", (np.array([1.0, -5.5], f32), f32(0.1)), {}, np.fmod(np.array([1.0, -5.5], f32), f32(0.1)), "float32"),
    ("ceil", (M,), {}, M, "float32"),
    ("floor", (BITS,), {}, BITS, "float32"),
    ("trunc", (M,), {}, M, "int32"),
    ("reciprocal", (np.array([2, 4], i8),), {}, [0.5, 0.25], "float32"),
    ("square", (BITS,), {}, BITS, "int32"),
    ("clip", (M, 0, 2), {}, np.clip(M, 0, 2), "int32"),
    ("clip", (M, 0.5, 2.5), {}, np.clip(M, 0.5, 2.5), "float32"),
    ("clip", (np.array([0.0, 5.0], f16), 3, 1), {}, [1, 1], "float16"),
    ("nan_to_num", (np.array([NAN, INF, -INF, 1], f16),), {}, [0, 65504, -65504, 1], "float16"),
    ("nan_to_num", (M,), {}, M, "int32"),
    ("gcd", (np.array([200, 36], u8), u8(48)), {}, [8, 12], "uint8"),
    ("gcd", (np.array([-(2**31) + 1, 1836311903], i32), np.array([12, 1134903170], i32)), {}, [1, 1], "int32"),
    ("lcm", (np.array([4, 0], i32), np.array([-6, 0], i32)), {}, [12, 0], "int32"),
    ("heaviside", (M, 0.5), {}, np.heaviside(M, 0.5), "float32"),
    ("divide_no_nan", (np.array([1, 2], i32), np.array([0, 4], i32)), {}, [0, 0.5], "float32"),
    ("ldexp", (np.array([1.5, 3.0], f32), np.array([-3, 200], i32)), {}, [0.1875, INF], "float32"),
    ("ldexp", (np.array([2.0**-100], f32), np.array([200], i32)), {}, [2.0**100], "float32"),
    ("exp2", (np.array([10, -3], i32),), {}, [1024, 0.125], "float32"),
    ("cbrt", (np.array([27, -8, 0], i32),), {}, [3, -2, 0], "float32"),
    ("hypot", (np.array([3, 0], f16), np.array([4, 0], f16)), {}, [5, 0], "float16"),
    ("signbit", (np.array([-0.0, 0.0, -INF, NAN], f32),), {}, [True, False, True, False], "bool"),
    ("sinh", (np.array([89.0, -89.0, 1e-7], f32),), {}, np.sinh(np.array([89.0, -89.0, 1e-7])), "float32"),
    ("i0", (np.array([0, 29.9, 30.1, -90], f32),), {}, np.i0([0, 29.9, 30.1, -90.0]), "float32"),
    # ---- logic
    ("logical_and", (M, np.array([1.5, 0.0, NAN], f32)), {}, np.logical_and(M, [1, 0, 1]), "bool"),
    ("bitwise_invert", (np.array([0, 255], u8),), {}, [255, 0], "uint8"),
    ("isclose", (np.array([1, 2], i32), np.array([1, 3], i32)), {}, [True, False], "bool"),
    ("isin", (BITS, [True]), {}, BITS, "bool"),
    ("isin", (M, np.array([2, 9, -1])), {"invert": True}, ~np.isin(M, [2, 9, -1]), "bool"),
    ("isin", (M, np.zeros((0,), i32)), {}, np.zeros((2, 3), bool), "bool"),
    # ---- shapes
    ("moveaxis", (np.zeros((2, 3, 4), i8), (0, 1), (-1, 0)), {}, np.zeros((3, 4, 2)), "int8"),
    ("rot90", (M, 3), {}, np.rot90(M, 3), "int32"),
    ("rot90", (M, -3, (1, 0)), {}, np.rot90(M, -3, (1, 0)), "int32"),
    ("roll", (M, (1, -1), (0, 1)), {}, np.roll(M, (1, -1), (0, 1)), "int32"),
    ("roll", (M, -4), {}, np.roll(M, -4), "int32"),
    ("tile", (V, (2, 1, 2)), {}, np.tile(V, (2, 1, 2)), "int32"),
    ("repeat", (M, [2, 0, 1]), {"axis": 1}, np.repeat(M, [2, 0, 1], 1), "int32"),
    ("repeat", (M, 2), {}, np.repeat(M, 2), "int32"),
    ("split", (M, [1, 2]), {"axis": 1}, np.split(M, [1, 2], 1), "int32"),
    ("array_split", (np.arange(7, dtype=i32), 3), {}, np.array_split(np.arange(7), 3), "int32"),
    ("hstack", ([V, [True]],), {}, [4, 0, 7, 1], "int32"),
    ("vstack", ([V, [0.5, 1, 2]],), {}, [V, [0.5, 1, 2]], "float32"),
    ("dstack", ([V, V],), {}, np.dstack([V, V]), "int32"),
    ("append", (M, [[9, 9, 9]]), {"axis": 0}, np.append(M, [[9, 9, 9]], 0), "int32"),
    ("diag", (V, -2), {}, np.diag(V, -2), "int32"),
    ("diagonal", (CUBE, -1, 2, 1), {}, CUBE.diagonal(-1, 2, 1), "int32"),
    ("diagonal", (M, 5), {}, [], "int32"),
    ("tril", (M, -1), {}, np.tril(M, -1), "int32"),
    ("triu", (M, 1), {}, np.triu(M, 1), "int32"),
    ("vander", (V,), {"N": 4, "increasing": True}, np.vander(V, 4, True), "int32"),
    ("meshgrid", (V, np.array([1.5], f32)), {}, np.meshgrid(V, [1.5]), ""),
    ("unravel_index", (np.array([5, 3], i32), (2, 3)), {}, np.unravel_index([5, 3], (2, 3)), "int32"),
    # ---- creation
    ("linspace", (0, 10, 5), {"dtype": "int32"}, np.linspace(0, 10, 5, dtype=i32), "int32"),
    ("linspace", (np.array([0.0, 1.5], f32), 3), {"num": 3, "endpoint": False, "axis": -1},
     [[0, 1, 2], [1.5, 2, 2.5]], "float32"),
    ("linspace", (3.0, 5.0, 1), {}, [3.0], "float32"),
    ("linspace", (3.0, 5.0, 0), {}, [], "float32"),
    ("logspace", (0, 3, 4), {"base": 2}, [1, 2, 4, 8], "float32"),
    ("geomspace", (-1, -8, 4), {}, [-1, -2, -4, -8], "float32"),
    ("eye", (2, 3, 1), {"dtype": "bool"}, np.eye(2, 3, 1), "bool"),
    ("tri", (3, 2, -1), {}, np.tri(3, 2, -1), "float32"),
    ("full_like", (M, 2.5), {}, np.full_like(M, 2.5), "int32"),
    ("full", ((2,), 3), {}, [3, 3], "float32"),
    ("full", ((2,), True), {}, [1, 1], "float32"),
    ("full", ((2,), np.array([1, 2], i8)), {}, [1, 2], "float32"),
    ("array", ([[1, 2.5]],), {"dtype": "float16"}, [[1, 2.5]], "float16"),
    *((f.__name__, (n,), {}, f(n), "float32")
      for f in (np.bartlett, np.blackman, np.hamming, np.hanning) for n in (0, 1, 6)),
    ("kaiser", (7, 8.6), {}, np.kaiser(7, 8.6), "float32"),
    # ---- reductions
    ("mean", (M,), {"axis": 0}, M.mean(0), "float32"),
    ("std", (np.ones(3, f16),), {}, 0, "float16"),
    ("ptp", (np.array([3, 250], u8),), {}, 247, "uint8"),
    ("argmin", (np.array([-128, 127, -128], i8),), {}, 0, "int32"),
    ("argmin", (np.array([3.0, NAN, -INF], f32),), {}, 1, "int32"),
    ("argmin", (BITS,), {}, 1, "int32"),
    ("count_nonzero", (M,), {"axis": 1}, [3, 2], "int32"),
    ("average", (M,), {"axis": 1, "weights": np.array([1, 0, 3], i32)}, [2.25, 3.75], "float32"),
    ("nansum", (G,), {"axis": 1}, [5, 0], "float32"),
    ("nanprod", (M,), {}, 0, "int32"),
    ("nanmean", (G,), {"axis": 1}, [2.5, NAN], "float32"),
    ("nanvar", (G,), {"axis": 1, "keepdims": True}, [[0.25], [NAN]], "float32"),
    ("nanmax", (G,), {"axis": 1}, [3, NAN], "float32"),
    ("nanmin", (M,), {"axis": 0}, M.min(0), "int32"),
    ("nanargmax", (G,), {"axis": 1}, [0, -1], "int32"),
    ("nanargmin", (G,), {"axis": 1}, [2, -1], "int32"),
    ("nancumsum", (G,), {"axis": 1}, np.nancumsum(G, 1), "float32"),
    ("cumsum", (np.array([100, 100], i8),), {}, [100, -56], "int8"),
    ("cumsum", (np.array([100, 100], i8),), {"dtype": "int32"}, [100, 200], "int32"),
    ("cumprod", (np.array([100, 100], u8),), {}, [100, 16], "uint8"),
    ("cumsum", (BITS,), {}, np.cumsum(BITS), "int32"),
    ("einsum", ("i,i->", np.array([100, 100], i8), np.array([100, 100], i8)), {}, 20000, "int32"),
    ("dot", (np.array([100, 100], i8), np.array([100, 100], i8)), {}, 32, "int8"),
    ("round", (np.array([2.3496, -3.146], f16),), {"decimals": 1}, np.array([2.3, -3.1], f16), "float16"),
    ("saturate_cast", (np.array([-1e20, 1e20, NAN], f32), "int32"), {}, [-(2**31), 2**31 - 1, 0], "int32"),
    ("slice", (M, (0, 1), (-1, 2)), {}, M[:, 1:3], "int32"),
    ("slice", (M, np.array([1, 1], i32), (-1, -1)), {}, M[1:, 1:], "int32"),
    ("nancumprod", (G,), {"axis": 0}, np.nancumprod(G, 0), "float32"),
    # ---- order and statistics
    ("top_k", (M, 2), {}, [[[3, 2], [5, 0]], [[0, 2], [2, 0]]], ""),
    ("top_k", (np.array([0, 200, 7, 200], u8), 3), {}, [[200, 200, 7], [1, 3, 2]], ""),
    ("unique", (np.array([3, 1, 3, 2], i32), True, True, True, True), {},
     np.unique([3, 1, 3, 2], True, True, True), "int32"),
    ("unique", (np.array([[1, 2], [0, 5], [1, 2]], i32),), {"axis": 0, "return_counts": True},
     [[[0, 5], [1, 2]], [1, 2]], "int32"),
    ("unique", (np.array([3, 1, 3], i32),), {"size": 4, "fill_value": -1, "return_counts": True},
     [[1, 3, -1, -1], [1, 2, 0, 0]], "int32"),
    ("unique", (np.array([3, 1, 2, 1], i32),), {"size": 2, "return_index": True}, [[1, 2], [1, 2]], "int32"),
    ("unique", (np.array([NAN, 1, NAN], f32),), {}, [1, NAN, NAN], "float32"),
    ("quantile", (M, [0.25, 1.0]), {"axis": 1}, np.quantile(M, [0.25, 1.0], axis=1), "float32"),
    ("quantile", (np.array([1, NAN, 2], f32), 0.5), {"keepdims": True}, [NAN], "float32"),
    ("nanquantile", (G, [0.0, 0.5]), {"axis": 1}, [[2, NAN], [2.5, NAN]], "float32"),
    ("percentile", (np.arange(11), 90), {"method": "lower"}, 9, "float32"),
    ("percentile", (np.array([INF, INF], f32), 30), {}, INF, "float32"),
    ("median", (M,), {"axis": (0, 1), "keepdims": True}, [[1.5]], "float32"),
    ("nanmedian", (G,), {"axis": 0}, [3, NAN, 2], "float32"),
    ("digitize", (np.array([0.5, 1.0, 9], f32), [0.0, 1.0, 2.0]), {}, [1, 2, 3], "int32"),
    ("bincount", (np.array([1, 1, 3], i32),), {"minlength": 6}, [0, 2, 0, 1, 0, 0], "int32"),
    ("bincount", (np.array([[0, 2], [1, 1]], i32),), {"weights": np.array([[0.5, 1], [2, 3]], f32)},
     [[0.5, 0, 1], [0, 5, 0]], "float32"),
    ("histogram", (np.array([1, 2, 1, 9], i32),), {"bins": 4, "range": (0, 4)},
     np.histogram([1, 2, 1, 9], 4, (0, 4)), ""),
    ("histogram", (np.array([5.0, 5.0], f32), 2), {}, np.histogram([5.0, 5.0], 2), ""),
    ("histogram", (np.array([0, 1, 2, 3], f32), [0, 1, 3]), {}, np.histogram([0, 1, 2, 3], [0, 1, 3]), ""),
    ("corrcoef", (M,), {}, np.corrcoef(M), "float32"),
    ("corrcoef", (V,), {}, 1.0, "float32"),
    *(("correlate", (V, [1, 2]), {"mode": m},
     np.correlate(V, [1, 2], m), "float32") for m in ("valid", "same", "full")),
    *(("correlate", ([1, 2], V), {"mode": m},
     np.correlate([1, 2], V, m), "float32") for m in ("valid", "same", "full")),
    ("diff", (BITS,), {}, [True, True], "bool"),
    ("diff", (M, 2), {}, np.diff(M, 2), "int32"),
    ("trapezoid", (M, V), {}, np.trapezoid(M, V), "float32"),
    ("trapezoid", (M,), {"axis": 0, "dx": 2.0}, np.trapezoid(M, axis=0, dx=2.0), "float32"),
    # ---- reads and writes
    ("select", ([BITS, ~BITS], [V, 0.5]), {}, [4, 0.5, 7], "float32"),
    ("where", (BITS, V, 0.5), {}, [4, 0.5, 7], "float32"),
    ("where", (BITS,), {}, [[0, 2]], "int32"),
    ("scatter", ([[1], [1]], [2.0, 3.0], (3,)), {}, [0, 5, 0], "float32"),
    ("scatter_update", (V, [[2], [0]], [1, 2]), {"reduction": "max"}, [4, 0, 7], "int32"),
    ("slice_update", (M, (0, 1), [[9, 9]]), {}, [[3, 9, 9], [0, -1, 5]], "int32"),
    # ---- bits
    ("view", (np.array([1.0, -2.0], f32),), {"dtype": "int32"}, np.array([1.0, -2.0], f32).view(i32), "int32"),
    ("view", (np.array([[1.0, -2.0]], f32),), {"dtype": "uint8"}, np.array([[1.0, -2.0]], f32).view(u8), "uint8"),
    ("view", (np.arange(8, dtype=u8),), {"dtype": "float32"}, np.arange(8, dtype=u8).view(f32), "float32"),
    ("nextafter", ([1.0, -1.0, INF, NAN, 2.0], [2.0, 0.0, 0.0, 1.0, 2.0]), {},
     [1 + 2.0**-23, -1 + 2.0**-24, np.finfo(f32).max, NAN, 2], "float32"),
]


# fmt: on


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "expected", "dtype"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)]
)
def test_value_and_dtype(
    backend: Backend, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], expected: Any, dtype: str
) -> None:
    with np.errstate(all="ignore"):
        result = getattr(ops, name)(*args, **kwargs)
    assert_equal(backend, result, expected)
    if dtype:
        parts = result if isinstance(result, (list, tuple)) else [result]
        assert {backend.dtype(part) for part in parts} == {dtype}


def test_nextafter_is_exact(backend: Backend) -> None:
    for dtype in (f16, f32):
        x = np.array([1, -1, 1.5, -100, 0.1], dtype)
        for towards in (INF, -INF, 0.0):
            expected = np.nextafter(x, dtype(towards))
            np.testing.assert_array_equal(host(backend, ops.nextafter(x, dtype(towards))), expected)


# ---- NumPy's corners, drawn ------------------------------------------------------------------------------------------


KEYS = st.one_of(
    st.integers(-3, 2),
    st.none(),
    st.builds(slice, *[st.none() | st.integers(-4, 4)] * 2, st.sampled_from([None, 2, -1, -2])),
)


@drawn
@given(keys=st.lists(KEYS, max_size=3), dots=st.booleans())
def test_basic_items(backend: Backend, keys: list[Any], dots: bool) -> None:
    key = (*keys[:1], ..., *keys[1:]) if dots else tuple(keys)
    assert_equal(backend, ops.get_item(CUBE, key), CUBE[key])


@pytest.mark.parametrize(
    "key",
    [
        np.array([2, -1, 0]),
        (slice(None), np.array([[1], [-2]])),
        (np.array([0, 2]), np.array([1, -1])),
        (slice(1, None), np.array([0, 1]), np.array([[2], [4]])),
        (np.array([0, 1]), slice(None), np.array([3, -5])),
        (0, slice(None), np.array([3, -5])),
        (..., np.array([4])),
        (None, np.array([1]), 2),
    ],
    ids=str,
)
def test_items_at_arrays(backend: Backend, key: Any) -> None:
    assert_equal(backend, ops.get_item(CUBE, key), CUBE[key])


MODES = ("reflect", "symmetric", "wrap", "edge", "maximum", "minimum", "mean", "median", "linear_ramp")


@drawn
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    widths=st.tuples(*[st.tuples(st.integers(0, 7), st.integers(0, 7))] * 2),
    mode=st.sampled_from(MODES),
)
def test_padding(backend: Backend, shape: tuple[int, int], widths: Any, mode: str) -> None:
    x = np.arange(shape[0] * shape[1], dtype=f32).reshape(shape) ** 2 - 3
    assert_equal(backend, ops.pad(x, widths, mode), np.pad(x, widths, mode))  # type: ignore[call-overload]


@pytest.mark.parametrize("width", [2, (2,), (1, 2), ((1, 2),), ((1, 2), (0, 3)), np.array([[1, 2], [0, 3]])], ids=str)
def test_forms_of_pad_width(backend: Backend, width: Any) -> None:
    assert_equal(backend, ops.pad(M, width, constant_values=7), np.pad(M, width, constant_values=7))


@drawn
@given(
    q=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=3),
    axis=st.sampled_from([None, 0, -1, (0, 2)]),
    method=st.sampled_from(["linear", "lower", "higher", "midpoint", "nearest"]),
    keepdims=st.booleans(),
)
def test_quantiles(backend: Backend, q: list[float], axis: Any, method: Any, keepdims: bool) -> None:
    x = np.random.default_rng(0).permutation(60).reshape(3, 4, 5).astype(f32)
    expected = np.quantile(x.astype(float), q, axis=axis, method=method, keepdims=keepdims)
    assert_equal(backend, ops.quantile(x, q, axis, method, keepdims), expected, 1e-5)
