"""Texts and integers to their places in a vocabulary, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras.common.types import ArrayLike
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.preprocessing.index_lookup import IndexLookup


@LAYERS.register()
class StringLookup(IndexLookup):
    """Turns texts into their places in a vocabulary, or back.

    The vocabulary is given, or learnt by `adapt`. It begins with the mask token, if there is one and the output mode is
    `"int"`, and with the places for texts that it does not hold ("out of vocabulary").

    Args:
        max_tokens: the most tokens of a vocabulary that is learnt, special ones included; None for all.
        num_oov_indices: how many places there are for texts out of vocabulary, which are hashed to one of them. With 0
            they are an error.
        mask_token: a text that means "nothing": place 0; left out of the other output modes.
        oov_token: what `invert` gives for the places of texts out of vocabulary.
        vocabulary: a list or an array of tokens, or the path of a text file with a line for each.
        idf_weights: inverse document frequencies, one a token of `vocabulary`; for the output mode `"tf_idf"`.
        invert: turn places into texts: then the layer gives a NumPy array.
        output_mode: `"int"`: places. `"one_hot"`: a row of zeros with a one, for each text. `"multi_hot"`: one such row
            a sample, with a one for each token among the last axis. `"count"`: how often it is there. `"tf_idf"`: that
            times its inverse document frequency.
        pad_to_max_tokens: whether rows have the size `max_tokens`, whatever was learnt.
        sparse: kept for Keras code, must be false.
        encoding: the encoding of texts that come as bytes.
        name: the name of the layer.
        salt: one or two integers, with which texts out of vocabulary are hashed by SipHash; None for FarmHash.
        **kwargs: further arguments of `IndexLookup`.

    Raises:
        ValueError: an argument is none of these, or they contradict each other.

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
    """Turns integers into their places in a vocabulary, or back: `StringLookup` for numbers that name something.

    Args:
        max_tokens: as for `StringLookup`, and so all that is not said here.
        num_oov_indices: how many places there are for integers out of vocabulary.
        mask_token: an integer that means "nothing".
        oov_token: what `invert` gives for the places of integers out of vocabulary.
        vocabulary: a list or an array of integers, or the path of a text file with a line for each.
        vocabulary_dtype: `"int64"`.
        idf_weights: inverse document frequencies, one a token of `vocabulary`.
        invert: turn places into integers.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"`, `"count"` or `"tf_idf"`.
        sparse: kept for Keras code, must be false.
        pad_to_max_tokens: whether rows have the size `max_tokens`.
        oov_method: which of several places an integer out of vocabulary gets: `"floormod"`, its remainder; or
            `"farmhash"`, by its hash.
        salt: for `"farmhash"`: one or two integers, with which SipHash is taken.
        name: the name of the layer.
        **kwargs: further arguments of `IndexLookup`.

    Raises:
        ValueError: an argument is none of these, or they contradict each other.

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
