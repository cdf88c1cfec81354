"""Sequences: padding, windows, pairs of neighbours."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from polykeras.utils import PyDataset
from polykeras.utils.sequences import pad_sequences


class TimeseriesGenerator(PyDataset):
    """Batches of windows over a series, each with the point after it. New code uses `timeseries_dataset_from_array`.

    Args:
        data: points in time `(time, ...)`.
        targets: the target of each point, of the same length.
        length: the number of points before the target that a window covers.
        sampling_rate: the distance between the points of a window.
        stride: the distance between windows.
        start_index: the index of the first point that is used.
        end_index: the index of the last point that is used; by default the last one.
        shuffle: whether batches consist of random windows, drawn by NumPy's generator.
        reverse: whether the points of a window are in reverse order.
        batch_size: the number of windows in a batch.
        **kwargs: see `PyDataset`.

    Raises:
        ValueError: if `data` and `targets` differ in length, or no window fits.

    Example:
        >>> x, y = TimeseriesGenerator(np.arange(5), np.arange(5), length=3)[0]
        >>> x.tolist(), y.tolist()
        ([[0, 1, 2], [1, 2, 3]], [3, 4])
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise ValueError(
                f"TimeseriesGenerator: `data` and `targets` must have the same length; received {len(data)} and "
                f"{len(targets)}."
            )
        self.data = data
        self.targets = targets
        self.length = length
        self.sampling_rate = sampling_rate
        self.stride = stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle = shuffle
        self.reverse = reverse
        self.batch_size = batch_size
        if self.start_index > self.end_index:
            raise ValueError(
                f"TimeseriesGenerator: no window fits: start_index + length is {self.start_index}, and the last point "
                f"{self.end_index}."
            )

    def __len__(self) -> int:
        """Return the number of batches."""
        step = self.batch_size * self.stride
        return (self.end_index - self.start_index + step) // step

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the windows and targets of a batch."""
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        samples = np.array([self.data[row - self.length : row : self.sampling_rate] for row in rows])
        targets = np.array([self.targets[row] for row in rows])
        return (samples[:, ::-1] if self.reverse else samples), targets

    def get_config(self) -> dict[str, Any]:
        """Return the arguments as plain data; the series are JSON."""
        names = ("length", "sampling_rate", "stride", "start_index", "end_index", "shuffle", "reverse", "batch_size")
        series = {
            name: json.dumps(np.asarray(value).tolist())
            for name, value in (("data", self.data), ("targets", self.targets))
        }
        return series | {name: getattr(self, name) for name in names}

    def to_json(self, **kwargs: Any) -> str:
        """Return the config as JSON.

        Args:
            **kwargs: arguments of `json.dumps`.
        """
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """Return the probability with which `skipgrams` takes each word, by its rank; it is low for frequent words.

    The formula is that of word2vec (T. Mikolov et al., "Distributed Representations of Words and Phrases and their
    Compositionality", 2013), `min(1, sqrt(frequency / factor) / (frequency / factor))`, with frequencies by Zipf's law.

    Args:
        size: the number of words.
        sampling_factor: the smaller it is, the fewer frequent words are taken.

    Returns:
        float64 `(size,)`.
    """
    euler = 0.577  # as many digits as in Keras
    rank = np.arange(size)
    rank[0] = 1
    inverse_frequency = rank * (np.log(rank) + euler) + 0.5 - 1.0 / (12.0 * rank)
    ratio = sampling_factor * inverse_frequency
    return np.minimum(1.0, ratio / np.sqrt(ratio))


def skipgrams(
    sequence: Sequence[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Return pairs of a word and a near word, labelled 1, and pairs of a word and any other word, labelled 0.

    T. Mikolov et al., "Efficient Estimation of Word Representations in Vector Space", 2013.

    Args:
        sequence: the numbers of the words of a text; 0 is not a word.
        vocabulary_size: the largest number plus 1.
        window_size: the largest distance of a near word.
        negative_samples: the number of pairs with any other word for each pair with a near word.
        shuffle: whether the pairs are in a random order.
        categorical: whether labels are `[0, 1]` and `[1, 0]`, instead of 1 and 0.
        sampling_table: the probability of taking each word, see `make_sampling_table`; by default all are taken.
        seed: the seed of the order. As in Keras, all random numbers come from Python's module `random`.

    Returns:
        The pairs, and their labels.

    Example:
        >>> skipgrams([1, 2], 3, negative_samples=0, shuffle=False)
        ([[1, 2], [2, 1]], [1, 1])
    """
    couples: list[list[int]] = []
    for i, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        near = range(max(0, i - window_size), min(len(sequence), i + window_size + 1))
        couples += [[word, sequence[j]] for j in near if j != i and sequence[j]]
    labels: list[Any] = [[0, 1] if categorical else 1] * len(couples)
    if negative_samples > 0:
        count = int(len(couples) * negative_samples)
        words = [couple[0] for couple in couples]
        random.shuffle(words)
        couples += [[words[i % len(words)], random.randint(1, vocabulary_size - 1)] for i in range(count)]
        labels += [[1, 0] if categorical else 0] * count
    if shuffle:
        seed = random.randint(0, 10**7) if seed is None else seed
        for part in (couples, labels):
            random.seed(seed)
            random.shuffle(part)
    return couples, labels


__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]
