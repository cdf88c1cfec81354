"""Files that callbacks and models write: logs, checkpoints, weights."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.small_model import DATA, Feed, X, Y, small_model
from polykeras import callbacks, layers, metrics
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
        ({"filepath": "model.keras"}, r"files that end in '.npz' \('model.weights.npz'\); received 'model.keras'"),
        ({"filepath": "model.weights.h5", "save_weights_only": True}, "end in '.npz'"),
        ({"filepath": "a.npz", "save_freq": "batch"}, "save_freq.* must be a positive int; received 'batch'"),
    ],
)
def test_arguments_of_checkpoints(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        callbacks.ModelCheckpoint(**arguments)


def test_names_of_checkpoints(backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="names 'val_loss'; there are epoch, loss"):
        small_model().fit(**DATA, callbacks=[callbacks.ModelCheckpoint(tmp_path / "{val_loss}.npz")])


# ---- weights ---------------------------------------------------------------------------------------------------------


def test_weights_go_by_name_or_by_order(backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    first = Sequential([layers.Dense(2, name="a"), layers.Dense(2, name="b")])
    first.build((None, 2))
    first.save_weights(path)
    with np.load(path, allow_pickle=False) as file:
        assert len(file.files) == 4
    swapped = Sequential([layers.Dense(2, name="b"), layers.Dense(2, name="a")])
    swapped.build((None, 2))
    swapped.load_weights(path)
    assert [w.tolist() for w in swapped.get_weights()] == [
        w.tolist() for w in first.get_weights()[2:] + first.get_weights()[:2]
    ]
    renamed = Sequential([layers.Dense(2), layers.Dense(2)])
    renamed.build((None, 2))
    renamed.load_weights(path)
    assert [w.tolist() for w in renamed.get_weights()] == [w.tolist() for w in first.get_weights()]


def test_weights_of_low_precision(backend: Backend, tmp_path: Path) -> None:
    model = Sequential([layers.Dense(2, dtype="bfloat16")])
    model.build((None, 3))
    model.save_weights(tmp_path / "w.npz")
    before = model.get_weights()[0]
    model.set_weights([0 * w for w in model.get_weights()])
    model.load_weights(tmp_path / "w.npz")
    assert model.get_weights()[0].dtype == before.dtype
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_weights_that_do_not_fit(backend: Backend, tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    model = small_model()
    model.save_weights(path)
    before = model.get_weights()
    wide = Sequential([layers.Dense(2)])
    wide.build((None, 3))
    with pytest.raises(ValueError, match=r"has shape \(3, 2\), but .* in the file has shape \(3, 1\)"):
        wide.load_weights(path)
    deep = Sequential([layers.Dense(1), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"holds 2 weights; .* has 0. It is not built yet"):
        deep.load_weights(path)
    with pytest.raises(ValueError, match="is not built"):
        deep.save_weights(path)
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        model.save_weights(path, overwrite=False)
    with pytest.raises(ValueError, match=r"end in '.npz'"):
        model.load_weights("w.h5")
    np.savez(path, a=np.array([{}], dtype=object), b=np.ones(1))
    with pytest.raises(ValueError, match="allow_pickle"):
        model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_a_failed_write_leaves_the_old_file(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.npz"
    model = small_model()
    model.save_weights(path)
    before = path.read_bytes()

    def half(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(OSError, match="disk full"):
        model.save_weights(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
