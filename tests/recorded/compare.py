"""The comparison of what a backend gives with what was recorded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
