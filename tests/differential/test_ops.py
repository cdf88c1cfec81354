"""Every op that Keras has too: value, dtype and shape of each case, in each dtype, and on symbols of unknown sizes."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from contract.table import NEEDS_VALUES, NUMBERS, Case
from differential.opponent import (
    EVERYTHING,
    Call,
    Mismatch,
    Outcome,
    compare,
    keras,
    one_by_one,
    outcome,
    quiet,
    settle,
    together,
)
from differential.ops_cases import CASES, DTYPES, applied, given, unique_parts
from helpers.runner import all_arrays
from known_differences import of
from polykeras import ops

pytestmark = [pytest.mark.slow, pytest.mark.keras]

FEW = 4

BY_OP: dict[str, list[Case]] = defaultdict(list)
for _case in CASES:
    if hasattr(ops, _case.op):
        BY_OP[_case.op].append(_case)


def all_runs(op: str) -> list[tuple[str, Case, str]]:
    """Return each case of an op in each dtype: a name, the case, the dtype of its working floats."""
    found = []
    for case in BY_OP[op]:
        kinds = {x.dtype.kind for x in all_arrays(case) if x.dtype in (np.float64, np.complex128)}
        several = DTYPES[:3] if case.through else DTYPES  # decompositions: matrices of whole numbers may be singular
        found += [(f"{case.id} {dtype}", case, dtype) for dtype in (several if kinds == {"f"} else DTYPES[:1])]
    return found


def runs(op: str) -> list[tuple[str, Case, str]]:
    """Return the runs that are made: each case in float32, the last one in the other dtypes, and some more.

    That is, of those that an entry of the known differences names, the first ones.
    """
    found, last = all_runs(op), BY_OP[op][-1]
    wanted = {name for name, case, dtype in found if EVERYTHING or dtype == DTYPES[0] or case is last}
    for entry in of(f"ops.{op}"):
        wanted |= set([name for name, _, _ in found if entry.names(name)][:FEW])
    return [run for run in found if run[0] in wanted]


def of_keras(op: str) -> dict[str, Outcome]:
    """Return what Keras gives for all runs of an op."""
    function = getattr(keras().ops, op)
    calls = {
        name: Call(
            lambda *arrays, c=case: applied(function, c, arrays), tuple(given(x, dtype) for x in all_arrays(case))
        )
        for name, case, dtype in runs(op)
    }
    return one_by_one(calls) if op in NEEDS_VALUES or op in NUMBERS else together(calls)


def of_ours(op: str, case: Case, dtype: str) -> Outcome:
    """Return what our op gives for one run."""
    arrays = [given(x, dtype) for x in all_arrays(case)]
    return outcome(lambda: applied(getattr(ops, op), case, [ops.convert_to_tensor(x) for x in arrays]))


@pytest.mark.parametrize("op", sorted(BY_OP))
def test_values(op: str) -> None:
    if not hasattr(keras().ops, op):
        pytest.skip("Keras has no such op")
    found: list[Mismatch] = []
    with quiet():
        theirs = of_keras(op)
        for name, case, dtype in runs(op):
            found += compare(name, unique_parts(case, of_ours(op, case, dtype)), unique_parts(case, theirs[name]))
    settle(f"ops.{op}", [name for name, _, _ in runs(op)], found)
