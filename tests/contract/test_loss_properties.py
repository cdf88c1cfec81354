"""What holds of any loss and metric at ragged edges: no rows, rows without weight, other batches, half precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from contract.loss_cases import CASES as ALL_LOSSES
from contract.metric_cases import CASES as METRICS
from differential import opponent
from helpers import f32
from helpers.reference import REFERENCE
from helpers.runner import in_one_program, running
from polykeras import autodiff, losses, metrics, ops
from polykeras.backend import Backend, registry
from recorded.store import of_keras

NUMPY = registry.load(REFERENCE)
LOSSES = {name: case for name, case in ALL_LOSSES.items() if not name.endswith("-axis") and name != "ctc"}
"""Those whose first axis is that of five samples."""
OF_ALL_ROWS = {"r2-adjusted": "it counts rows, of whatever weight, as Keras does; of few rows it is 0 divided by 0"}
REDUCTIONS = ("sum", "sum_over_batch_size", "mean", "mean_with_sample_weight", "none")
EXAMPLES = {"jax": 2, "tensorflow": 10, "torch": 15}

each_loss = pytest.mark.parametrize("name", LOSSES)
each_metric = pytest.mark.parametrize("name", METRICS)
rows = st.lists(st.integers(0, 4), max_size=4)
"""Rows of a case's arrays: none, one, some, the same one twice."""
weights = st.none() | st.lists(st.sampled_from([0.0, 1.0, 0.25]), min_size=4, max_size=4)


def examine(law: Callable[..., None], examples: int, **drawn: st.SearchStrategy[Any]) -> None:
    """Hold a law against some draws, the same in each run."""
    settings(max_examples=examples)(given(**drawn)(law))()


def loss_of(name: str, **config: Any) -> losses.Loss:
    loss = LOSSES[name][0]
    return type(loss).from_config(loss.get_config() | config)


def weight_of(drawn: list[float] | None, picked: list[int]) -> np.ndarray | None:
    return None if drawn is None else np.array(drawn[: len(picked)])


def run(loss: Any, name: str, picked: list[int], weight: np.ndarray | None, backend: Backend, width: int = 32) -> Any:
    """Return what a loss gives for some rows of its case."""
    _, y, p, _ = LOSSES[name]
    with running(backend, width):
        given = (None if x is None else x.astype(f"float{width}") for x in (y[picked], p[picked], weight))
        return in_one_program(backend, loss, *given)


def with_slope(loss: Any, y: np.ndarray, p: np.ndarray, weight: np.ndarray | None, backend: Backend) -> Any:
    """Return a loss and its gradient in the predictions, or zeros where it is not a scalar or has no rows."""

    def both(y: Any, p: Any, w: Any) -> tuple[Any, Any]:
        value = loss(y, p, w)
        scalar = ops.ndim(value) == 0 and len(y)
        return value, autodiff.grad(lambda x: loss(y, x, w))(ops.convert_to_tensor(p)) if scalar else ops.zeros(())

    with running(backend, 32):
        return in_one_program(backend, both, f32(y), f32(p), None if weight is None else f32(weight))


# ---- losses ----------------------------------------------------------------------------------------------------------


@each_loss
def test_backends_agree(name: str, backend: Backend) -> None:
    def law(picked: list[int], drawn: list[float] | None, reduction: str) -> None:
        loss, weight = loss_of(name, reduction=reduction), weight_of(drawn, picked)
        expected = run(loss_of(name, reduction=reduction, dtype="float64"), name, picked, weight, NUMPY, 64)
        _, y, p, _ = LOSSES[name]
        found, slope = with_slope(loss, y[picked], p[picked], weight, backend)
        assert found.shape == expected.shape
        assert np.isfinite(found).all(), (picked, weight, reduction)
        assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
        assert np.isfinite(slope).all()

    examine(law, EXAMPLES.get(backend.name, 30), picked=rows, drawn=weights, reduction=st.sampled_from(REDUCTIONS))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@each_loss
def test_half_precision_is_near(name: str, dtype: str, backend: Backend) -> None:
    """A loss of a half dtype casts what it is given, gives that dtype, and is near."""
    loss = loss_of(name, dtype=dtype)
    found = run(loss, name, [0, 1, 2, 3], None, backend)
    expected = run(loss_of(name), name, [0, 1, 2, 3], None, NUMPY)
    assert found.dtype.name == dtype
    assert_allclose(found.astype("float32"), expected, rtol=0.08, atol=0.08)


