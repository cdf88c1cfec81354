"""Metrics by name, from functions and with wrong arguments; their results beside those of Keras."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.metric_cases import CASES, PREDICTED, TRUE, WEIGHT, N
from helpers import f32
from helpers.parity import assert_parity
from polykeras import losses, metrics, ops
from polykeras.backend import Backend


def fresh(metric: metrics.Metric) -> metrics.Metric:
    return type(metric).from_config(metric.get_config())


def feed(metric: metrics.Metric, y: np.ndarray, p: np.ndarray, w: np.ndarray | None, batch: int = 16) -> None:
    for i in range(0, N, batch):
        part = slice(i, i + batch)
        metric.update_state(f32(y[part]), f32(p[part]), None if w is None else f32(w[part]))


# ---- names, functions, errors ----------------------------------------------------------------------------------------


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
        (metrics.AUC(), (4, 2), (4, 3), "AUC: labels and predictions must have the same shape"),
        (metrics.AUC(multi_label=True), (4,), (4,), r"multi_label takes predictions \(batch, labels\)"),
        (metrics.Recall(class_id=0), (4,), (4,), "an axis of classes"),
        (metrics.F1Score(), (4,), (4,), r"\(batch, classes\); received shape \(4,\)"),
        (metrics.R2Score(), (4,), (4,), r"\(batch, outputs\); received shape \(4,\)"),
    ],
)
def test_wrong_shapes(backend: Backend, metric: metrics.Metric, y_true: Any, y_pred: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fresh(metric).update_state(np.zeros(y_true, np.float32), np.zeros(y_pred, np.float32))


# ---- Keras itself ----------------------------------------------------------------------------------------------------


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
@pytest.mark.keras
@pytest.mark.skipif(not find_spec("torch"), reason="runs Keras on torch")
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
