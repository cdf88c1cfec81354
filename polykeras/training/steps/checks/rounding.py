"""How far rounding goes: tolerances, and values that are moved by some units in the last place."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend import Backend
from polykeras.common import nested

ROUNDED = 8  # units in the last place, of the greatest number of an array, by which a number may differ
COMPUTED = 32  # the same for what a step adds or returns, sums of products; or a quarter of half of the digits
MOVED = 4  # units by which states and data are moved
_NOTHING = 1e-30  # torch's compiled steps take smaller numbers for 0


def rounding(value: np.ndarray, before: np.ndarray | None, epsilon: float) -> float:
    """Return how far rounding may move a value, at least.

    Args:
        value: an array after a step.
        before: the same array before the step; None if there was none.
        epsilon: the unit in the last place of 1.
    """
    if value.dtype.kind in "iub" or not value.size:
        return 0.0
    size, computed = size_of(value), max(COMPUTED * epsilon, epsilon**0.5 / 4)
    if before is None or before.shape != value.shape:
        return computed * size + _NOTHING
    own = dtypes.eps(value.dtype.name) if dtypes.is_float(value.dtype.name) else epsilon
    return ROUNDED * own * size + computed * difference(value, before) + _NOTHING


def size_of(value: np.ndarray) -> float:
    """Return the absolute value of the greatest finite number."""
    sizes = np.abs(_wide(value))
    return float(np.max(sizes, where=np.isfinite(sizes), initial=0.0))


def _wide(value: np.ndarray) -> np.ndarray:
    return value.astype("complex128" if value.dtype.kind == "c" else "float64")


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the greatest difference of two arrays.

    Args:
        a: an array.
        b: another one. If their shapes differ, or a number is finite in one of them only, the difference is infinite.
    """
    if a.shape != b.shape:
        return np.inf
    if not a.size:
        return 0.0
    if a.dtype.kind not in "fciubV" or b.dtype.kind not in "fciubV":
        return 0.0 if bool(np.all(a == b)) else np.inf
    x, y = _wide(a), _wide(b)
    with np.errstate(all="ignore"):
        apart = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
    return float(np.max(np.where(np.isnan(apart), np.inf, apart)))


def moved(x: Any, backend: Backend, seed: tuple[int, ...], epsilon: float) -> Any:
    """Return an array whose numbers are moved by some units in the last place.

    Whole numbers stay as they are: they are labels, counts and masks, which code compares with each other.

    Args:
        x: an array of the backend, or of NumPy.
        backend: where the result lies.
        seed: of the random numbers.
        epsilon: the unit in the last place of 1, at least.
    """
    host = np.asarray(backend.to_numpy(x) if backend.is_tensor(x) else x)
    if not dtypes.is_float(host.dtype.name):
        return x
    values = host.astype("float64")
    unit = max(epsilon, dtypes.eps(host.dtype.name))
    by = np.random.default_rng(seed).uniform(-MOVED, MOVED, values.shape) * unit
    with np.errstate(all="ignore"):
        others = np.where(values == np.round(values), values, values * (1 + by))
        return backend.place(others.astype(host.dtype))


def moved_tree(structure: Any, backend: Backend, sample: int, epsilon: float) -> Any:
    """Return a tree of arrays, each moved by `moved`.

    Args:
        structure: the tree.
        backend: where the result lies.
        sample: the number of the sample; number 0 is the tree itself.
        epsilon: see `moved`.
    """
    if not sample:
        return structure
    leaves, definition = nested.flatten_with_def(structure)
    arrays = [moved(leaf, backend, (sample, i, 1), epsilon) for i, leaf in enumerate(leaves)]
    return nested.unflatten(definition, arrays)


def described(name: str, apart: float, limit: float, right: np.ndarray, before: np.ndarray | None) -> str:
    """Return what a message says of a difference.

    Args:
        name: what differs.
        apart: by how much.
        limit: how much rounding explains.
        right: the values that were expected.
        before: the values before the step; None if there were none.
    """
    changed = "" if before is None else f", and the step changed them by up to {difference(right, before):.3g}"
    return (
        f"{name} differs by up to {apart:.3g} where rounding explains {limit:.3g} (its values go up to "
        f"{size_of(right):.3g}{changed})"
    )
