"""The summary of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import data
from polykeras import Input, Model, Sequential, layers
from polykeras.backend import Backend
from training.own_models import Two


def summary_of(model: Model, **kwargs: Any) -> str:
    lines: list[str] = []
    model.summary(print_fn=lines.append, **kwargs)
    return "\n".join(lines)


def rows_of(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row.strip("│ ").split("│")] for row in rows]


def test_the_seeds_summary(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential()
    model.add(layers.Dense(32, input_dim=784, activation="sigmoid"))
    model.add(layers.Dense(10, activation="sigmoid"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.summary()
    printed = capsys.readouterr().out
    assert 'Model: "sequential"' in printed
    assert rows_of(printed) == [
        ["dense (Dense)", "(None, 32)", "25,120"],
        ["dense_1 (Dense)", "(None, 10)", "330"],
        ["dense_2 (Dense)", "(None, 1)", "11"],
    ]
    assert printed.splitlines()[-3:] == [
        " Total params: 25,461 (99.46 KB)",
        " Trainable params: 25,461 (99.46 KB)",
        " Non-trainable params: 0 (0.00 B)",
    ]
    model.compile(loss="binary_crossentropy", optimizer=polykeras.optimizers.SGD(lr=0.0001), metrics=["accuracy"])
    model.fit(np.zeros((4, 784)), np.ones((4, 1)), verbose=0)
    assert " Optimizer params: 2 (8.00 B)" in summary_of(model)


def test_summary_of_a_graph_says_what_is_connected(backend: Backend) -> None:
    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = layers.Dense(2, name="shared")
    model = Model([a, b], layers.Add(name="sum")([shared(a), shared(b)]) * 2.0, name="two")
    assert rows_of(summary_of(model)) == [
        ["a (InputLayer)", "(None, 3)", "0", "-"],
        ["b (InputLayer)", "(None, 3)", "0", "-"],
        ["shared (Dense)", "(None, 2)", "8", "a[0][0], b[0][0]"],
        ["sum (Add)", "(None, 2)", "0", "shared[0][0], shared[1][0]"],
        ["multiply (Multiply)", "(None, 2)", "0", "sum[0][0]"],
    ]


def test_summary_of_nested_and_frozen_models(backend: Backend) -> None:
    inner = Sequential([Input((4,)), layers.Dense(3, name="deep")], name="inner")
    x = Input((4,), name="x")
    model = Model(x, layers.Dense(1, name="top")(inner(x)), name="outer")
    inner.trainable = False
    text = summary_of(model, expand_nested=True, show_trainable=True)
    assert rows_of(text) == [
        ["x (InputLayer)", "(None, 4)", "0", "-"],
        ["inner (Sequential)", "(None, 3)", "15", "N"],
        ["deep (Dense)", "(None, 3)", "15", "N"],
        ["top (Dense)", "(None, 1)", "4", "Y"],
    ]
    assert " Total params: 19 (76.00 B)\n Trainable params: 4 (16.00 B)\n Non-trainable params: 15 (60.00 B)" in text
    assert len(rows_of(summary_of(model))) == 3
    assert [row[0] for row in rows_of(summary_of(model, layer_range=("inner", "top")))] == [
        "inner (Sequential)",
        "top (Dense)",
    ]
    with pytest.raises(ValueError, match="names 'nothing', which is not among the layers"):
        summary_of(model, layer_range=("nothing", "top"))


def test_summary_before_and_after_a_late_build(backend: Backend) -> None:
    model = Sequential([layers.Dense(2, name="d")])
    assert rows_of(summary_of(model)) == [["d (Dense)", "?", "0 (unbuilt)"]]
    assert "Sizes are known once the model has an input: begin with keras.Input((features,))" in summary_of(model)
    model(data(4, 3))
    assert rows_of(summary_of(model)) == [["d (Dense)", "(None, 2)", "8"]]
    model = Two()
    model([data(4, 3), data(4, 3)])
    assert "dense (Dense)" in summary_of(model)


def test_summary_counts_bytes_of_other_dtypes(backend: Backend) -> None:
    if "float16" in backend.unsupported_dtypes:
        pytest.skip(f"{backend.name} has no float16")
    model = Sequential([layers.Dense(2, input_dim=3, dtype="float16")])
    assert " Total params: 8 (16.00 B)" in summary_of(model)
