"""Film reviews, positive and negative."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras.datasets import words
from polykeras.datasets.common import Split, fetch
from polykeras.datasets.pickles import load_npz


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
    **kwargs: Any,
) -> Split:
    """Return 25,000 training and 25,000 test reviews of films as lists of word numbers, with their sentiment.

    A. L. Maas et al., "Learning Word Vectors for Sentiment Analysis", 2011. Frequent words have small numbers.

    Args:
        path: the name of the file in the folder of data sets.
        num_words: word numbers from this one on count as rare.
        skip_top: word numbers below this one count as too frequent.
        maxlen: only reviews with fewer words are returned.
        seed: the seed of the order of the reviews.
        start_char: the number before the first word of a review; None for none.
        oov_char: the number that replaces rare and too frequent words; None leaves them out.
        index_from: a number that is added to the numbers of words.
        **kwargs: `nb_words`, an older name of `num_words`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays `(n,)` of lists of ints, and int64 labels `(n,)`, 1 for
        positive reviews and 0 for negative ones.

    Raises:
        ValueError: if no review has fewer than `maxlen` words.
        TypeError: if an argument is unknown.
    """
    num_words = kwargs.pop("nb_words", num_words)
    if kwargs:
        raise TypeError(f"imdb.load_data: unknown arguments {', '.join(kwargs)}.")
    file = fetch(path, "imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f")
    arrays = load_npz(file)
    random = np.random.RandomState(seed)
    parts = []
    for part in ("train", "test"):
        order = np.arange(len(arrays[f"x_{part}"]))
        random.shuffle(order)
        texts = words.numbered(arrays[f"x_{part}"][order], start_char, index_from)
        parts.append(words.shorter(texts, arrays[f"y_{part}"][order], maxlen))
    (train, y_train), (test, y_test) = parts
    texts = words.frequent(train + test, num_words, skip_top, oov_char)
    cut = len(train)
    return (words.as_objects(texts[:cut]), y_train), (words.as_objects(texts[cut:]), y_test)


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Return the number of each word: its rank by frequency, to which `load_data` adds `index_from`.

    Args:
        path: the name of the file in the folder of data sets.
    """
    return words.word_index(path, "imdb_word_index.json", "bfafd718b763782e994055a2d397834f")
