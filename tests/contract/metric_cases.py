"""A case for each metric: the metric, labels, predictions, and what it must give for them by weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from contract.references.metrics import (
    average_precision,
    concordance,
    correlation,
    counts,
    f_score,
    iou,
    log_softmax,
    mean,
    r2,
    ranked,
)
from polykeras import metrics

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
    "tp": (metrics.TruePositives(0.4), BINARY, SCORES, lambda w: counts(BINARY, ABOVE, w)[0].sum()),
    "fp": (
        metrics.FalsePositives([0.4, 0.2]),
        BINARY,
        SCORES,
        lambda w: [counts(BINARY, t < SCORES, w)[1].sum() for t in (0.4, 0.2)],
    ),
    "fn": (metrics.FalseNegatives(0.4), BINARY, SCORES, lambda w: counts(BINARY, ABOVE, w)[2].sum()),
    "tn": (metrics.TrueNegatives(0.4), BINARY, SCORES, lambda w: counts(BINARY, ABOVE, w)[3].sum()),
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
