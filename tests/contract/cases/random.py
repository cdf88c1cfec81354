"""Cases of random numbers: the same bits everywhere, so the tolerance is nothing."""

from __future__ import annotations

from contract.table import I, case

KEY = I(20, -7)

CASES = (
    case("random_bits", KEY, (3, 4), grad=False),
    case("random_bits", KEY, (), grad=False),
    case("random_bits", KEY, (0, 2), grad=False),
    case("random_fold", KEY, 5, grad=False),
    case("random_fold", KEY, I(5), grad=False),
    case("random_uniform", KEY, (3, 4), "float32", grad=False, rtol=0.0, atol=0.0, why="exact"),
    case("random_uniform", KEY, (5,), "float16", grad=False, rtol=0.0, atol=0.0, why="exact"),
    case("random_uniform", KEY, (5,), "bfloat16", grad=False, rtol=0.0, atol=0.0, why="exact"),
)
