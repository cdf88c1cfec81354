"""Tables of other libraries as arrays: frames and columns of pandas and polars, sparse matrices of SciPy.

They are recognized by their methods, so that none of these libraries is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def is_sparse(x: Any) -> bool:
    """Return whether something is a sparse matrix or array of SciPy."""
    return hasattr(x, "toarray") and hasattr(x, "nnz")


def table_array(x: Any) -> np.ndarray | None:
    """Return a table as an array; None if `x` is not a table.

    The columns of a frame get the dtype that holds them all, and missing values become nan. A single column of a frame,
    a `Series`, is a table of one column, `(rows, 1)`. A sparse matrix becomes dense.

    Args:
        x: any object.
    """
    if is_sparse(x):
        return x.toarray()
    if not hasattr(x, "to_numpy"):
        return None
    if not hasattr(x, "columns"):
        return _column(x)[:, None] if hasattr(x, "to_frame") else _column(x)
    columns = [_column(x[name]) for name in x.columns]
    return np.stack(columns, axis=1) if columns else np.empty((len(x), 0))


def columns_by_name(x: Any, names: Sequence[str]) -> Any:
    """Return a frame as a dict of its columns. Other data are returned unchanged.

    Args:
        x: any object.
        names: the names of the columns: those of the inputs of a model.

    Raises:
        ValueError: a column is missing.
    """
    if is_sparse(x) or not (hasattr(x, "to_numpy") and hasattr(x, "columns")):
        return x
    missing = [name for name in names if name not in x.columns]
    if missing:
        raise ValueError(
            f"The model takes the inputs {list(names)}, each from a column of the frame. The frame lacks {missing}; it "
            f"has {list(x.columns)}. Name the inputs after columns, or pass a dict of arrays by the inputs' names."
        )
    return {name: _column(x[name]) for name in names}


def _column(column: Any) -> np.ndarray:
    array = column.to_numpy()
    if array.dtype.kind == "O" and hasattr(column, "isna"):
        try:  # a dtype of pandas that has missing values
            return column.to_numpy(dtype="float64", na_value=np.nan)
        except (TypeError, ValueError):  # not numbers
            return array
    return array
