"""Comparing ops with references in the dtype of the result, and their gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers import assert_parity
from polykeras import autodiff, ops

WIDER = 2e-5
"""Sums and decompositions in float32 round more often than single operations."""


def agree(actual: Any, expected: Any, rtol: float = WIDER, atol: float = WIDER) -> None:
    """Compare in the dtype of the result: dtypes have their own tests."""
    got = ops.convert_to_numpy(actual)
    assert_parity(got, np.asarray(expected).astype(got.dtype), rtol, atol)


def gradient(fn: Callable[[Any], Any], x: Any) -> np.ndarray:
    """Return the gradient of the sum of `fn` at `x`."""
    return ops.convert_to_numpy(autodiff.grad(lambda a: ops.sum(fn(a)))(ops.convert_to_tensor(x)))
