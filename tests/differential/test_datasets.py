"""Data sets: what Keras's loaders make of the same small files, with the same arguments, from the same places."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from differential.opponent import keras
from helpers import fake_datasets as fake
from polykeras import datasets
from polykeras.datasets import cifar, common

pytestmark = [pytest.mark.slow, pytest.mark.keras]

SPLITS = [{}, {"test_split": 0.3, "seed": 5}, {"test_split": 0}]
TEXTS = [
    {},
    {"num_words": 20},
    {"skip_top": 5, "seed": 3},
    {"maxlen": 5},
    {"start_char": None},
    {"start_char": None, "index_from": 0, "oov_char": None, "num_words": 30},
    {"index_from": 7, "start_char": 9, "oov_char": 4, "skip_top": 12},
]
CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("mnist", fake.mnist, {}),
    ("fashion_mnist", fake.fashion_mnist, {}),
    ("cifar100", fake.cifar, {}),
    ("cifar100", fake.cifar, {"label_mode": "coarse"}),
    *[("boston_housing", fake.housing, options) for options in SPLITS],
    *[("california_housing", fake.housing, options) for options in [*SPLITS, {"version": "small"}]],
    *[("imdb", fake.texts, options) for options in TEXTS],
    *[("reuters", fake.texts, options) for options in [*TEXTS, {"test_split": 0.5}]],
]


def answering(path: Path, asked: list[Any]) -> Any:
    """Return a `get_file` that gives a path, and notes what it is asked for."""

    def get_file(fname: str, origin: str, **options: Any) -> str:
        asked.append((fname, origin, {name: value for name, value in options.items() if value is not None}))
        return str(path / fname if (path / fname).exists() else path)

    return get_file


def both(name: str, path: Path, monkeypatch: pytest.MonkeyPatch, function: str, **options: Any) -> tuple[Any, Any]:
    """Return what a function of a data set gives, ours and Keras's; they ask for the same files."""
    ours: list[Any] = []
    theirs: list[Any] = []
    monkeypatch.setattr(common, "get_file", answering(path, ours))
    monkeypatch.setattr(cifar, "get_file", answering(path, ours))
    keras()
    module = import_module(f"keras.src.datasets.{name}")
    monkeypatch.setattr(module, "get_file", answering(path, theirs))
    results = getattr(getattr(datasets, name), function)(**options), getattr(module, function)(**options)
    assert sorted(ours, key=str) == sorted(theirs, key=str)
    return results


@pytest.mark.parametrize(("name", "write", "options"), CASES)
def test_same_arrays(
    name: str, write: Any, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = both(name, write(tmp_path), monkeypatch, "load_data", **options)
    for part, expected in zip((*ours[0], *ours[1]), (*theirs[0], *theirs[1]), strict=True):
        assert part.dtype == expected.dtype
        assert part.shape == expected.shape
        assert part.tolist() == expected.tolist()


def test_same_arrays_of_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = both("cifar10", fake.cifar(tmp_path, 10_000), monkeypatch, "load_data")
    for part, expected in zip((*ours[0], *ours[1]), (*theirs[0], *theirs[1]), strict=True):
        assert (part.dtype, part.shape) == (expected.dtype, expected.shape)
        assert np.array_equal(part, expected)


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_same_word_indices(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "words.json").write_text('{"a": 1}')
    ours, theirs = both(name, tmp_path / "words.json", monkeypatch, "get_word_index")
    assert ours == theirs


def test_same_label_names(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = both("reuters", Path("."), monkeypatch, "get_label_names")
    assert ours == theirs


@pytest.mark.parametrize("name", datasets.__all__)
def test_same_signatures(name: str) -> None:
    ours, theirs = getattr(datasets, name), getattr(keras().datasets, name)
    for function in (member for member in dir(theirs) if not member.startswith("_")):
        assert [(p.name, p.default) for p in inspect.signature(getattr(ours, function)).parameters.values()] == [
            (p.name, p.default) for p in inspect.signature(getattr(theirs, function)).parameters.values()
        ]
