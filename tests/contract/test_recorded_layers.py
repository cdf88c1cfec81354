"""Layers give what Keras gave: outputs, float state after the call, gradients. See `tests/recorded`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from known_differences import known, of
from polykeras import layers
from polykeras.backend import Backend, use_backend
from recorded.compare import assert_recorded
from recorded.layers import TABLE, WITHOUT_RECORD, plain, rebuilt
from recorded.store import read

RECORDS = read("layers")


@pytest.mark.parametrize("name", RECORDS.cases)
def test_as_keras(name: str, backend: Backend) -> None:
    case = rebuilt(name, RECORDS.cases[name], backend)
    entries = of(f"layers.{RECORDS.cases[name]['layer']['class_name']}")
    kinds = {"gradient" if e.kind == "gradient" else "value" for e in entries if e.names(name) and e.kind != "exchange"}
    for kind, expected in case.expected.items():
        if kind in kinds or known(backend.name, name, kind):
            with pytest.raises(AssertionError):
                assert_recorded(case.found(backend, kind), expected, kind, case.rtol, case.atol)
        elif "value" not in kinds:  # with another value, another slope
            assert_recorded(case.found(backend, kind), expected, kind, case.rtol, case.atol)


# ---- without a backend's values ------------------------------------------------------------------------------------


def test_each_case_of_the_table_is_recorded_or_left_out() -> None:
    due = {name for name, case in TABLE.items() if case.class_name in RECORDS.public}
    missing = sorted(due - set(RECORDS.cases) - set(RECORDS.left_out))
    assert missing == [], "run `PYTHONPATH=tests:. python -m recorded.record layers` with Keras installed"
    assert sorted((set(RECORDS.cases) | set(RECORDS.left_out)) - due) == [], "recorded, but in no table"


@pytest.mark.parametrize("name", RECORDS.cases)
def test_what_is_recorded_is_what_the_table_says(name: str) -> None:
    with use_backend("numpy"):
        made, back = TABLE[name].make(), layers.deserialize(RECORDS.cases[name]["layer"])
        assert type(back) is type(made)
        assert plain(back.get_config()) == plain(made.get_config())
    inputs: Any = TABLE[name].inputs
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    for recorded, drawn in zip(_arrays(RECORDS.cases[name]["inputs"]), _arrays(given), strict=True):
        np.testing.assert_array_equal(recorded, drawn.astype(recorded.dtype))


def _arrays(value: Any) -> list[np.ndarray]:
    parts = value if isinstance(value, (list, tuple)) else []
    return [value] if isinstance(value, np.ndarray) else [x for part in parts for x in _arrays(part)]


def test_every_public_layer_is_recorded() -> None:
    public = [getattr(layers, name) for name in layers.__all__]
    names = {c.__name__ for c in public if isinstance(c, type) and issubclass(c, layers.Layer)}
    recorded = {case["layer"]["class_name"] for case in RECORDS.cases.values()}
    assert sorted((names & set(RECORDS.public)) - recorded - set(WITHOUT_RECORD)) == [], (
        "no recorded case, and no reason why"
    )
    assert sorted(recorded & set(WITHOUT_RECORD)) == [], "said to have no recorded case, but has one"
