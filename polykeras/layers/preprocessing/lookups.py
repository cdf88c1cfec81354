"""Layers that map strings and integers to indices in a vocabulary, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras.common.types import ArrayLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.preprocessing.index_lookup import IndexLookup


@LAYERS.register()
class StringLookup(IndexLookup):
    """Maps strings to their indices in a vocabulary, or back.

    The vocabulary is passed, or learned by `adapt`. It begins with the mask token, if there is one and the output mode
    is `"int"`. Next come the indices for strings that it does not contain, which are out of vocabulary.

    Args:
        max_tokens: the maximal size of a learned vocabulary, special tokens included; None for no limit.
        num_oov_indices: the number of indices for strings out of vocabulary, one of which is chosen by a hash. With 0,
            such strings are an error.
        mask_token: a string that means a missing value. It gets the index 0; in other output modes it is ignored.
        oov_token: what `invert` returns for the indices of strings out of vocabulary.
        vocabulary: a list or an array of tokens, or the path of a text file with one token on each line.
        idf_weights: inverse document frequencies for the tokens of `vocabulary`, for the output mode `"tf_idf"`.
        invert: whether to map indices to strings; the layer then returns a NumPy array.
        output_mode: `"int"` returns indices. `"one_hot"` returns a one-hot row for each string. `"multi_hot"` returns a
            row for each sample, with a one for each token along the last axis. `"count"` returns how often each token
            occurs. `"tf_idf"` multiplies the counts by the inverse document frequencies.
        pad_to_max_tokens: whether rows always have the size `max_tokens`, even if fewer tokens were learned.
        sparse: kept for Keras code; must be False.
        encoding: the encoding of strings that are passed as bytes.
        name: the name of the layer.
        salt: one or two integers, the key for hashing strings out of vocabulary with SipHash; None for FarmHash.
        **kwargs: further arguments of `IndexLookup`.

    Raises:
        ValueError: an argument is invalid, or arguments contradict each other.

    Example:
        >>> from polykeras import layers
        >>> lookup = layers.StringLookup(vocabulary=["a", "b"])
        >>> lookup([["a", "z"], ["b", "b"]]).tolist()
        [[1, 0], [2, 2]]
        >>> layers.StringLookup(vocabulary=["a", "b"], invert=True)([2, 0]).tolist()
        ['b', '[UNK]']
    """

    sample_by_sample = True
    _not_in_config = (*IndexLookup._not_in_config, "vocabulary_dtype")

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: ArrayLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        self.encoding = encoding
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary_dtype="string",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            sparse=sparse,
            pad_to_max_tokens=pad_to_max_tokens,
            name=name,
            salt=salt,
            **kwargs,
        )


@LAYERS.register()
class IntegerLookup(IndexLookup):
    """Maps integers to their indices in a vocabulary, or back: a `StringLookup` for integers that stand for categories.

    Args:
        max_tokens: see `StringLookup`.
        num_oov_indices: the number of indices for integers out of vocabulary.
        mask_token: an integer that means a missing value.
        oov_token: what `invert` returns for the indices of integers out of vocabulary.
        vocabulary: a list or an array of integers, or the path of a text file with one integer on each line.
        vocabulary_dtype: `"int64"`.
        idf_weights: inverse document frequencies for the tokens of `vocabulary`.
        invert: whether to map indices to integers.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"`, `"count"` or `"tf_idf"`; see `StringLookup`.
        sparse: kept for Keras code; must be False.
        pad_to_max_tokens: whether rows always have the size `max_tokens`.
        oov_method: how an integer out of vocabulary gets one of several indices: `"floormod"` takes the remainder,
            `"farmhash"` a hash.
        salt: one or two integers, with which `"farmhash"` becomes a SipHash with this key.
        name: the name of the layer.
        **kwargs: further arguments of `IndexLookup`.

    Raises:
        ValueError: an argument is invalid, or arguments contradict each other.

    Example:
        >>> from polykeras import layers
        >>> layers.IntegerLookup(vocabulary=[12, 36])([[36, 12, 7]]).tolist()
        [[2, 1, 0]]
    """

    sample_by_sample = True

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: ArrayLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: int | Sequence[int] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if vocabulary_dtype != "int64":
            raise ValueError(f"IntegerLookup: `vocabulary_dtype` must be 'int64'; received {vocabulary_dtype!r}.")
        super().__init__(
            max_tokens,
            num_oov_indices,
            mask_token,
            oov_token,
            vocabulary_dtype=vocabulary_dtype,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            sparse=sparse,
            pad_to_max_tokens=pad_to_max_tokens,
            oov_method=oov_method,
            name=name,
            salt=salt,
            **kwargs,
        )
