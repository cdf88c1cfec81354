"""Shape inference is one more backend: on every case it gives the shapes and dtypes that the numpy backend computes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from contract.cases import CASES
from contract.table import NEEDS_VALUES, Case
from helpers.reference import reference
from helpers.runner import call, running
from polykeras.backend.symbolic import SYMBOLIC, SymbolicArray, UnknownDim

REFUSED = {"convert_to_numpy", "repeat"}
"""Ops that need values to run at all; the others in `NEEDS_VALUES` have results of unknown size."""


def _fits(leaf: object, want: np.ndarray) -> bool:
    """Return whether what was inferred is what was computed; a size that depends on values is unknown."""
    if not isinstance(leaf, SymbolicArray):
        return bool(np.all(leaf == want))
    sizes = zip(leaf.dims, want.shape, strict=True)
    return leaf.dtype == want.dtype.name and all(n == m or isinstance(n, UnknownDim) for n, m in sizes)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_shape_and_dtype(case: Case) -> None:
    try:
        with running(SYMBOLIC, 32):
            leaves = call(case, SYMBOLIC, 32)
    except (TypeError, ValueError) as error:
        if case.op not in REFUSED or not re.search("value|not known|unknown", str(error)):
            raise
        return
    for leaf, want in zip(leaves, reference(case).values, strict=True):
        assert _fits(leaf, want), (leaf, want)
        unknown = isinstance(leaf, SymbolicArray) and any(isinstance(n, UnknownDim) for n in leaf.dims)
        assert case.op in NEEDS_VALUES or not unknown


def test_what_needs_values_is_refused_or_unknown_somewhere() -> None:
    refused, unknown = set(), set()
    for case in CASES:
        try:
            with running(SYMBOLIC, 32):
                leaves = call(case, SYMBOLIC, 32)
        except (TypeError, ValueError):
            refused.add(case.op)
        else:
            dims = [n for leaf in leaves if isinstance(leaf, SymbolicArray) for n in leaf.dims]
            unknown |= {case.op} if any(isinstance(n, UnknownDim) for n in dims) else set()
    assert refused == REFUSED
    assert unknown == set(NEEDS_VALUES) - REFUSED
