"""Metrics: several updates with weights of each shape, labels of each shape and dtype; and after a reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from differential.opponent import EVERYTHING, Call, compare, keras, outcome, quiet, settle, together
from polykeras import dtypes, metrics, ops

pytestmark = [pytest.mark.slow, pytest.mark.keras]

rng = np.random.default_rng(7)
N, M = 6, 4
"""The sizes of two batches."""


@pytest.fixture(autouse=True)
def same_data() -> None:
    """Each test draws the same data, whichever tests ran before."""
    rng.bit_generator.state = np.random.default_rng(7).bit_generator.state


def reals(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    y = rng.normal(size=(n, *shape)).round(1)
    return y, y + 0.5 * rng.normal(size=(n, *shape)).round(1)


def shares(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    return rng.uniform(0.1, 0.9, (n, *shape)), rng.uniform(0.1, 0.9, (n, *shape))


def bits(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Labels 0 and 1; scores with ties, some on thresholds."""
    return (rng.random((n, *shape)) > 0.5) * 1.0, rng.integers(0, 11, (n, *shape)) / 10


def signs(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    y, p = bits(n, shape)
    return 2 * y - 1, 3 * p - 1


def one_hot(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    y, p = classes(n, shape)
    return np.eye(shape[-1])[y.astype(int)], p


def classes(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Class numbers; scores with ties."""
    p = rng.integers(1, 6, (n, *shape)) * 1.0
    return rng.integers(0, shape[-1], (n, *shape[:-1])) * 1.0, p / p.sum(-1, keepdims=True)


def column(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    y, p = classes(n, shape)
    return y[..., None], p


def pairs(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 3, (n, *shape)) * 1.0, rng.integers(0, 3, (n, *shape)) * 1.0


def column_labels(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    y, p = bits(n, shape)
    return y[..., None], p


def column_predictions(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    y, p = bits(n, shape)
    return y, p[..., None]


Maker = Callable[[int, tuple[int, ...]], tuple[np.ndarray, np.ndarray]]
ANY = [(), (1,), (3,), (2, 3)]
ROWS = [(3,), (2, 3)]
PLAIN: list[tuple[str, dict[str, Any], Maker, list[tuple[int, ...]]]] = [
    ("Accuracy", {}, pairs, ANY),
    ("BinaryAccuracy", {}, bits, ANY),
    ("BinaryAccuracy", {"threshold": 0.3}, bits, [(3,)]),
    ("BinaryAccuracy", {}, column_labels, [()]),
    ("BinaryAccuracy", {}, column_predictions, [()]),
    ("CategoricalAccuracy", {}, one_hot, ROWS),
    ("SparseCategoricalAccuracy", {}, classes, ROWS),
    ("SparseCategoricalAccuracy", {}, column, ROWS),
    ("TopKCategoricalAccuracy", {"k": 2}, one_hot, ROWS),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, classes, ROWS),
    ("SparseTopKCategoricalAccuracy", {"k": 2}, column, ROWS),
    *[(name, {}, reals, ANY) for name in ("MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "MeanSquaredLogarithmicError", "LogCoshError")],
    ("MeanAbsolutePercentageError", {}, shares, ANY),
    ("CosineSimilarity", {}, reals, ROWS),
    ("CosineSimilarity", {"axis": 1}, reals, ROWS),
    ("PearsonCorrelation", {}, reals, ROWS),
    ("ConcordanceCorrelation", {}, reals, ROWS),
    ("KLDivergence", {}, shares, ANY),
    ("Poisson", {}, shares, ANY),
    ("BinaryCrossentropy", {}, shares, ANY),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, signs, [(3,)]),
    ("CategoricalCrossentropy", {}, one_hot, ROWS),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, one_hot, ROWS),
    ("SparseCategoricalCrossentropy", {}, classes, ROWS),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, column, ROWS),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}, classes, ROWS),
    *[(name, {}, data, ANY) for name in ("Hinge", "SquaredHinge") for data in (signs, bits)],
    ("CategoricalHinge", {}, one_hot, ROWS),
    *[(name, config, bits, [(), (3,)]) for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives") for config in ({}, {"thresholds": [0.3, 0.7]})],
    *[(name, config, bits, [(3,)]) for name in ("Precision", "Recall") for config in ({}, {"thresholds": [0.3, 0.5]}, {"top_k": 2}, {"class_id": 1}, {"top_k": 1, "class_id": 2}, {"thresholds": 0.5, "top_k": 2})],
    *[(name, {}, bits, [(), (1,), (2, 3)]) for name in ("Precision", "Recall")],
    *[(name, {arg: 0.5, **config}, bits, [(), (3,)] if not config else [(3,)]) for name, arg in (("SensitivityAtSpecificity", "specificity"), ("SpecificityAtSensitivity", "sensitivity"), ("PrecisionAtRecall", "recall"), ("RecallAtPrecision", "precision")) for config in ({}, {"num_thresholds": 5}, {"class_id": 1}, {"num_thresholds": 1})],
    *[("AUC", config, bits, [(3,)]) for config in ({}, {"curve": "PR"}, {"curve": "PRGAIN"}, {"summation_method": "minoring"}, {"summation_method": "majoring", "curve": "PR"}, {"num_thresholds": 3}, {"thresholds": [0.25, 0.5, 0.55]}, {"multi_label": True}, {"multi_label": True, "num_labels": 3, "label_weights": [1.0, 0.5, 2.0]}, {"label_weights": [1.0, 0.5, 2.0]}, {"from_logits": True})],
    ("AUC", {}, bits, [(), (1,)]),
    *[(name, config, data, [(3,)]) for name in ("F1Score", "FBetaScore") for config in ({}, {"average": "micro"}, {"average": "macro", "threshold": 0.5}, {"average": "weighted", "threshold": 0.3}) for data in (one_hot, bits)],
    ("FBetaScore", {"beta": 2.0, "average": "macro"}, one_hot, [(3,)]),
    *[("R2Score", config, reals, [(1,), (3,)]) for config in ({}, {"class_aggregation": None}, {"class_aggregation": "variance_weighted_average"}, {"num_regressors": 2})],
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 2]}, pairs, [(), (1,), (3,), (2, 3)]),
    ("IoU", {"num_classes": 2, "target_class_ids": [0, 1]}, pairs, [(3,)]),
    ("IoU", {"num_classes": 3, "target_class_ids": [1], "ignore_class": 0}, pairs, [(3,)]),
    ("MeanIoU", {"num_classes": 3}, pairs, [(), (3,)]),
    ("MeanIoU", {"num_classes": 3, "sparse_y_pred": False}, classes, ROWS),
    ("MeanIoU", {"num_classes": 3, "sparse_y_true": False, "sparse_y_pred": False}, one_hot, ROWS),
    ("BinaryIoU", {}, bits, [(), (3,)]),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, bits, [(3,)]),
    ("OneHotIoU", {"num_classes": 3, "target_class_ids": [0]}, one_hot, ROWS),
    ("OneHotMeanIoU", {"num_classes": 3, "ignore_class": 1}, one_hot, ROWS),
]  # fmt: skip
VALUES = {"scalar": (), "n": (N,), "nx1": (N, 1), "nx3": (N, 3), "nx2x3": (N, 2, 3)}
WEIGHTS: dict[str, Callable[[tuple[int, ...]], Any]] = {
    "no": lambda shape: None,
    "scalar": lambda shape: 2.0,
    "n": lambda shape: rng.integers(0, 5, shape[:1]) / 4 + 0.1,
    "whole": lambda shape: rng.integers(0, 3, shape[:1]),
    "nx1": lambda shape: rng.integers(0, 5, (*shape[:1], 1)) / 4,
    "each": lambda shape: rng.integers(0, 5, shape) / 4,
    "zero": lambda shape: np.zeros(shape[:1]),
}


def after(metric: Any, convert: Callable[[Any], Any], batches: list[list[Any]]) -> Any:
    """Return the results after each batch, and after a reset and one more."""
    seen = []
    for batch in batches:
        metric.update_state(*map(convert, batch))
        seen.append(metric.result())
    metric.reset_state()
    seen.append(metric.result())
    metric.update_state(*map(convert, batches[0]))
    return [*seen, metric.result()]


def check(name: str, cases: dict[str, tuple[dict[str, Any], list[list[Any]]]]) -> None:
    """Compare a metric's cases: each its arguments and its batches of arrays."""
    calls, ours = {}, {}
    with quiet():
        for case, (config, batches) in cases.items():
            widths = [len(batch) for batch in batches]

            def run(library: Any, convert: Any, flat: Any, config: Any = config, widths: Any = widths) -> Any:
                rest, given = list(flat), []
                for width in widths:
                    given.append(rest[:width])
                    del rest[:width]
                return after(getattr(library, name)(**config), convert, given)

            arrays = tuple(np.asarray(x) for batch in batches for x in batch)
            convert = keras().ops.convert_to_tensor
            calls[case] = Call(lambda *a, run=run, convert=convert: run(keras().metrics, convert, a), arrays)
            ours[case] = outcome(lambda run=run, arrays=arrays: run(metrics, ops.convert_to_tensor, arrays))
        theirs = together(calls)
        found = [m for case in cases for m in compare(case, ours[case], theirs[case], HALVES.get(case.split()[-1]))]
    settle(f"metrics.{name}", list(cases), found)


def f32(x: Any, dtype: str = "float32") -> np.ndarray:
    x = np.asarray(x)
    return x.astype(dtypes.numpy_dtype(dtype)) if x.dtype == np.float64 else x.astype("int32")


def typed(y: np.ndarray, p: np.ndarray, dtype: str) -> list[np.ndarray]:
    """Return labels and predictions in a dtype: bools and integers of labels that are whole numbers."""
    if dtype in ("int32", "bool"):
        return [y.astype(dtype), f32(p)]
    return [f32(y, dtype), f32(p, dtype)]


WHOLE = {"BinaryAccuracy", "IoU", "MeanSquaredError", "R2Score", "SparseCategoricalAccuracy", "TruePositives"}
"""Metrics that are compared with weights of every kind: the others share the code of one of them."""
HALVES = {"float16": 4e-3, "bfloat16": 3e-2}
"""Errors of predictions in half precision, by which Keras computes; we do so in the metric's dtype."""
NAMES = sorted({name for name, *_ in PLAIN})


def weighted(kind: str, shape: tuple[int, ...], batches: list[Any]) -> list[list[Any]]:
    """Return batches with weights of one kind; `shape` is that of a sample, without an axis of classes."""
    weights = [WEIGHTS[kind]((len(p), *shape)) for _, p in batches]
    return [[f32(y), f32(p), *([] if w is None else [f32(w)])] for (y, p), w in zip(batches, weights, strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_metrics(name: str) -> None:
    cases: dict[str, tuple[dict[str, Any], list[list[Any]]]] = {}
    rows = [row[1:] for row in PLAIN if row[0] == name]
    for config, maker, shapes in rows:
        for shape in shapes:
            label = ", ".join(
                [*(f"{k}={v}" for k, v in config.items()), maker.__name__, "x".join(map(str, ("n", *shape)))]
            )
            batches = [maker(n, shape) for n in (N, M)]
            each = shape[:-1] if maker in (one_hot, classes, column) else shape
            # One configuration of a metric with weights of all kinds and all dtypes, the others with the usual ones.
            first = (config, maker) == rows[0][:2] and shape in (shapes[0], shapes[-1])
            for kind in WEIGHTS if first and (EVERYTHING or name in WHOLE) else ("n", "scalar") if first else ("n",):
                cases[f"{label}, weights {kind}"] = (config, weighted(kind, each, batches))
            if (config, maker, shape) != (*rows[0][:2], shapes[0]):
                continue
            plain = weighted("no", each, batches)
            cases[f"{label}, some batches weighted"] = (config, [plain[0], [*plain[1], np.float32(2.0)]])
            for dtype in ("float16", "bfloat16", *(() if maker in (reals, shares) else ("int32",))):
                if EVERYTHING or name in WHOLE:
                    cases[f"{label}, given {dtype}"] = (config, [typed(*b, dtype) for b in batches])
            cases[f"{label}, of float16"] = (config | {"dtype": "float16"}, plain)
    check(name, cases)


@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_values(name: str) -> None:
    cases: dict[str, tuple[dict[str, Any], list[list[Any]]]] = {}
    for label, shape in VALUES.items():
        batches = [rng.normal(size=shape).round(1), rng.normal(size=(M, *shape[1:]) if shape else ()).round(1)]
        for weight, of in WEIGHTS.items():
            if not shape and weight not in ("no", "scalar"):
                continue
            weights = [of(x.shape) for x in batches]
            given = [[f32(x), *([] if w is None else [f32(w)])] for x, w in zip(batches, weights, strict=True)]
            cases[f"values {label}, weights {weight}"] = ({}, given)
        cases[f"values {label}, some batches weighted"] = ({}, [[f32(batches[0]), np.float32(2.0)], [f32(batches[1])]])
        cases[f"values {label}, given int32"] = ({}, [[x.astype("int32")] for x in batches])
        cases[f"values {label}, of float16"] = ({"dtype": "float16"}, [[f32(x)] for x in batches])
    check(name, cases)
