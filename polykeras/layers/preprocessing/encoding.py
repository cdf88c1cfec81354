"""Indices as one-hot rows, as the categories that a row holds, or as how often it holds them."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.arguments import one_of, positive_int
from polykeras.common.types import ArrayLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.preprocessing.host import DataLayer, Tokens

MODES = ("int", "one_hot", "multi_hot", "count")


def output_mode(mode: str, allowed: tuple[str, ...], owner: str) -> str:
    """Return the name of an output mode; legacy names are known too.

    Raises:
        ValueError: it is none of those allowed.
    """
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(mode, mode)
    return one_of(mode, allowed, f"{owner}: `output_mode`")


def refuse_sparse(sparse: bool, owner: str) -> bool:
    """Return False.

    Raises:
        ValueError: `sparse` is true.
    """
    if sparse:
        raise ValueError(f"{owner}: sparse outputs are not supported; leave `sparse` at False for dense arrays.")
    return False


def encoded_shape(shape: tuple[int | None, ...], mode: str, depth: int) -> tuple[int | None, ...]:
    """Return the shape of encoded indices of a shape."""
    if mode == "int":
        return shape
    shape = shape or (1,)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:-1], depth)


def encode_tokens(tokens: Tokens, indices: np.ndarray, mode: str, depth: int, dtype: str) -> np.ndarray:
    """Return the encoding of indices on the host, where rows may differ in length and be many.

    Args:
        tokens: where the indices are.
        indices: of all values, int64; those outside of 0 to `depth` are left out.
        mode: one of `MODES`.
        depth: how many categories there are.
        dtype: of the result.
    """
    if mode == "int":
        return tokens.with_values(indices)
    inside = (indices >= 0) & (indices < depth)
    if mode == "one_hot":
        if None in tokens.shape:
            raise ValueError("one_hot needs rows of equal length: pad them first, or take multi_hot or count.")
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
    """Return the encoding of an array of indices, by ops.

    Args:
        indices: integers; those outside of 0 to `depth` are left out.
        mode: one of `MODES`.
        depth: how many categories there are.
        dtype: of the result.
        weights: what each index counts in place of 1, of their shape.
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
    """Encodes integers from 0 to `num_tokens` in another way.

    Args:
        num_tokens: how many categories there are. Integers that are none of them are left out.
        output_mode: `"one_hot"`: a row of zeros with a one, for each integer. `"multi_hot"`: one such row a sample,
            with a one for each category that is among the last axis. `"count"`: how often it is.
        sparse: kept for Keras code, must be false.
        **kwargs: as for `Layer`.

    Raises:
        ValueError: an argument is none of these.

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
                "CategoryEncoding needs `num_tokens`, the number of categories. Where it is not known, use an "
                "IntegerLookup, which learns it."
            )
        self.num_tokens = positive_int(num_tokens, "num_tokens", self)
        self.sparse = refuse_sparse(sparse, "CategoryEncoding")

    def call(self, inputs: ArrayLike, count_weights: ArrayLike | None = None) -> Array:
        """Return the encoded inputs, as floats.

        Args:
            inputs: integers `(..., values)`.
            count_weights: what each counts in place of 1, of their shape; for the output mode `"count"`.

        Raises:
            ValueError: `count_weights` in another mode.
        """
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                f"CategoryEncoding: `count_weights` are for output_mode='count'; this is {self.output_mode!r}."
            )
        indices = ops.cast(ops.convert_to_tensor(inputs), "int32")
        return encode(indices, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)


_mode = output_mode  # which the argument of that name hides
