"""Differences between arrays and those of a reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SMALL = 0.1  # relative to the largest element of a kind

Arrays = list[tuple[str, np.ndarray]]
"""Named arrays of one kind, in the model's order."""


@dataclass(slots=True)
class Difference:
    """The difference of one quantity between a backend and the reference.

    Attributes:
        error: the largest relative error; infinite if shapes, or nan and infinity, differ.
        where: the array and the index of the element.
        here: its value on the backend.
        reference: its value in the reference.
    """

    error: float
    where: str = ""
    here: float = 0.0
    reference: float = 0.0


def difference(actual: Arrays, expected: Arrays) -> Difference:
    """Return the largest relative error among arrays of one kind, relative to the largest element of each array.

    If the largest element of an array is below a tenth of the largest of all, that tenth is used instead.

    Args:
        actual: the arrays of a backend.
        expected: the arrays of the reference, in the same order.
    """
    if len(actual) != len(expected):
        return Difference(float("inf"), f"{len(actual)} arrays, not {len(expected)}")
    largest = max((_largest(array) for _, array in expected), default=0.0)
    worst = Difference(0.0)
    for (_, here), (name, reference) in zip(actual, expected, strict=True):
        found = _difference(here, reference, name, largest)
        if found.error > worst.error:
            worst = found
    return worst


def _real(array: np.ndarray) -> np.ndarray:
    """Return an array in float64, with real and imaginary parts side by side."""
    parts = np.stack([np.real(array), np.imag(array)], axis=-1) if array.dtype.kind == "c" else array
    return parts.astype("float64")


def _largest(array: np.ndarray) -> float:
    sizes = np.abs(_real(array))
    return float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))


def _difference(here: np.ndarray, reference: np.ndarray, name: str, largest: float) -> Difference:
    if here.shape != reference.shape:
        return Difference(float("inf"), f"{name}: shape {here.shape}, not {reference.shape}")
    if not here.size:
        return Difference(0.0)
    a, b = _real(here), _real(reference)
    scale = max(_largest(reference), _SMALL * largest, float(np.finfo("float32").tiny))
    with np.errstate(invalid="ignore"):
        errors = np.abs(a - b) / scale
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    errors = np.where(same, 0.0, np.where(np.isfinite(a) & np.isfinite(b), errors, np.inf))
    place = tuple(int(index) for index in np.unravel_index(int(np.argmax(errors)), errors.shape))
    at = f"{name}[{', '.join(map(str, place))}]" if place else name
    return Difference(float(errors[place]), at, float(a[place]), float(b[place]))
