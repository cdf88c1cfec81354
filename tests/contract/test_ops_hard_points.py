"""Ops where gradients are easily wrong, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polykeras import ops
from polykeras.backend import Backend

i8, u8, i32, f16, f32 = np.int8, np.uint8, np.int32, np.float16, np.float32
INF, NAN = np.inf, np.nan


def host(backend: Backend, result: Any) -> Any:
    if isinstance(result, (list, tuple)):
        return [host(backend, part) for part in result]
    return backend.to_numpy(result)


M = np.array([[3, 1, 2], [0, -1, 5]], i32)
V = np.array([4, 0, 7], i32)
CUBE = np.arange(60, dtype=i32).reshape(3, 4, 5)
BITS = np.array([True, False, True])


# ---- gradients at hard points ----------------------------------------------------------------------------------------


SLOPES: list[tuple[str, Callable[[Any], Any], list[float], list[float]]] = [
    ("std of equal numbers", lambda x: ops.std(x), [2.0, 2.0], [0.0, 0.0]),
    ("hypot at the origin", lambda x: ops.hypot(x[0], x[1]), [0.0, 0.0], [0.0, 0.0]),
    ("sinc", lambda x: ops.sinc(x), [0.0, 1e-4], [0.0, -(np.pi**2) / 3 * 1e-4]),
    ("arcsinh at 0", lambda x: ops.arcsinh(x), [0.0], [1.0]),
    ("arcsin at 1", lambda x: ops.arcsin(x), [1.0, -1.0], [INF, INF]),
    ("arccos at 1", lambda x: ops.arccos(x), [1.0, -1.0], [-INF, -INF]),
    ("cbrt at 0", lambda x: ops.cbrt(x), [0.0, 8.0], [INF, 1 / 12]),
    ("clip on its bounds", lambda x: ops.clip(x, 0.0, 1.0), [0.0, 1.0, 2.0, -1.0], [1.0, 1.0, 0.0, 0.0]),
    ("divide_no_nan by 0", lambda x: ops.divide_no_nan(1.0, x), [0.0, 2.0], [0.0, -0.25]),
    ("logsumexp of -inf", lambda x: ops.logsumexp(x), [-INF, -INF], [0.0, 0.0]),
    ("logaddexp of infinities", lambda x: ops.logaddexp(x[0], x[1]), [INF, INF], [0.5, 0.5]),
    ("nanmean", lambda x: ops.nanmean(x), [1.0, NAN, 2.0], [0.5, 0.0, 0.5]),
    ("nanstd of one number", lambda x: ops.nanstd(x), [1.0, NAN], [0.0, 0.0]),
    ("fmax beside nan", lambda x: ops.fmax(x[0], x[1]), [NAN, 2.0], [0.0, 1.0]),
    ("mod", lambda x: ops.mod(x, 3.0), [7.0, 0.0, -1.0], [1.0, 1.0, 1.0]),
    ("mod, divisor", lambda x: ops.mod(7.0, x), [3.0], [-2.0]),
    ("floor", lambda x: ops.floor(x), [1.5], [0.0]),
    ("median", lambda x: ops.median(x), [3.0, 1.0, 2.0, 9.0], [0.5, 0.0, 0.5, 0.0]),
    ("top_k", lambda x: ops.top_k(x, 1)[0], [3.0, 1.0, 9.0], [0.0, 0.0, 1.0]),
    ("vander at 0", lambda x: ops.vander(x, 3), [0.0], [1.0]),
    ("linspace", lambda x: ops.linspace(x[0], x[1], 3), [0.0, 1.0], [1.5, 1.5]),
    ("pad", lambda x: ops.pad(x, 1, "reflect"), [1.0, 2.0], [2.0, 2.0]),
]


@pytest.mark.parametrize(("function", "x", "slope"), [s[1:] for s in SLOPES], ids=[s[0] for s in SLOPES])
def test_gradient(backend: Backend, function: Callable[[Any], Any], x: list[float], slope: list[float]) -> None:
    array = backend.asarray(np.array(x, f32))
    with np.errstate(all="ignore"):
        gradients = backend.value_and_grad(lambda xs: (backend.sum(function(xs[0])), None), [array])[2]
    np.testing.assert_allclose(host(backend, gradients[0]), slope, rtol=1e-5)


# ---- errors ----------------------------------------------------------------------------------------------------------


ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: ops.split(M, 2, axis=1), ValueError, r"\(2, 3\) does not divide into 2"),
    (lambda: ops.moveaxis(M, (0, 1), 0), ValueError, "different axes"),
    (lambda: ops.rot90(M, 1, (0, 0)), ValueError, "different axes"),
    (lambda: ops.diag(CUBE), ValueError, "vector or a matrix"),
    (lambda: ops.tril(V), ValueError, "expected matrices"),
    (lambda: ops.pad(M, 1, "mirror"), ValueError, "mode"),
    (lambda: ops.pad(M, 1, "edge", constant_values=1), ValueError, "constant_values"),
    (lambda: ops.pad(M, ((1, 1),) * 3), ValueError, "2 axes"),
    (lambda: ops.get_item(M, (0, 0, 0)), IndexError, "Too many"),
    (lambda: ops.top_k(V, 4), ValueError, "k"),
    (lambda: ops.quantile(M, 0.5, method="cubic"), ValueError, "linear, lower"),
    (lambda: ops.bincount(V, sparse=True), ValueError, "sparse"),
    (lambda: ops.correlate(M, V), ValueError, "two vectors"),
    (lambda: ops.ldexp(V, 0.5), TypeError, "integer x2"),
    (lambda: ops.gcd(V, 0.5), TypeError, "expected integers"),
    (lambda: ops.view(V, "bool"), TypeError, "integers or floats"),
    (lambda: ops.view(V[:1], "int64"), ValueError, "does not fit"),
    (lambda: ops.average(M, weights=V), ValueError, "one axis"),
    (lambda: ops.select([BITS], [V, V]), ValueError, "as many"),
    (lambda: ops.where(BITS, V), ValueError, "both"),
    (lambda: ops.repeat(V, [1, 2]), ValueError, "3 counts"),
    (lambda: ops.roll(M, (1, 2), (0, 1, 0)), ValueError, "as many shifts"),
    (lambda: ops.meshgrid(V, indexing="yx"), ValueError, "indexing"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_errors(backend: Backend, call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_what_needs_a_size_says_so_when_compiled(backend: Backend) -> None:
    if not backend.execution.compiles:
        assert host(backend, backend.compile(ops.unique)(backend.asarray(V))).shape == (3,)
        return
    for function, message in ((ops.unique, "size"), (ops.bincount, "minlength")):
        with pytest.raises(TypeError, match=message):
            backend.compile(function)(backend.asarray(V))
    result = backend.compile(lambda x: ops.bincount(x, minlength=5))(backend.asarray(V))
    np.testing.assert_array_equal(host(backend, result), [1, 0, 0, 0, 1])
