"""The comparison of what a backend gives with what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from differential.opponent import Mismatch, Outcome
from helpers.parity import RTOL, assert_parity
from polykeras import dtypes

ROUNDED = {"float32": 2 * RTOL, "complex64": 2 * RTOL, "float16": 4e-3, "bfloat16": 3e-2}
"""How far two programs may be apart, as part of a number: in half precision some four roundings."""


def assert_recorded(
    found: Sequence[np.ndarray], expected: Sequence[np.ndarray], what: str, rtol: float = 0.0, atol: float = 0.0
) -> None:
    """Raise unless results are the recorded ones, in dtype, shape and value.

    Args:
        found: what a backend gives.
        expected: what was recorded, in 32 bits at most.
        what: named in the message.
        rtol: of the case against numbers in float64; both sides may be off by as much.
        atol: as `rtol`.
    """
    assert len(found) == len(expected), f"{what}: {len(found)} results, recorded are {len(expected)}."
    for i, (x, want) in enumerate(zip(found, expected, strict=True)):
        half = ROUNDED.get(want.dtype.name, 0.0)
        least = half if want.dtype.itemsize == 2 else 0.0
        x = x.astype(dtypes.NARROWER.get(x.dtype.name, x.dtype))
        assert_parity(x, want, max(half, 2 * rtol), max(least, 2 * atol), f"{what} {i}")


def differences(case: str, ours: Outcome, theirs: Outcome, rtol: float, atol: float, steps: int = 0) -> list[Mismatch]:
    """Return how two outcomes of a call differ, in the words of `tests/differential`.

    Args:
        case: the name of the call.
        ours: what a backend gives.
        theirs: what was recorded, in 32 bits at most.
        rtol: as for `assert_recorded`.
        atol: as for `assert_recorded`.
        steps: how far integers may be apart: halves that are rounded may fall to either side.
    """
    if ours.error:
        return [Mismatch(case, "error", f"{ours.error}; recorded is {theirs.leaves}")]
    if len(ours.leaves) != len(theirs.leaves):
        return [Mismatch(case, "shape", f"{len(ours.leaves)} results, recorded are {len(theirs.leaves)}")]
    found = []
    for x, want in zip(ours.leaves, theirs.leaves, strict=True):
        if x.dtype != want.dtype:
            found.append(Mismatch(case, "dtype", f"{x.dtype}, recorded is {want.dtype}"))
        if x.shape != want.shape:
            found.append(Mismatch(case, "shape", f"{x.shape}, recorded is {want.shape}"))
            continue
        if steps and x.dtype == want.dtype and x.dtype.kind in "iu":
            apart = np.abs(x.astype(np.int64) - want).max(initial=0)
            found += [Mismatch(case, "value", f"{apart} apart")] if apart > steps else []
            continue
        coarse = max(want.dtype, x.dtype, key=lambda dtype: ROUNDED.get(dtype.name, 0.0))
        try:
            assert_recorded([x.astype(coarse)], [want.astype(coarse)], case, rtol, atol)
        except AssertionError as error:
            found.append(Mismatch(case, "value", str(error)))
    return found
