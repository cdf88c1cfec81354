"""Arguments of ops that the contract's cases leave out, a line each; both tables are compared with Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from contract.cases import CASES as CONTRACT
from contract.table import NAN, A, B, Case, I, N, S, U, case
from differential.opponent import Outcome, outcome
from helpers.runner import _replace, all_arrays
from polykeras import dtypes

DTYPES = ("float32", "float16", "bfloat16", "int32", "int8", "uint8", "bool")

TIES = A([[2.0, 2.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.0], [-3.0, 1.0, 1.0, 1.0]])
NANS = A([[1.0, NAN, 3.0], [NAN, NAN, NAN], [4.0, 5.0, -2.0]])
IMAGE = N(1, 6, 6, 2)


def ops(*cases: tuple[Any, ...] | Case, note: str = "keras") -> list[Case]:
    """Return cases from tuples: the op, its arguments, and a dict of keyword arguments last."""
    made = []
    for entry in cases:
        if isinstance(entry, Case):
            made.append(entry)
            continue
        *args, last = entry
        keywords = last if isinstance(last, dict) else {}
        made.append(case(*(args if isinstance(last, dict) else entry), note=note, **keywords))
    return made


EXTRA: list[Case] = ops(
    # ---- reductions
    *[(op, TIES, *axis) for op in ("sum", "prod", "mean", "std", "var", "max", "min", "argmax", "argmin") for axis in ((), (0,), (-1,))],
    *[(op, TIES, 1, {"keepdims": True}) for op in ("all", "any", "amax", "amin", "ptp", "logsumexp", "argmax", "argmin")],
    *[(op, NANS, 1, {"keepdims": True}) for op in ("nanargmax", "nanmedian", "nanstd", "nanvar", "nanmean", "nansum")],
    *[(op, TIES, {"axis": 1, "dtype": dtype}) for op in ("cumsum", "cumprod") for dtype in ("int8", "int32", "float16", "float32")],
    *[(op, TIES, axis) for op in ("cumsum", "cumprod") for axis in (None, 0, -1)],
    ("prod", TIES, {"axis": 0, "dtype": "float16"}),
    ("nancumsum", NANS, {"axis": 1, "dtype": "float16"}),
    ("nancumprod", NANS, {"axis": 0, "dtype": "float32"}),
    *[(op, TIES, 0.4, {"axis": 1, "method": m, "keepdims": True}) for op in ("quantile", "nanquantile") for m in ("lower", "nearest")],
    *[(op, TIES, A([10.0, 60.0]), {"axis": 0, "method": "higher", "keepdims": True}) for op in ("percentile", "nanpercentile")],
    ("median", TIES, {"axis": (0, 1), "keepdims": True}),
    ("average", TIES, {"axis": 1, "weights": A([0.0, 1.0, 2.0, 0.5])}),
    ("count_nonzero", TIES, 0),
    ("moments", N(3, 4), (0,), {"keepdims": True, "synchronized": False}),
    ("trapezoid", TIES, {"x": A([0.0, 1.0, 3.0, 4.0]), "axis": 1}),
    ("diff", TIES, 2, 1),
    ("bincount", I(0, 3, 3, 1), {"weights": I(1, 2, 3, 4), "minlength": 2, "sparse": False}),
    ("histogram", I(0, 1, 1, 5), 3),
    ("digitize", I(0, 3, 9), I(1, 4)),
    # ---- sorting and searching
    case("argpartition", S(2, 5), 2, axis=1, through=lambda b, r: r[:, 2:3]),
    ("sort", TIES, 0), ("sort", TIES, 1), ("argsort", TIES, 1), ("argsort", TIES, 0), ("argsort", TIES, None),
    ("top_k", TIES, 2, {"sorted": False}), ("top_k", TIES, 3),
    ("isin", TIES, A([0.0, 1.0]), {"assume_unique": False}),
    ("in_top_k", I(0, 1, 3), TIES, 2),
    ("unique", TIES), ("unique", NANS), ("unique", I(3, 1, 3), {"return_inverse": True, "return_counts": True, "return_index": True}),
    ("unique", I(3, 1, 3), {"sorted": False, "size": 4, "fill_value": 7}),
    ("searchsorted", A([0.0, 1.0, 1.0]), TIES, "right"),
    *[(f"segment_{op}", TIES, I(0, 2, 2), 4, {"sorted": True}) for op in ("sum", "max", "min", "prod")],
    *[(f"segment_{op}", TIES, I(2, 0, 5), 4) for op in ("sum", "max", "min", "prod")],
    ("segment_sum", TIES, I(2, 0, -1), 4),
    # ---- creation
    *[("full", (2,), value, *dtype) for value in (0, 1.5, True) for dtype in ((), ("int32",), ("float16",))],
    *[("full_like", x, 3, *dtype) for x in (I(1, 2), A([1.0])) for dtype in ((), ("int32",), ("float16",))],
    ("empty", (0, 2), "int32"), ("empty_like", A(np.zeros((0, 2))), "int32"), ("identity", 2, "int32"),
    *[("arange", *args) for args in ((3,), (3.0,), (1, 4), (1, 4, 2), (0, 1, 0.25), (3, 0, -1), (0, 5, 2, "float16"))],
    *[("linspace", *args) for args in ((0, 4, 5), (0.0, 1.0, 3, False), (0, 10, 4, True, True), (1, 0, 3, True, False, "int32"), (I(0, 1), I(4, 5), 3, True, False, None, 1))],
    *[("logspace", *args) for args in ((0, 2, 3), (0.0, 2.0, 3, False), (0, 3, 4, True, 2.0), (0, 2, 3, True, 10, "int32"), (A([0.0, 1.0]), A([1.0, 2.0]), 3, True, 10, None, 1))],
    *[("geomspace", *args) for args in ((1, 8, 4), (1.0, 1000.0, 4, False), (1, 8, 4, True, "int32"), (A([1.0, 2.0]), A([4.0, 32.0]), 3, True, None, 1), (8.0, 1.0, 4), (1.0, 1.0, 3), (2.0, 3.0, 1))],
    ("tri", 3, {"M": 2, "k": 1}), ("eye", 3, {"M": 2, "k": -1, "dtype": "int8"}), ("vander", I(1, 2, 3), 2),
    ("one_hot", I(0, 2, -1), 3, {"axis": 0, "dtype": "int32", "sparse": False}),
    ("multi_hot", I([0, 2], [1, 1]), 3, {"axis": -1, "dtype": "int32", "sparse": False}), ("multi_hot", I(0, 2), 3),
    # ---- shapes and places
    ("array_split", N(7, 5), 3, {"axis": 1}), ("split", N(6, 2), [1, 1, 4]), ("stack", [I(1, 2), A([1.5, 2.0])]),
    ("concatenate", [I(1, 2, dtype="int8"), I(3, dtype="uint8").reshape(1)]), ("append", I(1, 2), A([0.5])),
    ("where", B(True, False), I(1, 2), A([0.5, 1.5])), ("where", B(True, False), I(1, 2), 0.5), ("where", TIES, TIES, 0),
    ("select", [B(True, False), B(True, True)], [I(1, 2), A([0.5, 1.5])], 0), ("select", [B(True, False)], [I(1, 2)], 0.5),
    ("clip", TIES, -1, 1), ("clip", TIES, 0.5, 1.5), ("clip", TIES, A([0.0, 0.0, 1.0, 1.0]), 2.0),
    ("take", TIES, I(0, 3), {"axis": 1}), ("take", TIES, I(-1, 11)), ("take_along_axis", TIES, I([[0, 1], [1, 1], [2, 0]]), 1),
    ("slice", TIES, (1, 0), (2, 4)), ("slice", TIES, I(2, 3), (2, 2)), ("slice", TIES, (1, 0), (-1, 2)), ("slice", TIES, (0, 1), (3, -1)), ("slice_update", TIES, I(2, 3), N(2, 2)),
    ("scatter", I([[0], [2], [0]]), I(1, 2, 3), (4,)),
    *[("scatter_update", A([1.0, 2.0, 3.0]), I([[0], [0]]), A([5.0, -1.0]), r) for r in (None, "add", "max", "min", "mul")],
    ("repeat", TIES, 2, {"axis": 1}), ("tile", TIES, (2, 1)), ("roll", TIES, 1, 0), ("rot90", TIES), ("swapaxes", TIES, 0, 1),
    ("pad", TIES, ((1, 0), (2, 1)), "constant", 5), ("pad", TIES, 1, "reflect"), ("diag", TIES), ("diagonal", TIES, 1),
    ("trace", TIES), ("trace", N(2, 3, 3), 1, 1, 2), ("tril", TIES, -1), ("triu", TIES, 1), ("unstack", TIES, {"axis": 1}),
    ("nonzero", TIES), ("ravel", TIES), ("unravel_index", I(0, 5), (2, 3)), ("expand_dims", TIES, -1), ("view", A([1.0, 2.0]).astype("float32"), "int32"),
    # ---- arithmetic
    *[(op, TIES, TIES[::-1].copy()) for op in ("add", "subtract", "multiply", "maximum", "minimum", "fmax", "fmin", "equal", "less", "logical_and", "logical_xor", "arctan2", "hypot", "logaddexp", "logaddexp2", "heaviside", "copysign") if op != "copysign"],
    *[(op, TIES, A([[3.0, 2.0, -2.0, 1.0]])) for op in ("divide", "true_divide", "floor_divide", "mod", "fmod", "remainder", "divide_no_nan") if op != "remainder"],
    *[(op, TIES, 2) for op in ("add", "multiply", "divide", "floor_divide", "mod", "power", "maximum", "equal")],
    *[(op, TIES, 2.5) for op in ("add", "multiply", "divide", "floor_divide", "mod", "maximum", "greater")],
    *[(op, I(1, 6, 9), I(2, 4, 6)) for op in ("gcd", "lcm", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "left_shift", "right_shift", "bitwise_right_shift", "ldexp")],
    ("round", U(-50, 50, 5), {"decimals": 1}), ("round", U(-500, 500, 5), {"decimals": -1}), ("round", I(15, 25, -35), {"decimals": -1}),
    ("power", A([2.0, 3.0, 0.0]), A([3.0, 0.0, 2.0])), ("ldexp", TIES, I(1, 2, 3, 0)), ("nextafter", A([1.0, 0.0]).astype("float32"), A([2.0, 1.0]).astype("float32")),
    ("allclose", TIES, TIES, {"rtol": 0.1, "atol": 0.1}), ("isclose", TIES, TIES[::-1].copy(), {"rtol": 0.1, "atol": 1.0}),
    *[(op, TIES) for op in ("exp", "sqrt", "log1p", "sin", "tanh", "sign", "abs", "negative", "square", "floor", "ceil", "trunc", "reciprocal", "cbrt", "logical_not", "isnan", "isfinite", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "sigmoid", "softplus", "softsign", "hard_sigmoid", "hard_silu", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink", "log_sigmoid", "sparse_plus", "sparse_sigmoid", "squareplus", "softmax", "log_softmax", "sparsemax", "glu")],
    ("softmax", TIES, 0), ("log_softmax", TIES, 0), ("sparsemax", TIES, 0), ("threshold", TIES, 1, 20), ("softmax", N(2, 3, 4), (1, 2)),
    # ---- linear algebra
    ("cross", N(3, 4), N(3, 4), {"axisa": 0, "axisb": 0, "axisc": 0}), ("cross", N(2, 3), N(2, 3)),
    *[(op, TIES, N(4, 2)) for op in ("matmul", "dot")], ("tensordot", TIES, N(4, 2), 1), ("inner", TIES, TIES), ("outer", TIES, N(2)), ("vdot", TIES, TIES), ("kron", TIES, TIES),
    *[("norm", TIES, {"ord": o, "axis": 1}) for o in (None, 1, 2, 3, np.inf, -np.inf, 0)], ("norm", TIES, "fro"), ("norm", TIES, {"keepdims": True}),
    ("normalize", TIES, 1, 3, 1e-3), ("pinv", N(3, 2), 0.1), ("lstsq", N(4, 2), N(4), 0.1), ("cdist", TIES, TIES),
    # ---- networks
    ("separable_conv", N(1, 2, 6, 6), N(3, 3, 2, 1), N(1, 1, 2, 3), {"data_format": "channels_first", "dilation_rate": 2}),
    ("conv", IMAGE, N(3, 3, 2, 2), (2, 1), "same"), ("conv", N(2, 7, 2), N(3, 2, 2), {"padding": "valid", "dilation_rate": 2}),
    ("conv_transpose", N(2, 5, 2), N(3, 2, 2), 2, "same", 1), ("conv_transpose", IMAGE, N(3, 3, 2, 2), 2, "valid"), ("depthwise_conv", IMAGE, N(2, 2, 2, 2), 1, "same"),
    *[(f"{kind}_pool", x, *args) for kind in ("max", "average") for x in (IMAGE,) for args in ((2, 2), (3, 2, "same"), ((2, 3), (1, 2), "valid"))],
    ("adaptive_max_pool", IMAGE, (2, 3)), ("adaptive_average_pool", IMAGE, (4, 5)), ("fold", N(1, 8, 6), (4, 5), 2, {"dilation": 2, "stride": 1}),
    ("batch_normalization", N(3, 4), N(4), U(0.5, 1, 4), -1, {"epsilon": 0.1}), ("layer_normalization", N(3, 4), {"axis": 0, "epsilon": 0.1}), ("rms_normalization", N(3, 4), {"axis": -1, "epsilon": 0.1}),
    ("dot_product_attention", N(1, 3, 2, 4), N(1, 3, 2, 4), N(1, 3, 2, 4), {"is_causal": True, "flash_attention": None, "scale": 0.5}),
    ("dot_product_attention", N(1, 3, 4, 4), N(1, 3, 2, 4), N(1, 3, 2, 4)),
    ("ctc_decode", N(1, 5, 4), I([5]), "beam_search", 5, 2, {"mask_index": 3}), ("ctc_decode", N(1, 5, 4), I([4]), "greedy", {"merge_repeated": False, "mask_index": 3}),
    ("ctc_loss", I([[1, 2, 0]]), N(1, 6, 4), I([2]), I([5]), 3), ("ctc_loss", I([[1, 1, 2]]), N(1, 6, 4), I([3]), I([6])),
    ("binary_crossentropy", B(True, False), A([0.9, 0.1])), ("binary_crossentropy", A([0.0, 1.0, 0.3]), A([0.0, 0.0, 1.0])),
    ("categorical_crossentropy", A([[0.0, 1.0], [0.5, 0.5]]), A([[0.2, 0.8], [1.0, 0.0]]), {"axis": 0}), ("sparse_categorical_crossentropy", I(1, 0), A([[0.2, 0.8], [0.5, 0.9]])),
    ("istft", (N(5, 5), N(5, 5)), 8, 4, 8, {"window": "hamming", "center": False}), ("stft", N(20), 8, 4, 8, None), ("extract_sequences", TIES, 2, 1), ("rfft", N(6), 4), ("irfft", (N(4), N(4)), 5),
    ("psnr", U(0, 1, 2, 3), U(0, 1, 2, 3), 1.0), ("correlate", I(1, 2, 3), I(1, 1), "same"), ("corrcoef", TIES), ("erfinv", A([0.5, -0.9])), ("logdet", A([[2.0, 1.0], [1.0, 3.0]])), ("i0", A([0.0, 2.0])),
    ("saturate_cast", A([-1e10, -1.5, 300.0, 1e10]), "int32"), ("saturate_cast", A([-1e10, -1.5, 300.0, 1e10]), "int8"), ("saturate_cast", A([-1e10, 1e10]), "float16"), ("saturate_cast", I(-300, 300), "uint8"), ("cast", A([1.7, -1.7]), "int8"),
    ("gelu", TIES, {"approximate": False}), ("leaky_relu", TIES, {"negative_slope": 0.3}), ("squareplus", TIES, 1), ("hard_shrink", TIES, 1.0), ("soft_shrink", TIES, 1.0),
)  # fmt: skip

CASES: tuple[Case, ...] = (*CONTRACT, *EXTRA)


def given(x: np.ndarray, dtype: str) -> np.ndarray:
    """Return a case's array as it is given: working floats in the dtype of the run, as whole numbers where it is one."""
    if x.dtype == np.complex128:
        return x.astype(np.complex64)
    if x.dtype != np.float64:
        return x
    if dtype in dtypes.FLOATS:
        with np.errstate(over="ignore"):
            return x.astype(dtypes.numpy_dtype(dtype))
    whole = np.clip(np.nan_to_num(np.round(2 * x)), -100, 100)
    return np.asarray(abs(whole) if dtype == "uint8" else whole, dtype)


def applied(function: Callable[..., Any], case: Case, arrays: Sequence[Any]) -> Any:
    """Return what an op gives for a case, with `arrays` in place of the case's own."""
    known = {id(x): value for x, value in zip(all_arrays(case), arrays, strict=True)}
    change = lambda x: known[id(x)]  # noqa: E731
    return function(*_replace(case.args, change), **{k: _replace(v, change) for k, v in case.kwargs.items()})


def unique_parts(case: Case, result: Outcome) -> Outcome:
    """Return what of a result is unique (decompositions have free signs), as the case says."""
    if case.through is None or result.error:
        return result
    parts = result.leaves if len(result.leaves) > 1 else result.leaves[0]
    return outcome(lambda: case.through(np, parts))  # type: ignore[misc]
