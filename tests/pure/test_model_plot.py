"""Pictures of models: which boxes and lines there are, and that there is a picture."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from polykeras import Input, Model, Sequential, layers
from polykeras.utils import get_source_inputs, model_to_dot, plot_model
from polykeras.utils.model_graph import Shown, graph_of


def two_ways() -> Model:
    """Return a model with a nested chain, a nested graph and two ways to its output."""
    x = Input((4,), name="x")
    chain = Sequential([layers.Dense(3, "relu", name="one"), layers.Dense(2, name="two")], name="chain")
    inner = Input((4,), name="inner")
    graph = Model(inner, layers.Dense(2, name="three")(inner), name="graph")
    return Model(x, layers.Add(name="sum")([chain(x), graph(x)]), name="all")


def named(model: Any, **options: Any) -> tuple[set[str], set[tuple[str, str]]]:
    cluster, lines = graph_of(model, Shown(), **options)
    names = {name: texts[0].partition(" ")[0] for name, texts in cluster.all_boxes().items()}
    return set(names.values()), {(names[a], names[b]) for a, b in lines}


def test_boxes_and_lines() -> None:
    boxes, lines = named(two_ways())
    assert boxes == {"x", "chain", "graph", "sum"}
    assert lines == {("x", "chain"), ("x", "graph"), ("chain", "sum"), ("graph", "sum")}


def test_models_within_in_detail() -> None:
    boxes, lines = named(two_ways(), expand_nested=True)
    assert boxes == {"x", "one", "two", "inner", "three", "sum"}
    assert lines == {
        ("x", "one"), ("one", "two"), ("two", "sum"), ("x", "inner"), ("inner", "three"), ("three", "sum"),
    }  # fmt: skip


def test_what_boxes_tell() -> None:
    model = Sequential([Input((4,)), layers.Dense(3, "relu", name="one"), layers.Dropout(0.5, name="two")])
    model.layers[0].trainable = False
    cluster, _ = graph_of(model, Shown(True, True, True, True, True))
    assert list(cluster.boxes.values()) == [
        ["one (Dense)", "Activation: relu", "Input shape: (None, 4)", "Output shape: (None, 3)",
         "Output dtype: float32", "Non-trainable"],
        ["two (Dropout)", "Input shape: (None, 3)", "Output shape: (None, 3)", "Output dtype: float32"],
    ]  # fmt: skip
    with pytest.raises(ValueError, match="not built"):
        graph_of(Sequential([layers.Dense(1)]), Shown())


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
@pytest.mark.parametrize("expand", [False, True])
def test_a_picture_without_graphviz(
    rankdir: str, expand: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    plot_model(two_ways(), tmp_path / "m.png", True, True, True, rankdir, expand, dpi=50)
    from PIL import Image

    with Image.open(tmp_path / "m.png") as picture:
        assert picture.size[0] > 50
        assert len(set(picture.convert("L").tobytes())) > 2
    plot_model(two_ways(), tmp_path / "m.pdf", rankdir=rankdir)
    assert (tmp_path / "m.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("expand", [False, True])
def test_graphs_of_pydot(expand: bool) -> None:
    pytest.importorskip("pydot")
    dot = model_to_dot(two_ways(), show_shapes=True, expand_nested=expand)
    assert len(dot.get_edges()) == (6 if expand else 4)
    assert {part.get_label() for part in dot.get_subgraphs()} == ({'"chain"', '"graph"'} if expand else set())
    assert "Output shape: (None, 2)" in dot.to_string()
    assert model_to_dot(two_ways(), subgraph=True).to_string().startswith("subgraph")


def test_inputs_that_a_tensor_comes_from() -> None:
    a, b, c = Input((2,)), Input((2,)), Input((2,))
    both = layers.Add()([layers.Dense(2)(a), b])
    found = get_source_inputs(layers.Multiply()([both, a]))
    assert [id(x) for x in found] == [id(a), id(b)]
    assert [id(x) for x in get_source_inputs(c)] == [id(c)]
