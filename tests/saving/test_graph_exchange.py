"""Random graphs, exchanged with Keras 3 on each framework: layers and weights in one order, predictions the same.

All weights are of one shape: another order would give no error, but other predictions. Keras makes each graph from the
same lines (`random_graphs.py`), in a process of its own, once a framework (`graphs_keras_side.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from differential.opponent import EVERYTHING
from helpers.slices import current_slice, in_slice
from polykeras.backend import use_backend
from polykeras.common import naming
from polykeras.saving.files import hdf5
from polykeras.saving.files.hdf5_texts_reader import texts_of
from saving.masked_graphs import masked_graphs
from saving.random_graphs import STEPS, Maker, draw_arrays, order, own_layers, predicted

ALL = ("jax", "torch", "tensorflow")
FRAMEWORKS = [name for name in ALL if find_spec(name)]
SUFFIXES = (".keras", ".weights.h5", ".h5")
GRAPHS = range(500)
"""Seeds of the graphs."""

OWN = own_layers(keras)
KNOWN = {cls.__name__: cls for cls in OWN}
pytestmark = [pytest.mark.slow, pytest.mark.moves]  # see _plan


def _plan(framework: str) -> list[tuple[str, int]]:
    """Return suffixes and seeds of the graphs of this slice that go to Keras on a framework.

    Each graph goes to one framework in one kind of file; with `POLYKERAS_COMPARE=all`, to each in each.
    """
    pairs = [(suffix, seed) for suffix in SUFFIXES for seed in GRAPHS if in_slice(f"graph {seed}")]
    if EVERYTHING:
        return pairs
    place = ALL.index(framework)
    return [
        (s, seed) for s, seed in pairs if seed % len(ALL) == place and SUFFIXES[seed // len(ALL) % len(SUFFIXES)] == s
    ]


def _made(suffix: str, seed: int) -> tuple[Any, Counter[str]]:
    naming.reset_names()
    maker = Maker(keras, OWN, seed, suffix)
    model = maker.model()
    model.set_weights(list(draw_arrays(f"ours {seed}", len(model.weights))))
    return model, Counter(maker.counts)


class Exchange:
    """What came back from Keras on one framework.

    Args:
        framework: its name.
        folder: where files go.

    Attributes:
        models: ours, by `SEED.SUFFIX`, with weights of their own.
        orders: of Keras's models, as `order` gives them.
        arrays: weights and predictions of Keras's models.
        failed: what Keras could not do, by name.
    """

    def __init__(self, framework: str, folder: Path) -> None:
        self.folder = folder
        plan = _plan(framework)
        self.models = {f"{seed}{suffix}": _made(suffix, seed)[0] for suffix, seed in plan}
        for name, model in self.models.items():
            (model.save_weights if name.endswith(".weights.h5") else model.save)(folder / name)
        np.savez(folder / "ours.npz", **{name: np.array(m.get_weights()) for name, m in self.models.items()})
        (folder / "plan.json").write_text(json.dumps(plan))
        environment = os.environ | {"KERAS_BACKEND": framework, "TF_CPP_MIN_LOG_LEVEL": "3"}
        script = Path(__file__).with_name("graphs_keras_side.py")
        run = subprocess.run(
            [sys.executable, str(script), str(folder)], env=environment, capture_output=True, text=True, timeout=3600
        )
        assert run.returncode == 0, run.stderr[-3000:]
        theirs = json.loads((folder / "theirs.json").read_text())
        self.orders, self.failed = theirs["orders"], theirs["failed"]
        with np.load(folder / "theirs.npz") as arrays:
            self.arrays = dict(arrays)

    def predicts(self, model: Any, name: str, theirs: str) -> bool:
        """Return whether a model of ours predicts what Keras did."""
        ours, other = predicted(keras, model, int(name.partition(".")[0])), self.arrays[theirs]
        return ours.shape == other.shape and np.allclose(ours, other, rtol=1e-4, atol=1e-5)

    def read(self, name: str) -> Any:
        """Return what we read of Keras's file."""
        seed, _, suffix = name.partition(".")
        path = self.folder / f"{seed}.theirs.{suffix}"
        if suffix != "weights.h5":
            return keras.saving.load_model(path, KNOWN, compile=False)
        model = _made(f".{suffix}", int(seed))[0]
        model.load_weights(path)
        return model


