"""What is written can be read again, or is not written; and what else bounds cost when files are read."""

from __future__ import annotations

import copy
import errno
import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import dtypes, layers, variables
from polykeras.backend import use_backend
from polykeras.saving import SavedFileError, archive, keras_values, limits, shared_objects
from polykeras.saving.files import atomic, hdf5, hdf5_texts, sharded
from saving.corpus import entry, functional, tensor

h5py = pytest.importorskip("h5py")


@pytest.fixture(autouse=True)
def _on_the_host() -> Any:
    with use_backend("numpy"):
        yield


class _Talkative(layers.Layer):
    """A layer with a long config."""

    def __init__(self, words: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words

    def call(self, x: Any) -> Any:
        return x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "words": self.words}


def _deep() -> Any:
    words: Any = []
    for _ in range(limits.MAX_CONFIG_DEPTH):
        words = [words]
    return words


@pytest.mark.parametrize("words", [_deep(), 2**64], ids=["deep", "beyond all numbers"])
@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_a_model_that_could_not_be_read_again_is_not_written(words: Any, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("old")
    model = keras.Sequential([keras.Input((2,)), _Talkative(words)])
    with pytest.raises(ValueError, match="not read again: .*(nested|too large)"):
        model.save(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [name]
    with pytest.raises(ValueError, match="not read again"):
        model.to_json()


def test_a_file_of_a_layer_that_could_not_be_read_again_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Keeps(layers.Layer):
        def call(self, x: Any) -> Any:
            return x

        def save_assets(self, folder: str) -> None:
            Path(folder, "words.txt").write_text("many words")

    monkeypatch.setattr(archive, "_MOST_ASSET_BYTES", 9)
    with pytest.raises(ValueError, match=r"'words.txt' .* takes 10 bytes"):
        keras.Sequential([keras.Input((2,)), Keeps()]).save(tmp_path / "m.keras")
    assert not os.listdir(tmp_path)


def test_a_model_with_a_large_constant_comes_back(tmp_path: Path) -> None:
    constant = np.arange(2**21, dtype="float32").reshape(2**20, 2)  # more rows than a text may have lists
    x = keras.Input((2,))
    model = keras.Model(x, keras.ops.take(keras.ops.convert_to_tensor(constant), 7, axis=0) + x)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.predict(np.zeros((1, 2)), verbose=0), [[14.0, 15.0]])


@pytest.mark.parametrize("dtype", ["float32", ">f8", "int64", "bool", "bfloat16", "complex64"])
def test_large_arrays_are_written_as_bytes(dtype: str) -> None:
    array = (np.arange(1200) % 3).astype(dtypes.numpy_dtype(dtype) if dtype[0] != ">" else dtype)
    array = array.reshape(30, 40).T
    told = json.loads(json.dumps(keras_values.encode(array)))
    assert set(told["config"]) == {"data", "dtype", "shape"}
    back = keras_values.decode("__numpy__", told["config"], lambda part: part)
    assert back.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(back, array)
    back[0] = 0
    assert set(keras_values.encode(array[:2])["config"]) == {"value", "dtype"}, "Keras reads this form only"


@pytest.mark.parametrize(
    "change", [{"shape": [2000]}, {"shape": [-1, -1200]}, {"shape": 1200}, {"dtype": "float64"}, {"data": "AAA*"}]
)
def test_bytes_that_are_no_array_are_refused(change: dict[str, Any]) -> None:
    told = keras_values.encode(np.zeros(1200, "float32"))["config"]
    with pytest.raises(ValueError, match="cannot have|has the shape|base64|padding"):
        keras_values.decode("__numpy__", told | change, lambda part: part)


def test_more_files_than_are_read_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharded, "_MOST_SHARDS", 2)
    model = keras.Sequential([keras.Input((8,)), *(layers.Dense(8) for _ in range(3))])
    with pytest.raises(ValueError, match="at most 2 can be read again: pass a larger `max_shard_size`"):
        model.save_weights(tmp_path / "m.weights.json", max_shard_size=300 / 2**30)
    assert not os.listdir(tmp_path)


# ---- errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_can_be_copied(copied: Any) -> None:
    error = SavedFileError("file", "p" * 400, "r" * 3000)
    error.add_note("a note")
    other = copied(error)
    assert type(other) is SavedFileError
    assert (str(other), other.__dict__) == (str(error), error.__dict__)
    assert other.reason.endswith("... (3000 characters)")


