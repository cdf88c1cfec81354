"""The one comparison that all parity tests go through. `tests/pure/test_helpers.py` shows that it raises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

RTOL = 1e-5
"""Default relative tolerance: some 80 float32 roundings."""
ATOL = 1.2e-38
"""Default absolute tolerance: the smallest normal float32, since XLA and TensorFlow flush smaller numbers to 0."""


def _wide(x: np.ndarray) -> np.ndarray:
    """Return `x` in a dtype wide enough to subtract in: float64, complex128, or as it is (integers, bools)."""
    if x.dtype.kind == "c":
        return x.astype(np.complex128)
    if x.dtype.kind == "f" or x.dtype.name == "bfloat16":
        return x.astype(np.float64)
    return x


def _parts(x: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [(" (real part)", x.real), (" (imaginary part)", x.imag)] if x.dtype.kind == "c" else [("", x)]


def relative_error(actual: Any, expected: Any, scale: float = ATOL) -> float:
    """Return the largest `|actual - expected| / |expected|` of two arrays of one shape.

    Elements that are nan in both, the same infinity, or both below the normal float32 numbers are equal; any other
    meeting of a nan or an infinity counts as an infinite error. Integers and bools count as 0 where all are equal,
    else as inf.

    Args:
        actual: an array.
        expected: the reference.
        scale: divide by this where an element is smaller: for sums that cancel.
    """
    a, e = _wide(np.asarray(actual)), _wide(np.asarray(expected))
    if a.dtype.kind not in "fc" or e.dtype.kind not in "fc":
        return 0.0 if np.array_equal(a, e) else float("inf")
    worst = 0.0
    for (_, x), (_, y) in zip(_parts(a), _parts(e), strict=True):
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        with np.errstate(all="ignore"):
            distance = np.abs(x - y)
            error = np.where(same | (distance <= ATOL), 0.0, distance / np.maximum(np.abs(y), scale))
        error = np.where(~same & ~(np.isfinite(x) & np.isfinite(y)), np.inf, error)
        worst = max(worst, float(error.max(initial=0.0)))
    return worst


def largest(arrays: Iterable[np.ndarray]) -> float:
    """Return the largest finite size among all elements of float and complex arrays; `ATOL` if there is none."""
    sizes = [np.abs(_wide(x)) for x in arrays if _wide(x).dtype.kind in "fc"]
    return max([ATOL, *(float(np.where(np.isfinite(s), s, 0.0).max(initial=0.0)) for s in sizes)])


def assert_parity(actual: Any, expected: Any, rtol: float = RTOL, atol: float = ATOL, what: str = "result") -> None:
    """Raise unless two arrays agree in shape, dtype, nan and infinity pattern, and values.

    Args:
        actual: a NumPy array (or a number).
        expected: the reference, of the dtype that `actual` must have.
        rtol: an element may be off by this part of the expected one.
        atol: or by this much.
        what: named in the message.

    Raises:
        AssertionError: naming the first kind of difference found, the place and both values.
    """
    a, e = np.asarray(actual), np.asarray(expected)
    if a.shape != e.shape:
        raise AssertionError(f"{what}: shape {a.shape}, expected {e.shape}.")
    if a.dtype != e.dtype:
        raise AssertionError(f"{what}: dtype {a.dtype}, expected {e.dtype}.")
    for (label, x), (_, y) in zip(_parts(_wide(a)), _parts(_wide(e)), strict=True):
        if x.dtype.kind != "f":
            _raise_at(x != y, x, y, what + label, "value")
            continue
        _raise_at(np.isnan(x) != np.isnan(y), x, y, what + label, "nan pattern")
        infinite = np.isinf(x) | np.isinf(y)
        _raise_at(infinite & (x != y), x, y, what + label, "infinity pattern")
        with np.errstate(invalid="ignore"):
            off = ~infinite & (np.abs(x - y) > atol + rtol * np.abs(y))
        _raise_at(off, x, y, f"{what}{label} (rtol {rtol:g}, atol {atol:g})", "value")


def _raise_at(bad: np.ndarray, x: np.ndarray, y: np.ndarray, what: str, kind: str) -> None:
    if not bad.any():
        return
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    raise AssertionError(
        f"{what}: {kind} differs at {int(bad.sum())} of {bad.size} places, first at {place}: "
        f"{x[place]!r}, expected {y[place]!r}."
    )
