"""`datasets` of small files of the same formats, and files that mean harm."""

from __future__ import annotations

import collections
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import fake_datasets as fake
from polykeras import config, datasets
from polykeras.datasets import cifar, common
from polykeras.datasets.pickles import load_npz, load_pickle


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], list[dict[str, Any]]]:
    """Returns a function that lets `get_file` answer with a path; it returns what is asked for."""

    def answer(path: Path) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def get_file(fname: str, origin: str, **options: Any) -> str:
            asked.append({"fname": fname, "origin": origin, **options})
            return str(path / fname if (path / fname).exists() else path)

        monkeypatch.setattr(common, "get_file", get_file)
        monkeypatch.setattr(cifar, "get_file", get_file)
        return asked

    return answer


def test_mnist(serve: Any, tmp_path: Path) -> None:
    asked = serve(fake.mnist(tmp_path))
    (x, y), (x_test, y_test) = datasets.mnist.load_data()
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((6, 28, 28), (6,), (3, 28, 28), (3,))
    assert np.array_equal(x, fake.numbers(0, 6, 28, 28))
    assert np.array_equal(y_test, fake.numbers(3, 3, high=10))
    assert asked[0]["origin"] == "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
    assert len(asked[0]["file_hash"]) == 64


def test_fashion_mnist(serve: Any, tmp_path: Path) -> None:
    serve(fake.fashion_mnist(tmp_path))
    (x, y), (x_test, y_test) = datasets.fashion_mnist.load_data()
    assert np.array_equal(x, fake.numbers(0, 6, 28, 28, high=10))
    assert np.array_equal(y, fake.numbers(0, 6, high=10))
    assert np.array_equal(x_test, fake.numbers(1, 3, 28, 28, high=10))
    assert y_test.dtype == np.uint8
    x[0] = 0  # nothing is read-only


def test_cifar(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(fake.cifar(tmp_path))
    (x, y), (x_test, y_test) = datasets.cifar10.load_data()
    assert (x.shape, y.shape, x_test.shape, y_test.dtype) == ((20, 32, 32, 3), (20, 1), (4, 32, 32, 3), np.uint8)
    assert np.array_equal(x[:4], fake.numbers(0, 4, 3072).reshape(4, 3, 32, 32).transpose(0, 2, 3, 1))
    assert y[4:8, 0].tolist() == fake.numbers(51, 4, high=10).tolist()
    assert datasets.cifar100.load_data("coarse")[0][1][:, 0].tolist() == fake.numbers(0, 4, high=20).tolist()
    monkeypatch.setattr(config, "image_data_format", lambda: "channels_first")
    assert datasets.cifar100.load_data()[0][0].shape == (4, 3, 32, 32)
    with pytest.raises(ValueError, match='"fine" or "coarse"'):
        datasets.cifar100.load_data("finest")


@pytest.mark.parametrize("module", [datasets.boston_housing, datasets.california_housing])
def test_housing(module: Any, serve: Any, tmp_path: Path) -> None:
    serve(fake.housing(tmp_path))
    (x, y), (x_test, y_test) = module.load_data(test_split=0.25, seed=1)
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((525, 8), (525,), (175, 8), (175,))
    for split in (1, -0.1):
        with pytest.raises(ValueError, match="test_split must be"):
            module.load_data(test_split=split)


def test_versions_of_california_housing(serve: Any, tmp_path: Path) -> None:
    serve(fake.housing(tmp_path))
    assert datasets.california_housing.load_data("small", test_split=0.5)[0][0].shape == (300, 8)
    with pytest.raises(ValueError, match='"large" or "small"'):
        datasets.california_housing.load_data("tiny")


def test_texts(serve: Any, tmp_path: Path) -> None:
    serve(fake.texts(tmp_path))
    (x, y), (x_test, _) = datasets.imdb.load_data(num_words=20, maxlen=5)
    assert all(text[0] == 1 and max(text) < 20 and len(text) < 5 for text in [*x, *x_test])
    assert {type(text) for text in x} == {list}
    assert len(x) == len(y)
    assert len(datasets.imdb.load_data(nb_words=20)[0][0]) == 30
    with pytest.raises(TypeError, match="unknown arguments words"):
        datasets.imdb.load_data(words=20)
    for module in (datasets.imdb, datasets.reuters):
        with pytest.raises(ValueError, match="fewer than maxlen=1"):
            module.load_data(maxlen=1)


def test_word_indices(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text('{"the": 1, "café": 2}', encoding="utf-8")
    asked = serve(tmp_path / "words.json")
    assert datasets.imdb.get_word_index() == datasets.reuters.get_word_index() == {"the": 1, "café": 2}
    assert [call["fname"] for call in asked] == ["imdb_word_index.json", "reuters_word_index.json"]
    assert len(datasets.reuters.get_label_names()) == 46


# ---- pickles -------------------------------------------------------------------------------------------------------


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> Any:
        return self.parts


RAN: list[str] = []


def note(what: str) -> str:
    """Note that a pickle ran code."""
    RAN.append(what)
    return what


class Keeper:
    """Runs code when its state is set."""

    def __setstate__(self, state: Any) -> None:
        RAN.append("state")


Keeper.__reduce__ = lambda self: (Keeper, (), {"a": 1})  # type: ignore[method-assign]

HOSTILE = {
    "a function": Call(note, "call"),
    "a class": Keeper(),
    "in a list": [1, Call(note, "list")],
    "a builtin": Call(eval, "1"),
    "by getattr": Call(getattr, "", "join"),
    "a harmless class": collections.OrderedDict(a=1),
    "another class of numpy": np.random.RandomState(0),
    "a masked array": np.ma.masked_array([1], [True]),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_pickles_name_is_never_run(kind: str, tmp_path: Path) -> None:
    for value in (HOSTILE[kind], {b"data": HOSTILE[kind]}):
        for protocol in range(2, 6):
            with pytest.raises(pickle.UnpicklingError, match="Refusing to load"):
                load_pickle(io.BytesIO(pickle.dumps(value, protocol)), "bytes")
    with pytest.raises(pickle.UnpicklingError, match="Refusing to load"):
        load_npz(str(fake.objects(tmp_path, HOSTILE[kind])))
    assert RAN == []


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">i2").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([True, False]),
        np.zeros((0, 3), np.uint8),
    ],
)
def test_arrays_of_numbers_are_read(array: np.ndarray) -> None:
    for protocol in (3, 4):
        read = load_pickle(io.BytesIO(pickle.dumps({"x": array, "y": "text"}, protocol)))
        assert read["y"] == "text"
        assert read["x"].dtype == array.dtype
        assert np.array_equal(read["x"], array)


def test_arrays_of_lists_and_arrays_are_read(tmp_path: Path) -> None:
    values = np.empty(3, object)
    values[:] = [[1, 2], "text", np.arange(3)]
    np.savez(tmp_path / "a.npz", x=values, y=np.arange(2))
    read = load_npz(str(tmp_path / "a.npz"))
    assert read["x"][:2].tolist() == [[1, 2], "text"]
    assert read["x"][2].tolist() == [0, 1, 2]
    assert read["y"].tolist() == [0, 1]


@pytest.mark.parametrize("dtype", ["M8[s]", "U3", [("a", "i4")], "V8"])
def test_other_arrays_are_refused(dtype: Any) -> None:
    with pytest.raises(pickle.UnpicklingError, match="Expected an array of numbers"):
        load_pickle(io.BytesIO(pickle.dumps(np.zeros(2, dtype), 3)))
