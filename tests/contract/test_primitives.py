"""Every case on every backend: value, dtype, shape, gradient and second gradient, against numpy in float64."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest

from contract.cases import CASES
from contract.table import ATOL, RTOL, Case
from helpers import assert_parity
from helpers.reference import KINDS, check, reference
from helpers.runner import all_arrays, gradients, in_one_function, values
from known_differences import KNOWN, known
from polykeras.backend import Backend, backends
from recorded.store import read

COMPARISONS = [(case, kind) for case in CASES for kind in case.kinds]


def _parameters() -> list[Any]:
    """Return the comparisons; those of what each backend implements itself always run."""
    primitive = Backend.__abstractmethods__
    return [
        pytest.param(case, kind, id=f"{kind}-{case.id}", marks=pytest.mark.whole if case.op in primitive else ())
        for case, kind in COMPARISONS
    ]


WITHOUT_CASE: dict[str, str] = {
    "bitcast": "depends on the width of the dtype: tests/contract/test_ops_against_numpy.py",
    "nextafter": "depends on the width of the dtype: tests/contract/test_ops_against_numpy.py",
    "view": "depends on the width of the dtype: tests/contract/test_ops_against_numpy.py",
}
"""Ops that have no case, each with the reason and the place of its test."""

LOOPS_BY_VALUE = {"random_binomial"}
"""Ops whose loops end by their values: a backend that records what runs warns that it runs them as plain Python."""


@pytest.mark.parametrize(("case", "kind"), _parameters())
def test_case(case: Case, kind: str, backend: Backend) -> None:
    difference = known(backend.name, case.id, kind)
    if difference is None:
        check(case, backend, kind)
        return
    with pytest.raises(Exception):  # noqa: B017, PT011 (what is raised differs: it may be the framework's own)
        check(case, backend, kind)


def _one_each() -> list[Case]:
    """Return the first case of each op that takes arrays and can be compiled."""
    firsts: dict[str, Case] = {}
    for case in CASES:
        if case.compiles and all_arrays(case):
            firsts.setdefault(case.op, case)
    return list(firsts.values())


@pytest.mark.parametrize("case", _one_each(), ids=lambda case: case.id)
def test_the_other_way(case: Case, backend: Backend) -> None:
    """Where cases run eagerly, one of each op is compiled; where they are compiled, one runs eagerly."""
    compiled = not in_one_function(case, backend)
    if case.op in LOOPS_BY_VALUE:
        warnings.filterwarnings("ignore", "On torch a function", RuntimeWarning)  # pytest resets it after the test
    found = {"value": values(case, backend, compiled=compiled)}
    if case.grad:
        found["gradient"] = gradients(case, backend, compiled=compiled)
    expected = {"value": reference(case).values, "gradient": reference(case).gradients}
    for kind, results in found.items():
        for got, want in zip(results, expected[kind], strict=True):
            assert_parity(got, want, case.rtol, case.atol, f"{kind} of {case.id} on {backend.name}, {compiled=}")


def contract_ops() -> list[str]:
    """Return the names of all ops of the contract."""
    return [name for name, member in inspect.getmembers(Backend) if hasattr(member, "__op__")]


def test_every_op_has_a_case() -> None:
    tested = {case.op for case in CASES}
    missing = [name for name in contract_ops() if name not in tested and name not in WITHOUT_CASE]
    assert missing == [], "ops without a case in contract/cases (or a reason in WITHOUT_CASE)"


def test_every_case_has_an_op() -> None:
    ops = set(contract_ops())
    assert sorted({case.op for case in CASES} - ops) == []
    assert sorted(set(WITHOUT_CASE) - ops) == []
    assert sorted(set(WITHOUT_CASE) & {case.op for case in CASES}) == [], "exempted, but has a case"


def test_a_tolerance_has_a_reason() -> None:
    assert [c.id for c in CASES if (c.rtol, c.atol) != (RTOL, ATOL) and not c.why] == []


def test_known_differences_name_cases_kinds_and_backends() -> None:
    compared = {(case.id, kind) for case, kind in COMPARISONS}
    for records in map(read, ("layers", "activations", "losses", "ops")):
        compared |= {(name, kind) for name, record in records.cases.items() for kind in KINDS if kind in record}
    names = {info.name for info in backends()}
    for entry in KNOWN:
        assert entry.kind in (*KINDS, "dtype", "error", "in a loop")
        assert entry.backend in names
        assert entry.reason
        if entry.kind != "dtype":
            kind = entry.kind if entry.kind in KINDS else "value"
            assert (entry.case, kind) in compared, f"{entry} names no comparison that is made"
