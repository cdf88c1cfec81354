"""Tables of other libraries as arrays: frames and columns of pandas and polars, sparse matrices of SciPy.

They are known by their methods: none of these libraries is imported.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def is_sparse(x: Any) -> bool:
    """Return whether something is a sparse matrix or array of SciPy."""
    return hasattr(x, "toarray") and hasattr(x, "nnz")


def table_array(x: Any) -> np.ndarray | None:
    """Return a table as an array; None for what is no table.

    Columns of a frame are brought to the dtype that holds them all, missing values are nan. A sparse matrix becomes a
    dense one.

    Args:
        x: anything.
    """
    if is_sparse(x):
        return x.toarray()
    if not hasattr(x, "to_numpy"):
        return None
    if not hasattr(x, "columns"):
        return _column(x)
    columns = [_column(x[name]) for name in x.columns]
    return np.stack(columns, axis=1) if columns else np.empty((len(x), 0))


def _column(column: Any) -> np.ndarray:
    array = column.to_numpy()
    if array.dtype.kind == "O" and hasattr(column, "isna"):
        try:  # of pandas, a dtype that knows missing values
            return column.to_numpy(dtype="float64", na_value=np.nan)
        except (TypeError, ValueError):  # texts, or other things
            return array
    return array
