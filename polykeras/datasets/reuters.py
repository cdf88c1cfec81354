"""Newswires by topic."""

from __future__ import annotations

import numpy as np

from polykeras.datasets import words
from polykeras.datasets.common import Split, fetch
from polykeras.datasets.pickles import load_npz

LABELS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass "
    "crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi "
    "iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead"
)


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> Split:
    """Return 11,228 newswires as lists of word numbers, each with one of 46 topics.

    Made from Reuters-21578 (D. D. Lewis). Frequent words have small numbers.

    Args:
        path: the name of the file in the folder of data sets.
        num_words: word numbers from this one on count as rare.
        skip_top: word numbers below this one count as too frequent.
        maxlen: only texts with fewer words are returned.
        test_split: the fraction of the test data.
        seed: the seed of the order of the texts.
        start_char: the number before the first word of a text; None for none.
        oov_char: the number that replaces rare and too frequent words; None leaves them out.
        index_from: a number that is added to the numbers of words.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays `(n,)` of lists of ints, and topics int64 `(n,)`.

    Raises:
        ValueError: if no text has fewer than `maxlen` words.
    """
    file = fetch(path, "reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916")
    arrays = load_npz(file)
    order = np.arange(len(arrays["x"]))
    np.random.RandomState(seed).shuffle(order)
    texts = words.numbered(arrays["x"][order], start_char, index_from)
    kept, labels = words.shorter(texts, arrays["y"][order], maxlen)
    texts = words.frequent(kept, num_words, skip_top, oov_char)
    cut = int(len(texts) * (1 - test_split))
    return (words.as_objects(texts[:cut]), labels[:cut]), (words.as_objects(texts[cut:]), labels[cut:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """Return the number of each word: its rank by frequency, to which `load_data` adds `index_from`.

    Args:
        path: the name of the file in the folder of data sets.
    """
    return words.word_index(path, "reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921")


def get_label_names() -> tuple[str, ...]:
    """Return the names of the topics, in the order of their numbers."""
    return tuple(LABELS.split())
