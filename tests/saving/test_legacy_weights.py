"""Files of weights of Keras 1 and 2: by order, by name, with what does not fit; and files that are not what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import polykeras
from helpers import data, host
from polykeras import Sequential, layers
from polykeras.saving import SavedFileError, load_model
from polykeras.saving.legacy.weights import load_legacy_weights
from saving.legacy_writer import layer, named, sequential, write_model, write_weights

W1, B1, W2, B2 = data(4, 3, seed=1), data(3, seed=2), data(3, 2, seed=3), data(2, seed=4)


def small() -> Any:
    return Sequential([layers.Input((4,)), layers.Dense(3, name="first"), layers.Dense(2, name="second")])


def weights_file(path: Path, weights: Any, version: str | None = "2.2.4", **kwargs: Any) -> str:
    with h5py.File(path, "w") as file:
        write_weights(file, weights, version, "tensorflow", **kwargs)
    return str(path)


@pytest.fixture(autouse=True)
def numpy_backend() -> Any:
    with polykeras.use_backend("numpy"):
        yield


# ---- order and names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize("names", [("dense_7", "dense_8"), ("first", "second")])
def test_by_order(tmp_path: Path, names: tuple[str, str], chunks: int) -> None:
    stored = {"input_1": [], names[0]: named(names[0], W1, B1), names[1]: named(names[1], W2, B2)}
    path = weights_file(tmp_path / "w.h5", stored, chunks=chunks)
    model = small()
    model.load_weights(path)
    x = data(5, 4)
    np.testing.assert_allclose(host(model(x)), (x @ W1 + B1) @ W2 + B2, rtol=1e-4, atol=1e-5)


def test_of_a_whole_model(tmp_path: Path) -> None:
    """The weights of a file of a model serve another one."""
    weights = {"a": named("a", W1, B1), "b": named("b", W2, B2)}
    path = write_model(tmp_path / "m.h5", sequential(), weights)
    model = small()
    assert load_legacy_weights(model, path) == []
    for found, expected in zip(model.get_weights(), (W1, B1, W2, B2), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_by_name(tmp_path: Path) -> None:
    stored = {"second": named("second", W2, B2), "other": named("other", data(9, 9), data(9))}
    path = weights_file(tmp_path / "w.h5", stored)
    model = small()
    before = model.get_weights()
    assert load_legacy_weights(model, path, by_name=True) == []
    for found, expected in zip(model.get_weights(), (*before[:2], W2, B2), strict=True):
        np.testing.assert_array_equal(found, expected)
    stranger = Sequential([layers.Input((4,)), layers.Dense(3, name="third")])
    (reason,) = load_legacy_weights(stranger, path, by_name=True)
    assert reason == "/: no layer has the name of one in the file: ['third']; there ['second', 'other']."


def test_skip_mismatch(tmp_path: Path) -> None:
    stored = {"first": named("first", data(4, 5), data(5)), "second": named("second", W2, B2)}
    path = weights_file(tmp_path / "w.h5", stored)
    for by_name in (False, True):
        model = small()
        before = model.get_weights()
        with pytest.raises(SavedFileError, match=r"w\.h5: first: the arrays do not fit 'first' \(Dense\): expected the shapes "
                           r"\[\(4, 3\), \(3,\)\].*the file holds \[\(4, 5\), \(5,\)\]"):  # fmt: skip
            load_legacy_weights(model, path, by_name)
        for found, expected in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(found, expected)  # nothing was changed
        (reason,) = load_legacy_weights(model, path, by_name, skip_mismatch=True)
        assert reason.startswith("first: the arrays do not fit 'first'")
        for found, expected in zip(model.get_weights(), (*before[:2], W2, B2), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_another_number_of_layers(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "w.h5", {"second": named("second", W2, B2)})
    model = small()
    with pytest.raises(
        SavedFileError, match=r"w\.h5: /: 1 layers have weights in the file: second; 2 in the model .*by_name"
    ):
        model.load_weights(path)
    with pytest.warns(UserWarning, match="no weights of the layer 'first'"):
        model.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(model.get_weights()[2], W2)


def test_keras_1_without_a_word_of_its_version(tmp_path: Path) -> None:
    kernel = data(4, 2, 3, 3, seed=1)
    path = weights_file(tmp_path / "w.h5", {"c": [("c_W", kernel), ("c_b", B1[:1].repeat(4))]}, version=None)
    model = Sequential([layers.Input((2, 5, 5)), layers.Conv2D(4, 3, data_format="channels_first")])
    model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[0], kernel.transpose(2, 3, 1, 0))
    other = weights_file(tmp_path / "v.h5", {"c": [("c_W", data(1)), ("c_b", data(4))]}, version=None)
    with pytest.raises(SavedFileError, match="was treated as one of Keras 1"):
        model.load_weights(other)


def test_a_model_of_ones_own_with_weights_of_its_own(tmp_path: Path) -> None:
    class Own(polykeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3, name="dense")
            self.factor = self.add_weight((), "ones", name="factor")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs) * self.factor

    model = Own()
    model(data(1, 4))
    stored = {"dense": named("dense", W1, B1)}
    path = weights_file(tmp_path / "w.h5", stored)
    with h5py.File(path, "a") as file:
        top = file.create_group("top_level_model_weights")
        top.attrs["weight_names"] = [b"factor:0"]
        top.create_dataset("factor:0", data=np.float32(7.0))
    model.load_weights(path)
    x = data(2, 4)
    np.testing.assert_allclose(host(model(x)), 7 * (x @ W1 + B1), rtol=1e-4, atol=1e-5)


def test_only_models_have_such_files(tmp_path: Path) -> None:
    dense = layers.Dense(3)
    dense.build((None, 4))
    path = weights_file(tmp_path / "w.h5", {})
    with pytest.raises(ValueError, match="hold models"):
        load_legacy_weights(dense, path)
    with pytest.raises(FileNotFoundError):
        load_legacy_weights(small(), str(tmp_path / "nothing.h5"))


# ---- files that are not what they say ------------------------------------------------------------------------------


def spoil(path: str, what: str) -> str:
    """Spoil a file in a certain way, and return the place that an error should name."""
    file: Any
    with h5py.File(path, "a") as file:
        if what == "missing group":
            del file["second"]
            return "second: is missing"
        if what == "missing array":
            del file["second/second/kernel:0"]
            return "second/second/kernel:0: is missing"
        if what == "link":
            del file["second"]
            file["second"] = h5py.ExternalLink("/etc/passwd", "/")
            return "second: 'second' is a link"
        if what == "names":
            file.attrs["layer_names"] = 3.0
            return "'layer_names' must be a list of names"
        if what == "twice":
            file["first"].attrs["weight_names"] = [b"first/kernel:0"] * 2
            return "first: names an array twice"
        if what == "text":
            del file["second/second/bias:0"]
            file["second"].create_dataset("second/bias:0", data=[b"a", b"b"])
            return "second/second/bias:0: holds"
        if what == "nothing":
            del file.attrs["layer_names"]
            return "has no attribute `layer_names`"
        del file["second/second/kernel:0"]  # when the first layer has its weights already
        data_set = {"chunks": (3, 2), "compression": "gzip", "data": W2}
        stored = file["second"].create_dataset("second/kernel:0", (3, 2), "f4", **data_set)
        file.flush()
        offset = stored.id.get_chunk_info(0).byte_offset
    with open(path, "r+b") as raw:
        raw.seek(offset)
        raw.write(b"\xff" * 16)
    return "second/second/kernel:0"


@pytest.mark.parametrize(
    "what", ["missing group", "missing array", "link", "names", "twice", "text", "nothing", "corrupt data"]
)
def test_errors_name_the_file_and_the_place(tmp_path: Path, what: str) -> None:
    path = weights_file(tmp_path / "w.h5", {"first": named("first", W1, B1), "second": named("second", W2, B2)})
    place = spoil(path, what)
    model = small()
    before = model.get_weights()
    with pytest.raises(SavedFileError) as error:
        model.load_weights(path)
    assert str(error.value).startswith(path)
    assert place in str(error.value)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_models_without_what_a_model_needs(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "w.h5", {"first": named("first", W1, B1)})
    with pytest.raises(SavedFileError, match=r"w\.h5: holds weights only, no model \(it has no model_config\)"):
        load_model(path)
    dense = layer("Dense", "d", units=3)  # of which nobody knows the input's shape
    path = write_model(tmp_path / "m.h5", sequential(dense), {"d": named("d", W1, B1)})
    with pytest.raises(SavedFileError, match=r"m\.h5: model_config: does not say the shape of the model's input"):
        load_model(path)
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(SavedFileError, match=r"text\.h5"):
        load_model(tmp_path / "text.h5")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = b'{"class_name": "Sequential"'
    with pytest.raises(SavedFileError, match=r"m\.h5: model_config: .*JSONDecodeError"):
        load_model(path)