@pytest.mark.parametrize(("name", "value"), [("executable", ""), ("frozen", True)])
def test_where_no_python_can_be_started_no_text_is_read(
    name: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, name, value, raising=False)
    with pytest.raises(SavedFileError, match="cannot be started here"):
        hdf5_texts.read_texts(tmp_path / "m.h5", 0, ["/"])


def test_texts_are_those_of_the_file_that_was_opened(tmp_path: Path) -> None:
    """Also where another one has taken its place, as a writer does that saves a model again."""
    path, later = tmp_path / "m.h5", tmp_path / "later.h5"
    for file, text in ((path, "old"), (later, "new")):
        with h5py.File(file, "w") as written:
            written.attrs["model_config"] = text  # of variable length
    with hdf5.Hdf5File(path, str(path)) as opened:
        later.replace(path)
        assert opened.text(opened.root, "model_config", "config") == "old"


def test_an_open_file_that_belongs_to_another_is_closed_with_it(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((2,)), layers.Dense(2)]).save(tmp_path / "m.keras")
    descriptors = Path("/proc/self/fd")
    before = len(os.listdir(descriptors)) if descriptors.exists() else 0
    file = archive.open_weights(str(tmp_path / "m.keras"))
    assert file.names()
    file.close()
    kept = (tmp_path / "bad").open("w+b")
    with pytest.raises(SavedFileError):
        hdf5.Hdf5File(kept, "bad", owned=True)
    assert kept.closed
    assert not before or len(os.listdir(descriptors)) == before


def test_without_links_an_error_leaves_no_empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise OSError(errno.EPERM, "refused")

    monkeypatch.setattr(atomic.os, "link", refuse)
    monkeypatch.setattr(atomic.os, "replace", refuse)
    with pytest.raises(OSError, match="refused"), atomic.atomic_write(tmp_path / "file", overwrite=False) as part:
        part.write_text("text")
    assert not os.listdir(tmp_path)


# ---- configs ---------------------------------------------------------------------------------------------------


def test_a_first_description_gets_the_number_of_the_second() -> None:
    def dense(**more: Any) -> dict[str, Any]:
        return entry("Dense", {"units": 2, "name": "d", "kernel_initializer": entry("Zeros")}, **more)

    config = {"first": [dense(), dense() | {"class_name": "Other"}], "second": {"in": dense(shared_object_id=7)}}
    shared_objects.with_numbers_on_both(config)
    assert [part.get("shared_object_id") for part in config["first"]] == [7, None]
    twice = {"first": dense(), "second": [dense(shared_object_id=7), dense(shared_object_id=7)]}
    shared_objects.with_numbers_on_both(twice)
    assert "shared_object_id" not in twice["first"], "both descriptions are there"


def _op(module: str, name: str, args: list[Any], kwargs: dict[str, Any], **fixed: Any) -> dict[str, Any]:
    node = {"args": args, "kwargs": kwargs}
    return functional(entry(name, fixed, f"keras.src.ops.{module}", inbound_nodes=[node]))


def test_inputs_of_an_op_that_it_does_not_take_are_refused() -> None:
    x = tensor("x")

    def made(*args: Any, **kwargs: Any) -> Any:
        return keras.models.model_from_json(json.dumps(_op(*args, **kwargs)))

    assert made("numpy", "Einsum", [x], {}, subscripts="ij->ji").outputs[0].shape == (4, None)
    assert made("numpy", "Negative", [x], {}).outputs[0].shape == (None, 4)
    with pytest.raises(SavedFileError, match="'negative' 2 inputs; it takes 1: x"):
        made("numpy", "Negative", [x, x], {})
    with pytest.raises(SavedFileError, match="by the names"):
        made("numpy", "Einsum", [x], {"y": x}, subscripts="ij->ji")


def test_the_size_of_a_variable_is_the_programs_own_affair() -> None:
    """Of a file's it is not (`attacks_sizes.py`)."""
    shape = (2**20, 2**20)
    with variables.values_deferred():
        assert keras.Variable(keras.initializers.Zeros(), shape, "float32").shape == shape
