"""Cases of activations."""

from __future__ import annotations

from typing import Any

from contract.cases.elementwise import unary
from contract.table import FINITE, HARD, INF, NAN, A, Case, I, N, U, case

SUM: dict[str, Any] = {"atol": 1e-6, "why": "sums cancel"}

FLUSHED: dict[str, Any] = {"atol": 1e-36, "why": "a factor below the normal numbers is flushed to 0 by TensorFlow"}


def kinked(op: str, *corners: float, **options: Any) -> list[Case]:
    """Return the cases of an activation with corners, those included."""
    return [
        case(op, U(-4, 4, 3, 4), **options),
        case(op, A(corners or [0.0]), note="corners", **options),
        case(op, HARD, note="hard", fd=False, **options),
        case(op, A([NAN]), note="nan", fd=False, **options),
    ]


CASES = (
    *kinked("relu"),
    case("relu", I(-1, 2), grad=False),
    *kinked("relu6", 0.0, 6.0),
    *kinked("leaky_relu"),
    case("leaky_relu", N(4), 0.01),
    *kinked("hard_sigmoid", -3.0, 3.0),
    *kinked("hard_silu", -3.0, 3.0),
    *kinked("hard_swish", -3.0, 3.0),
    *kinked("hard_tanh", -1.0, 1.0),
    *kinked("sparse_sigmoid", -1.0, 1.0),
    *kinked("hard_shrink", -0.5, 0.5),
    *kinked("soft_shrink", -0.5, 0.5),
    case("hard_shrink", N(4), 1.0),
    case("soft_shrink", N(4), 1.0),
    case("threshold", N(4), 0.1, -7.0),
    case("threshold", HARD, 0.5, 0.25, fd=False),
    *unary("elu", N(3, 4)),
    case("elu", N(4), alpha=0.5),
    case("elu", A([-1e-6, 1e-6])),
    *unary("selu", N(3, 4), **FLUSHED),
    *unary("celu", N(3, 4)),
    case("celu", N(4), 2.0),
    *unary("gelu", N(3, 4), **SUM),
    case("gelu", N(3, 4), False, second=True, **SUM),
    case("gelu", HARD, False, fd=False, **SUM),
    *unary("silu", N(3, 4), **FLUSHED),
    *unary("swish", N(3, 4), **FLUSHED),
    *unary("softsign", N(3, 4), rtol=2e-3, why="the slope cancels at 1e4"),
    *unary("log_sigmoid", N(3, 4)),
    *unary("tanh_shrink", N(3, 4), **SUM),
    *kinked("sparse_plus", -1.0, 1.0),
    *unary("squareplus", N(3, 4), rtol=1e-4, atol=1e-6, why="x + sqrt(x^2 + b) cancels for x < 0"),
    case("squareplus", N(4), 1, **SUM),
    case("glu", N(2, 4), **SUM),
    case("glu", N(4, 3), 0, **SUM),
    case("softmax", N(3, 4), second=True, **SUM),
    case("softmax", N(3, 4), 0, **SUM),
    case("softmax", N(2, 3, 4), (0, 2), **SUM),
    case("softmax", N(2, 3, 4), -1, **SUM),
    case("softmax", N(2, 1, 2, 1, 2, 3), **SUM),
    case("softmax", N(0, 3), fd=False),
    case("softmax", FINITE, **SUM),
    case("softmax", A([[0.0, -INF], [1e4, -1e4]]), fd=False),
    case("log_softmax", N(3, 4), second=True, **SUM),
    case("log_softmax", N(3, 4), 0, **SUM),
    case("log_softmax", N(2, 3, 4), (0, 2), **SUM),
    case("log_softmax", FINITE, **SUM),
    case("sparsemax", N(3, 4), **SUM),
    case("sparsemax", N(4, 3), 0, **SUM),
)
