"""`polykeras parity` and `polykeras bench`, which run several backends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from polykeras.backend import Backend
from polykeras.cli import main
from polykeras.cli.parity import QUANTITIES

SCRIPT = """
import numpy as np
import polykeras as keras
from polykeras import layers
from polykeras.backend import registry

def digits():
    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(4, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("tanh"),
        layers.Dropout(0.3),
        layers.Flatten(),
        layers.Dense(3, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def words():
    model = keras.Sequential([
        keras.Input((None,), dtype="int32"), layers.Embedding(50, 8), layers.LSTM(8), layers.Dense(1, activation="sigmoid")
    ])
    model.compile("rmsprop", "binary_crossentropy")
    return model

def two():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    both = layers.concatenate([a, b])
    outputs = {"o": layers.Dense(2, name="o")(both), "p": layers.Dense(3, activation="softmax", name="p")(both)}
    model = keras.Model({"a": a, "b": b}, outputs)
    model.compile("sgd", {"o": "mse", "p": "categorical_crossentropy"})
    return model

class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs)

def own():
    return Own(), np.random.normal(size=(40, 3)).astype("float32")

class Off(layers.Layer):
    def call(self, inputs):
        return inputs * (1.0 if keras.backend.backend() == "numpy" else 1.001)

def parts():
    return keras.Sequential([keras.Input((4,)), layers.Dense(2, name="dense"), Off(name="off"), layers.Activation("tanh")], name="net")

class Fails(layers.Layer):
    def call(self, inputs):
        if registry.current().name in ("jax", "torch", "tensorflow"):  # not while the model is made
            raise RuntimeError("not\\nhere")
        return inputs

def fails():
    return keras.Sequential([keras.Input((4,)), layers.Dense(2), Fails()])

def choosy():
    if keras.backend.backend() == "numpy":
        raise ValueError("no")
    return two()

def shapeless():
    return Own()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script, which is current."""
    (tmp_path / "nets.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def chosen(all_backends: list[Backend]) -> str:
    """The names of the backends under test, numpy and others."""
    names = [backend.name for backend in all_backends]
    if len(names) < 2 or "numpy" not in names:
        pytest.skip("numpy and another backend are compared")
    return ",".join(names)


def reported(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> dict[str, Any]:
    """Run a command with `--json`; returns what it reports."""
    assert main([*arguments, "--json"]) == status, capsys.readouterr()
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("model", ["digits", "words", "two", "own"])
def test_backends_agree(model: str, folder: Path, chosen: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = reported(capsys, 0, "parity", f"nets.py:{model}", "--backends", chosen)
    assert report["agrees"]
    assert report["reference"] == "numpy"
    assert sorted([*report["differences"], "numpy"]) == chosen.split(",")
    for row in report["differences"].values():
        assert set(row) == set(QUANTITIES)
        assert report["first_layers"] == {}
        assert row["weights at the start"]["error"] == 0
        assert max(found["error"] for found in row.values()) < 1e-3
        assert any(found["error"] > 0 for found in row.values())  # two kernels of the same rounding are not likely


def test_a_saved_model_goes_on_with_its_weights(folder: Path, chosen: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["convert", "nets.py:two", "m.keras"])
    capsys.readouterr()
    assert main(["parity", "m.keras", "--backends", chosen, "--html", "p.html"]) == 0
    text = capsys.readouterr().out
    assert "All agree within the tolerances" in text
    assert "p.html" in text
    page = Path("p.html").read_text(encoding="utf-8")
    assert page.count('<td class="good"') == len(QUANTITIES) * (len(chosen.split(",")) - 1)
    assert 'class="bad"' not in page
    assert not re.search(r"(src|href)=", page)


def test_it_is_told_where_backends_part(folder: Path, chosen: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = reported(capsys, 1, "parity", "nets.py:parts", "--backends", chosen)
    for row in report["differences"].values():
        assert row["weights at the start"]["error"] == 0
        found = row["outputs"]
        assert found["error"] == pytest.approx(1e-3, rel=0.9)
        assert row["gradients"]["where"].startswith("net/dense/")
    assert set(report["first_layers"].values()) == {"off"}
    assert main(["parity", "nets.py:parts", "--backends", chosen, "--html", "p.html"]) == 1
    name = next(name for name in chosen.split(",") if name != "numpy")
    assert re.search(rf"{name} differs from numpy in outputs: output\[\d+, \d\]: ", capsys.readouterr().out)
    assert '<td class="bad"' in Path("p.html").read_text(encoding="utf-8")
    wide = ("--tolerance", "0.1", "--tolerance-trained", "0.1")
    assert main(["parity", "nets.py:parts", "--backends", chosen, *wide]) == 0


def test_a_backend_that_fails_is_told(folder: Path, chosen: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = reported(capsys, 1, "parity", "nets.py:fails", "--backends", chosen)
    assert set(report["failures"]) == set(chosen.split(",")) - {"numpy"}
    assert set(report["failures"].values()) == {"RuntimeError: not here"}


def test_a_script_may_fail_on_one_backend(folder: Path, chosen: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = reported(capsys, 1, "parity", "nets.py:choosy", "--backends", chosen)
    assert list(report["failures"].items()) == [("numpy", "nets.py:64: ValueError: no")]
    assert report["reference"] != "numpy"


def test_a_model_that_cannot_run_is_an_error(folder: Path, chosen: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parity", "nets.py:shapeless", "--backends", chosen]) == 2
    assert "(model, x, y)" in capsys.readouterr().err


def test_bench_times_each_backend(folder: Path, chosen: str, capsys: pytest.CaptureFixture[str]) -> None:
    few = ("--samples", "64", "--rounds", "2")
    report = reported(capsys, 0, "bench", "nets.py:words", "--backends", chosen, *few)
    assert sorted(report["backends"]) == chosen.split(",")
    assert "64 samples in 2 batches of 32" in report["notes"]
    for row in report["backends"].values():
        assert row["version"]
        assert [len(row[key]) for key in ("train", "predict")] == [2, 2]
        assert all(row[f"{key}_ratio"] >= 1 for key in ("train", "predict", "first", "load"))
        assert min(*row["train"], *row["predict"], row["first"]) > 0
    for key, name in report["fastest"].items():
        assert report["backends"][name][f"{key}_ratio"] == 1


def test_bench_tells_who_fails(folder: Path, chosen: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = next(name for name in chosen.split(",") if name != "numpy")
    few = ("--samples", "64", "--rounds", "1")
    assert main(["bench", "nets.py:fails", "--backends", f"numpy,{other}", *few]) == 1
    text = capsys.readouterr().out
    assert f"{other} fails: RuntimeError: not here" in text
    assert "train step numpy" in text


def test_bench_of_what_runs_nowhere_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "nets.py:shapeless", "--backends", "numpy"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
