"""`saving.KerasFileEditor`: files of weights looked at and changed, for models here and in Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import polykeras
from differential.opponent import keras, quiet
from polykeras import Input, Sequential, layers
from polykeras.saving import KerasFileEditor, SavedFileError

X = np.random.default_rng(2).normal(size=(2, 5, 4)).astype("float32")


def model(library: Any = polykeras) -> Any:
    inner = library.Sequential([library.Input((5, 3)), library.layers.Dense(2)])
    return library.Sequential(
        [library.Input((5, 4)), library.layers.LSTM(3, return_sequences=True), inner, library.layers.Dense(2)]
    )


def saved(folder: Path, library: Any = polykeras) -> tuple[Any, str]:
    made, path = model(library), str(folder / "m.weights.h5")
    made.save_weights(path)
    return made, path


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_what_is_written_again_is_the_same(tmp_path: Path, suffix: str) -> None:
    made = model()
    made.compile("adam", "mse")
    path = tmp_path / f"m{suffix}"
    (made.save if suffix == ".keras" else made.save_weights)(path)
    editor = KerasFileEditor(path)
    assert (editor.config is None) == (editor.metadata is None) == (suffix != ".keras")
    editor.save(tmp_path / "again.weights.h5")
    other = model()
    other.load_weights(tmp_path / "again.weights.h5")
    for one, two in zip(made.get_weights(), other.get_weights(), strict=True):
        assert_array_equal(one, two)
    found = editor.compare(made)
    assert found == {
        "status": "success",
        "error_count": 0,
        "match_count": len(made.variables + made.optimizer.variables),
    }


def test_a_file_is_changed_for_another_model(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    editor = KerasFileEditor(path)
    editor.delete_object("layers/sequential")
    editor.rename_object("lstm", "gru")
    editor.rename_object("gru", "lstm")
    kernel = np.full((3, 6), 7.0, "float32")
    editor.add_object("layers/dense_1", {"0": np.zeros((9, 9))})
    editor.delete_weight("dense_1", "0")
    editor.add_weights("layers/dense_1", {"0": kernel, "1": [1.0] * 6})
    other = Sequential([Input((5, 4)), layers.LSTM(3), layers.Dense(2), layers.Dense(6)])
    found = editor.compare(other)
    assert found == {"status": "error", "error_count": 2, "match_count": 5}


def test_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, path = saved(tmp_path)
    KerasFileEditor(path).summary()
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"Weights of {path!r}"
    assert [line.strip() for line in lines][:3] == ["layers", "dense", "0: shape (2, 2), dtype float32"]
    assert "            dense" in lines  # of the inner model
    assert [line for line in lines if "(4, 12)" in line] == [f"{' ' * 12}0: shape (4, 12), dtype float32"]


def test_mistakes(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    editor = KerasFileEditor(path)
    calls: list[tuple[Any, str]] = [
        (lambda: KerasFileEditor("m.h5"), "end in '.keras' or '.weights.h5'; received 'm.h5'"),
        (lambda: editor.save("m.keras"), "written to '.weights.h5' files"),
        (lambda: editor.delete_object("dens"), "no 'dens' in the file. Did you mean 'dense'"),
        (lambda: editor.delete_object("dense"), "is ambiguous: it may be any of"),
        (lambda: editor.delete_object("layer/dense"), "no 'layer/dense' in the file"),
        (lambda: editor.rename_object("lstm", "layers/rnn"), "must be a name, not a path"),
        (lambda: editor.rename_object("lstm", "dense"), "'lstm' has a neighbour 'dense'"),
        (lambda: editor.add_object("layer/dense", {}), "no 'layer'. Did you mean 'layers'"),
        (lambda: editor.add_object("layers/a", [1.0]), "must be a dict of arrays by name; received list"),
        (lambda: editor.delete_weight("layers/dense", "7"), r"no weight '7'; it has \['0', '1'\]"),
    ]
    for call, message in calls:
        with pytest.raises(ValueError, match=message):
            call()


def test_links_are_not_followed(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    with h5py.File(path, "a") as file:
        file["layers/dense/vars/2"] = h5py.ExternalLink("other.h5", "/x")
    with pytest.raises(SavedFileError, match="is a link"):
        KerasFileEditor(path)


@pytest.mark.keras
def test_files_of_keras(tmp_path: Path) -> None:
    with quiet():
        theirs, path = saved(tmp_path, keras())
        editor = KerasFileEditor(path)
        assert editor.compare(model())["status"] == "success"
    kernel = np.full((2, 2), 3.0, "float32")
    editor.add_weights("layers/dense", {"0": kernel})
    editor.save(tmp_path / "new.weights.h5")
    theirs.load_weights(tmp_path / "new.weights.h5")
    assert_array_equal(np.asarray(theirs.layers[-1].kernel.value), kernel)


@pytest.mark.keras
def test_names_are_those_of_keras() -> None:
    theirs = {
        name for name, value in vars(keras().saving.KerasFileEditor).items() if name[0] != "_" and callable(value)
    }
    assert theirs <= set(dir(KerasFileEditor))