@each_loss
def test_rows_without_weight_are_not_there(name: str) -> None:
    def law(picked: list[int], drawn: list[float]) -> None:
        loss = loss_of(name, reduction="sum", dtype="float64")
        if not getattr(getattr(loss, "fn", None), "sample_by_sample", True):  # which sees all rows at once
            return
        weight = np.array(drawn[: len(picked)])
        kept = [i for i, w in zip(picked, weight, strict=True) if w]
        some = run(loss, name, kept, weight[weight != 0], NUMPY, 64)
        assert_allclose(run(loss, name, picked, weight, NUMPY, 64), some, rtol=1e-9, atol=1e-12)
        each = run(loss_of(name, reduction="none", dtype="float64"), name, picked, None, NUMPY, 64)
        assert_allclose(np.sum(each * weight), some, rtol=1e-9, atol=1e-12)

    examine(law, 30, picked=rows, drawn=weights.filter(lambda w: w is not None))


@pytest.mark.keras
def test_keras_gives_the_same_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = opponent.keras()

    def law(name: str, picked: list[int], drawn: list[float] | None, reduction: str) -> None:
        weight = weight_of(drawn, picked)
        loss = loss_of(name, reduction=reduction)
        theirs = getattr(keras.losses, type(loss).__name__)(**loss.get_config())
        _, y, p, _ = LOSSES[name]
        expected = opponent.host(theirs(f32(y[picked]), f32(p[picked]), None if weight is None else f32(weight)))
        found = run(loss, name, picked, weight, NUMPY)
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert_allclose(found, expected, rtol=1e-3, atol=1e-5)

    names = st.sampled_from(sorted(n for n, case in LOSSES.items() if type(case[0]).__name__ in of_keras("losses")))
    some = rows.filter(bool)  # of no rows Keras gives an empty array, whatever the reduction
    examine(law, 40, name=names, picked=some, drawn=weights, reduction=st.sampled_from(REDUCTIONS))


# ---- metrics ---------------------------------------------------------------------------------------------------------


def result(name: str, parts: list[tuple[Any, Any, Any]], backend: Backend) -> np.ndarray:
    """Return what a metric says after some batches of labels, predictions and weights."""
    metric = METRICS[name][0]
    metric = type(metric).from_config(metric.get_config())

    def said(parts: list[tuple[Any, Any, Any]]) -> Any:
        for part in parts:
            metric.update_state(*part)
        return metric.result()

    with running(backend, 32):
        given = [tuple(None if x is None else f32(x) for x in part) for part in parts]
        return in_one_program(backend, said, given)


@each_metric
def test_batches_may_be_cut_anywhere(name: str, backend: Backend) -> None:
    """One batch, or two of any size: none and one row among them."""

    def law(cut: int, weighted: bool) -> None:
        _, y, p, _ = METRICS[name]
        w = np.resize([1.0, 0.0, 0.5, 0.25], len(y)) if weighted else None
        whole = result(name, [(y, p, w)], NUMPY)
        two = [(y[s], p[s], None if w is None else w[s]) for s in (slice(cut), slice(cut, None))]
        assert_allclose(result(name, two, backend), whole, rtol=1e-4, atol=1e-6)

    cuts = st.sampled_from([0, 1, len(METRICS[name][1]) - 1, len(METRICS[name][1])])
    examine(law, EXAMPLES.get(backend.name, 16), cut=cuts, weighted=st.booleans())


@pytest.mark.parametrize("name", sorted(METRICS.keys() - OF_ALL_ROWS))
def test_rows_without_weight_count_for_nothing(name: str) -> None:
    def law(seed: int, share: float) -> None:
        _, y, p, _ = METRICS[name]
        w = (np.random.default_rng(seed).random(len(y)) < share) * 0.5
        kept = w > 0
        few = result(name, [(y[kept], p[kept], w[kept])] if kept.any() else [], NUMPY)
        assert_allclose(result(name, [(y, p, w)], NUMPY), few, rtol=1e-4, atol=1e-6)

    examine(law, 20, seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.05, 0.5, 1.0]))


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")  # which Keras asks of JAX
def test_keras_gives_the_same_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = opponent.keras()

    def law(name: str, count: int, drawn: list[float] | None) -> None:
        metric, y, p, _ = METRICS[name]
        w = None if drawn is None else f32(np.resize(drawn, count))
        theirs = keras.metrics.deserialize(metrics.serialize(metric))
        theirs.update_state(f32(y[:count]), f32(p[:count]), w)
        expected = opponent.host(theirs.result())
        assert_allclose(result(name, [(y[:count], p[:count], w)], NUMPY), expected, rtol=1e-3, atol=1e-5)

    shared = {n for n, case in METRICS.items() if type(case[0]).__name__ in of_keras("metrics")}
    names = st.sampled_from(sorted(shared - OF_ALL_ROWS.keys()))
    some = st.none() | st.lists(st.sampled_from([1.0, 0.25]), min_size=2, max_size=3)
    examine(law, 40, name=names, count=st.sampled_from([2, 7]), drawn=some)
