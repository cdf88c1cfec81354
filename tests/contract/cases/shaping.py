"""Cases of reordering, joining, splitting, padding and slicing."""

from __future__ import annotations

from contract.table import A, B, C, I, N, case

CASES = (
    case("reshape", N(2, 6), (3, 4)),
    case("reshape", N(2, 6), (-1, 3)),
    case("reshape", N(2, 3), -1),
    case("reshape", A(1.0), (1, 1)),
    case("reshape", A([[]]), (0, 5), grad=False),
    case("reshape", I(1, 2), (2, 1), grad=False),
    case("transpose", N(2, 3, 4)),
    case("transpose", N(2, 3, 4), (1, 0, 2)),
    case("transpose", N(2, 3, 4), (-1, 0, 1)),
    case("transpose", A(1.0)),
    case("broadcast_to", N(3, 1), (2, 3, 4), atol=1e-6, why="gradient sums over broadcast axes"),
    case("broadcast_to", A(1.0), (2,), atol=1e-6, why="gradient sums over broadcast axes"),
    case("broadcast_to", B(True), (2, 1), grad=False),
    case("concatenate", [N(2, 3), N(1, 3)]),
    case("concatenate", [N(2, 3), N(2, 1), N(2, 0)], -1),
    case("concatenate", [I(1, 2), A([0.5])]),
    case("concatenate", [I(1, 2), I(3, dtype="int8").reshape(1)], grad=False),
    case("constant_pad", N(2, 3), [(1, 0), (0, 2)]),
    case("constant_pad", N(2, 3), [(0, 0), (1, 1)], 7.0),
    case("constant_pad", I(1, 2), [(1, 1)], -1, grad=False),
    case("constant_pad", A([[]]), [(1, 0), (2, 0)], grad=False),
    case("flip", N(2, 3, 4)),
    case("flip", N(2, 3, 4), -1),
    case("flip", N(2, 3, 4), (0, 2)),
    case("flip", C(3), grad=False),
    case("strided_slice", N(5, 6), (0, 1), (5, 6), (1, 1)),
    case("strided_slice", N(5, 6), (1, 0), (4, 6), (2, 3)),
    case("strided_slice", N(5, 6), (2, 2), (2, 4), (1, 1), grad=False),
    case("strided_slice", I(1, 2, 3), (1,), (3,), (1,), grad=False),
    case("expand_dims", N(2, 3), 1),
    case("expand_dims", N(2, 3), (0, -1)),
    case("squeeze", N(1, 3, 1)),
    case("squeeze", N(1, 3, 1), -1),
    case("squeeze", N(1, 3, 1), (0, 2)),
    case("stack", [N(2, 3), N(2, 3)]),
    case("stack", [N(2, 3), N(2, 3)], -1),
)
