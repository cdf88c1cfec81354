"""Cases of reductions and scans."""

from __future__ import annotations

from contract.table import INF, NAN, A, B, C, Case, I, N, S, U, case

SUM = {"atol": 1e-6, "why": "sums cancel"}


def axes(op: str, x: object, **options: object) -> list[Case]:
    """Return the cases of a reduction over each kind of axis."""
    return [
        case(op, x, **options),
        case(op, x, 0, **options),
        case(op, x, -1, True, **options),
        case(op, x, (0, 2), **options),
        case(op, x, (1, -1), keepdims=True, **options),
    ]


CASES = (
    *axes("sum", N(2, 3, 4), **SUM),
    case("sum", N(2, 3), ()),
    case("sum", A([[]]), 0, grad=False),
    case("sum", A([[]]), 1, grad=False),
    case("sum", A(2.0)),
    case("sum", A([INF, 1.0]), fd=False),
    case("sum", A([INF, -INF]), fd=False),
    case("sum", I(2**30, 2**30, dtype="int32"), grad=False),
    case("sum", I(200, 100, dtype="uint8"), grad=False),
    case("sum", I(100, 100, dtype="int8"), grad=False),
    case("sum", B(True, True, False), grad=False),
    case("sum", C(3, 2), 0, grad=False),
    *axes("prod", U(0.5, 1.5, 2, 3, 4)),
    case("prod", A([[2.0, 0.0, 3.0], [0.0, 0.0, 5.0], [1.0, 2.0, -3.0]]), 1, second=True),
    case("prod", A([[]]), 1, grad=False),
    case("prod", I(3, 100, dtype="int8"), grad=False),
    case("prod", I(3, 100), dtype="float32", grad=False),
    case("prod", B(True, False), grad=False),
    *axes("max", S(2, 3, 4)),
    case("max", A([[1.0, 1.0, 0.0], [2.0, 2.0, 2.0]]), 1),
    case("max", A([[1.0, NAN], [2.0, 3.0]]), 1, grad=False),
    case("max", A([-INF, -INF]), fd=False),
    case("max", A([[]]), 1, initial=-3.0, grad=False),
    case("max", S(2, 3), 0, initial=0.0),
    case("max", I(3, -7), grad=False),
    case("max", B(True, False), grad=False),
    *axes("min", S(2, 3, 4)),
    case("min", A([[1.0, 1.0, 3.0], [2.0, 2.0, 2.0]]), 1),
    case("min", A([[1.0, NAN], [2.0, 3.0]]), 1, grad=False),
    case("min", A([[]]), 1, initial=3.0, grad=False),
    case("min", I(3, -7), grad=False),
    case("min", B(True, False), grad=False),
    case("any", B([[True, False], [False, False]]), 1, grad=False),
    case("any", A([[0.0, NAN], [0.0, -0.0]]), 1, True, grad=False),
    case("any", I([[0, 3], [0, 0]]), grad=False),
    case("any", A([[]]), 1, grad=False),
    case("all", B([[True, False], [True, True]]), 1, grad=False),
    case("all", A([[1.0, NAN], [1.0, -0.0]]), (0, 1), grad=False),
    case("all", A([[]]), 1, grad=False),
    case("argmax", N(2, 3, 4), grad=False),
    case("argmax", N(2, 3, 4), 1, grad=False),
    case("argmax", N(2, 3, 4), -1, True, grad=False),
    case("argmax", A([1.0, 3.0, 3.0]), grad=False),
    case("argmax", A([[1.0, NAN, 3.0], [INF, 0.0, NAN]]), 1, grad=False),
    case("argmax", A([[1.0, NAN, 3.0]]), keepdims=True, grad=False),
    case("argmax", I(3, 9, 9), grad=False),
    case("argmax", B(False, True), grad=False),
    case("cumsum", N(2, 3), **SUM),
    case("cumsum", N(2, 3), 1, **SUM),
    case("cumsum", N(2, 3), -2, **SUM),
    case("cumsum", I(100, 100, dtype="int8"), grad=False),
    case("cumsum", I(100, 100), dtype="float32", grad=False),
    case("cumsum", B(True, True), grad=False),
    case("cumsum", A([1.0, INF, -INF, 1.0]), grad=False),
    case("cumprod", U(0.5, 1.5, 2, 3), atol=1e-6, why="gradient sums"),
    case("cumprod", U(0.5, 1.5, 2, 3), -1, atol=1e-6, why="gradient sums"),
    case("cumprod", A([[2.0, 0.0, 3.0], [0.0, 0.0, 5.0]]), 1, atol=1e-6, why="gradient sums"),
    case("cumprod", I(100, 100, dtype="int8"), grad=False),
)
