"""Shape inference is one more backend: on every case it gives the shapes and dtypes that the numpy backend computes."""

from __future__ import annotations

import pytest

from contract.cases import CASES
from contract.table import Case
from helpers.runner import call, reference, running
from polykeras.backend.symbolic import SYMBOLIC, SymbolicArray

NEEDS_VALUES = {
    "convert_to_numpy": "there is nothing to convert",
    "nonzero": "the number of elements depends on the values",
}


def _seen(leaf: object) -> tuple[tuple[int, ...], str] | object:
    return (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, SymbolicArray) else leaf


@pytest.mark.parametrize("case", [c for c in CASES if c.op not in NEEDS_VALUES], ids=lambda c: c.id)
def test_shape_and_dtype(case: Case) -> None:
    with running(SYMBOLIC, 32):
        leaves = call(case, SYMBOLIC, 32)
    expected = reference(case).values
    assert len(leaves) == len(expected)
    for leaf, want in zip(leaves, expected, strict=True):
        assert _seen(leaf) == ((want.shape, want.dtype.name) if isinstance(leaf, SymbolicArray) else want)


@pytest.mark.parametrize("case", [c for c in CASES if c.op in NEEDS_VALUES], ids=lambda c: c.id)
def test_what_needs_values_says_so(case: Case) -> None:
    with running(SYMBOLIC, 32), pytest.raises((TypeError, ValueError), match=r"value|known"):
        call(case, SYMBOLIC, 32)
