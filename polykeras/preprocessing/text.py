"""Texts as numbers, as in Keras 2. New code uses `layers.TextVectorization`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
"""Characters that separate words, besides spaces."""

Analyzer: TypeAlias = Callable[[str], Sequence[str]]


def text_to_word_sequence(input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """Return the words of a text.

    Args:
        input_text: the text.
        filters: characters that are replaced by `split`.
        lower: whether to change the text to lower case.
        split: the separator of words.

    Example:
        >>> text_to_word_sequence("Rain, rain: go away!")
        ['rain', 'rain', 'go', 'away']
    """
    text = input_text.lower() if lower else input_text
    return [word for word in text.translate(dict.fromkeys(map(ord, filters), split)).split(split) if word]


def one_hot(
    input_text: str,
    n: int,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Analyzer | None = None,
) -> list[int]:
    """Return a number from 1 to `n - 1` for each word, by Python's `hash`, which differs from run to run.

    Args:
        input_text: the text.
        n: the number of values, including 0, which no word gets.
        filters: see `text_to_word_sequence`.
        lower: see `text_to_word_sequence`.
        split: see `text_to_word_sequence`.
        analyzer: a function that returns the words of a text, instead of `text_to_word_sequence`.
    """
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def hashing_trick(
    text: str,
    n: int,
    hash_function: Callable[[str], int] | str | None = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Analyzer | None = None,
) -> list[int]:
    """Return a number from 1 to `n - 1` for each word; two words may get the same one.

    Args:
        text: the text.
        n: the number of values, including 0, which no word gets.
        hash_function: returns an integer for a word; `"md5"` for one that is the same in each run. By default, Python's
            `hash`, which is not.
        filters: see `text_to_word_sequence`.
        lower: see `text_to_word_sequence`.
        split: see `text_to_word_sequence`.
        analyzer: a function that returns the words of a text, instead of `text_to_word_sequence`.

    Example:
        >>> hashing_trick("one two one", 100, "md5")
        [39, 78, 39]
    """
    function = _md5 if hash_function == "md5" else hash if hash_function is None else hash_function
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [function(word) % (n - 1) + 1 for word in words]  # type: ignore[operator]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


class Tokenizer:
    """Numbers the words of texts by frequency, and converts texts to lists of numbers and back.

    Args:
        num_words: only words with numbers below this one are kept; by default all.
        filters: characters that separate words, besides `split`.
        lower: whether texts are changed to lower case.
        split: the separator of words.
        char_level: whether each character counts as a word.
        oov_token: a word that replaces unknown words and gets the number 1; None leaves them out.
        analyzer: a function that returns the words of a text, instead of `text_to_word_sequence`.
        **kwargs: `document_count`, for configs; `nb_words`, an older name of `num_words`.

    Attributes:
        word_index: the number of each word, starting with 1.
        index_word: the word of each number.
        word_counts: the number of occurrences of each word.
        word_docs: the number of texts that contain each word.
        index_docs: the same by numbers.
        document_count: the number of texts.

    Raises:
        TypeError: if an argument is unknown.

    Example:
        >>> tokenizer = Tokenizer(num_words=3)
        >>> tokenizer.fit_on_texts(["the cat", "the dog the cat"])
        >>> tokenizer.texts_to_sequences(["The cat, the dog!"])
        [[1, 2, 1]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Analyzer | None = None,
        **kwargs: Any,
    ) -> None:
        self.num_words = kwargs.pop("nb_words", num_words)
        self.document_count: int = kwargs.pop("document_count", 0)
        if kwargs:
            raise TypeError(f"Tokenizer: unknown arguments {', '.join(kwargs)}.")
        self.filters = filters
        self.split = split
        self.lower = lower
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.word_counts: OrderedDict[str, int] = OrderedDict()
        self.word_docs: defaultdict[str, int] = defaultdict(int)
        self.index_docs: defaultdict[int, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: str | list[str]) -> Sequence[str]:
        if isinstance(text, list):
            return [word.lower() for word in text] if self.lower else text
        if self.char_level:
            return text.lower() if self.lower else text
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[str | list[str]]) -> None:
        """Count and number the words of texts. Each call adds to the counts.

        Args:
            texts: strings, or lists of words.
        """
        for text in texts:
            self.document_count += 1
            words = self._words(text)
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        by_count = sorted(self.word_counts, key=lambda word: -self.word_counts[word])
        known = by_count if self.oov_token is None else [self.oov_token, *by_count]
        self.word_index = {word: i for i, word in enumerate(known, 1)}
        self.index_word = {i: word for word, i in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Sequence[Iterable[int]]) -> None:
        """Count the lists that contain each number, for `sequences_to_matrix` without texts.

        Args:
            sequences: lists of numbers.
        """
        self.document_count += len(sequences)
        for sequence in sequences:
            for number in set(sequence):
                self.index_docs[number] += 1

    def texts_to_sequences(self, texts: Iterable[str | list[str]]) -> list[list[int]]:
        """Return the numbers of the words of texts; see `fit_on_texts`."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[str | list[str]]) -> Iterator[list[int]]:
        """Yield the numbers of the words of each text."""
        for text in texts:
            yield list(self._kept(map(self.word_index.get, self._words(text))))

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Return the texts of lists of numbers, with a space between words."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """Yield the text of each list of numbers."""
        for sequence in sequences:
            known = (number if number in self.index_word else None for number in sequence)
            yield " ".join(self.index_word[number] for number in self._kept(known))

    def _kept(self, numbers: Iterable[int | None]) -> Iterator[int]:
        """Yield the numbers of words that are kept, and the number of `oov_token`, if any, for all other words."""
        other = None if self.oov_token is None else self.word_index.get(self.oov_token)
        for number in numbers:
            if number is not None and not (self.num_words and number >= self.num_words):
                yield number
            elif other is not None:
                yield other

    def texts_to_matrix(self, texts: Iterable[str | list[str]], mode: str = "binary") -> np.ndarray:
        """Return a row for each text; see `sequences_to_matrix`.

        Args:
            texts: texts, or lists of words.
            mode: see `sequences_to_matrix`.
        """
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Sequence[Sequence[int]], mode: str = "binary") -> np.ndarray:
        """Return a row for each list of numbers, with a column for each number.

        Args:
            sequences: lists of numbers.
            mode: `"binary"` for 1 if a number occurs, `"count"` for its occurrences, `"freq"` for its fraction of the
                list, `"tfidf"` for `(1 + log(count)) * log(1 + documents / (1 + documents with it))`.

        Returns:
            float64 `(sequences, num_words)`; without `num_words`, one column for each word and one for 0.

        Raises:
            ValueError: if the mode is unknown, or it needs statistics that were not fitted.
        """
        if mode not in ("binary", "count", "freq", "tfidf"):
            raise ValueError(f'Tokenizer: `mode` must be "binary", "count", "freq" or "tfidf"; received {mode!r}.')
        if not self.num_words and not self.word_index:
            raise ValueError(
                "Tokenizer: pass `num_words`, or call `fit_on_texts` first: the number of columns is unknown."
            )
        if mode == "tfidf" and not self.document_count:
            raise ValueError('Tokenizer: call `fit_on_texts` or `fit_on_sequences` before mode="tfidf".')
        columns = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), columns))
        for row, sequence in zip(matrix, sequences, strict=True):
            for number, count in Counter(number for number in sequence if number < columns).items():
                if mode == "tfidf":
                    rarity = np.log(1 + self.document_count / (1 + self.index_docs.get(number, 0)))
                    row[number] = (1 + np.log(count)) * rarity
                else:
                    row[number] = {"binary": 1, "count": count, "freq": count / len(sequence)}[mode]
        return matrix

    def get_config(self) -> dict[str, Any]:
        """Return the arguments and counts as plain data, with tables as JSON."""
        arguments = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        return {name: getattr(self, name) for name in arguments} | {
            name: json.dumps(getattr(self, name)) for name in _TABLES
        }

    def to_json(self, **kwargs: Any) -> str:
        """Return the config as JSON; `tokenizer_from_json` restores the tokenizer.

        Args:
            **kwargs: arguments of `json.dumps`.
        """
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


_TABLES = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """Return the tokenizer of a text from `Tokenizer.to_json`, of polykeras or Keras.

    Args:
        json_string: the text.
    """
    config = dict(json.loads(json_string)["config"])
    tables = {name: json.loads(config.pop(name)) for name in _TABLES}
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts = OrderedDict(tables["word_counts"])
    tokenizer.word_docs = defaultdict(int, tables["word_docs"])
    tokenizer.index_docs = defaultdict(int, {int(i): count for i, count in tables["index_docs"].items()})
    tokenizer.index_word = {int(i): word for i, word in tables["index_word"].items()}
    tokenizer.word_index = tables["word_index"]
    return tokenizer


__all__ = ["Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json"]
