"""Metrics on each backend against NumPy in float64: values over batches, weights, masks, compiled and by config."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.parity import assert_parity
from polykeras import layers, losses, metrics, ops
from polykeras.autodiff import function
from polykeras.backend import Backend
from polykeras.graph import KerasTensor
from polykeras.graph.tensor import infer_outputs

rng = np.random.default_rng(0)
N = 32

WEIGHT = rng.uniform(0.2, 1.0, N)
TRUE = rng.normal(size=(N, 3))
PREDICTED = TRUE + 0.5 * rng.normal(size=(N, 3))
BINARY = (rng.random((N, 4)) > 0.6).astype(float)
# Between the 200 thresholds of AUC, and with ties: the area over thresholds is the exact one.
SCORES = (rng.integers(20, 60, (N, 4)) + 40 * BINARY * rng.integers(0, 2, (N, 4)) + 0.5) / 199
CLASSES = rng.integers(0, 4, N)
ONE_HOT = np.eye(4)[CLASSES]
PROBABILITIES = rng.dirichlet(np.ones(4), N)


def mean(values: np.ndarray, w: np.ndarray) -> float:
    return float((values.reshape(N, -1).mean(1) * w).sum() / w.sum())


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def counts(y: np.ndarray, above: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, ...]:
    """True and false positives and negatives of each label."""
    w = w[:, None] * np.ones_like(y)
    return tuple((w * a).sum(0) for a in (y * above, (1 - y) * above, y * ~above, (1 - y) * ~above))


def ranked(y: np.ndarray, s: np.ndarray, w: np.ndarray) -> float:
    """The share of pairs of a 1 and a 0 in which the 1 has the larger score, ties counting half."""
    wins = (s[:, None] > s[None]) + 0.5 * (s[:, None] == s[None])
    pairs = (w * y)[:, None] * (w * (1 - y))[None]
    return float((wins * pairs).sum() / pairs.sum())


def average_precision(y: np.ndarray, s: np.ndarray, w: np.ndarray) -> float:
    """The area under precision over recall, true and all positives growing linearly between two scores."""
    levels = [math.inf, *sorted(set(s), reverse=True)]
    tp = np.array([(w * y * (s >= t)).sum() for t in levels])
    p = np.array([(w * (s >= t)).sum() for t in levels])
    area = 0.0
    for i in range(1, len(levels)):
        slope = (tp[i] - tp[i - 1]) / (p[i] - p[i - 1])
        cut = tp[i] - slope * p[i]
        area += slope * (tp[i] - tp[i - 1] + (cut * math.log(p[i] / p[i - 1]) if p[i - 1] else 0.0))
    return area / (w * y).sum()


def f_score(y: np.ndarray, above: np.ndarray, w: np.ndarray, beta: float, average: str | None) -> Any:
    tp, fp, fn, _ = counts(y, above, w)
    if average == "micro":
        tp, fp, fn = tp.sum(), fp.sum(), fn.sum()
    score = (1 + beta**2) * tp / ((1 + beta**2) * tp + beta**2 * fn + fp)
    return {None: score, "micro": score, "macro": np.mean(score)}.get(
        average, ((tp + fn) / (tp + fn).sum() * score).sum()
    )


def r2(y: np.ndarray, p: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    centre = (w[:, None] * y).sum(0) / w.sum()
    total = (w[:, None] * (y - centre) ** 2).sum(0)
    return 1 - (w[:, None] * (y - p) ** 2).sum(0) / total, total


def iou(y: np.ndarray, p: np.ndarray, w: np.ndarray, targets: tuple[int, ...]) -> float:
    shares = []
    for c in targets:
        union = (w * ((y == c) | (p == c))).sum()
        if union:
            shares.append((w * ((y == c) & (p == c))).sum() / union)
    return float(np.mean(shares))


def correlation(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(y, p, strict=True)])


def concordance(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    gap = (y.mean(1) - p.mean(1)) ** 2
    return (
        2 * np.array([np.cov(a, b, bias=True)[0, 1] for a, b in zip(y, p, strict=True)]) / (y.var(1) + p.var(1) + gap)
    )


ABOVE = SCORES > 0.4
LARGEST = PROBABILITIES.max(1, keepdims=True) == PROBABILITIES
RANK = (PROBABILITIES[np.arange(N), CLASSES][:, None] < PROBABILITIES).sum(1)

Case = tuple[metrics.Metric, np.ndarray, np.ndarray, Callable[[np.ndarray], Any]]

# A metric, labels, predictions, and its value for given weights.
CASES: dict[str, Case] = {
    "accuracy": (metrics.Accuracy(), CLASSES, CLASSES[::-1], lambda w: mean(CLASSES[::-1] == CLASSES, w)),
    "binary": (metrics.BinaryAccuracy(), BINARY, SCORES, lambda w: mean((SCORES > 0.5) == BINARY, w)),
    "binary-0.4": (metrics.BinaryAccuracy(threshold=0.4), BINARY, SCORES, lambda w: mean(ABOVE == BINARY, w)),
    "categorical": (metrics.CategoricalAccuracy(), ONE_HOT, PROBABILITIES, lambda w: mean(RANK == 0, w)),
    "sparse": (metrics.SparseCategoricalAccuracy(), CLASSES, PROBABILITIES, lambda w: mean(RANK == 0, w)),
    "sparse-column": (
        metrics.SparseCategoricalAccuracy(),
        CLASSES[:, None].astype(float),
        PROBABILITIES,
        lambda w: mean(RANK == 0, w),
    ),
    "top-2": (metrics.TopKCategoricalAccuracy(2), ONE_HOT, PROBABILITIES, lambda w: mean(RANK < 2, w)),
    "sparse-top-3": (metrics.SparseTopKCategoricalAccuracy(3), CLASSES, PROBABILITIES, lambda w: mean(RANK < 3, w)),
    "sorted-top-2": (
        metrics.SparseTopKCategoricalAccuracy(2, from_sorted_ids=True),
        CLASSES,
        np.argsort(-PROBABILITIES, axis=1),
        lambda w: mean(RANK < 2, w),
    ),
    "mse": (metrics.MeanSquaredError(), TRUE, PREDICTED, lambda w: mean((TRUE - PREDICTED) ** 2, w)),
    "rmse": (metrics.RootMeanSquaredError(), TRUE, PREDICTED, lambda w: mean((TRUE - PREDICTED) ** 2, w) ** 0.5),
    "mae": (metrics.MeanAbsoluteError(), TRUE, PREDICTED, lambda w: mean(np.abs(TRUE - PREDICTED), w)),
    "mape": (
        metrics.MeanAbsolutePercentageError(),
        TRUE,
        PREDICTED,
        lambda w: mean(100 * np.abs(1 - PREDICTED / TRUE), w),
    ),
    "msle": (
        metrics.MeanSquaredLogarithmicError(),
        TRUE**2,
        PREDICTED**2,
        lambda w: mean(np.log((1 + TRUE**2) / (1 + PREDICTED**2)) ** 2, w),
    ),
    "log_cosh": (metrics.LogCoshError(), TRUE, PREDICTED, lambda w: mean(np.log(np.cosh(TRUE - PREDICTED)), w)),
    "cosine": (
        metrics.CosineSimilarity(),
        TRUE,
        PREDICTED,
        lambda w: mean(
            (TRUE * PREDICTED).sum(1) / (np.linalg.norm(TRUE, axis=1) * np.linalg.norm(PREDICTED, axis=1)), w
        ),
    ),
    "pearson": (metrics.PearsonCorrelation(), TRUE, PREDICTED, lambda w: mean(correlation(TRUE, PREDICTED), w)),
    "concordance": (metrics.ConcordanceCorrelation(), TRUE, PREDICTED, lambda w: mean(concordance(TRUE, PREDICTED), w)),
    "kld": (
        metrics.KLDivergence(),
        PROBABILITIES[::-1],
        PROBABILITIES,
        lambda w: mean((PROBABILITIES[::-1] * np.log(PROBABILITIES[::-1] / PROBABILITIES)).sum(1), w),
    ),
    "poisson": (
        metrics.Poisson(),
        TRUE**2,
        PREDICTED**2 + 0.1,
        lambda w: mean(PREDICTED**2 + 0.1 - TRUE**2 * np.log(PREDICTED**2 + 0.1), w),
    ),
    "bce": (
        metrics.BinaryCrossentropy(label_smoothing=0.1),
        BINARY,
        SCORES,
        lambda w: mean(-(BINARY * 0.9 + 0.05) * np.log(SCORES) - (0.95 - BINARY * 0.9) * np.log(1 - SCORES), w),
    ),
    "cce": (
        metrics.CategoricalCrossentropy(from_logits=True),
        ONE_HOT,
        SCORES,
        lambda w: mean(-(ONE_HOT * log_softmax(SCORES)).sum(1), w),
    ),
    "scce": (
        metrics.SparseCategoricalCrossentropy(),
        CLASSES,
        PROBABILITIES,
        lambda w: mean(-np.log(PROBABILITIES[np.arange(N), CLASSES]), w),
    ),
    "scce-ignore": (
        metrics.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2),
        CLASSES,
        SCORES,
        lambda w: mean(-log_softmax(SCORES)[np.arange(N), CLASSES], w * (CLASSES != 2)),
    ),
    "hinge": (metrics.Hinge(), BINARY, SCORES, lambda w: mean(np.maximum(1 - (2 * BINARY - 1) * SCORES, 0), w)),
    "squared_hinge": (
        metrics.SquaredHinge(),
        2 * BINARY - 1,
        SCORES,
        lambda w: mean(np.maximum(1 - (2 * BINARY - 1) * SCORES, 0) ** 2, w),
    ),
    "categorical_hinge": (
        metrics.CategoricalHinge(),
        ONE_HOT,
        SCORES,
        lambda w: mean(np.maximum(1 + ((1 - ONE_HOT) * SCORES).max(1) - (ONE_HOT * SCORES).sum(1), 0), w),
    ),
    "tp": (metrics.TruePositives(), BINARY, SCORES, lambda w: counts(BINARY, SCORES > 0.5, w)[0].sum()),
    "fp": (
        metrics.FalsePositives([0.4, 0.2]),
        BINARY,
        SCORES,
        lambda w: [counts(BINARY, t < SCORES, w)[1].sum() for t in (0.4, 0.2)],
    ),
    "fn": (metrics.FalseNegatives(0.4), BINARY, SCORES, lambda w: counts(BINARY, ABOVE, w)[2].sum()),
    "tn": (metrics.TrueNegatives(), BINARY, SCORES, lambda w: counts(BINARY, SCORES > 0.5, w)[3].sum()),
    "precision": (
        metrics.Precision(0.4),
        BINARY,
        SCORES,
        lambda w: (w[:, None] * BINARY * ABOVE).sum() / (w[:, None] * ABOVE).sum(),
    ),
    "precision-class": (
        metrics.Precision(0.4, class_id=1),
        BINARY,
        SCORES,
        lambda w: (w * (BINARY * ABOVE)[:, 1]).sum() / (w * ABOVE[:, 1]).sum(),
    ),
    "recall-many": (
        metrics.Recall(np.linspace(0.9, 0.1, 30).tolist()),
        BINARY,
        SCORES,
        lambda w: [(w[:, None] * BINARY * (t < SCORES)).sum() / (w @ BINARY).sum() for t in np.linspace(0.9, 0.1, 30)],
    ),
    "recall-top-2": (
        metrics.Recall(top_k=2),
        BINARY,
        PROBABILITIES,
        lambda w: (
            (w[:, None] * BINARY * (np.argsort(np.argsort(-PROBABILITIES, axis=1), axis=1) < 2)).sum()
            / (w @ BINARY).sum()
        ),
    ),
    "roc": (
        metrics.AUC(),
        BINARY,
        SCORES,
        lambda w: ranked(BINARY.ravel(), SCORES.ravel(), np.repeat(w, 4)),
    ),
    "roc-labels": (
        metrics.AUC(multi_label=True),
        BINARY,
        SCORES,
        lambda w: np.mean([ranked(BINARY[:, i], SCORES[:, i], w) for i in range(4)]),
    ),
    "roc-label-weights": (
        metrics.AUC(multi_label=True, num_labels=4, label_weights=[1.0, 2.0, 0.0, 3.0]),
        BINARY,
        SCORES,
        lambda w: np.average([ranked(BINARY[:, i], SCORES[:, i], w) for i in range(4)], weights=[1, 2, 0, 3]),
    ),
    "roc-weighted-samples": (
        metrics.AUC(label_weights=[1.0, 2.0, 0.0, 3.0]),
        BINARY,
        SCORES,
        lambda w: ranked(BINARY.ravel(), SCORES.ravel(), (w[:, None] * [1, 2, 0, 3]).ravel()),
    ),
    "roc-logits": (
        metrics.AUC(from_logits=True),
        BINARY,
        np.log(SCORES / (1 - SCORES)),
        lambda w: ranked(BINARY.ravel(), SCORES.ravel(), np.repeat(w, 4)),
    ),
    "pr": (
        metrics.AUC(curve="PR"),
        BINARY,
        SCORES,
        lambda w: average_precision(BINARY.ravel(), SCORES.ravel(), np.repeat(w, 4)),
    ),
    "f1": (metrics.F1Score(threshold=0.4), BINARY, SCORES, lambda w: f_score(BINARY, ABOVE, w, 1.0, None)),
    "f1-micro": (metrics.F1Score("micro"), ONE_HOT, PROBABILITIES, lambda w: f_score(ONE_HOT, LARGEST, w, 1, "micro")),
    "f2-macro": (
        metrics.FBetaScore("macro", 2.0, 0.4),
        BINARY,
        SCORES,
        lambda w: f_score(BINARY, ABOVE, w, 2.0, "macro"),
    ),
    "f2-weighted": (
        metrics.FBetaScore("weighted", 2.0),
        ONE_HOT,
        PROBABILITIES,
        lambda w: f_score(ONE_HOT, LARGEST, w, 2.0, "weighted"),
    ),
    "r2": (metrics.R2Score(), TRUE, PREDICTED, lambda w: np.mean(r2(TRUE, PREDICTED, w)[0])),
    "r2-columns": (metrics.R2Score(None), TRUE, PREDICTED, lambda w: r2(TRUE, PREDICTED, w)[0]),
    "r2-variance": (
        metrics.R2Score("variance_weighted_average"),
        TRUE,
        PREDICTED,
        lambda w: np.average(r2(TRUE, PREDICTED, w)[0], weights=r2(TRUE, PREDICTED, w)[1]),
    ),
    "r2-adjusted": (
        metrics.R2Score(num_regressors=5),
        TRUE[:, :1],
        PREDICTED[:, :1],
        lambda w: 1 - (1 - r2(TRUE[:, :1], PREDICTED[:, :1], w)[0][0]) * (N - 1) / (N - 6),
    ),
    "iou": (metrics.IoU(4, [0, 2]), CLASSES, CLASSES[::-1], lambda w: iou(CLASSES, CLASSES[::-1], w, (0, 2))),
    "iou-mean": (
        metrics.MeanIoU(5, sparse_y_pred=False),
        CLASSES,
        np.pad(PROBABILITIES, ((0, 0), (0, 1))),
        lambda w: iou(CLASSES, PROBABILITIES.argmax(1), w, (0, 1, 2, 3)),
    ),
    "iou-ignore": (
        metrics.MeanIoU(4, ignore_class=1),
        CLASSES,
        CLASSES[::-1],
        lambda w: iou(CLASSES, CLASSES[::-1], w * (CLASSES != 1), (0, 1, 2, 3)),
    ),
    "iou-binary": (
        metrics.BinaryIoU(threshold=0.4),
        BINARY[:, 0],
        SCORES[:, 0],
        lambda w: iou(BINARY[:, 0], ABOVE[:, 0], w, (0, 1)),
    ),
    "iou-one-hot": (
        metrics.OneHotIoU(4, [3]),
        ONE_HOT,
        PROBABILITIES,
        lambda w: iou(CLASSES, PROBABILITIES.argmax(1), w, (3,)),
    ),
    "iou-one-hot-mean": (
        metrics.OneHotMeanIoU(4),
        ONE_HOT,
        PROBABILITIES,
        lambda w: iou(CLASSES, PROBABILITIES.argmax(1), w, (0, 1, 2, 3)),
    ),
}


def f32(x: Any) -> np.ndarray:
    x = np.asarray(x)
    return x.astype(np.float32) if x.dtype.kind == "f" else x


def fresh(metric: metrics.Metric) -> metrics.Metric:
    return type(metric).from_config(metric.get_config())


def feed(metric: metrics.Metric, y: np.ndarray, p: np.ndarray, w: np.ndarray | None, batch: int = 16) -> None:
    for i in range(0, N, batch):
        part = slice(i, i + batch)
        metric.update_state(f32(y[part]), f32(p[part]), None if w is None else f32(w[part]))


@pytest.mark.parametrize("name", CASES)
def test_values(backend: Backend, name: str) -> None:
    template, y, p, expected = CASES[name]
    metric = fresh(template)
    feed(metric, y, p, None)
    assert_parity(backend.to_numpy(metric.result()), f32(np.asarray(expected(np.ones(N)), float)), rtol=3e-5, atol=1e-6)
    metric.reset_state()
    feed(metric, y, p, WEIGHT)
    assert_parity(backend.to_numpy(metric.result()), f32(np.asarray(expected(WEIGHT), float)), rtol=3e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_compiled_and_symbolic(backend: Backend, name: str) -> None:
    template, y, p, expected = CASES[name]
    metric = fresh(template)
    y, p, w = f32(y), f32(p), f32(WEIGHT)
    symbolic = infer_outputs(metric, tuple(KerasTensor((None, *x.shape[1:]), str(x.dtype)) for x in (y, p, w)), {})
    assert all(not variable.numpy().any() for variable in metric.variables)

    step = function(metric)
    step(y[:16], p[:16], w[:16])
    result = backend.to_numpy(step(y[16:], p[16:], w[16:]))
    assert symbolic.shape == result.shape
    assert symbolic.dtype == result.dtype
    assert_parity(result, f32(np.asarray(expected(WEIGHT), float)), rtol=3e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_config_round_trip(name: str) -> None:
    metric = CASES[name][0]
    again = metrics.deserialize(metrics.serialize(metric))
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()


@pytest.mark.parametrize("name", CASES)
def test_nothing_seen(backend: Backend, name: str) -> None:
    assert np.isfinite(backend.to_numpy(fresh(CASES[name][0]).result())).all()


# ---- areas and rates at thresholds -----------------------------------------------------------------------------

FEW_TRUE = np.array([0.0, 0.0, 1.0, 1.0])
FEW_SCORES = np.array([0.0, 0.5, 0.3, 0.9])


@pytest.mark.parametrize(
    ("curve", "method", "expected"),
    [
        # With the thresholds 0-, 0.5, 1+: tp 2 1 0, fp 2 0 0.
        ("ROC", "interpolation", 0.75),
        ("ROC", "minoring", 0.5),
        ("ROC", "majoring", 1.0),
        ("PR", "minoring", 0.25),
        ("PR", "majoring", 1.0),
        # Between p = 1 and 4 true positives are 2/3 + p/3.
        ("PR", "interpolation", (1 + (1 + 2 / 3 * math.log(4)) / 3) / 2),
        # Gains: recall 1 0 0, precision 0 1 1.
        ("PRGAIN", "interpolation", 0.5),
        ("PRGAIN", "minoring", 0.0),
        ("PRGAIN", "majoring", 1.0),
    ],
)
def test_summation_methods(backend: Backend, curve: str, method: str, expected: float) -> None:
    metric = metrics.AUC(num_thresholds=3, curve=curve, summation_method=method)
    metric.update_state(f32(FEW_TRUE), f32(FEW_SCORES))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    assert metric.true_positives.numpy().tolist() == [2.0, 1.0, 0.0]
    assert metric.false_positives.numpy().tolist() == [2.0, 0.0, 0.0]


def test_scores_on_a_threshold_are_not_above_it(backend: Backend) -> None:
    # Both ways of counting: a comparison with each of a few thresholds, a search among many.
    for thresholds in ([0.25, 0.5, 0.75], [i / 64 for i in range(65)]):
        metric = metrics.TruePositives(thresholds)
        metric.update_state(np.ones(4, np.float32), f32([0.25, 0.5, 0.5, 0.75]))
        at = dict(zip(thresholds, metric.result(), strict=True))
        assert [float(at[t]) for t in (0.25, 0.5, 0.75)] == [3.0, 1.0, 0.0]


def test_scores_out_of_range_and_nan(backend: Backend) -> None:
    metric = metrics.AUC()
    metric.update_state(f32([1, 0, 1, 0]), f32([7.0, -3.0, 1.0, 0.0]))
    assert float(metric.result()) == 1.0
    metric = metrics.TruePositives([0.2, 0.6])
    metric.update_state(f32([1, 1]), f32([math.nan, 0.5]))
    assert backend.to_numpy(metric.result()).tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("metric", "given", "wanted"),
    [
        (metrics.SensitivityAtSpecificity(0.6), "specificity", "recall"),
        (metrics.SpecificityAtSensitivity(0.6), "recall", "specificity"),
        (metrics.PrecisionAtRecall(0.6), "recall", "precision"),
        (metrics.RecallAtPrecision(0.6), "precision", "recall"),
        (metrics.RecallAtPrecision(0.3, num_thresholds=1), "precision", "recall"),
        (metrics.PrecisionAtRecall(0.6, num_thresholds=7, class_id=1), "recall", "precision"),
    ],
)
def test_best_rate(backend: Backend, metric: metrics.Metric, given: str, wanted: str) -> None:
    near = np.random.default_rng(2).uniform(0.0, 0.8, (N, 4)) + 0.2 * BINARY
    y, s = BINARY[:, [1]], near[:, [1]]
    n = metric.num_thresholds
    best = 0.0
    for t in [0.5] if n == 1 else np.linspace(0, 1, n):
        tp, fp, fn, tn = (c[0] for c in counts(y, s > t, np.ones(N)))
        rates = {
            "recall": tp / (tp + fn),
            "specificity": tn / (tn + fp),
            "precision": tp / (tp + fp) if tp + fp else 0.0,
        }
        if rates[given] >= metric._value:
            best = max(best, rates[wanted])
    metric = fresh(metric)
    feed(metric, *((BINARY, near) if metric.class_id is not None else (y, s)), None)
    assert 0.0 < best < 1.0
    assert float(metric.result()) == pytest.approx(best, rel=1e-6)
    assert metrics.deserialize(metrics.serialize(metric)).get_config() == metric.get_config()


# ---- sums, means, masks ----------------------------------------------------------------------------------------


def test_sum_and_mean(backend: Backend) -> None:
    total, average = metrics.Sum(), metrics.Mean()
    for metric in (total, average):
        metric.update_state([1.0, 3.0])
        metric.update_state(5.0)
        metric.update_state([[1.0, 2.0], [3.0, 4.0]], sample_weight=[1.0, 0.5])
    assert float(total.result()) == pytest.approx(9 + 3 + 3.5)
    assert float(average.result()) == pytest.approx((9 + 1.5 + 0.5 * 3.5) / (3 + 1.5))
    assert float(average([2.0])) == pytest.approx((9 + 1.5 + 0.5 * 3.5 + 2) / 5.5)
    average.reset_state()
    assert float(average.result()) == 0.0


def test_samples_count_alike_whatever_their_length(backend: Backend) -> None:
    metric = metrics.MeanSquaredError()
    metric.update_state(np.zeros((2, 5, 1), np.float32), np.ones((2, 5, 1), np.float32))
    metric.update_state(np.zeros((1, 2, 1), np.float32), 2 * np.ones((1, 2, 1), np.float32))
    assert float(metric.result()) == pytest.approx((1 + 1 + 4) / 3)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.MeanSquaredError(), 55 / 5),
        (metrics.RootMeanSquaredError(), 11**0.5),
        (metrics.BinaryAccuracy(threshold=3.5), 3 / 5),
        (metrics.FalsePositives(), 5.0),
        (metrics.BinaryIoU([0], threshold=2.5), 2 / 5),
    ],
    ids=lambda x: getattr(x, "name", None),
)
def test_masked_values_do_not_count(backend: Backend, metric: metrics.Metric, expected: float) -> None:
    x = np.array([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [9.0]]], np.float32)
    metric = fresh(metric)
    metric.update_state(np.zeros_like(x), layers.Masking(9.0)(x))
    assert float(metric.result()) == pytest.approx(expected)


def test_stateless_forms(backend: Backend) -> None:
    metric = metrics.Mean()
    start = metric.stateless_reset_state()
    state = metric.stateless_update_state(start, ops.convert_to_tensor([2.0, 4.0]))
    assert float(metric.stateless_result(state)) == 3.0
    assert float(metric.result()) == 0.0


def test_low_precision_predictions_are_compared_in_float32(backend: Backend) -> None:
    metric = metrics.MeanAbsoluteError()
    metric.update_state(np.full((1, 4096), 0.125, np.float32), ops.cast(np.full((1, 4096), 100.0), "bfloat16"))
    assert float(metric.result()) == 99.875


# ---- names, functions, errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("mse", metrics.MeanSquaredError),
        ("MAE", metrics.MeanAbsoluteError),
        ("binary_accuracy", metrics.BinaryAccuracy),
        ("BinaryAccuracy", metrics.BinaryAccuracy),
        ("auc", metrics.AUC),
        ("f1_score", metrics.F1Score),
        ("kld", metrics.KLDivergence),
        ({"class_name": "Precision", "config": {"top_k": 2}}, metrics.Precision),
    ],
)
def test_get(name: Any, cls: type) -> None:
    assert type(metrics.get(name)) is cls


def test_all_names_are_there() -> None:
    assert metrics.get(None) is None
    for name in metrics.__all__:
        assert getattr(metrics, name) is not None
    assert metrics.mean_squared_error is losses.mean_squared_error


def test_own_function(backend: Backend) -> None:
    def largest_error(y_true: Any, y_pred: Any, scale: float = 1.0) -> Any:
        return scale * ops.max(ops.abs(y_true - y_pred), axis=-1)

    metric = metrics.MeanMetricWrapper(largest_error, scale=2.0)
    metric.update_state(f32(TRUE), f32(PREDICTED))
    assert metric.name == "largest_error"
    assert float(metric.result()) == pytest.approx(2 * np.abs(TRUE - PREDICTED).max(1).mean(), rel=1e-5)


@pytest.mark.parametrize("fn", [metrics.binary_accuracy, losses.huber, losses.mean_squared_error])
def test_wrapper_config(fn: Callable[..., Any]) -> None:
    metric = metrics.MeanMetricWrapper(fn, name="mine")
    again = metrics.deserialize(metrics.serialize(metric))
    assert again._fn is fn
    assert again.get_config() == metric.get_config() == {"fn": fn.__name__, "name": "mine", "dtype": "float32"}


def test_loss_as_metric(backend: Backend) -> None:
    metric = metrics.MeanMetricWrapper(losses.Huber(2.0))
    metric.update_state(f32([[0.0]]), f32([[1.0]]))
    metric.update_state(f32([[0.0]]), f32([[2.0]]))
    assert metric.name == "huber_loss"
    assert metric.direction == "down"
    assert float(metric.result()) == pytest.approx(1.25)


def test_directions() -> None:
    assert metrics.AUC.direction == "up"
    assert metrics.MeanSquaredError().direction == "down"
    assert metrics.CosineSimilarity().direction == "up"
    assert metrics.MeanMetricWrapper(lambda y, p: p, "x").direction is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.get("acuracy"), r"Unknown metric 'acuracy'. Did you mean 'accuracy'"),
        (lambda: metrics.Precision([0.5, 1.5]), r"Precision: thresholds must be .* in \[0, 1\]; received \[0.5, 1.5\]"),
        (lambda: metrics.AUC(curve="RC"), "curve must be one of ROC, PR, PRGAIN; received 'RC'"),
        (lambda: metrics.AUC(summation_method="x"), "summation_method must be one of"),
        (lambda: metrics.AUC(num_thresholds=1), "at least 2; received 1"),
        (lambda: metrics.AUC(thresholds=[-0.1]), r"in \[0, 1\]"),
        (lambda: metrics.AUC(num_labels=3), "goes with multi_label"),
        (lambda: metrics.RecallAtPrecision(1.5), r"rate in \[0, 1\]; received 1.5"),
        (lambda: metrics.F1Score("mean"), "average must be one of"),
        (lambda: metrics.FBetaScore(beta=0.0), "beta must be greater than 0"),
        (lambda: metrics.F1Score(threshold=0.0), "threshold must lie in"),
        (lambda: metrics.IoU(3, [3]), r"must lie in \[0, 3\)"),
        (lambda: metrics.R2Score("x"), "class_aggregation must be one of"),
        (lambda: metrics.R2Score(num_regressors=-1), "must not be negative"),
    ],
)
def test_wrong_arguments(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred", "message"),
    [
        (metrics.BinaryAccuracy(), (4, 2), (4, 1), r"binary_accuracy: .*labels \(4, 2\) and predictions \(4, 1\)"),
        (metrics.SparseCategoricalAccuracy(), (4, 3), (4, 3), "One-hot labels go with categorical_accuracy"),
        (metrics.AUC(), (4, 2), (4, 3), "AUC: labels and predictions must have one shape"),
        (metrics.AUC(multi_label=True), (4,), (4,), r"multi_label takes predictions \(batch, labels\)"),
        (metrics.Recall(class_id=0), (4,), (4,), "an axis of classes"),
        (metrics.F1Score(), (4,), (4,), r"\(batch, classes\); received shape \(4,\)"),
        (metrics.R2Score(), (4,), (4,), r"\(batch, outputs\); received shape \(4,\)"),
    ],
)
def test_wrong_shapes(backend: Backend, metric: metrics.Metric, y_true: Any, y_pred: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fresh(metric).update_state(np.zeros(y_true, np.float32), np.zeros(y_pred, np.float32))


# ---- Keras itself ----------------------------------------------------------------------------------------------

KERAS_SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
import keras, numpy as np
with open(sys.argv[1]) as file:
    cases = json.load(file)
results = []
for cls, config, y, p, w in cases:
    metric = getattr(keras.metrics, cls)(**config)
    for i in range(0, len(y), 16):
        part = slice(i, i + 16)
        metric.update_state(np.array(y[part], "float32"), np.array(p[part], "float32"), np.array(w[part], "float32"))
    results.append(np.asarray(metric.result()).tolist())
print(json.dumps(results))
"""


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("keras") and find_spec("torch")), reason="Keras or torch is not installed")
def test_keras_has_the_same_results(tmp_path: Path) -> None:
    named = {name: case for name, case in CASES.items() if name != "scce-ignore"}  # Keras forgets the mask
    rows, expected = [], []
    for template, y, p, _ in named.values():
        metric = fresh(template)
        feed(metric, y, p, WEIGHT)
        expected.append(np.asarray(metric.result()))
        rows.append((type(metric).__name__, metric.get_config(), y.tolist(), p.tolist(), WEIGHT.tolist()))
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(rows))
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    run = subprocess.run(
        [sys.executable, "-c", KERAS_SCRIPT, str(path)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout.splitlines()[-1])
    for name, ours, theirs in zip(named, expected, results, strict=True):
        assert_parity(ours, np.asarray(theirs, ours.dtype), rtol=3e-5, atol=1e-6, what=name)
