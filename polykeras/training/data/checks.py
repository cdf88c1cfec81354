"""Checks of data before a step runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from polykeras import config, dtypes
from polykeras.common import nested
from polykeras.common.arguments import tensor_on_host
from polykeras.common.naming import with_article
from polykeras.training.data.tables import table_array
from polykeras.training.data.unpack import unpack_x_y_sample_weight

NAMES = ("x", "y", "sample_weight")  # the parts of a batch


def as_array(leaf: Any) -> np.ndarray:
    """Return data in their own dtype as a NumPy array: also tables, and torch tensors (see `tensor_on_host`)."""
    if isinstance(leaf, np.ndarray):
        return np.asarray(leaf)
    if not hasattr(leaf, "detach"):
        table = table_array(leaf)
        return np.asarray(leaf) if table is None else table
    return tensor_on_host(leaf)


def host_array(leaf: Any, what: str) -> np.ndarray:
    """Return data as a NumPy array in the dtype that training uses.

    Floats become the default float dtype. 64-bit integers become 32-bit integers.

    Args:
        leaf: an array of any framework, a table, a list or a number.
        what: its name, for messages.

    Raises:
        ValueError: the data are not numeric, or an integer does not fit 32 bits.
    """
    array = as_array(leaf)
    kind = array.dtype.kind
    if kind not in "biufc" and array.dtype.name not in dtypes.FLOATS:
        raise ValueError(
            f"{what}: expected numbers; received dtype {array.dtype} (shape {array.shape}). Turn strings and objects "
            "into numbers first (`np.unique(y, return_inverse=True)[1]` numbers classes; the layer `StringLookup` does "
            "it too), and lists of unequal length into one padded array."
        )
    if kind == "f" or array.dtype.name in dtypes.FLOATS:
        return array.astype(dtypes.numpy_dtype(config.floatx()), copy=False)
    if array.dtype.itemsize == 8 and kind in "iu":
        if array.size and (array.min() < -(2**31) or array.max() >= 2**31):
            raise ValueError(f"{what}: integers beyond 32 bits ({array.min()} to {array.max()}) are not supported.")
        return array.astype(np.int32)
    return array


def host_tree(part: Any, what: str) -> Any:
    """Return a tree of NumPy arrays in their training dtypes.

    Args:
        part: a tree of arrays of any framework, or a list of numbers.
        what: its name, for messages.
    """
    if not nested.is_nested(part):
        return host_array(part, what)
    if (
        isinstance(part, (list, tuple))
        and part
        and all(isinstance(leaf, np.generic) or not hasattr(leaf, "__array__") for leaf in nested.flatten(part))
    ):
        return host_array(part, what)
    leaves, definition = nested.flatten_with_def(part)
    names = [what + path for path in nested.paths(part)]
    return nested.unflatten(definition, [host_array(leaf, name) for leaf, name in zip(leaves, names, strict=True)])


def check_host_arrays(parts: dict[str, Any], ragged: bool = False) -> int:
    """Check that the arrays of `x`, `y` and `sample_weight` fit together.

    Args:
        parts: trees of NumPy arrays by name; None values are left out.
        ragged: allow different lengths if there are several inputs, such as nodes and edges of graphs.

    Returns:
        The number of samples: the length of the first array.

    Raises:
        ValueError: no data, no samples, scalars or unequal lengths.
    """
    lengths: dict[str, int] = {}
    for name, part in parts.items():
        leaves, paths = nested.flatten(part), nested.paths(part)
        for leaf, path in zip(leaves, paths, strict=True):
            where = f"{name}{path}"
            if leaf.ndim == 0:
                raise ValueError(f"{where} is a scalar; expected an array whose first axis counts the samples.")
            lengths[where] = leaf.shape[0]
    if not lengths:
        raise ValueError("No data: x is None or an empty structure. Pass arrays, a generator or a PyDataset.")
    if len(set(lengths.values())) > 1 and not (ragged and len(nested.flatten(parts["x"])) > 1):
        shown = ", ".join(f"{where}: {n}" for where, n in lengths.items())
        raise ValueError(f"x, y and sample_weight must have the same number of samples; received {shown}.")
    samples = next(iter(lengths.values()))
    if samples == 0:
        raise ValueError(f"The data are empty: {', '.join(lengths)} with 0 samples.")
    return samples


def has_nan(leaves: Sequence[np.ndarray]) -> bool:
    """Return whether arrays contain nan. It is always False after `config.set_check_data(False)`."""
    if not config.check_data():
        return False
    for leaf in leaves:
        if leaf.dtype.kind != "f":
            continue
        # The minimum is nan if any value is. No other test of all values is faster. `initial` is for empty arrays.
        least = np.minimum.reduce(leaf, axis=None, initial=0)
        if least != least:
            return True
    return False


def check_values(data: Any) -> None:
    """Refuse nan in `x` or `y`. A sample weight may be nan: it marks a sample without a weight.

    Args:
        data: a batch of NumPy arrays, as a step takes it (see `unpack_x_y_sample_weight`).

    Raises:
        ValueError: there is a nan (see `config.set_check_data`).
    """
    watched = unpack_x_y_sample_weight(data)[:2]
    if not has_nan(nested.flatten(watched)):
        return
    for name, part in zip(NAMES, watched, strict=False):
        for leaf, path in zip(nested.flatten(part), nested.paths(part), strict=True):
            if not has_nan([leaf]):
                continue
            rows = np.unique(np.nonzero(np.isnan(leaf))[0])
            shown = ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")
            drop = ""
            if name == "x" and not path and leaf.ndim == 2 and leaf.shape[1] > 1:
                drop = " (`keep = ~np.isnan(x).any(axis=1)`, then `x[keep]` and `y[keep]`)"
            raise ValueError(
                f"{name}{path} contains nan in {len(rows)} of {leaf.shape[0]} samples "
                f"(row{'s' * (len(rows) > 1)} {shown}). Every weight would become nan. "
                f"Drop{drop} or fill those values. If they are intended, call "
                "`polykeras.config.set_check_data(False)`."
            )


def weights_from_classes(y: Any, class_weight: Mapping[int, float]) -> np.ndarray:
    """Return a weight for each sample from weights by class.

    Args:
        y: labels `(n,)` or `(n, 1)`, rounded to whole numbers; or one-hot labels `(n, classes)`.
        class_weight: the weight of each class; 1 for missing classes. Keys may be whole numbers of any type, as 1.0.

    Raises:
        ValueError: there are several outputs, `class_weight` is no dict, or a key is no number.
    """
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            "class_weight must be a dict of class numbers and weights, as in {0: 1.0, 1: 5.0}; received "
            f"{with_article(type(class_weight).__name__)}."
        )
    leaves = nested.flatten(y)
    if len(leaves) != 1:
        raise ValueError("class_weight is for models with one output; use sample_weight for each output instead.")
    labels = leaves[0]
    if not all(isinstance(key, Real) for key in class_weight):
        raise ValueError(f"The keys of class_weight must be class numbers (ints); received {list(class_weight)}.")
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(axis=-1)
    labels = np.round(labels.reshape(labels.shape[0], -1)[:, 0]).tolist()
    return np.array([class_weight.get(label, 1.0) for label in labels], dtype=dtypes.numpy_dtype(config.floatx()))
