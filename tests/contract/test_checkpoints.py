"""Files that callbacks and models write: logs, checkpoints, weights."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.small_model import DATA, Feed, X, Y, small_model
from polykeras import callbacks, layers, metrics, saving
from polykeras.backend import Backend
from polykeras.models import Sequential

# ---- files -----------------------------------------------------------------------------------------------------------


def test_csv_logger(backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    model = small_model(metrics.R2Score(None))
    history = model.fit(
        **DATA, epochs=3, validation_data=(X, Y), validation_freq=2, callbacks=[callbacks.CSVLogger(path)]
    )
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss", "r2_score", "val_loss", "val_r2_score"]
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [float(row["loss"]) for row in rows] == history.history["loss"]
    assert [row["val_loss"] for row in rows] == ["NA", str(history.history["val_loss"][0]), "NA"]
    assert rows[1]["val_r2_score"].startswith("[")

    model.fit(**DATA, callbacks=[callbacks.CSVLogger(path, append=True)])
    lines = path.read_text().splitlines()
    assert len(lines) == 5
    assert sum(line.startswith("epoch,") for line in lines) == 1
    model.fit(**DATA, callbacks=[callbacks.CSVLogger(path, separator=";")])
    assert path.read_text().splitlines()[0].startswith("epoch;loss;")
    assert len(path.read_text().splitlines()) == 2


def test_checkpoints_of_epochs(backend: Backend, tmp_path: Path) -> None:
    kept: list[list[np.ndarray]] = []
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()))
    model = small_model()
    path = str(tmp_path / "new" / "{epoch:02d}-{value:.1f}.weights.npz")
    model.fit(**DATA, epochs=3, callbacks=[keep, Feed("value", [1.0, 0.5, 0.7]), callbacks.ModelCheckpoint(path)])
    names = sorted(p.name for p in (tmp_path / "new").iterdir())
    assert names == ["01-1.0.weights.npz", "02-0.5.weights.npz", "03-0.7.weights.npz"]
    other = small_model()
    for name, weights in zip(names, kept, strict=True):
        other.load_weights(tmp_path / "new" / name)
        for found, expected in zip(other.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_checkpoint_of_the_best_epoch(backend: Backend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept: list[np.ndarray] = []
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()[0]))
    model = small_model()
    path = tmp_path / "best.npz"
    checkpoint = callbacks.ModelCheckpoint(
        path, "value", 1, save_best_only=True, save_weights_only=True, mode="max", initial_value_threshold=1.5
    )
    model.fit(**DATA, epochs=4, callbacks=[keep, Feed("value", [1.0, 2.0, 1.9, 1.0]), checkpoint])
    assert capsys.readouterr().out.splitlines() == [f"Epoch 2: weights saved to {path}"]
    model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[0], kept[1])


def test_checkpoints_of_steps(backend: Backend, tmp_path: Path) -> None:
    model = small_model()
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.npz", save_freq=2)
    model.fit(**DATA, epochs=3, callbacks=[checkpoint])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1-2.npz", "2-1.npz", "2-3.npz", "3-2.npz"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filepath": "model.txt"}, r"path that ends in '.keras', or in one of .weights.h5, .*received 'model.txt'"),
        ({"filepath": "model.keras", "save_weights_only": True}, "Use a path that ends in '.weights.h5'"),
        ({"filepath": "a.npz", "save_freq": "batch"}, "save_freq.* must be a positive int; received 'batch'"),
    ],
)
def test_arguments_of_checkpoints(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        callbacks.ModelCheckpoint(**arguments)


def test_names_of_checkpoints(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="names 'val_loss'; there are epoch, loss"):
        small_model().fit(**DATA, callbacks=[callbacks.ModelCheckpoint(tmp_path / "{val_loss}.npz")])


def test_checkpoints_of_whole_models(backend: Backend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model()
    path = tmp_path / "{epoch}.keras"
    model.fit(**DATA, epochs=2, callbacks=[callbacks.ModelCheckpoint(path, verbose=1)])
    assert capsys.readouterr().out.splitlines()[0] == f"Epoch 1: model saved to {tmp_path / '1.keras'}"
    other = saving.load_model(tmp_path / "2.keras")
    for found, expected in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert int(other.optimizer.iterations) == int(model.optimizer.iterations)


# ---- weights: see tests/saving/test_files.py -------------------------------------------------------------------------


def test_weights_go_by_place_and_not_by_name(backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    first = Sequential([layers.Dense(2, name="a"), layers.Dense(2, name="b")])
    first.build((None, 2))
    first.save_weights(path)
    with np.load(path, allow_pickle=False) as file:
        assert file.files == [f"layers/dense{number}/vars/{i}" for number in ("", "_1") for i in (0, 1)]
    other = Sequential([layers.Dense(2, name="b"), layers.Dense(2)])
    other.build((None, 2))
    other.load_weights(path)
    assert [w.tolist() for w in other.get_weights()] == [w.tolist() for w in first.get_weights()]


def test_weights_of_models_that_are_not_built(backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    small_model().save_weights(path)
    deep = Sequential([layers.Dense(1), layers.Dense(1)])
    with pytest.raises(ValueError, match="is not built and has no weights to load yet"):
        deep.load_weights(path)
    with pytest.raises(ValueError, match="is not built and has no weights to save yet"):
        deep.save_weights(path)
