"""Encoding of indices as one-hot, multi-hot or count rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import one_of, positive_int
from polykeras.common.types import ArrayLike
from polykeras.layers.base.data_layer import DataLayer
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.preprocessing.host import Tokens

MODES = ("int", "one_hot", "multi_hot", "count")


def output_mode(mode: str, allowed: tuple[str, ...], owner: str) -> str:
    """Return the name of an output mode, also for its legacy names.

    Raises:
        ValueError: the mode is not allowed.
    """
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(mode, mode)
    return one_of(mode, allowed, f"{owner}: `output_mode`")


def refuse_sparse(sparse: bool, owner: str) -> bool:
    """Return False, and raise if sparse outputs are requested.

    Raises:
        ValueError: `sparse` is true.
    """
    if sparse:
        raise ValueError(f"{owner}: sparse outputs are not supported; leave `sparse` at False for dense arrays.")
    return False


def encoded_shape(shape: tuple[int | None, ...], mode: str, depth: int) -> tuple[int | None, ...]:
    """Return the shape of the encoding of indices with the given shape."""
    if mode == "int":
        return shape
    shape = shape or (1,)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:-1], depth)


def encode_tokens(tokens: Tokens, indices: np.ndarray, mode: str, depth: int, dtype: str) -> np.ndarray:
    """Encode indices on the host. Rows may differ in length.

    Args:
        tokens: the rows that the indices belong to.
        indices: the indices of all values, int64; indices outside of 0 to `depth - 1` are ignored.
        mode: one of `MODES`.
        depth: the number of categories.
        dtype: the dtype of the result.
    """
    if mode == "int":
        return tokens.with_values(indices)
    inside = (indices >= 0) & (indices < depth)
    if mode == "one_hot":
        if None in tokens.shape:
            raise ValueError("one_hot needs rows of equal length: pad them first, or use multi_hot or count.")
        places = np.arange(len(indices))
        rows = len(indices)
    else:
        rows = len(tokens.lengths)
        places = np.repeat(np.arange(rows), tokens.lengths)
    counts = np.bincount(places[inside] * depth + indices[inside], minlength=rows * depth)
    if mode == "multi_hot":
        counts = counts > 0
    shape = encoded_shape(tokens.shape, mode, depth)
    return counts.reshape([-1 if n is None else n for n in shape] if counts.size else [n or 0 for n in shape]).astype(
        dtype
    )


def encode(indices: Any, mode: str, depth: int, dtype: str, weights: Any = None) -> Any:
    """Encode an array of indices with ops.

    Args:
        indices: integers; those outside of 0 to `depth - 1` are ignored.
        mode: one of `MODES`.
        depth: the number of categories.
        dtype: the dtype of the result.
        weights: how much each index counts, in the shape of the indices; 1 by default.
    """
    if mode == "int":
        return ops.cast(indices, dtype)
    shape = ops.shape(indices)
    if not shape:
        indices, shape = ops.reshape(indices, (1,)), (1,)
    if mode == "one_hot":
        if len(shape) > 1 and shape[-1] == 1:
            indices = ops.squeeze(indices, -1)
        return ops.one_hot(indices, depth, dtype=dtype)
    rows = ops.one_hot(indices, depth, dtype=dtype)
    if mode == "multi_hot":
        return ops.max(rows, axis=-2) if shape[-1] else ops.sum(rows, axis=-2)
    if weights is not None:
        rows = ops.multiply(rows, ops.expand_dims(ops.reshape(ops.cast(weights, dtype), shape), -1))
    return ops.sum(rows, axis=-2)


@LAYERS.register()
class CategoryEncoding(DataLayer):
    """Encodes integers as one-hot, multi-hot or count rows.

    Args:
        num_tokens: the number of categories. Integers outside of 0 to `num_tokens - 1` are ignored.
        output_mode: `"one_hot"` returns a one-hot row for each integer. `"multi_hot"` returns a row for each sample,
            with a one for each category along the last axis. `"count"` returns how often each category occurs.
        sparse: kept for Keras code; must be False.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is invalid.

    Example:
        >>> from polykeras import layers
        >>> layers.CategoryEncoding(4, output_mode="count")([[0, 3, 3]]).tolist()
        [[1.0, 0.0, 0.0, 2.0]]
    """

    sample_by_sample = True

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.output_mode = _mode(output_mode, MODES[1:], "CategoryEncoding")
        if num_tokens is None:
            raise ValueError(
                "CategoryEncoding needs `num_tokens`, the number of categories. If it is unknown, use an "
                "IntegerLookup, which learns it."
            )
        self.num_tokens = positive_int(num_tokens, "num_tokens", self)
        self.sparse = refuse_sparse(sparse, "CategoryEncoding")

    def call(self, inputs: ArrayLike, count_weights: ArrayLike | None = None) -> Array:
        """Return the encoded inputs, as floats.

        Args:
            inputs: integers `(..., values)`.
            count_weights: how much each integer counts, in their shape, for the output mode `"count"`; 1 by default.

        Raises:
            ValueError: `count_weights` are given in another mode.
        """
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"CategoryEncoding: `count_weights` are for output_mode='count'; this is {self.output_mode!r}."
            )
        indices = ops.cast(ops.convert_to_tensor(inputs), "int32")
        return encode(indices, self.output_mode, self.num_tokens, self.dtype, count_weights)  # counts need its bits


_mode = output_mode  # an argument of this name hides the function
