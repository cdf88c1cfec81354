"""Splitting data into a part to train on and a part to validate on."""

from __future__ import annotations

from typing import Any

from polykeras.common import nested
from polykeras.training.data.checks import NAMES, host_tree
from polykeras.training.data.tables import is_sparse


def train_validation_split(arrays: Any, validation_split: float) -> tuple[Any, Any]:
    """Split the rows of a tree of arrays in two. The last rows are for validation.

    Args:
        arrays: a tree of arrays of one length; None in it stays None.
        validation_split: the share of the rows for validation, in (0, 1).

    Returns:
        The tree of the rows for training, and that of the rows for validation.

    Raises:
        ValueError: one part is empty, or the data are not arrays.
    """
    leaves = nested.flatten(arrays)
    if not leaves or not all(hasattr(leaf, "shape") for leaf in leaves):
        raise ValueError("validation_split needs x and y as arrays. For generators, pass `validation_data` instead.")
    rows = leaves[0].shape[0]
    first = int(rows * (1.0 - validation_split))
    if not 0 < first < rows:
        raise ValueError(
            f"validation_split={validation_split} of {rows} samples leaves {first} for training and {rows - first} for "
            "validation. Pass more samples or another share."
        )
    train = nested.map_structure(lambda leaf: leaf[:first], arrays)
    return train, nested.map_structure(lambda leaf: leaf[first:], arrays)


def split_data(x: Any, y: Any, sample_weight: Any, share: float) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Return `(x, y, sample_weight)` of the part to train on, and that of the part to validate on.

    Args:
        x: a tree of arrays.
        y: a tree of arrays, or None.
        sample_weight: a tree of arrays, or None.
        share: the `validation_split` of `fit`.

    Raises:
        ValueError: one part is empty, or the data are not arrays.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"validation_split must lie between 0 and 1; received {share}.")
    is_array = hasattr(x, "__array__") or is_sparse(x)
    if hasattr(x, "__next__") or (not is_array and not isinstance(x, (list, tuple, dict))):
        raise ValueError(
            f"validation_split needs x and y as arrays; received a {type(x).__name__}. Pass `validation_data` instead."
        )
    parts = tuple(
        None if part is None else host_tree(part, name) for part, name in zip((x, y, sample_weight), NAMES, strict=True)
    )
    return train_validation_split(parts, share)
