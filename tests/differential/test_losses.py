"""Losses: every class with its arguments, reductions, weights and dtypes; every function; and reduction by itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from differential.opponent import EVERYTHING, Call, Mismatch, compare, keras, outcome, quiet, settle, together
from polykeras import dtypes, losses, ops
from polykeras.losses.reduction import reduce_weighted

pytestmark = [pytest.mark.slow, pytest.mark.keras]

rng = np.random.default_rng(3)
REALS = {
    shape: (rng.normal(size=shape), np.round(rng.normal(size=shape) * 2) / 2)
    for shape in [(4,), (4, 1), (4, 3), (2, 3, 4)]
}
REALS["labels without last axis"] = (rng.normal(size=(4,)), rng.normal(size=(4, 1)))
REALS["labels with an axis more"] = (rng.normal(size=(4, 1)), rng.normal(size=(4,)))
SHARES = {s: (abs(y) / (1 + abs(y)), 1 / (1 + np.exp(-p))) for s, (y, p) in REALS.items()}
BITS = {s: ((y > 0) * 1.0, 1 / (1 + np.exp(-p))) for s, (y, p) in REALS.items()}
LOGITS = {s: ((y > 0) * 1.0, 2 * p) for s, (y, p) in REALS.items()}
SIGNS = {s: (np.where(y > 0, 1.0, -1.0), p) for s, (y, p) in REALS.items()}


def one_hot(*shape: int) -> np.ndarray:
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


def scores(*shape: int) -> np.ndarray:
    x = rng.uniform(0.05, 1.0, shape)
    return x / x.sum(-1, keepdims=True)


ONE_HOT = {shape: (one_hot(*shape), scores(*shape)) for shape in [(4, 3), (2, 3, 4)]}
ONE_HOT["not normalized, exact"] = (
    one_hot(4, 3),
    np.array([[0.0, 1.0, 0.0], [2.0, 1.0, 1.0], [0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]),
)
ONE_HOT_LOGITS = {s: (y, 4 * np.log(np.maximum(p, 1e-3))) for s, (y, p) in ONE_HOT.items()}
CLASSES = {s: (y.argmax(-1).astype(np.int32), p) for s, (y, p) in ONE_HOT.items()}
CLASSES["column"] = (rng.integers(0, 3, (4, 1)).astype(np.int32), scores(4, 3))
CLASSES["floats"] = (rng.integers(0, 3, 4).astype(np.float64), scores(4, 3))
CLASS_LOGITS = {s: (y, 4 * np.log(np.maximum(p, 1e-3))) for s, (y, p) in CLASSES.items()}
ALIKE = {shape: BITS[shape] for shape in [(4, 1), (4, 3), (2, 3, 4)]}
ANGLES = rng.uniform(0, 2 * np.pi, 6)
EMBEDDED = {(6, 2): (np.array([0, 1, 0, 1, 2, 2], "int32"), np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1))}

CASES: dict[str, tuple[str, dict[str, Any], dict[Any, Any]]] = {
    "mse": ("MeanSquaredError", {}, REALS),
    "mae": ("MeanAbsoluteError", {}, REALS),
    "mape": ("MeanAbsolutePercentageError", {}, REALS),
    "msle": ("MeanSquaredLogarithmicError", {}, REALS),
    "huber": ("Huber", {}, REALS),
    "huber delta": ("Huber", {"delta": 0.3}, REALS),
    "log_cosh": ("LogCosh", {}, REALS),
    "poisson": ("Poisson", {}, SHARES),
    "kld": ("KLDivergence", {}, SHARES),
    "cosine": ("CosineSimilarity", {}, REALS),
    "cosine axis": ("CosineSimilarity", {"axis": 0}, REALS),
    "hinge": ("Hinge", {}, SIGNS),
    "hinge of bits": ("Hinge", {}, LOGITS),
    "squared_hinge": ("SquaredHinge", {}, SIGNS),
    "categorical_hinge": ("CategoricalHinge", {}, ONE_HOT_LOGITS),
    "bce": ("BinaryCrossentropy", {}, BITS),
    "bce logits": ("BinaryCrossentropy", {"from_logits": True}, LOGITS),
    "bce smooth": ("BinaryCrossentropy", {"label_smoothing": 0.2}, BITS),
    "bce axis": ("BinaryCrossentropy", {"axis": 0, "from_logits": True}, LOGITS),
    "focal": ("BinaryFocalCrossentropy", {}, BITS),
    "focal logits": ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 1.5}, LOGITS),
    "focal balanced": ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3, "label_smoothing": 0.1}, BITS),
    "focal axis": ("BinaryFocalCrossentropy", {"axis": 0}, BITS),
    "cce": ("CategoricalCrossentropy", {}, ONE_HOT),
    "cce logits": ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, ONE_HOT_LOGITS),
    "cce smooth": ("CategoricalCrossentropy", {"label_smoothing": 0.2}, ONE_HOT),
    "cce axis": ("CategoricalCrossentropy", {"axis": 0}, ONE_HOT),
    "cfce": ("CategoricalFocalCrossentropy", {}, ONE_HOT),
    "cfce logits": ("CategoricalFocalCrossentropy", {"from_logits": True, "alpha": 0.5, "gamma": 1.0}, ONE_HOT_LOGITS),
    "cfce smooth": ("CategoricalFocalCrossentropy", {"label_smoothing": 0.2, "axis": 0}, ONE_HOT),
    "scce": ("SparseCategoricalCrossentropy", {}, CLASSES),
    "scce logits": ("SparseCategoricalCrossentropy", {"from_logits": True}, CLASS_LOGITS),
    "scce ignore": ("SparseCategoricalCrossentropy", {"from_logits": True, "ignore_class": 1}, CLASS_LOGITS),
    "scce ignore -1": ("SparseCategoricalCrossentropy", {"ignore_class": -1}, CLASSES),
    "scce axis": ("SparseCategoricalCrossentropy", {"axis": 1}, {(2, 3, 4): (rng.integers(0, 3, (2, 4)).astype(np.int32), scores(2, 3, 4))}),
    "gce": ("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, {s: CLASSES[s] for s in [(4, 3), (2, 3, 4), "floats"]}),
    "dice": ("Dice", {}, ALIKE),
    "dice axis": ("Dice", {"axis": -1}, ALIKE),
    "dice axes": ("Dice", {"axis": (0, 2)}, {(2, 3, 4): BITS[(2, 3, 4)]}),
    "tversky": ("Tversky", {"axis": -1, "alpha": 0.3, "beta": 0.8}, ALIKE),
    "circle": ("Circle", {}, EMBEDDED),
    "circle itself": ("Circle", {"remove_diagonal": False, "gamma": 2.0, "margin": 0.2}, EMBEDDED),
    "ctc": ("CTC", {}, {(2, 5, 4): (np.array([[1, 2, 2], [3, 0, 0]], "int32"), rng.normal(size=(2, 5, 4)))}),
}  # fmt: skip
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)
WEIGHTS: dict[str, Callable[[int], Any]] = {
    "no": lambda n: None,
    "scalar": lambda n: np.float32(2.0),
    "n": lambda n: np.linspace(0.0, 1.5, n, dtype="float32"),
    "nx1": lambda n: np.linspace(0.0, 1.5, n, dtype="float32")[:, None],
    "whole": lambda n: np.arange(n, dtype="int32"),
    "zero": lambda n: np.zeros(n, "float32"),
}
HALF = 2e-2
"""Logarithms of rounded sums in float16."""
FEW = [("sum_over_batch_size", "n"), (None, "no"), (None, "nx1")]
WHOLE = ((4, 3), "not normalized, exact")
"""The shapes that are compared in every dtype."""
DTYPES = ("float32", "float16", "bfloat16", "int32")


def typed(x: np.ndarray, dtype: str = "float32") -> np.ndarray:
    """Return floats in a dtype, rounded where it is one of integers; class numbers as they are."""
    if x.dtype != np.float64:
        return x
    return (np.round(x) if dtype == "int32" else x).astype(dtypes.numpy_dtype(dtype))


def calls(cls: Any, config: dict[str, Any], data: dict[Any, Any], everything: bool) -> dict[str, Call]:
    """Return the calls of a loss: each shape with reductions and weights in float32, and in each dtype."""
    made = {}
    for shape, (y, p) in data.items():
        for reduction, weight in itertools.product(REDUCTIONS, WEIGHTS) if everything else FEW:
            arrays = [typed(y), typed(p), *([] if weight == "no" else [WEIGHTS[weight](len(p))])]
            made[f"{shape} {reduction} {weight}"] = Call(cls(**config, reduction=reduction), tuple(arrays))
        for dtype in DTYPES[1:] if EVERYTHING or shape in WHOLE else ():
            loss = cls(**config, reduction=None, dtype=None if dtype == "int32" else dtype)
            given = "int32" if dtype == "int32" else "float32"
            made[f"{shape} {dtype}"] = Call(loss, (typed(y, given), typed(p, given), WEIGHTS["n"](len(p))))
    return made


def check(subject: str, ours: dict[str, Call], theirs: dict[str, Call]) -> None:
    with quiet():
        expected = together(theirs)
        found: list[Mismatch] = []
        for name, made in ours.items():
            result = outcome(lambda c=made: c.function(*[ops.convert_to_tensor(x) for x in c.arrays]))
            found += compare(name, result, expected[name], rtol=HALF if name.endswith((" float16", "half")) else None)
    settle(subject, list(ours), found)


@pytest.mark.parametrize("name", CASES)
def test_classes(name: str) -> None:
    cls, config, data = CASES[name]
    with quiet():
        ours = calls(getattr(losses, cls), config, data, EVERYTHING)
        theirs = calls(getattr(keras().losses, cls), config, data, EVERYTHING)
    ours, theirs = ({f"{name}: {case}": c for case, c in each.items()} for each in (ours, theirs))
    check(f"losses.{cls}", ours, theirs)


FUNCTIONS = {
    "CTC": "ctc",
    "CategoricalGeneralizedCrossEntropy": "categorical_generalized_cross_entropy",
    "Circle": "circle",
    "Dice": "dice",
    "Tversky": "tversky",
    "BinaryCrossentropy": "binary_crossentropy",
    "BinaryFocalCrossentropy": "binary_focal_crossentropy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "CategoricalFocalCrossentropy": "categorical_focal_crossentropy",
    "CategoricalHinge": "categorical_hinge",
    "CosineSimilarity": "cosine_similarity",
    "Hinge": "hinge",
    "Huber": "huber",
    "KLDivergence": "kl_divergence",
    "LogCosh": "log_cosh",
    "MeanAbsoluteError": "mean_absolute_error",
    "MeanAbsolutePercentageError": "mean_absolute_percentage_error",
    "MeanSquaredError": "mean_squared_error",
    "MeanSquaredLogarithmicError": "mean_squared_logarithmic_error",
    "Poisson": "poisson",
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
    "SquaredHinge": "squared_hinge",
}


@pytest.mark.parametrize("name", CASES)
def test_functions(name: str) -> None:
    cls, config, data = CASES[name]
    function = FUNCTIONS[cls]

    def of(library: Any) -> dict[str, Call]:
        fn, made = getattr(library, function), {}
        for shape, (y, p) in data.items():
            for dtype in DTYPES if EVERYTHING or shape in WHOLE else DTYPES[:1]:
                made[f"{name}: {shape} {dtype}"] = Call(lambda *a: fn(*a, **config), (typed(y, dtype), typed(p, dtype)))
            whole = np.round(y).astype("int32")
            made[f"{name}: {shape} int labels"] = Call(lambda *a: fn(*a, **config), (whole, p.astype("float32")))
            if not EVERYTHING and shape not in WHOLE:
                continue
            made[f"{name}: {shape} int labels, half"] = Call(lambda *a: fn(*a, **config), (whole, p.astype("float16")))
        return made

    check(f"losses.{function}", of(losses), of(keras().losses))


VALUES = {"n": (4,), "nx1": (4, 1), "nxt": (4, 3), "nxtxk": (4, 3, 2)}
REDUCED_WEIGHTS = {
    "no": None,
    "scalar": (),
    "n": (4,),
    "nx1": (4, 1),
    "nxt": (4, 3),
    "nxtx1": (4, 3, 1),
    "nxtxk": (4, 3, 2),
}


def test_reduction() -> None:
    from keras.src.losses.loss import reduce_weighted_values

    ours, theirs = {}, {}
    for values, shape in VALUES.items():
        for weight, weight_shape in REDUCED_WEIGHTS.items():
            for mask, mask_shape in REDUCED_WEIGHTS.items():
                if mask in ("scalar", "nx1", "nxtx1"):
                    continue
                for reduction in REDUCTIONS:
                    arrays = [rng.normal(size=shape).astype("float32")]
                    if weight_shape is not None:
                        arrays.append(rng.uniform(0, 2, weight_shape).round(1).astype("float32"))
                    if mask_shape is not None:
                        arrays.append(rng.random(mask_shape) > 0.4)

                    def parts(x: Any, *rest: Any, w: Any = weight_shape, m: Any = mask_shape) -> tuple[Any, Any, Any]:
                        return x, rest[0] if w is not None else None, rest[-1] if m is not None else None

                    case = f"values {values}, weight {weight}, mask {mask}, {reduction}"
                    ours[case] = Call(lambda *a, r=reduction, p=parts: reduce_weighted(*p(*a), r), tuple(arrays))
                    theirs[case] = Call(
                        lambda *a, r=reduction, p=parts: reduce_weighted_values(*p(*a), r), tuple(arrays)
                    )
    check("losses.Loss", ours, theirs)
