"""Every layer on every backend: outputs, state and gradients, against the numpy backend in float64."""

from __future__ import annotations

import inspect

import pytest

from contract.known_differences import known
from contract.layer_cases import LAYER_CASES
from helpers.layer_runner import LayerCase
from helpers.reference import check
from polykeras import layers
from polykeras.backend import Backend

COMPARISONS = [(case, kind) for case in LAYER_CASES for kind in case.kinds]

WITHOUT_CASE = {
    "Layer": "the base class",
    "Wrapper": "the base class",
    "InputLayer": "holds no computation",
    "LSTMCell": "within RNN",
    "GRUCell": "within RNN",
    "SimpleRNNCell": "within RNN",
    "StackedRNNCells": "within RNN",
}
"""Public layers that have no case of their own, each with the reason."""


@pytest.mark.parametrize(("case", "kind"), COMPARISONS, ids=[f"{kind}-{case.id}" for case, kind in COMPARISONS])
def test_layer(case: LayerCase, kind: str, backend: Backend) -> None:
    if known(backend.name, case.id, kind):
        with pytest.raises(AssertionError):
            check(case, backend, kind)
    else:
        check(case, backend, kind)


def test_every_public_layer_has_a_case() -> None:
    classes = {c for c in vars(layers).values() if inspect.isclass(c) and issubclass(c, layers.Layer)}
    names = {c.__name__ for c in classes}
    tested = {case.row.removeprefix("layers.") for case in LAYER_CASES}
    assert sorted(names - tested - set(WITHOUT_CASE)) == [], "layers without a case in contract/layer_cases.py"
    assert sorted(set(WITHOUT_CASE) & tested) == [], "exempted, but has a case"
