"""Edges of casts, places and slices; and calls of ops that take functions, each a function of a library's ops and arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from contract.table import INF, NAN, A, B, Case, I
from differential.ops_cases import ops
from polykeras import dtypes

X = A([[1.0, -2.0, 0.5], [3.0, 0.0, -1.5]])
V = A([3.0, 1.0, 2.0])
ODD = A([0.0, -0.0, 0.5, -1.5, 2.5, 255.0, 1e4, -1e4])
WIDE = A([NAN, INF, -INF, 1e10, -1e10])
EMPTY = A(np.zeros((0, 3)))
Line = tuple[Any, ...]
"""A function of a library's ops and arrays, and the arrays."""

EDGES: list[Case] = ops(
    *[("cast", ODD, dtype) for dtype in ("float16", "bfloat16", "int32", "bool")],
    *[("cast", I(0, 1, 300, -1), dtype) for dtype in ("int8", "uint8", "int16", "uint16", "float16", "bool")],
    *[("cast", B(True, False), dtype) for dtype in ("float16", "int8", "bool")],
    ("cast", EMPTY, "int32"), ("cast", WIDE, "bool"), ("cast", WIDE, "float16"), ("cast", WIDE, "bfloat16"), ("cast", A(2.5), "int32"),
    *[("saturate_cast", ODD, dtype) for dtype in ("float16", "int8", "uint8", "int16", "uint16", "int32", "bool")],
    *[("saturate_cast", I(0, 200, 70000, -70000), dtype) for dtype in ("int8", "uint8", "int16", "uint16", "float32")],
    *[("saturate_cast", A([INF, -INF, 1e6, -1e6]), dtype) for dtype in ("int8", "uint8", "int16", "float16", "bfloat16")],
    ("saturate_cast", EMPTY, "uint8"),
    ("scatter", I([[0, 1], [1, 2], [0, 1]]), A([1.0, 2.0, 3.0]), (2, 3)), ("scatter", I([[1], [0]]), X, (3, 3)),
    ("scatter", np.zeros((0, 1), "int32"), A([]), (3,)), ("scatter", I([[2]]), I(7, dtype="int8").reshape(1), (4,)),
    *[("scatter_update", X, I([[0, 1], [1, 2], [0, 1]]), A([5.0, -1.0, 4.0]), r) for r in ("add", "max", "min", "mul")],
    ("scatter_update", X, I([[1], [0]]), A([[9.0, 8.0, 7.0], [6.0, 5.0, 4.0]])), ("scatter_update", X, np.zeros((0, 2), "int32"), A([])),
    ("scatter_update", I(1, 2, 3), I([[0], [2]]), I(7, 9)), ("scatter_update", X, I([[0, -1]]), A([5.0])),
    ("slice", X, (0, 0), (2, 3)), ("slice", X, (1, 2), (1, 1)), ("slice", X, (0, 1), (2, 0)), ("slice", X, I(1, 1), (1, 2)), ("slice", I(1, 2, 3), (1,), (2,)),
    ("slice_update", X, (0, 1), A([[9.0, 8.0]])), ("slice_update", X, (1, 0), A([[7.0, 7.0, 7.0]])), ("slice_update", I(1, 2, 3), I([1]), I(9, 9)),
    ("shape", EMPTY), ("shape", A(1.0)), ("unstack", X), ("unstack", X, {"num": 3, "axis": -1}), ("unstack", A([[]]), {"axis": 0}),
    ("stop_gradient", X), ("stop_gradient", I(1, 2)), ("convert_to_numpy", X), ("convert_to_numpy", B(True)),
    note="edge",
)  # fmt: skip

ALONE = {"dtype", "is_tensor", "custom_gradient", "rearrange", "bartlett", "blackman", "hamming", "hanning", "kaiser"}
"""Ops that give no arrays of a framework, or whose arguments must be known numbers: no part of a compiled program."""


def _dtype(dtype: str) -> Line:
    x = np.zeros(2, dtypes.numpy_dtype(dtype))
    return lambda ops, x: [str(ops.dtype(x)) == other for other in dtypes.ALL], x


def _twice(ops: Any) -> Callable[[Any], Any]:
    @ops.custom_gradient
    def function(x: Any) -> Any:
        return 2 * x, lambda *args, upstream=None: args[0]

    return function


