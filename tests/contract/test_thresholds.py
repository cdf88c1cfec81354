"""Scores are put among thresholds as a comparison with each of them would put them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polykeras import config, metrics, ops
from polykeras.backend import Backend
from polykeras.metrics import thresholds as module
from polykeras.metrics.thresholds import sums_above, sums_between

EPSILON = config.epsilon()
THRESHOLDS = {
    "of AUC": np.array([-EPSILON, *(i / 199 for i in range(1, 199)), 1 + EPSILON]),
    "from 0 to 1": np.linspace(0, 1, 11),
    "only the ends": np.array([0.0, 1.0]),
    "one": np.array([0.5]),
    "uneven": np.array([0.1, 0.2, 0.2, 0.9]),
    "beyond": np.array([-math.inf, 0.3, 7.0]),
    "too fine for half precision": np.linspace(0, 1, 1500),
}


def scores_around(thresholds: np.ndarray, dtype: str) -> np.ndarray:
    """Random scores, those on thresholds and nearest to them, and ones that are no probabilities."""
    near = thresholds.astype(dtype)
    above, below = np.nextafter(near, near.dtype.type(9)), np.nextafter(near, near.dtype.type(-9))
    rng = np.random.default_rng(0)
    others = [-math.inf, -3.0, -0.0, 0.0, 1.0, 1.5, math.inf, math.nan, *rng.uniform(size=60)]
    scores = np.concatenate([near, above, below, np.array(others, dtype)])
    subnormal = np.abs(scores) < np.finfo(dtype).tiny  # which frameworks may take for zero
    scores[subnormal] = np.copysign(np.finfo(dtype).tiny, scores[subnormal]) * (scores[subnormal] != 0)
    return scores[: len(scores) // 3 * 3].reshape(-1, 3)


@pytest.mark.parametrize("most", [0, 10**9], ids=["many", "few"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", THRESHOLDS)
def test_sums(backend: Backend, monkeypatch: pytest.MonkeyPatch, name: str, dtype: str, most: int) -> None:
    monkeypatch.setattr(module, "_MOST_COMPARISONS", most)
    limits = THRESHOLDS[name]
    scores = ops.convert_to_tensor(scores_around(limits, dtype), dtype)
    seen = backend.to_numpy(scores)
    rng = np.random.default_rng(1)
    truth, weight = rng.integers(2, size=seen.shape) > 0, rng.integers(0, 3, seen.shape).astype(seen.dtype)
    passed = (seen > limits.astype(seen.dtype)[:, None, None]).sum(0)
    places = np.arange(len(limits) + 1)[:, None, None]
    between = [np.where((passed == places) & (truth == kind), weight, 0).sum(1) for kind in (False, True)]
    arguments = [scores, ops.convert_to_tensor(truth), ops.convert_to_tensor(weight), limits]

    np.testing.assert_array_equal(backend.to_numpy(sums_between(*arguments)), np.stack(between, -1))
    for (total, above), kind in zip(sums_above(*arguments), between, strict=True):
        assert backend.to_numpy(total).dtype == backend.to_numpy(above).dtype == seen.dtype
        np.testing.assert_array_equal(backend.to_numpy(total), kind.sum(0))
        np.testing.assert_array_equal(backend.to_numpy(above), kind[::-1].cumsum(0)[::-1][1:])


def test_descending_thresholds(backend: Backend) -> None:
    scores, weight = ops.convert_to_tensor([[0.2], [0.6]]), ops.ones((2, 1))
    truth = ops.convert_to_tensor([[True], [False]])
    (total, above), (true, true_above) = sums_above(scores, truth, weight, np.array([0.5, 0.1]))
    assert backend.to_numpy(total).tolist() == backend.to_numpy(true).tolist() == [1.0]
    assert backend.to_numpy(above).tolist() == [[1.0], [1.0]]
    assert backend.to_numpy(true_above).tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("thresholds", [None, [0.1, 0.2, 0.2, 0.9]], ids=["even", "uneven"])
@pytest.mark.parametrize("labels", [1, 3])
def test_counts_of_a_curve(backend: Backend, labels: int, thresholds: list[float] | None) -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.uniform(size=(50, labels)).astype("float32"), rng.integers(2, size=(50, labels))
    scores[3] = math.nan
    weights = rng.uniform(size=50).astype("float32")
    metric = metrics.AUC(thresholds=thresholds, multi_label=labels > 1)
    for part in (slice(20), slice(20, 50)):
        metric.update_state(truth[part].astype("float32"), scores[part], sample_weight=weights[part])
    above = scores > np.array(metric.thresholds, "float32")[:, None, None]
    for name, chosen in {
        "true_positives": above & (truth == 1),
        "false_positives": above & (truth == 0),
        "true_negatives": ~above & (truth == 0),
        "false_negatives": ~above & (truth == 1),
    }.items():
        expected = (chosen * weights[:, None]).sum(1)
        found = backend.to_numpy(getattr(metric, name))
        assert found.shape == (expected.shape if labels > 1 else expected.shape[:1])
        # Sums in another order.
        np.testing.assert_allclose(found, expected if labels > 1 else expected[:, 0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("dtype", "grown", "batch"), [("float32", 2**24, 32), ("bfloat16", 256, 64)])
def test_a_large_state_still_grows(backend: Backend, dtype: str, grown: int, batch: int) -> None:
    metric = metrics.AUC(num_thresholds=3, dtype=dtype)
    metric.between.assign(ops.full(metric.between.shape, grown, dtype))
    for _ in range(3):
        metric.update_state(np.ones((batch, 1), "float32"), np.full((batch, 1), 0.7, "float32"))
    found = backend.to_numpy(ops.cast(metric.between, "float32"))
    assert found[:, 1].tolist() == [grown, grown, grown + 3 * batch, grown]


def test_another_number_of_labels_is_refused(backend: Backend) -> None:
    for labels, given in ((1, (4, 5)), (3, (1, 1))):
        metric = metrics.AUC(multi_label=True, num_labels=labels)
        with pytest.raises(ValueError, match=rf"expected predictions \(batch, {labels}\).*num_labels"):
            metric.update_state(np.ones(given, "float32"), np.ones(given, "float32"))
