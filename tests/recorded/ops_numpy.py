"""Edges of the ops that are like NumPy's: empty and single axes, nan and infinities, and dtypes that meet."""

from __future__ import annotations

import numpy as np

from contract.table import INF, NAN, A, B, Case, I
from differential.ops_cases import ops
from polykeras import dtypes

X = A([[1.0, -2.0, 0.5], [3.0, 0.0, -1.5]])
ODD = A([[NAN, 1.0, INF], [-INF, 0.0, -0.0]])
EMPTY = A(np.zeros((0, 3)))
ONE = A([[2.5]])
CUBE = A(np.arange(24.0).reshape(2, 3, 4) % 7 - 3)
TYPED = {
    name: np.array([1, 0, 3], dtypes.numpy_dtype(name))
    for name in ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "bfloat16")
} | {"float32": A([1.0, 0.0, 3.0])}
MIXED = [
    ("bool", "uint8"), ("bool", "float16"), ("uint8", "int8"), ("uint8", "int16"), ("uint16", "int16"), ("uint32", "int32"), ("uint32", "int8"),
    ("int8", "float16"), ("int32", "float16"), ("int32", "bfloat16"), ("float16", "bfloat16"), ("bfloat16", "float32"), ("int32", "float32"), ("bool", "bool"),
]  # fmt: skip
"""Dtypes that meet: an integer of another sign, another kind, another half."""
PAIRS = [(TYPED[a], TYPED[b]) for a, b in MIXED]
FEW = [
    (TYPED[a], TYPED[b])
    for a, b in (("bool", "bool"), ("uint8", "int8"), ("int32", "float16"), ("float16", "bfloat16"))
]
KINDS = [TYPED[name] for name in ("bool", "uint8", "int16", "int32", "float16", "bfloat16")]
REDUCTIONS = ("sum", "prod", "max", "min", "mean", "std", "var", "any", "all", "argmax", "argmin", "ptp", "amax", "amin", "median", "logsumexp")  # fmt: skip
NANS = ("nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanstd", "nanvar", "nanmedian")

