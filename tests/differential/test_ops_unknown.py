"""Every op on symbolic tensors whose first size is unknown: shapes and dtypes as Keras's, or better known."""

from __future__ import annotations

from typing import Any

import pytest

import polykeras
from contract.table import NUMBERS, Case
from differential.opponent import Mismatch, failed, keras, quiet, settle
from differential.test_ops import BY_OP, applied, given
from helpers.runner import all_arrays
from polykeras import dtypes
from polykeras.common import nested

pytestmark = [pytest.mark.slow, pytest.mark.keras]


def symbols(library: Any, case: Case, unknown: bool) -> list[Any]:
    """Return symbolic tensors in place of the case's arrays; of unknown size where they have as many rows as the first."""
    found, arrays = [], [given(x, "float32") for x in all_arrays(case)]
    for x in arrays:
        rows = x.ndim > 0 and x.shape[:1] == arrays[0].shape[:1]
        shape = (None, *x.shape[1:]) if unknown and rows else x.shape
        found.append(library.KerasTensor(shape, x.dtype.name))
    return found


def inferred(library: Any, op: str, case: Case, unknown: bool) -> list[tuple[tuple[int | None, ...], str]] | str:
    """Return the shapes and dtypes of the results, or the error."""
    try:
        result = applied(getattr(library.ops, op), case, symbols(library, case, unknown))
        leaves = [leaf for leaf in nested.flatten(result) if hasattr(leaf, "shape")]
        return [(tuple(leaf.shape), dtypes.NARROWER.get(leaf.dtype, leaf.dtype)) for leaf in leaves]
    except Exception as error:
        return failed(error).error


def compare(name: str, ours: Any, theirs: Any) -> list[Mismatch]:
    """Return how two inferences differ. A size that only we know is no difference, nor what only Keras refuses."""
    if isinstance(theirs, str) or not theirs:
        return []
    if isinstance(ours, str) or len(ours) != len(theirs):
        return [Mismatch(name, "symbolic", f"ours {ours}; Keras gives {theirs}")]
    for (shape, dtype), (other, other_dtype) in zip(ours, theirs, strict=True):
        same = len(shape) == len(other) and all(n is None or m == n for m, n in zip(shape, other, strict=True))
        if not same or dtype != other_dtype:
            return [Mismatch(name, "symbolic", f"ours {ours}, Keras {theirs}")]
    return []


@pytest.mark.parametrize("op", sorted(BY_OP))
def test_shapes(op: str) -> None:
    if not hasattr(keras().ops, op) or op in NUMBERS:
        pytest.skip("Keras has no such op, or it gives no arrays")
    ran, found = [], []
    with quiet():
        for case in BY_OP[op]:
            if not all_arrays(case):
                continue
            for unknown in (False, True):
                name = f"{case.id}{' of unknown sizes' if unknown else ' as symbols'}"
                ran.append(name)
                found += compare(name, inferred(polykeras, op, case, unknown), inferred(keras(), op, case, unknown))
    settle(f"ops.{op}", ran, found, symbolic=True)
