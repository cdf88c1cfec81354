"""The triple `(x, y, sample_weight)`: packing, unpacking, splitting."""

from __future__ import annotations

from typing import Any

from polykeras import tree


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Return `(x, y, sample_weight)` from what a `train_step` is given; missing parts are None.

    Args:
        data: `x` alone, or a tuple (or list) `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Raises:
        ValueError: a tuple of another length.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            f"A batch must be x, (x,), (x, y) or (x, y, sample_weight); received a tuple of {len(data)} parts."
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Return the shortest tuple (or `x` alone) that holds the given parts."""
    if sample_weight is not None:
        return x, y, sample_weight
    return (x, y) if y is not None else (x,) if isinstance(x, (tuple, list)) else x


def train_validation_split(arrays: Any, validation_split: float) -> tuple[Any, Any]:
    """Split the rows of a tree of arrays in two: the last part is for validation.

    Args:
        arrays: a tree of arrays of one length; None in it stays None.
        validation_split: the share of the validation part, in (0, 1).

    Raises:
        ValueError: the share leaves nothing on one side, or the data are not arrays.
    """
    leaves = tree.flatten(arrays)
    if not leaves or not all(hasattr(leaf, "shape") for leaf in leaves):
        raise ValueError("validation_split needs x and y as arrays. For generators, pass `validation_data` instead.")
    rows = leaves[0].shape[0]
    first = int(rows * (1.0 - validation_split))
    if not 0 < first < rows:
        raise ValueError(
            f"validation_split={validation_split} of {rows} samples leaves {first} for training and {rows - first} for "
            "validation. Pass more samples or another share."
        )
    train = tree.map_structure(lambda leaf: leaf[:first], arrays)
    return train, tree.map_structure(lambda leaf: leaf[first:], arrays)
