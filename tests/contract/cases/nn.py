"""Cases of convolution, pooling and the functions of neural networks."""

from __future__ import annotations

from typing import Any

from contract.table import INF, A, I, N, S, case

SUM: dict[str, Any] = {"atol": 5e-6, "why": "sums cancel"}
NONE_1, NONE_2, NONE_3 = ((0, 0),), ((0, 0), (0, 0)), ((0, 0), (0, 0), (0, 0))

CASES = (
    case("conv_nd", N(2, 6, 3), N(3, 3, 4), (1,), NONE_1, (1,), **SUM),
    case("conv_nd", N(2, 7, 2), N(3, 2, 2), (2,), ((2, 1),), (1,), **SUM),
    case("conv_nd", N(1, 9, 2), N(3, 2, 2), (1,), ((1, 1),), (2,), **SUM),
    case("conv_nd", N(1, 5, 5, 2), N(3, 3, 2, 2), (1, 1), NONE_2, (1, 1), second=True, **SUM),
    case("conv_nd", N(2, 6, 5, 2), N(3, 2, 2, 3), (2, 1), ((1, 1), (0, 1)), (1, 1), **SUM),
    case("conv_nd", N(1, 7, 7, 1), N(3, 2, 1, 2), (2, 2), ((1, 2), (2, 2)), (2, 1), **SUM),
    case("conv_nd", N(1, 4, 4, 4), N(2, 2, 2, 6), (1, 1), NONE_2, (1, 1), groups=2, **SUM),
    case("conv_nd", N(1, 4, 4, 3), N(2, 2, 1, 6), (1, 1), ((1, 0), (0, 1)), (1, 1), groups=3, **SUM),
    case("conv_nd", N(1, 4, 3, 4, 2), N(2, 2, 2, 2, 2), (1, 1, 2), ((0, 1), (0, 0), (1, 1)), (1, 1, 1), **SUM),
    case("conv_nd", N(2, 5, 5, 3), N(1, 1, 3, 2), (1, 1), NONE_2, (1, 1), note="pointwise", **SUM),
    case("conv_transpose_nd", N(2, 4, 3), N(3, 2, 3), (1,), NONE_1, (1,), **SUM),
    case("conv_transpose_nd", N(1, 4, 2), N(3, 2, 2), (2,), ((1, 0),), (1,), **SUM),
    case("conv_transpose_nd", N(1, 4, 2), N(3, 2, 2), (3,), ((-1, -2),), (1,), note="negative padding", **SUM),
    case("conv_transpose_nd", N(1, 3, 4, 2), N(3, 2, 3, 2), (2, 1), ((1, 1), (0, 0)), (1, 2), **SUM),
    case("conv_transpose_nd", N(1, 2, 3, 2, 2), N(2, 2, 2, 2, 2), (2, 1, 2), NONE_3, (1, 1, 1), **SUM),
    case("max_pool_nd", S(2, 6, 3), (2,), (2,), NONE_1),
    case("max_pool_nd", S(1, 5, 5, 2), (3, 2), (2, 1), ((1, 1), (0, 1))),
    case("max_pool_nd", S(1, 4, 4, 1), (2, 2), (1, 1), NONE_2),
    case("max_pool_nd", A([[[-3.0], [-1.0], [-2.0]]]), (2,), (1,), ((1, 1),), note="padding never wins"),
    case("max_pool_nd", A([[[1.0], [1.0], [0.0], [0.0]]]), (2,), (2,), NONE_1, note="first of equals"),
    case("max_pool_nd", A([[[[1.0], [1.0]], [[1.0], [1.0]]]]), (2, 2), (2, 2), NONE_2, note="first of equals"),
    case("max_pool_nd", A([[[-INF], [-INF], [1.0]]]), (2,), (1,), NONE_1, fd=False),
    case("max_pool_nd", S(1, 4, 3, 4, 2), (2, 2, 2), (2, 1, 2), NONE_3),
    case("max_pool_nd", I([[[1], [3], [2]]]), (2,), (1,), NONE_1, grad=False),
    case("average_pool_nd", N(2, 6, 3), (2,), (2,), NONE_1, **SUM),
    case("average_pool_nd", N(1, 5, 5, 2), (3, 2), (2, 1), ((1, 1), (0, 1)), **SUM),
    case("average_pool_nd", N(1, 4, 4, 2), (2, 2), (2, 2), NONE_2, **SUM),
    case("average_pool_nd", N(1, 4, 3, 4, 2), (2, 2, 2), (2, 1, 2), ((1, 0), (0, 1), (0, 0)), **SUM),
)
