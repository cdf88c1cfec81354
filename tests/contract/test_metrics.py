"""Metrics on each backend: values against plain NumPy in float64, weights, masks, empty state, compiled updates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from contract.metric_cases import BINARY, CASES, WEIGHT, N
from contract.references.metrics import counts
from helpers import f32
from helpers.parity import assert_parity
from polykeras import Sequential, initializers, layers, metrics, ops
from polykeras.autodiff import function
from polykeras.backend import Backend
from polykeras.graph import KerasTensor
from polykeras.graph.inference import infer_outputs
from polykeras.optimizers import SGD


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


# ---- areas and rates at thresholds -----------------------------------------------------------------------------------


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
    assert backend.to_numpy(metric.true_positives).tolist() == [2.0, 1.0, 0.0]
    assert backend.to_numpy(metric.false_positives).tolist() == [2.0, 0.0, 0.0]
    assert backend.to_numpy(metric.false_negatives).tolist() == [0.0, 1.0, 2.0]
    assert backend.to_numpy(metric.true_negatives).tolist() == [0.0, 2.0, 2.0]


def test_scores_on_a_threshold_are_not_above_it(backend: Backend) -> None:
    # Both ways of counting: a comparison of each score with each threshold, a search where there are many of both.
    for thresholds, times in (
        ([0.25, 0.5, 0.75], 1),
        ([i / 64 for i in range(65)], 1),
        ([i / 64 for i in range(65)], 200),
    ):
        metric = metrics.TruePositives(thresholds)
        metric.update_state(np.ones(4 * times, np.float32), f32([0.25, 0.5, 0.5, 0.75] * times))
        at = dict(zip(thresholds, metric.result(), strict=True))
        assert [float(at[t]) / times for t in (0.25, 0.5, 0.75)] == [3.0, 1.0, 0.0]


def test_labels_that_are_not_0_count_as_1(backend: Backend) -> None:
    metric = metrics.TruePositives()
    metric.update_state(f32([0.0, 0.3, -1.0, 2.0]), f32([0.9, 0.9, 0.9, 0.9]))
    assert float(metric.result()) == 3.0


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


# ---- sums, means, masks ----------------------------------------------------------------------------------------------


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


def test_stateless_calls_take_variables_for_their_values(backend: Backend) -> None:
    metric = metrics.Mean()
    state = metric.stateless_update_state(metric.variables, ops.convert_to_tensor([2.0, 4.0]))
    assert float(metric.stateless_result(state)) == 3.0
    assert float(metric.stateless_result(metric.variables)) == 0.0


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


class Lowest(metrics.Metric):
    """The lowest prediction, from 100 down, and a mean that the metric holds beside it."""

    def __init__(self) -> None:
        super().__init__(name="lowest")
        self.low = self.add_variable((2,), initializers.Constant([100.0, 50.0]), name="low")
        self.mean = metrics.Mean()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.low.assign(ops.minimum(self.low, ops.min(y_pred)))
        self.mean.update_state(y_pred)

    def result(self) -> Any:
        return ops.sum(self.low)


class Holder(metrics.Metric):
    """A metric that holds another one."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Lowest()


def test_a_reset_begins_as_the_initializers_say(backend: Backend) -> None:
    holder, rows = Holder(), np.array([[3.0], [1.0]], "float32")
    start = [v.numpy().tolist() for v in holder.variables]
    assert start == [[100.0, 50.0], 0.0, 0.0]
    holder.inner.update_state(rows, rows)
    assert holder.inner.low.numpy().tolist() == [1.0, 1.0]
    assert [backend.to_numpy(v).tolist() for v in holder.stateless_reset_state()] == start
    holder.reset_state()
    assert [v.numpy().tolist() for v in holder.variables] == start


def test_fit_resets_as_the_initializers_say(backend: Backend) -> None:
    model = Sequential([layers.Dense(1, input_dim=1, kernel_initializer="ones")])
    model.compile(SGD(0.0), "mse", metrics=[Lowest()])
    rows = np.array([[3.0], [1.0]], "float32")
    assert model.fit(rows, rows, epochs=2, verbose=0).history["lowest"] == [2.0, 2.0]