EDGES: list[Case] = ops(
    # ---- dtypes that meet
    *[(op, a, b) for op in ("add", "divide", "matmul") for a, b in PAIRS],
    *[(op, a, b) for op in ("subtract", "multiply", "maximum", "floor_divide", "mod", "power", "equal", "logical_and", "hypot", "arctan2", "logaddexp", "dot", "inner", "outer", "vdot", "fmod", "fmax", "heaviside", "divide_no_nan", "isclose", "correlate", "append", "kron", "logical_xor", "less_equal") for a, b in FEW],
    *[("where", TYPED["bool"], a, b) for a, b in PAIRS],
    *[("concatenate", [a, b]) for a, b in PAIRS], *[("stack", [a, b], -1) for a, b in FEW],
    *[(op, x, v) for op in ("add", "multiply", "divide", "power", "floor_divide", "minimum") for x in KINDS for v in (2, 1.5, True)],
    *[(op, x, 2) for op in ("subtract", "mod", "greater") for x in KINDS],
    *[(op, x) for op in (*REDUCTIONS, "count_nonzero") for x in (TYPED["uint8"], TYPED["int16"], TYPED["bool"], TYPED["bfloat16"])],
    *[(op, x) for op in ("cumsum", "cumprod", "sort", "argsort", "diff", "exp", "abs", "negative", "sign", "square", "sqrt", "reciprocal", "floor", "round", "isnan", "nan_to_num", "trapezoid", "average", "zeros_like", "flip", "deg2rad", "angle", "real", "imag", "conj", "logical_not", "cbrt", "arccosh", "sinc", "signbit") for x in (TYPED["uint8"], TYPED["int16"], TYPED["bool"], TYPED["bfloat16"])],
    # ---- empty axes, and axes of one
    *[(op, EMPTY, axis, {"keepdims": True}) for op in ("sum", "prod", "mean", "var", "std", "any", "all", "nansum", "nanprod", "logsumexp") for axis in (0, 1)],
    *[(op, EMPTY, 1) for op in ("max", "min", "argmax", "argmin", "median", "cumsum", "cumprod", "sort", "argsort", "flip", "amax", "ptp", "count_nonzero", "nanmax", "nanmean")],
    *[(op, ONE, -1, {"keepdims": True}) for op in (*REDUCTIONS, *NANS, "nanargmax")],
    *[(op, EMPTY, EMPTY) for op in ("add", "divide", "equal", "arctan2", "maximum", "isclose", "allclose", "logical_or")],
    *[(op, EMPTY) for op in ("exp", "sqrt", "ravel", "transpose", "isnan", "ones_like", "copy", "nan_to_num", "nonzero", "unique", "rot90", "flipud", "squeeze", "diagonal", "trace")],
    ("concatenate", [EMPTY, X]), ("concatenate", [EMPTY, EMPTY], 1), ("matmul", EMPTY, A(np.ones((3, 2)))), ("matmul", X[:, :0], A(np.ones((0, 2)))),
    ("dot", X[:, :0], A(np.ones((0, 2)))), ("outer", A([]), X), ("tensordot", EMPTY, X, {"axes": [[1], [1]]}), ("einsum", "ij,kj->ik", EMPTY, X),
    ("take", X, np.zeros((0,), "int32"), {"axis": 1}), ("repeat", X, 0, {"axis": 0}), ("tile", X, (0, 1)), ("pad", EMPTY, ((1, 1), (0, 1))), ("reshape", EMPTY, (3, 0)),
    ("broadcast_to", ONE, (0, 1)), ("expand_dims", EMPTY, (0, -1)), ("split", X, 3, 1), ("split", X, [0, 2, 2], 1), ("array_split", X, 4, -1), ("cumsum", A([]), 0), ("diff", ONE), ("diff", X, 3),
    ("arange", 0), ("arange", 5, 1), ("linspace", 0, 1, 0), ("eye", 0), ("zeros", (0, 2)), ("vander", A([])), ("meshgrid", A([]), A([1.0])), ("roll", EMPTY, 1), ("roll", X, -7), ("roll", X, (1, 2), (0, 1)),
    ("bincount", np.zeros((0,), "int32"), {"minlength": 3}), ("bincount", I(1, 1), {"minlength": 2}), ("searchsorted", A([]), A([1.0])), ("digitize", A([]), A([1.0])),
    # ---- nan and infinities
    *[(op, ODD, 1, {"keepdims": True}) for op in (*REDUCTIONS, *NANS, "nanargmax", "nanargmin")],
    *[(op, ODD) for op in ("cumsum", "cumprod", "sort", "argsort", "nancumsum", "nancumprod", "sign", "round", "nan_to_num", "isfinite", "isposinf", "signbit", "square", "reciprocal", "floor", "exp", "log", "log1p", "sqrt", "arctan", "sin", "tanh", "absolute", "trunc", "cbrt", "sinc", "count_nonzero", "average", "logical_not", "nonzero", "unique", "exp2", "log2", "log10", "cosh", "arcsinh", "rad2deg", "angle", "expm1", "isreal", "fabs")],
    *[(op, ODD, ODD[::-1].copy()) for op in ("add", "subtract", "multiply", "divide", "mod", "floor_divide", "power", "maximum", "minimum", "fmax", "fmin", "fmod", "logaddexp", "logaddexp2", "hypot", "arctan2", "equal", "less", "heaviside", "divide_no_nan", "logical_and", "logical_or", "not_equal", "greater_equal")],
    ("isclose", ODD, ODD, {"equal_nan": True}), ("isclose", ODD, ODD), ("allclose", ODD, ODD, {"equal_nan": True}), ("nan_to_num", ODD, 1.0, 2.0, 3.0), ("clip", ODD, -1.0, 1.0), ("where", ODD > 0, ODD, 0.0),
    ("max", ODD, {"initial": 5.0}), ("min", ODD, {"axis": 0, "initial": -5.0, "keepdims": True}), ("searchsorted", A([0.0, 1.0, INF]), A([-INF, INF, 0.5])), ("digitize", A([-INF, INF, NAN]), A([0.0, 1.0])),
    ("divide", I(1, 0, -1), I(0, 0, 0)), ("divide", X, 0.0), ("divide_no_nan", I(1, 0), I(0, 0)), ("mod", A([5.5, -5.5, 5.5, -5.5]), A([2.0, 2.0, -2.0, -2.0])), ("floor_divide", A([5.5, -5.5]), A([-2.0, -2.0])), ("mod", I(7, -7, 7, -7), I(3, 3, -3, -3)), ("floor_divide", I(7, -7, 7, -7), I(3, 3, -3, -3)),
    # ---- axes from the end, several, and all
    *[(op, CUBE, (-1, 0)) for op in ("sum", "mean", "max", "std", "any", "logsumexp", "prod", "median", "ptp", "nansum", "nanmean", "count_nonzero")],
    *[(op, CUBE, (0, 1, 2), True) for op in ("sum", "mean", "min", "var", "all", "nanmin")],
    *[(op, CUBE, -2) for op in ("sum", "argmax", "argmin", "cumsum", "sort", "argsort", "median", "flip", "nanargmax", "nancumsum", "expand_dims", "average")],
    *[(op, CUBE, q, {"axis": axis, "keepdims": k}) for op, q in (("quantile", A([0.0, 0.3, 1.0])), ("percentile", A(30.0)), ("nanquantile", A([0.5]))) for axis, k in ((-2, False), ((0, 2), True))],
    *[("quantile", X, 0.37, {"axis": -1, "method": m}) for m in ("linear", "lower", "higher", "midpoint", "nearest")],
    ("swapaxes", CUBE, -1, 0), ("moveaxis", CUBE, (0, -1), (1, 0)), ("transpose", CUBE, (2, 0, 1)), ("rot90", CUBE, -1, (1, 2)), ("rot90", CUBE, 6, (0, 2)), ("squeeze", ONE, (0, 1)), ("squeeze", ONE, -1),
    ("take", CUBE, I([[0, -1], [1, 0]]), {"axis": -2}), ("take", CUBE, 1, {"axis": 0}), ("take_along_axis", X, I([[-1], [0]]), -1), ("take_along_axis", X, I(0, 5, -1), {"axis": None}),
    ("diagonal", CUBE, -1, -1, 0), ("trace", CUBE, 1, 0, -1), ("diag", A([1.0, 2.0]), -1), ("diagflat", X, 1), ("tril", CUBE, 1), ("triu", CUBE, -1), ("cross", X, X[::-1].copy()), ("repeat", CUBE, I(1, 0, 2), {"axis": -2}), ("append", CUBE, CUBE[:, :1], {"axis": 1}),
    ("tensordot", CUBE, CUBE, {"axes": ((0, -1), (0, -1))}), ("tensordot", X, X, {"axes": 0}), ("dot", CUBE, A(np.ones((4, 2)))), ("dot", A(2.0), X), ("inner", CUBE, A(np.ones(4))), ("matmul", CUBE, A(np.ones(4))), ("matmul", A(np.ones(3)), CUBE), ("matmul", CUBE, A(np.ones((2, 4, 1)))),
    *[("einsum", words, CUBE) for words in ("ijk->kji", "ijk->j", "...k->k...", "ijk->")], ("einsum", "ijk,ilk->ijl", CUBE, CUBE), ("einsum", "...ij,...ij", CUBE, CUBE), ("einsum", "ii->i", A(np.arange(9.0).reshape(3, 3))),
    ("pad", X, 2, "symmetric"), ("pad", X, ((0, 0), (1, 2)), "symmetric"), ("pad", X, ((1, 1), (2, 0)), "reflect"), ("pad", I(1, 2), 1, "constant", 7), ("pad", B(True, False), ((1, 0),)),
    ("correlate", A([1.0, 2.0, 3.0, 4.0]), A([0.5, -1.0]), "full"), ("correlate", A([0.5, -1.0]), A([1.0, 2.0, 3.0]), "valid"), ("select", [X > 0, X < -1], [X, -X], 9.0), ("histogram", X, 4, (-2.0, 2.0)), ("histogram", A([1.0, 1.0]), 3), ("isin", X, A([0.5]), {"invert": True}),
    ("round", A([0.5, 1.5, 2.5, -0.5]), 0), ("round", A([1.25, 1.35, -123.456]), 1), ("round", I(5, 15, 25), 1), ("power", I(2, -3), I(3, 2)), ("power", A([-8.0, 0.0, 0.0]), A([0.5, 0.0, -1.0])), ("left_shift", I(1, -1), I(31, 3)), ("right_shift", I(-8, 8), 2), ("bitwise_not", B(True, False)), ("bitwise_and", B(True, False), I(3, 3)),
    ("gcd", I(0, -12, 18), I(0, 18, -12)), ("lcm", I(0, -4, 6), I(5, 6, 4)), ("argpartition", A([[1.0, 0.0, 2.0]]), 1), ("unravel_index", I([[0, 5], [3, 2]]), (2, 3)), ("unravel_index", I(5, -1), (6,)), ("average", X, {"axis": 0, "weights": X}), ("average", X, {"weights": X}), ("trapezoid", X, {"dx": 2.0, "axis": 0}),
    ("full", (2,), A([1.5, 2.5]), "int32"), ("full", (2, 2), NAN), ("arange", 2, 5, None, "int8"), ("arange", 1.0, 2.0, 0.25, "bfloat16"), ("arange", 5, 0, -2), ("linspace", 5, 1, 3, True, True), ("linspace", X, X + 1, 2, {"axis": -1}), ("geomspace", 8, 1, 4), ("tri", 2, 3, -1, "bool"), ("identity", 2, "float16"), ("array", [[True], [False]], "int8"), ("ones", 3, "uint8"), ("full_like", B(True), 2.5, "float16"), ("clip", I(-5, 5), -1.5, 2), ("clip", TYPED["uint8"], 1, 2),
    ("get_item", X, (0, slice(None, None, -1))), ("get_item", CUBE, (Ellipsis, -1)), ("get_item", CUBE, (slice(1, 2), None, 0)), ("get_item", X, I(1, 0)),
    note="edge",
)  # fmt: skip
