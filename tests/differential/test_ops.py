"""Every op that Keras has too: value, dtype and shape of each case, in each dtype, and on symbols of unknown sizes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

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
from differential.ops_cases import CASES
from helpers.runner import _replace, all_arrays
from known_differences import of
from polykeras import dtypes, ops

pytestmark = [pytest.mark.slow, pytest.mark.keras]

FEW = 4
DTYPES = ("float32", "float16", "bfloat16", "int32", "int8", "uint8", "bool")

BY_OP: dict[str, list[Case]] = defaultdict(list)
for _case in CASES:
    if hasattr(ops, _case.op):
        BY_OP[_case.op].append(_case)


def given(x: np.ndarray, dtype: str) -> np.ndarray:
    """Return a case's array as it is given: working floats in the dtype of the run, as whole numbers where it is one."""
    if x.dtype == np.complex128:
        return x.astype(np.complex64)
    if x.dtype != np.float64:
        return x
    if dtype in dtypes.FLOATS:
        return x.astype(dtypes.numpy_dtype(dtype))
    whole = np.clip(np.nan_to_num(np.round(2 * x)), -100, 100)
    return (abs(whole) if dtype == "uint8" else whole).astype(dtype)


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


def applied(function: Callable[..., Any], case: Case, arrays: Sequence[Any]) -> Any:
    """Return what an op gives for a case, with `arrays` in place of the case's own."""
    known = {id(x): value for x, value in zip(all_arrays(case), arrays, strict=True)}
    change = lambda x: known[id(x)]  # noqa: E731
    return function(*_replace(case.args, change), **{k: _replace(v, change) for k, v in case.kwargs.items()})


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


def unique_parts(case: Case, result: Outcome) -> Outcome:
    """Return what of a result is unique (decompositions have free signs), as the case says."""
    if case.through is None or result.error:
        return result
    parts = result.leaves if len(result.leaves) > 1 else result.leaves[0]
    return outcome(lambda: case.through(np, parts))  # type: ignore[misc]


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
