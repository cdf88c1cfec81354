"""Cases of random numbers: the same bits everywhere, so the tolerance is nothing."""

from __future__ import annotations

from contract.table import A, I, N, case

KEY = I(20, -7)

EXACT = {"grad": False, "rtol": 0.0, "atol": 0.0, "why": "exact"}
CLOSE = {"grad": False, "rtol": 1e-4, "atol": 1e-5, "why": "functions of exact words, which float32 rounds"}

CASES = (
    case("random_bits", KEY, (3, 4), grad=False),
    case("random_bits", KEY, (), grad=False),
    case("random_bits", KEY, (0, 2), grad=False),
    case("random_fold", KEY, 5, grad=False),
    case("random_fold", KEY, I(5), grad=False),
    case("random_fold", KEY, 2**32 - 1, grad=False),
    case("random_keep", KEY, (3, 4), 0.3, grad=False),
    case("random_keep", KEY, (20,), 0.0, grad=False),
    case("random_keep", KEY, (20,), 1.0, grad=False),
    case("random_uniform", KEY, (3, 4), "float32", **EXACT),
    case("random_uniform", KEY, (5,), "float16", **EXACT),
    case("random_uniform", KEY, (5,), "bfloat16", **EXACT),
    case("random_integers", KEY, (20,), 3, 8, grad=False),
    case("random_integers", KEY, (20,), -(2**31), 2**31 - 1, grad=False),
    case("random_permutation", KEY, 9, grad=False),
    case("random_shuffle", N(5, 2), KEY, grad=False),
    case("random_shuffle", N(2, 5), KEY, 1, grad=False),
    case("random_dropout", N(4, 3), KEY, 0.4),
    case("random_dropout", N(4, 3), KEY, 0.4, (4, 1)),
    case("random_normal", KEY, (30,), "float32", **CLOSE),
    case("random_normal", KEY, (5,), "bfloat16", grad=False),
    case("random_truncated_normal", KEY, (30,), "float32", **CLOSE),
    case("random_categorical", N(2, 4), KEY, 5, grad=False),
    case("random_gamma", A([0.3, 1.0, 7.0]).astype("float32"), KEY, (10, 3), **CLOSE),
    case("random_beta", A([0.3, 2.0]).astype("float32"), A([1.0, 3.0]).astype("float32"), KEY, (10, 2), **CLOSE),
    case("random_binomial", A([5.0, 100.0]).astype("float32"), A([0.3, 0.6]).astype("float32"), KEY, (10, 2), **EXACT),
)
