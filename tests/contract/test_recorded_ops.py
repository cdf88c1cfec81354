"""Ops give what Keras gave: values, shapes and dtypes, all calls of an op at once. See `tests/recorded`."""

from __future__ import annotations

import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from differential.opponent import Mismatch, Outcome, failed, host
from differential.ops_cases import unique_parts
from helpers.runner import ONE_FUNCTION
from known_differences import known, of
from polykeras import ops, tree
from polykeras.backend import Backend
from recorded.compare import differences
from recorded.counts import ops_compared, table
from recorded.ops import OF_KERAS, TABLE, WITHOUT_RECORD, public_names
from recorded.store import read

RECORDS = read("ops")
LOOSE = 1e-6
"""How far float32 may be off besides its part of the number: where Keras's formula cancels."""
KINDS = ("value", "dtype", "error")
BY_OP: dict[str, list[str]] = defaultdict(list)
for _name in RECORDS.cases:
    BY_OP[TABLE[_name].op].append(_name)


def together(backend: Backend, names: list[str]) -> dict[str, Outcome]:
    """Return what calls give. They run as one program where each op would be compiled by itself."""
    errors: dict[str, Outcome] = {}

    def program(given: dict[str, list[Any]]) -> dict[str, list[Any]]:
        results = {}
        for name, arrays in given.items():
            try:
                results[name] = tree.flatten(TABLE[name].function(ops, *arrays))
            except Exception as error:
                errors[name] = failed(error)
        return results

    given = {name: [ops.convert_to_tensor(x) for x in TABLE[name].arrays] for name in names}
    whole = {name: x for name, x in given.items() if TABLE[name].whole and backend.name in ONE_FUNCTION}
    rest = {name: x for name, x in given.items() if name not in whole}
    results = (backend.compile(program)(whole) if whole else {}) | program(rest)
    return errors | {name: Outcome(tuple(numbers(backend, x) for x in leaves)) for name, leaves in results.items()}


def numbers(backend: Backend, leaf: Any) -> np.ndarray:
    return host(backend.to_numpy(leaf) if backend.is_tensor(leaf) else leaf)


@pytest.mark.parametrize("op", sorted(BY_OP))
def test_as_keras(op: str, backend: Backend) -> None:
    found: list[Mismatch] = []
    names = ops_compared(BY_OP[op], backend.name)  # programs take most of the time: not what other tests hold
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of numbers beside the point
        ours = together(backend, names)
        for name in names:
            case, theirs = TABLE[name].case, Outcome(tuple(RECORDS.cases[name]["value"]))
            parts = unique_parts(case, ours[name]), unique_parts(case, theirs)
            found += differences(name, *parts, case.rtol, max(case.atol, LOOSE), 1 if op.startswith("image.") else 0)
    listed = [m for m in found if known(backend.name, m.case, m.kind)]
    entries = of(f"ops.{op}")
    new = [m for m in found if m not in listed and not any(e.covers(f"ops.{op}", m.case, m.kind) for e in entries)]
    assert not new, f"{op} differs from Keras:\n" + "\n".join(f"  {m.case}: {m.kind}: {m.text}" for m in new)
    gone = [name for name in names for kind in KINDS if known(backend.name, name, kind)]
    assert sorted(gone) == sorted({m.case for m in listed}), "no such difference any more"
    if backend.name == "numpy":
        for entry in entries:
            if "-edge-" in entry.case:  # tests/differential looks after the others
                assert any(entry.covers(f"ops.{op}", m.case, m.kind) for m in found), f"no such difference: {entry}"


def test_what_is_recorded_is_what_the_table_says() -> None:
    assert set(TABLE) == set(RECORDS.cases) | set(RECORDS.left_out), (
        "run `PYTHONPATH=tests:. python -m recorded.record ops`"
    )
    assert [name for name, record in RECORDS.cases.items() if record["given"] != TABLE[name].given] == []


def test_each_public_op_is_recorded() -> None:
    shared = OF_KERAS & set(public_names(ops))
    assert len(shared) > 300
    assert sorted(shared - set(BY_OP) - WITHOUT_RECORD.keys()) == []
    assert sorted(set(BY_OP) & WITHOUT_RECORD.keys()) == []


def test_the_page_counts_what_is_compared() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "shown.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page, "run `PYTHONPATH=tests:. python -m recorded.counts`"