PROGRAMS: dict[str, list[Line]] = {
    "dtype": [_dtype(dtype) for dtype in ("float32", "float16", "bfloat16", "int8", "uint8", "int32", "bool", "complex64")],
    "is_tensor": [
        (lambda ops, x: ops.is_tensor(x), X),
        (lambda ops: [ops.is_tensor(x) for x in (1.0, [1.0], None, "x")],),
    ],
    "convert_to_tensor": [
        (lambda ops, x: ops.convert_to_tensor(x), X),
        (lambda ops, x: ops.convert_to_tensor(x, "int32"), X),
        (lambda ops, x: ops.convert_to_tensor(x, "float16"), I(1, 2)),
        (lambda ops, x: ops.convert_to_tensor(x, dtype="bool"), X),
        *[(lambda ops, v=v: ops.convert_to_tensor(v),) for v in (2, 2.5, True, [1, 2], [1, 2.5], [True, False], [[]], (1, 0), [[1], [2]])],
        *[(lambda ops, v=v: ops.convert_to_tensor(v, "int8"),) for v in (2, 2.5, True, [1, 2.5])],
        (lambda ops, x: ops.convert_to_tensor([x, x]), A(1.5)),
    ],
    "cond": [
        (lambda ops, p, x: ops.cond(p, lambda: x + 1, lambda: x - 1), B(True), X),
        (lambda ops, p, x: ops.cond(p, lambda: x + 1, lambda: x - 1), B(False), X),
        (lambda ops, x: ops.cond(ops.sum(x) > 0, lambda: (x, ops.sum(x)), lambda: (-x, ops.max(x))), X),
        (lambda ops, x: ops.cond(ops.any(x > 9), lambda: {"a": x}, lambda: {"a": 2 * x}), X),
    ],
    "switch": [
        *[
            (lambda ops, i, x: ops.switch(i, [lambda x: x, lambda x: -x, lambda x: x * x], x), I(i), X)
            for i in (0, 1, 2, 5, -1)
        ],
        (lambda ops, i, x, y: ops.switch(i, [lambda x, y: (x, y), lambda x, y: (y, x)], x, y), I(1), V, V[::-1].copy()),
    ],
    "while_loop": [
        (lambda ops, i: ops.while_loop(lambda i: i < 10, lambda i: i + 3, i), I(0)),
        (lambda ops, i, x: ops.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (i, x)), I(0), X),
        (lambda ops, i, x: ops.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (i, x)), I(5), X),
        (lambda ops, i: ops.while_loop(lambda i: i < 100, lambda i: i + 1, i, maximum_iterations=4), I(0)),
        (lambda ops, i: ops.while_loop(lambda i: i < 100, lambda i: i + 1, i, maximum_iterations=0), I(0)),
    ],
    "fori_loop": [
        (lambda ops, x: ops.fori_loop(0, 4, lambda i, x: x * 2, x), X),
        (lambda ops, x: ops.fori_loop(3, 3, lambda i, x: x * 2, x), X),
        (lambda ops, x: ops.fori_loop(-2, 3, lambda i, x: x + ops.cast(i, "float32"), x), X),
    ],
    "scan": [
        (lambda ops, c, x: ops.scan(lambda c, x: (c + x, c * x), c, x), A(0.5), V),
        (lambda ops, c, x: ops.scan(lambda c, x: (c + x, c * x), c, x, reverse=True), A(0.5), V),
        (lambda ops, c: ops.scan(lambda c, _: (c * 2, c), c, length=4), A(0.5)),
        (lambda ops, c, x: ops.scan(lambda c, x: (c + x["a"], x["a"] - x["b"]), c, {"a": x, "b": 2 * x}), V, X),
        (lambda ops, c, x: ops.scan(lambda c, x: ((c[0] + x, c[1] + 1), c[0]), (c, c), x, unroll=2), A(0.5), V),
        (lambda ops, c, x: ops.scan(lambda c, x: (c + x, c), c, x), V, EMPTY),
    ],
    "associative_scan": [
        (lambda ops, x: ops.associative_scan(lambda a, b: a + b, x), V),
        (lambda ops, x: ops.associative_scan(lambda a, b: a * b, x, reverse=True), X),
        (lambda ops, x: ops.associative_scan(lambda a, b: ops.maximum(a, b), x, axis=1), X),
        (lambda ops, x: ops.associative_scan(lambda a, b: (a[0] + b[0], a[1] * b[1]), (x, x), axis=-1), X),
        (lambda ops, x: ops.associative_scan(lambda a, b: a + b, x), A([2.0])),
    ],
    "map": [
        (lambda ops, x: ops.map(lambda row: ops.sum(row), x), X),
        (lambda ops, x: ops.map(lambda row: (row, 2 * row), x), X),
        (lambda ops, x: ops.map(lambda pair: pair["a"] - pair["b"], {"a": x, "b": x * x}), X),
        (lambda ops, x: ops.map(lambda n: n * 2, x), I(1, 2)),
    ],
    "vectorized_map": [
        (lambda ops, x: ops.vectorized_map(lambda row: ops.sum(row), x), X),
        (lambda ops, x: ops.vectorized_map(lambda row: (ops.max(row), ops.flip(row)), x), X),
        (lambda ops, x: ops.vectorized_map(lambda pair: pair[0] * pair[1], (x, x + 1)), X),
    ],
    "vectorize": [
        (lambda ops, x: ops.vectorize(lambda a: a * a)(x), X),
        (lambda ops, x, y: ops.vectorize(lambda a, b: a + b)(x, y), X, V),
        (lambda ops, x, y: ops.vectorize(lambda a, b: ops.sum(a * b), signature="(n),(n)->()")(x, y), X, V),
        (lambda ops, x, y: ops.vectorize(lambda a, b: a * b, excluded={1})(x, 3.0), X, V),
    ],
    "custom_gradient": [(lambda ops, x: _twice(ops)(x), X)],
    "jvp": [
        (lambda ops, x, t: ops.jvp(lambda x: x * x, (x,), (t,)), V, V[::-1].copy()),
        (lambda ops, x, t: ops.jvp(lambda x, y: ops.sum(x * ops.sin(y)), (x, x), (t, 2 * t)), V, V[::-1].copy()),
        (lambda ops, x, t: ops.jvp(lambda x: (ops.sum(x), x), (x,), (t,), has_aux=True), V, V[::-1].copy()),
    ],
}  # fmt: skip
