"""Shape inference is one more backend: on every case it gives the shapes and dtypes that the numpy backend computes."""

from __future__ import annotations

import re

import pytest

from contract.cases import CASES
from contract.table import NEEDS_VALUES, Case
from helpers.reference import reference
from helpers.runner import call, running
from polykeras.backend.symbolic import SYMBOLIC, SymbolicArray


def _seen(leaf: object) -> tuple[tuple[int, ...], str] | object:
    return (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, SymbolicArray) else leaf


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_shape_and_dtype(case: Case) -> None:
    try:
        with running(SYMBOLIC, 32):
            leaves = call(case, SYMBOLIC, 32)
    except (TypeError, ValueError) as error:
        if case.op not in NEEDS_VALUES or not re.search("value|not known", str(error)):
            raise
        return
    expected = reference(case).values
    assert len(leaves) == len(expected)
    for leaf, want in zip(leaves, expected, strict=True):
        assert _seen(leaf) == ((want.shape, want.dtype.name) if isinstance(leaf, SymbolicArray) else want)


def test_what_needs_values_is_refused_somewhere() -> None:
    refused = set()
    for case in CASES:
        try:
            with running(SYMBOLIC, 32):
                call(case, SYMBOLIC, 32)
        except (TypeError, ValueError):
            refused.add(case.op)
    assert refused == set(NEEDS_VALUES)
