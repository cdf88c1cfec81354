"""Models in open files and in folders, here and in Keras."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from differential.opponent import keras as original
from differential.opponent import quiet
from polykeras import layers
from polykeras.backend import Backend
from polykeras.saving import SavedFileError

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
WORDS = np.array([["a"], ["b"], ["c"]])


def trained() -> Any:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, "relu"), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, X[:, :1], verbose=0)
    return model


def same(model: Any, other: Any) -> None:
    np.testing.assert_array_equal(model.predict(X, verbose=0), other.predict(X, verbose=0))
    for a, b in zip(model.optimizer.variables, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_model_goes_through_an_open_file(backend: Backend, tmp_path: Path) -> None:
    model, file = trained(), io.BytesIO()
    model.save(file)
    file.seek(0)
    same(model, keras.models.load_model(file))
    with (tmp_path / "m.keras").open("wb") as opened:
        keras.saving.save_model(model, opened)
    same(model, keras.models.load_model(tmp_path / "m.keras"))


def test_a_model_goes_through_a_folder(backend: Backend, tmp_path: Path) -> None:
    model, folder = trained(), tmp_path / "new" / "model"
    model.save(folder, zipped=False)
    assert sorted(os.listdir(folder)) == ["config.json", "metadata.json", "model.weights.h5"]
    assert os.listdir(folder.parent) == ["model"], "nothing is left beside it"
    same(model, keras.models.load_model(folder))
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(folder, overwrite=False, zipped=False)
    model.fit(X, X[:, :1], verbose=0)
    model.save(folder, zipped=False)
    same(model, keras.models.load_model(folder))


def test_what_layers_keep_in_files_comes_along(tmp_path: Path) -> None:
    lookup = layers.StringLookup()
    lookup.adapt(WORDS)
    model, file = keras.Sequential([keras.Input((1,), dtype="string"), lookup]), io.BytesIO()
    model.save(tmp_path / "words", zipped=False)
    model.save(file)
    file.seek(0)
    for source in (tmp_path / "words", file):
        back = keras.models.load_model(source)
        np.testing.assert_array_equal(back.predict(WORDS, verbose=0), model.predict(WORDS, verbose=0))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = trained()
    with pytest.raises(ValueError, match="zipped=False"):
        model.save(tmp_path / "m.keras", zipped=False)
    with pytest.raises(ValueError, match=r"'\.keras'"):
        model.save(tmp_path / "m", zipped=True)
    with pytest.raises(SavedFileError, match=r"is not a \.keras file: it is not a zip archive"):
        keras.models.load_model(io.BytesIO(b"no model" * 10))
    (tmp_path / "m.txt").write_text("no model")
    with pytest.raises(ValueError, match="Models are read from files that end in"):
        keras.models.load_model(tmp_path / "m.txt")
    with pytest.raises(ValueError, match=r"The folder '.*' holds no model: there is no config\.json in it"):
        keras.models.load_model(tmp_path)  # a folder of something else


@pytest.mark.keras
def test_keras_reads_and_writes_the_same_folders(tmp_path: Path) -> None:
    model = trained()
    expected = model.predict(X, verbose=0)
    model.save(tmp_path / "ours", zipped=False)
    with quiet():
        theirs = original().models.load_model(tmp_path / "ours")
        np.testing.assert_allclose(theirs.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-6)
        theirs.save(tmp_path / "theirs", zipped=False)
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "theirs").predict(X, verbose=0), expected, rtol=1e-6)
