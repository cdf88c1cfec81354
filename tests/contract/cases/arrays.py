"""Cases of creation, dtypes and what is known of an array."""

from __future__ import annotations

import numpy as np

from contract.table import HARD, A, B, C, I, N, case

CASES = (
    case("shape", N(2, 3), grad=False),
    case("shape", A(1.0), grad=False),
    case("ndim", N(2, 0, 3), grad=False),
    case("size", N(2, 3), grad=False),
    case("size", A(1.0), grad=False),
    case("convert_to_numpy", N(2, 3), grad=False),
    case("cast", A([-1.7, 1.7, 0.5, -0.5, 2.5]), "int32", grad=False),
    case("cast", A([0.0, -0.0, 1e-30, 2.0, np.inf, np.nan]), "bool", grad=False),
    case("cast", A([0.1, 65504.0, 1e-7]), "float16", grad=False),
    case("cast", A([0.1, 1e30, 3.14159]), "bfloat16", grad=False),
    case("cast", N(3), "float32", fd=False),
    case("cast", I(0, 1, -1, 2**31 - 1, -(2**31)), "float32", grad=False),
    case("cast", I(0, 1, -1, 300, -300), "uint8", grad=False),
    case("cast", I(0, 200, 255, dtype="uint8"), "int8", grad=False),
    case("cast", B(True, False), "float32", grad=False),
    case("cast", B(True, False), "int32", grad=False),
    case("cast", C(3), "float32", grad=False),
    case("cast", N(3), "complex64", grad=False),
    case("full", (2, 3), 7.5, grad=False),
    case("full", (), 3, grad=False),
    case("full", 3, 1.5, grad=False),
    case("full", 3, [1.0, 2.0, 3.0], grad=False),
    case("full", (2,), True, grad=False),
    case("full", (0, 2), 1.0, "float16", grad=False),
    case("full", (2, 2), -1, "int8", grad=False),
    case("full", (2, 3), [1.0, 2.0, 3.0], "float32", grad=False),
    case("arange", 5, grad=False),
    case("arange", 2, 9, 3, grad=False),
    case("arange", 5, 0, -2, grad=False),
    case("arange", 3, 3, grad=False),
    case("arange", 0.0, 1.0, 0.25, grad=False),
    case("arange", 4, dtype="float32", grad=False),
    case("arange", 1.0, 4.0, dtype="int32", grad=False),
    case("zeros", (2, 0), grad=False),
    case("zeros", 3, grad=False),
    case("zeros", (2,), "int32", grad=False),
    case("ones", (2, 3), grad=False),
    case("ones", 3, grad=False),
    case("ones", (2,), "bool", grad=False),
    case("zeros_like", N(2, 3), grad=False),
    case("zeros_like", I(1, 2), "float32", grad=False),
    case("ones_like", HARD, grad=False),
    case("ones_like", N(2), "int8", grad=False),
)
