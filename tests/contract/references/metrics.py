"""Metrics as their papers and textbooks define them, in NumPy and float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def mean(values: np.ndarray, w: np.ndarray) -> float:
    return float((values.reshape(len(w), -1).mean(1) * w).sum() / w.sum())


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
