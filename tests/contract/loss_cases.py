"""A case for each loss: the loss, labels, predictions, and what it must give for each sample."""

from __future__ import annotations

import numpy as np

from polykeras import losses

EPSILON = 1e-7
rng = np.random.default_rng(0)

TRUE = rng.normal(size=(5, 3))
PREDICTED = TRUE + 0.7 * rng.normal(size=(5, 3))
BINARY = (rng.random((5, 3)) > 0.5).astype(float)
SHARES = rng.uniform(0.05, 0.95, (5, 3))
ONE_HOT = np.eye(3)[rng.integers(0, 3, 5)]
CLASSES = ONE_HOT.argmax(1)
PROBABILITIES = SHARES / SHARES.sum(1, keepdims=True)
LOGITS = 3 * rng.normal(size=(5, 3))
PAIRED = np.array([0, 1, 0, 1, 1])
DIRECTIONS = TRUE / np.sqrt((TRUE**2).sum(-1, keepdims=True))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def bce(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return -y * np.log(p) - (1 - y) * np.log(1 - p)


def focal(y: np.ndarray, p: np.ndarray, gamma: float) -> np.ndarray:
    return (1 - (y * p + (1 - y) * (1 - p))) ** gamma * bce(y, p)


def cosine(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return (y * p).sum(-1) / np.sqrt((y**2).sum(-1) * (p**2).sum(-1))


def huber(e: np.ndarray, d: float) -> np.ndarray:
    return np.where(np.abs(e) <= d, e**2 / 2, d * np.abs(e) - d**2 / 2)


def circle(y: np.ndarray, p: np.ndarray, gamma: float, margin: float) -> np.ndarray:
    values = []
    for i in range(len(y)):
        far = near = 0.0
        for j in range(len(y)):
            d = 1 - p[i] @ p[j]
            if y[i] != y[j]:
                near += np.exp(gamma * max(1 + margin - d, 0) * (1 - margin - d))
            elif i != j:
                far += np.exp(gamma * max(margin + d, 0) * (d - margin))
        values.append(np.log1p(far * near))
    return np.array(values)


def hinge(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.maximum(1 - y * p, 0)


# A loss, labels, predictions, and the losses of the samples.
CASES: dict[str, tuple[losses.Loss, np.ndarray, np.ndarray, np.ndarray]] = {
    "mse": (losses.MeanSquaredError(), TRUE, PREDICTED, ((TRUE - PREDICTED) ** 2).mean(-1)),
    "mae": (losses.MeanAbsoluteError(), TRUE, PREDICTED, np.abs(TRUE - PREDICTED).mean(-1)),
    "mape": (
        losses.MeanAbsolutePercentageError(),
        TRUE,
        PREDICTED,
        100 * np.abs((TRUE - PREDICTED) / TRUE).mean(-1),
    ),
    "msle": (
        losses.MeanSquaredLogarithmicError(),
        TRUE,
        PREDICTED,
        ((np.log1p(np.maximum(TRUE, EPSILON)) - np.log1p(np.maximum(PREDICTED, EPSILON))) ** 2).mean(-1),
    ),
    "huber": (losses.Huber(), TRUE, PREDICTED, huber(TRUE - PREDICTED, 1.0).mean(-1)),
    "huber-delta": (losses.Huber(0.3), TRUE, PREDICTED, huber(TRUE - PREDICTED, 0.3).mean(-1)),
    "log_cosh": (losses.LogCosh(), TRUE, PREDICTED, np.log(np.cosh(TRUE - PREDICTED)).mean(-1)),
    "poisson": (losses.Poisson(), BINARY, SHARES, (SHARES - BINARY * np.log(SHARES + EPSILON)).mean(-1)),
    "kld": (
        losses.KLDivergence(),
        PROBABILITIES[::-1],
        PROBABILITIES,
        (PROBABILITIES[::-1] * np.log(PROBABILITIES[::-1] / PROBABILITIES)).sum(-1),
    ),
    "cosine": (losses.CosineSimilarity(), TRUE, PREDICTED, -cosine(TRUE, PREDICTED)),
    "cosine-axis": (losses.CosineSimilarity(axis=0), TRUE, PREDICTED, -cosine(TRUE.T, PREDICTED.T)),
    "bce": (losses.BinaryCrossentropy(), BINARY, SHARES, bce(BINARY, SHARES).mean(-1)),
    "bce-logits": (losses.BinaryCrossentropy(True), BINARY, LOGITS, bce(BINARY, sigmoid(LOGITS)).mean(-1)),
    "bce-smooth": (
        losses.BinaryCrossentropy(label_smoothing=0.2),
        BINARY,
        SHARES,
        bce(BINARY * 0.8 + 0.1, SHARES).mean(-1),
    ),
    "bce-axis": (losses.BinaryCrossentropy(axis=0), BINARY, SHARES, bce(BINARY, SHARES).mean(0)),
    "focal": (losses.BinaryFocalCrossentropy(), BINARY, SHARES, focal(BINARY, SHARES, 2.0).mean(-1)),
    "focal-balanced": (
        losses.BinaryFocalCrossentropy(True, alpha=0.3, gamma=1.5, from_logits=True),
        BINARY,
        LOGITS,
        ((BINARY * 0.3 + (1 - BINARY) * 0.7) * focal(BINARY, sigmoid(LOGITS), 1.5)).mean(-1),
    ),
    "cce": (losses.CategoricalCrossentropy(), ONE_HOT, PROBABILITIES, -(ONE_HOT * np.log(PROBABILITIES)).sum(-1)),
    "cce-unnormalised": (
        losses.CategoricalCrossentropy(),
        ONE_HOT,
        SHARES,
        -(ONE_HOT * np.log(PROBABILITIES)).sum(-1),
    ),
    "cce-smooth": (
        losses.CategoricalCrossentropy(True, 0.3),
        ONE_HOT,
        LOGITS,
        -((ONE_HOT * 0.7 + 0.1) * np.log(softmax(LOGITS))).sum(-1),
    ),
    "cce-axis": (
        losses.CategoricalCrossentropy(True, 0.3, axis=0),
        ONE_HOT.T,
        LOGITS.T,
        -((ONE_HOT * 0.7 + 0.1) * np.log(softmax(LOGITS))).sum(-1),
    ),
    "cfce": (
        losses.CategoricalFocalCrossentropy(),
        ONE_HOT,
        PROBABILITIES,
        -(ONE_HOT * np.log(PROBABILITIES) * 0.25 * (1 - PROBABILITIES) ** 2).sum(-1),
    ),
    "cfce-logits": (
        losses.CategoricalFocalCrossentropy(0.5, 1.5, True),
        ONE_HOT,
        LOGITS,
        -(ONE_HOT * np.log(softmax(LOGITS)) * 0.5 * (1 - softmax(LOGITS)) ** 1.5).sum(-1),
    ),
    "scce": (
        losses.SparseCategoricalCrossentropy(),
        CLASSES,
        PROBABILITIES,
        -np.log(PROBABILITIES[np.arange(5), CLASSES]),
    ),
    "scce-column": (
        losses.SparseCategoricalCrossentropy(True),
        CLASSES[:, None],
        LOGITS,
        -np.log(softmax(LOGITS)[np.arange(5), CLASSES]),
    ),
    "scce-axis": (
        losses.SparseCategoricalCrossentropy(True, axis=0),
        CLASSES,
        LOGITS.T,
        -np.log(softmax(LOGITS)[np.arange(5), CLASSES]),
    ),
    "scce-smooth": (
        losses.SparseCategoricalCrossentropy(label_smoothing=0.3),
        CLASSES,
        SHARES,
        -((ONE_HOT * 0.7 + 0.1) * np.log(PROBABILITIES)).sum(-1),
    ),
    "scce-smooth-axis": (
        losses.SparseCategoricalCrossentropy(True, axis=0, label_smoothing=0.3),
        CLASSES,
        LOGITS.T,
        -((ONE_HOT * 0.7 + 0.1) * np.log(softmax(LOGITS))).sum(-1),
    ),
    "scfce": (
        losses.SparseCategoricalFocalCrossentropy([0.2, 0.3, 0.5]),
        CLASSES,
        PROBABILITIES,
        -(ONE_HOT * [0.2, 0.3, 0.5] * np.log(PROBABILITIES) * (1 - PROBABILITIES) ** 2).sum(-1),
    ),
    "scfce-axis": (
        losses.SparseCategoricalFocalCrossentropy([0.2, 0.3, 0.5], 1.5, True, axis=0),
        CLASSES,
        LOGITS.T,
        -(ONE_HOT * [0.2, 0.3, 0.5] * np.log(softmax(LOGITS)) * (1 - softmax(LOGITS)) ** 1.5).sum(-1),
    ),
    "hinge": (losses.Hinge(), 2 * BINARY - 1, PREDICTED, hinge(2 * BINARY - 1, PREDICTED).mean(-1)),
    "hinge-binary": (losses.Hinge(), BINARY, PREDICTED, hinge(2 * BINARY - 1, PREDICTED).mean(-1)),
    "squared_hinge": (losses.SquaredHinge(), BINARY, PREDICTED, (hinge(2 * BINARY - 1, PREDICTED) ** 2).mean(-1)),
    "categorical_hinge": (
        losses.CategoricalHinge(),
        ONE_HOT,
        PREDICTED,
        np.maximum(1 + ((1 - ONE_HOT) * PREDICTED).max(-1) - (ONE_HOT * PREDICTED).sum(-1), 0),
    ),
    "gce": (
        losses.CategoricalGeneralizedCrossEntropy(0.7),
        CLASSES,
        PROBABILITIES,
        (1 - PROBABILITIES[np.arange(5), CLASSES] ** 0.7) / 0.7,
    ),
    "dice": (losses.Dice(axis=-1), BINARY, SHARES, 1 - 2 * (BINARY * SHARES).sum(-1) / (BINARY + SHARES).sum(-1)),
    "tversky": (
        losses.Tversky(0.3, 0.8, axis=-1),
        BINARY,
        SHARES,
        1
        - (BINARY * SHARES).sum(-1)
        / ((BINARY * SHARES) + 0.3 * BINARY * (1 - SHARES) + 0.8 * (1 - BINARY) * SHARES).sum(-1),
    ),
    "circle": (losses.Circle(4.0, 0.3), PAIRED, DIRECTIONS, circle(PAIRED, DIRECTIONS, 4.0, 0.3)),
    # The labels 1, 2 in three steps: 1 2 -, 1 - 2, - 1 2, 1 1 2, 1 2 2.
    "ctc": (
        losses.CTC(),
        np.array([[1, 2]]),
        LOGITS[None, :3],
        -np.log(
            [
                sum(
                    np.prod(softmax(LOGITS)[np.arange(3), way])
                    for way in ([1, 2, 0], [1, 0, 2], [0, 1, 2], [1, 1, 2], [1, 2, 2])
                )
            ]
        ),
    ),
}
