"""Texts as lists of word numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from polykeras.datasets.common import fetch


def numbered(texts: Iterable[Iterable[int]], start_char: int | None, index_from: int | None) -> list[list[int]]:
    """Return texts with a number added to each word number, and a mark at the beginning.

    Args:
        texts: lists of word numbers.
        start_char: the mark; None for none.
        index_from: the number to add; without a mark it may be 0 or None.
    """
    begin = [] if start_char is None else [start_char]
    return [begin + [word + (index_from or 0) for word in text] for text in texts]


def shorter(
    texts: Sequence[Sequence[int]], labels: Sequence[Any] | np.ndarray, maxlen: int | None
) -> tuple[list[Sequence[int]], np.ndarray]:
    """Return the texts with fewer words than `maxlen`, with their labels; all of them if `maxlen` is None.

    Raises:
        ValueError: if there are none.
    """
    kept = [i for i, text in enumerate(texts) if not maxlen or len(text) < maxlen]
    if texts and not kept:
        raise ValueError(f"No text has fewer than maxlen={maxlen} words. Pass a larger `maxlen`.")
    return [texts[i] for i in kept], np.asarray(labels)[kept]


def frequent(
    texts: Sequence[Sequence[int]], num_words: int | None, skip_top: int, oov_char: int | None
) -> list[list[int]]:
    """Return texts in which rare words, and the most frequent ones, are replaced or left out.

    Args:
        texts: lists of word numbers, the most frequent words first.
        num_words: numbers from this one on are rare; by default the largest number in the texts.
        skip_top: numbers below this one are too frequent.
        oov_char: the number that replaces them; None leaves them out.
    """
    most = num_words or max(max(text) for text in texts)
    if oov_char is None:
        return [[word for word in text if skip_top <= word < most] for text in texts]
    return [[word if skip_top <= word < most else oov_char for word in text] for text in texts]


def as_objects(texts: list[list[int]]) -> np.ndarray:
    """Return texts as an array of lists."""
    return np.array(texts, dtype=object)


def word_index(path: str, file: str, file_hash: str) -> dict[str, int]:
    """Return the number of each word, from a file in the folder where Keras's data sets are published.

    Args:
        path: its name in the cache.
        file: its name in that folder.
        file_hash: its expected hash.
    """
    with open(fetch(path, file, file_hash), encoding="utf-8") as text:
        return json.load(text)
