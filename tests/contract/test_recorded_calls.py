"""Losses, metrics, optimizers and activations give what Keras gave. See `tests/recorded`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from helpers.runner import ONE_FUNCTION
from known_differences import known, of
from polykeras import activations, losses, metrics, ops, optimizers
from polykeras.backend import Backend
from polykeras.common import nested
from recorded.calls import TABLES, Call, run
from recorded.compare import assert_recorded
from recorded.differing import DIFFERING
from recorded.store import read

RECORDS = {family: read(family) for family in TABLES}
CASES = [(family, name) for family, records in RECORDS.items() for name in records.cases]
LOOSE = {"losses": 1e-5, "metrics": 1e-5, "optimizers": 1e-5, "activations": 1e-6}
"""How far float32 may be off besides its part of the number: sums that cancel, powers of betas."""


@pytest.mark.parametrize(("family", "name"), CASES, ids=[f"{family}-{name}" for family, name in CASES])
@pytest.mark.filterwarnings("ignore")  # NumPy's own, of numbers beside the point
def test_as_keras(family: str, name: str, backend: Backend) -> None:
    record = RECORDS[family].cases[name]
    call = Call(*(record[key] for key in ("subject", "config", "arrays", "dtype")))
    given = [ops.convert_to_tensor(x) for x in call.arrays]
    # What makes no variables runs as one program where each op is compiled by itself: that takes half the time.
    whole = backend.name in ONE_FUNCTION and family in ("losses", "activations")
    found = (
        backend.compile(lambda arrays: run(polykeras, call, arrays))(given) if whole else run(polykeras, call, given)
    )
    got = [backend.to_numpy(ops.convert_to_tensor(x)) for x in nested.flatten(found)]
    half = next((d for d in ("bfloat16", "float16") if name.endswith(f" {d}")), "")
    atol = {"bfloat16": 3e-2, "float16": 4e-3}.get(half, LOOSE[family])
    if name in DIFFERING[family] or known(backend.name, name, "value"):
        with pytest.raises(AssertionError):
            assert_recorded(got, record["value"], name, atol, atol)
    else:
        assert_recorded(got, record["value"], name, atol, atol)


@pytest.mark.parametrize("family", TABLES)
def test_what_is_recorded_is_what_the_table_says(family: str) -> None:
    records, table = RECORDS[family], TABLES[family]
    due = {name for name, call in table.items() if call.name in records.public}
    assert due == set(records.cases) | set(records.left_out), "run `PYTHONPATH=tests:. python -m recorded.record`"
    for name, record in records.cases.items():
        made: Any = table[name].data()
        assert made["subject"] == record["subject"]
        assert list(made["config"]) == list(record["config"])
        for one, other in zip(made["arrays"], record["arrays"], strict=True):
            np.testing.assert_array_equal(one, other)


def test_each_difference_is_a_known_one() -> None:
    for family, names in DIFFERING.items():
        for name in names:
            subject = RECORDS[family].cases[name]["subject"]
            assert of(subject.replace("activations.", "ops.")), f"{subject} is not in known_differences/from_keras"


WITHOUT_RECORD = {
    "losses": {"Loss", "FunctionLoss", "LossFunctionWrapper", "Reduction"},  # no losses by themselves
    "metrics": {"Metric", "MeanMetricWrapper", "Mean", "Sum"},  # the last two: the means and sums of all others
    # Of no weights by themselves: tests/differential compares the one that holds several, and test_loss_scale.py the scale.
    "optimizers": {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"},
}


@pytest.mark.parametrize("family", WITHOUT_RECORD)
def test_each_public_class_is_recorded(family: str) -> None:
    module = {"losses": losses, "metrics": metrics, "optimizers": optimizers}[family]
    names = {x.__name__ for x in (getattr(module, name) for name in module.__all__) if isinstance(x, type)}
    recorded = {case["subject"].split(".")[1] for case in RECORDS[family].cases.values()}
    assert sorted((names & set(RECORDS[family].public)) - recorded - WITHOUT_RECORD[family]) == []
    assert sorted(recorded & WITHOUT_RECORD[family]) == []


def test_each_activation_is_recorded() -> None:
    recorded = {case["subject"].split(".")[1] for case in RECORDS["activations"].cases.values()}
    public = {f.__name__ for f in (activations.get(name) for name in recorded)}
    assert public <= recorded
    assert len(recorded) >= 28
