"""Regularizers and constraints on each backend."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polykeras import autodiff, constraints, ops, regularizers
from polykeras.backend import Backend

W = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
NORMS = np.linalg.norm(W, axis=0, keepdims=True)


def cosines(rows: np.ndarray) -> float:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    products = np.abs(unit @ unit.T)
    return float(products[~np.eye(len(rows), dtype=bool)].mean())


PENALTIES: dict[str, tuple[regularizers.Regularizer, float]] = {
    "l1": (regularizers.L1(0.5), 0.5 * np.abs(W).sum()),
    "l2": (regularizers.L2(0.5), 0.5 * (W**2).sum()),
    "l1_l2": (regularizers.L1L2(0.5, 0.25), 0.5 * np.abs(W).sum() + 0.25 * (W**2).sum()),
    "l1_l2-first": (regularizers.L1L2(l1=0.5), 0.5 * np.abs(W).sum()),
    "l1_l2-none": (regularizers.L1L2(), 0.0),
    "orthogonal-rows": (regularizers.OrthogonalRegularizer(0.5), 0.5 * cosines(W)),
    "orthogonal-columns": (regularizers.OrthogonalRegularizer(0.5, "columns"), 0.5 * cosines(W.T)),
}


@pytest.mark.parametrize("case", PENALTIES)
def test_penalties(backend: Backend, case: str) -> None:
    regularizer, expected = PENALTIES[case]
    result = regularizer(W)
    assert backend.shape(result) == ()
    assert backend.dtype(result) == "float32"
    assert float(backend.to_numpy(result)) == pytest.approx(expected, rel=1e-5)
    half = regularizer(backend.asarray(W, "float16"))
    assert backend.dtype(half) == "float16"


@pytest.mark.parametrize("case", PENALTIES)
def test_gradients_of_penalties_are_finite_at_zero(backend: Backend, case: str) -> None:
    gradient = autodiff.grad(PENALTIES[case][0])(np.zeros((3, 2), "float32"))
    assert (ops.convert_to_numpy(gradient) == 0).all()


def test_one_row_is_orthogonal_to_no_other(backend: Backend) -> None:
    assert float(backend.to_numpy(regularizers.OrthogonalRegularizer()(W[:1]))) == 0.0
    with pytest.raises(ValueError, match=r"takes matrices; received an array of shape \(3,\)"):
        regularizers.OrthogonalRegularizer()(W[0])


PROJECTIONS: dict[str, tuple[constraints.Constraint, np.ndarray]] = {
    "max_norm": (constraints.MaxNorm(1.5), W * np.minimum(1, 1.5 / NORMS)),
    "max_norm-rows": (constraints.MaxNorm(0.5, axis=1), W / np.maximum(1, np.linalg.norm(W, axis=1)[:, None] / 0.5)),
    "non_neg": (constraints.NonNeg(), np.maximum(W, 0)),
    "unit_norm": (constraints.UnitNorm(), W / NORMS),
    "unit_norm-all": (constraints.UnitNorm([0, 1]), W / np.linalg.norm(W)),
    "min_max_norm": (constraints.MinMaxNorm(1.9, 2.0), W * np.clip(NORMS, 1.9, 2.0) / NORMS),
    "min_max_norm-half": (
        constraints.MinMaxNorm(1.9, 2.0, rate=0.5),
        W * (np.clip(NORMS, 1.9, 2.0) + NORMS) / 2 / NORMS,
    ),
}


@pytest.mark.parametrize("case", PROJECTIONS)
def test_projections(backend: Backend, case: str) -> None:
    constraint, expected = PROJECTIONS[case]
    result = constraint(W)
    assert backend.dtype(result) == "float32"
    np.testing.assert_allclose(backend.to_numpy(result), expected, rtol=1e-5, atol=1e-6)
    assert (expected != W).any()
    zeros = backend.to_numpy(constraint(np.zeros_like(W)))
    assert (zeros == 0).all()


@pytest.mark.parametrize("obj", [*PENALTIES.values(), *PROJECTIONS.values()], ids=[*PENALTIES, *PROJECTIONS])
def test_config_round_trip(obj: tuple[Any, Any]) -> None:
    module = regularizers if isinstance(obj[0], regularizers.Regularizer) else constraints
    config = json.loads(json.dumps(module.serialize(obj[0])))
    assert config["module"] == module.__name__.replace("polykeras", "keras")
    again = module.deserialize(config)
    assert type(again) is type(obj[0])
    assert again.get_config() == obj[0].get_config() == config["config"]


@pytest.mark.parametrize("name", ["l1", "L1", "l2", "l1_l2", "L1L2", "orthogonal_regularizer"])
def test_names_of_regularizers(name: str) -> None:
    assert type(regularizers.get(name)) is getattr(regularizers, name)


@pytest.mark.parametrize("name", ["max_norm", "MaxNorm", "non_neg", "nonneg", "unit_norm", "min_max_norm"])
def test_names_of_constraints(name: str) -> None:
    assert type(constraints.get(name)) is getattr(constraints, name, constraints.NonNeg)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: regularizers.get("l3"), "Unknown regularizer 'l3'"),
        (lambda: regularizers.L1(-1.0), "L1: `l1` must be a number of 0 or more"),
        (lambda: regularizers.L2(float("nan")), "`l2` must be a number"),
        (lambda: regularizers.L2("0.1"), "`l2` must be a number"),
        (lambda: regularizers.OrthogonalRegularizer(mode="diagonal"), "`mode` must be 'rows' or 'columns'"),
        (lambda: constraints.get("max_nrm"), "Did you mean 'max_norm'"),
    ],
)
def test_errors(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
