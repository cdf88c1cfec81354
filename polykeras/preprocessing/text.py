"""Texts as numbers, as Keras 2 made them. New code takes `layers.TextVectorization`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
"""Characters that part words, beside spaces."""

Analyzer: TypeAlias = Callable[[str], Sequence[str]]


def text_to_word_sequence(input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """Return the words of a text.

    Args:
        input_text: the text.
        filters: characters that are taken as `split`.
        lower: whether to change it to lower case.
        split: what stands between words.

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
        n: how many numbers there are, 0 among them, which no word gets.
        filters: see `text_to_word_sequence`.
        lower: see there.
        split: see there.
        analyzer: returns the words of a text, in place of `text_to_word_sequence`.
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
        n: how many numbers there are, 0 among them, which no word gets.
        hash_function: returns a whole number for a word; `"md5"` for one that is the same in each run; Python's
            `hash` by default, which is not.
        filters: see `text_to_word_sequence`.
        lower: see there.
        split: see there.
        analyzer: returns the words of a text, in place of `text_to_word_sequence`.

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
    """Numbers the words of texts by how often they occur, and turns texts into lists of numbers and back.

    Args:
        num_words: only words with numbers below this one are kept; all by default.
        filters: characters that part words, beside `split`.
        lower: whether texts are changed to lower case.
        split: what stands between words.
        char_level: whether each character counts as a word.
        oov_token: a word for all that are not known, which gets the number 1; None to leave them out.
        analyzer: returns the words of a text, in place of `text_to_word_sequence`.
        **kwargs: `document_count`, for configs; `nb_words`, the name of `num_words` in older code.

    Attributes:
        word_index: the number of each word, from 1 on.
        index_word: the word of each number.
        word_counts: how often each word occurred.
        word_docs: in how many texts each word occurred.
        index_docs: the same by numbers.
        document_count: how many texts there were.

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
        """Count and number the words of texts, further ones at each call.

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
        """Count in how many lists each number occurs, for `sequences_to_matrix` without texts.

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
        """Yield the numbers of the words of texts, one text after the other."""
        for text in texts:
            yield list(self._kept(map(self.word_index.get, self._words(text))))

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Return texts of lists of numbers, a space between words."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """Yield texts of lists of numbers, one after the other."""
        for sequence in sequences:
            known = (number if number in self.index_word else None for number in sequence)
            yield " ".join(self.index_word[number] for number in self._kept(known))

    def _kept(self, numbers: Iterable[int | None]) -> Iterator[int]:
        """Yield the numbers of words that are kept, and that of all others in place of these, where it has one."""
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
            mode: `"binary"`, 1 where a number occurs; `"count"`, how often; `"freq"`, its share of the list;
                `"tfidf"`, `(1 + log(count)) * log(1 + documents / (1 + documents with it))`.

        Returns:
            float64 `(sequences, num_words)`, or of as many columns as there are words, and one for 0.

        Raises:
            ValueError: if the mode is unknown, or it needs statistics that were not fitted.
        """
        if mode not in ("binary", "count", "freq", "tfidf"):
            raise ValueError(f'Tokenizer: `mode` must be "binary", "count", "freq" or "tfidf"; received {mode!r}.')
        if not self.num_words and not self.word_index:
            raise ValueError(
                "Tokenizer: pass `num_words`, or call `fit_on_texts` first: no number of columns is known."
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
        """Return the arguments and what was counted, as plain data; tables are JSON."""
        arguments = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        return {name: getattr(self, name) for name in arguments} | {
            name: json.dumps(getattr(self, name)) for name in _TABLES
        }

    def to_json(self, **kwargs: Any) -> str:
        """Return the config as JSON, from which `tokenizer_from_json` makes the tokenizer.

        Args:
            **kwargs: for `json.dumps`.
        """
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


_TABLES = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """Return the tokenizer of a text that `Tokenizer.to_json` gave, here or in Keras.

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
