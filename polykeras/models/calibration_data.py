"""The tokens that weights are fitted to, from texts or arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.quantizers.calibrated import CalibratedConfig


def windows(config: CalibratedConfig) -> np.ndarray:
    """Return windows of the calibration tokens at regular distances, `(num_samples, sequence_length)` of int32.

    Few tokens are repeated. The first window begins at a place that is drawn from a fixed seed; Keras 3.16 draws the
    same.

    Args:
        config: the description.

    Raises:
        TypeError: the data set is no iterable of texts or arrays, texts have no tokenizer, or an array holds no whole
            numbers.
        ValueError: there is no data.
    """
    length = config.sequence_length
    arrays = [_tokens(piece, config) for piece in _pieces(config)]
    tokens = np.concatenate(arrays) if arrays else np.zeros(0, "int32")
    if not tokens.size:
        raise ValueError(
            f"{type(config).__name__}: expected a `dataset` with tokens; received one without. A generator gives its "
            "tokens only once: pass a list."
        )
    tokens = np.tile(tokens, math.ceil(max(1, config.num_samples * length / tokens.size)))
    starts = tokens.size - length + 1
    first = np.random.default_rng(42).integers(0, starts)
    begins = (first + np.arange(config.num_samples) * max(1, starts // config.num_samples)) % starts
    return np.lib.stride_tricks.sliding_window_view(tokens, length)[begins]


def _pieces(config: CalibratedConfig) -> list[Any]:
    """Return the texts and arrays of the data set."""
    data = config.dataset
    if isinstance(data, Mapping):
        raise TypeError(
            f"{type(config).__name__}: expected a `dataset` of texts or of arrays of tokens; received a dict with the "
            f"keys {list(data)}. Pass the entry that holds them."
        )
    if data is None or isinstance(data, (str, bytes)) or not hasattr(data, "__iter__"):
        raise TypeError(
            f"{type(config).__name__}: expected a `dataset` of texts or of arrays of tokens; received {data!r}."
        )
    return list(data)


def _tokens(piece: Any, config: CalibratedConfig) -> np.ndarray:
    """Return the tokens of a text or an array, `(count,)` of int32."""
    who = type(config).__name__
    if isinstance(piece, str):
        if not hasattr(config.tokenizer, "tokenize"):
            raise TypeError(f"{who}: texts need a `tokenizer` with a method `tokenize`; received {config.tokenizer!r}.")
        piece = config.tokenizer.tokenize(piece)
    elif isinstance(piece, Mapping) or (isinstance(piece, tuple) and any(np.ndim(part) for part in piece)):
        raise TypeError(
            f"{who}: expected a `dataset` of texts or of arrays of tokens; received a {type(piece).__name__} in it. "
            "Pass the texts or tokens alone, such as `[piece[0] for piece in dataset]`."
        )
    try:
        found = np.ravel(ops.convert_to_numpy(piece))
        tokens = found.astype("int32")
    except (TypeError, ValueError):
        tokens, found = None, piece
    if tokens is None or not np.array_equal(tokens, found):
        raise TypeError(
            f"{who}: expected tokens, which are whole numbers of int32, from the `dataset` or the `tokenizer`; "
            f"received {found!r}."
        )
    return tokens