@pytest.fixture(scope="module", params=FRAMEWORKS)
def exchange(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with use_backend("numpy"):
        yield Exchange(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(autouse=True)
def texts_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read texts in `.h5` files in this process: these are Keras's, and one more for each takes most of the time."""
    monkeypatch.setattr(hdf5, "read_texts", lambda path, handle, owners: texts_of(str(path), owners))


def _layers_alone(ordered: dict[str, Any]) -> dict[str, Any]:
    """Return an order without what a file or a clone may change: names of inputs and of models around layers."""
    kept = {key: ["/".join(path.split("/")[-2:]) for path in ordered[key]] for key in ("weights", "trainable")}
    layers = [name for name in ordered["layers"] if not name.startswith(("input", "in_", "tensor"))]
    return kept | {"layers": layers, "within": [_layers_alone(inner) for inner in ordered["within"]]}


@pytest.mark.keras
def test_layers_and_weights_are_in_keras_order(exchange: Exchange) -> None:
    wrong = [name for name, model in exchange.models.items() if order(model) != exchange.orders[name]]
    assert not wrong, f"{len(wrong)} of {len(exchange.models)}: {wrong[:10]}"


@pytest.mark.keras
def test_clones_are_in_keras_order(exchange: Exchange) -> None:
    names = [name for name in exchange.models if name.endswith(".keras")]
    clones = {name: keras.models.clone_model(exchange.models[name]) for name in names}
    wrong = [
        name
        for name, clone in clones.items()
        if _layers_alone(order(clone)) != _layers_alone(exchange.orders[f"{name} clone"])
    ]
    assert not wrong, f"{len(wrong)} of {len(clones)}: {wrong[:10]}"


@pytest.mark.keras
def test_weights_are_passed_on_by_get_and_set(exchange: Exchange) -> None:
    there, here = [], []
    for name, model in exchange.models.items():
        if not exchange.predicts(model, name, f"{name} with ours"):
            there.append(name)
        ours = model.get_weights()
        model.set_weights(list(exchange.arrays[f"{name} weights"]))
        if not exchange.predicts(model, name, f"{name} predicted"):
            here.append(name)
        model.set_weights(ours)
    assert not there, f"{len(there)} of {len(exchange.models)} there: {there[:10]}"
    assert not here, f"{len(here)} of {len(exchange.models)} here: {here[:10]}"


@pytest.mark.keras
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_keras_reads_our_files(exchange: Exchange, suffix: str) -> None:
    names = [name for name in exchange.models if name == name.partition(".")[0] + suffix]
    failed = {name: exchange.failed[name] for name in names if name in exchange.failed}
    assert not failed, f"{len(failed)} of {len(names)}: {list(failed)[:10]}: {next(iter(failed.values()))}"
    wrong = []
    for name in names:
        same = exchange.predicts(exchange.models[name], name, f"{name} there")
        if suffix != ".weights.h5":
            same &= _layers_alone(order(exchange.models[name])) == _layers_alone(exchange.orders[f"{name} there"])
        if not same:
            wrong.append(name)
    assert not wrong, f"{len(wrong)} of {len(names)}: {wrong[:10]}"


@pytest.mark.keras
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_we_read_keras_files(exchange: Exchange, suffix: str) -> None:
    names = [name for name in exchange.models if name == name.partition(".")[0] + suffix]
    wrong = []
    for name in names:
        model = exchange.read(name)
        same = exchange.predicts(model, name, f"{name} predicted")
        if not (same and _layers_alone(order(model)) == _layers_alone(exchange.orders[name])):
            wrong.append(name)
    assert not wrong, f"{len(wrong)} of {len(names)}: {wrong[:10]}"


@pytest.mark.keras
@pytest.mark.parametrize("name", masked_graphs(keras))
def test_masks_count_for_the_order_of_layers(exchange: Exchange, name: str) -> None:
    naming.reset_names()
    assert _layers_and_weights(order(masked_graphs(keras)[name]())) == _layers_and_weights(exchange.orders[name])


def _layers_and_weights(ordered: dict[str, Any]) -> list[Any]:
    return [ordered["layers"], [path.split("/")[0] for path in ordered["weights"]]]


@pytest.mark.keras
def test_we_read_ops_in_h5_files_that_keras_cannot(exchange: Exchange) -> None:
    """Keras writes an op there as it would a layer of its name, and fails at it when it reads."""
    paths = sorted(exchange.folder.glob("*.ops.h5"))
    wrong = []
    for path in paths:
        name = f"{path.name.partition('.')[0]}.keras"
        if not exchange.predicts(keras.saving.load_model(path, KNOWN, compile=False), name, f"{name} predicted"):
            wrong.append(name)
    assert paths or current_slice()  # a slice may have none
    assert not wrong, f"{len(wrong)} of {len(paths)}: {wrong[:10]}"


def _depth_first(model: Any) -> list[Any]:
    """Return the weights in the order in which layers would be listed if depth did not count."""
    weights = [v for node in model._graph.calls for v in getattr(node.operation, "weights", ())]
    return list({id(v): v for v in weights}.values())


def test_the_graphs_tell_one_order_from_another() -> None:
    """Few graphs are so simple that weights in another order would not be noticed."""
    steps, noticed = Counter[str](), 0
    with use_backend("numpy"):
        for seed in GRAPHS:
            model, taken = _made(".weights.h5", seed)
            steps += taken
            before, places = predicted(keras, model, seed), {id(v): i for i, v in enumerate(model.weights)}
            other = [places[id(v)] for v in _depth_first(model)]
            if other != list(range(len(other))):
                values = model.get_weights()
                model.set_weights([values[place] for place in other])
                noticed += not np.allclose(predicted(keras, model, seed), before, atol=1e-3)
    assert noticed >= len(GRAPHS) // 5, noticed
    assert min(steps[step] for step in STEPS) >= 50, steps
