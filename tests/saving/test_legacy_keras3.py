"""`.h5` files between Keras 3 and us: ours there, its own here, with what optimizers keep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import polykeras
from helpers import data
from helpers.slices import selected
from polykeras import Input, Model, Sequential, layers
from polykeras.common import nested
from polykeras.saving import load_model

FRAMEWORKS = [name for name in ("jax", "torch", "tensorflow") if find_spec(name)]
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def convolutions() -> tuple[Any, list[np.ndarray]]:
    model = Sequential(
        [
            Input((6, 6, 2)),
            layers.Conv2D(3, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.SeparableConv2D(4, 2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, "softmax"),
        ]
    )
    return model, [data(4, 6, 6, 2)]


def recurrent() -> tuple[Any, list[np.ndarray]]:
    x = Input((5,), dtype="int32")
    y = layers.Embedding(9, 4, mask_zero=True)(x)
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(y)
    y = layers.TimeDistributed(layers.Dense(3))(y)
    y = layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)])(y)
    return Model(x, y), [np.arange(20).reshape(4, 5) % 9]


def graph() -> tuple[Any, list[np.ndarray]]:
    """Branches whose order is not that of their making, a shared layer, a nested model that is frozen in part."""
    a, b = Input((4,), name="a"), Input((4,), name="b")
    near = layers.Dense(3, name="near")(b)
    shared = layers.Dense(3, name="shared")
    inner = Sequential([Input((3,)), layers.Dense(3), layers.BatchNormalization(), layers.Dense(3)], name="inner")
    inner.layers[0].trainable = False
    far = shared(layers.Dense(3, name="far")(shared(layers.Dense(3, name="narrow")(a))))
    y = layers.Add()([near, inner(far), inner(near)]) * 2.0
    attended = layers.MultiHeadAttention(2, 2)(layers.Reshape((3, 1))(y), layers.Reshape((3, 1))(far))
    return Model([a, b], [y, attended]), [data(3, 4), data(3, 4, seed=1)]


def twice() -> tuple[Any, list[np.ndarray]]:
    """A model that is called twice within another one, whose outputs are those of both calls."""
    x, a, b = Input((3,)), Input((3,), name="a"), Input((3,), name="b")
    inner = Model(x, layers.Dense(3)(x), name="inner")
    outer = Model([a, b], [inner(a), layers.Add()([inner(a), inner(b)]), inner(b)], name="outer")
    c, d = Input((3,), name="c"), Input((3,), name="d")
    return Model([c, d], outer([d, c])[::2]), [data(2, 3), data(2, 3, seed=1)]


def compiled(optimizer: Any) -> tuple[Any, list[np.ndarray]]:
    x = Input((4,))
    far = layers.Dense(3, "tanh", name="late")(layers.Dense(3, "tanh", name="early")(x))
    model = Model(x, layers.Dense(2)(layers.Add()([layers.Dense(3, name="beside")(x), far])))
    model.compile(optimizer, "mse", metrics=["mae"])
    model.train_on_batch(data(8, 4), data(8, 2, seed=9))
    return model, [data(8, 4)]


MODELS = {"convolutions": convolutions, "recurrent": recurrent, "graph": graph, "twice": twice}
OPTIMIZERS = ("sgd", "adam", "rmsprop", "nadam", "adagrad")
LABELS = data(8, 2, seed=9)


def shaken(model: Any) -> Any:
    """Return the model with weights of which none can be taken for another."""
    rng = np.random.default_rng(1)
    for variable in model.weights:
        variable.assign(np.abs(variable.numpy() + rng.uniform(0.01, 0.1, variable.shape)))
    return model


def outputs(model: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    return nested.flatten(model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0))


@pytest.fixture(autouse=True)
def numpy_backend() -> Any:
    with polykeras.use_backend("numpy"):
        yield


# ---- ours alone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("suffix", ["h5", "hdf5"])
def test_our_own_files(tmp_path: Path, name: str, suffix: str) -> None:
    model, inputs = MODELS[name]()
    shaken(model)
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    back = load_model(path)
    for found, expected in zip(outputs(back, inputs), outputs(model, inputs), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert [v.shape for v in back.weights] == [v.shape for v in model.weights]
    assert [layer.trainable for layer in back._flatten_layers()] == [
        layer.trainable for layer in model._flatten_layers()
    ]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_from_our_own_files(tmp_path: Path, name: str) -> None:
    model, (x,) = compiled(name)
    model.save(tmp_path / "m.h5")
    model.save(tmp_path / "without.h5", include_optimizer=False)
    back = load_model(tmp_path / "m.h5")
    assert not load_model(tmp_path / "without.h5").compiled
    model.reset_metrics()
    for _ in range(2):
        assert back.train_on_batch(x, LABELS) == model.train_on_batch(x, LABELS)
    for found, expected in zip(back.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


class Own(Model):
    """A model of one's own, with weights of its own."""

    def __init__(self, units: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.second = layers.Dense(2, name="second")
        self.first = layers.Dense(units, name="first")
        self.factor = self.add_weight((), "ones", name="factor")

    def call(self, inputs: Any) -> Any:
        return self.second(self.first(inputs)) * self.factor


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    model, x = Own(4), data(2, 3)
    model(x)
    shaken(model).save(tmp_path / "m.h5")
    back = load_model(tmp_path / "m.h5", custom_objects={"Own": Own})
    np.testing.assert_array_equal(back.predict(x, verbose=0), model.predict(x, verbose=0))
    assert back.units == 4


def test_an_optimizer_around_another_one(tmp_path: Path) -> None:
    model, _ = compiled(polykeras.optimizers.LossScaleOptimizer("adam", initial_scale=4.0))
    model.optimizer.dynamic_scale.assign(16.0)
    model.save(tmp_path / "m.h5")
    back = load_model(tmp_path / "m.h5")
    for found, expected in zip(back.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    assert float(back.optimizer.dynamic_scale.numpy()) == 16.0


def test_files_that_are_there(tmp_path: Path) -> None:
    model, _ = convolutions()
    path = tmp_path / "m.h5"
    model.save(path)
    with pytest.raises(FileExistsError):
        model.save(path, overwrite=False)
    model.save(path)
    with pytest.raises(ValueError, match="not built"):
        Sequential([layers.Dense(2)]).save(tmp_path / "n.h5")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.h5"]


def test_the_layout(tmp_path: Path) -> None:
    """As programs for Keras 2 expect it: names of layers and weights as attributes, data sets of these names."""
    model = Sequential([Input((4,)), layers.Dense(3, name="d")], name="s")
    model.compile("adam", "mse")
    model.train_on_batch(data(2, 4), data(2, 3))
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert {"model_config", "training_config", "keras_version", "backend"} <= set(file.attrs)
        group = file["model_weights"]
        assert [name.decode() for name in group.attrs["layer_names"]] == ["d"]
        names = [name.decode() for name in group["d"].attrs["weight_names"]]
        assert names == ["s/d/kernel", "s/d/bias"]
        np.testing.assert_array_equal(group["d"][names[0]][()], model.get_weights()[0])
        assert len(file["optimizer_weights"].attrs["weight_names"]) == 6


def test_many_layers_and_16_bits(tmp_path: Path) -> None:
    """Attributes are split where HDF5 takes no longer ones, and bfloat16 comes back."""
    names = [f"{'a_rather_long_name_of_a_layer' * 6}_{i}" for i in range(400)]
    model = Sequential([Input((1,)), *(layers.Activation("relu", name=name) for name in names[:-1])])
    model.add(layers.Dense(2, name=names[-1], dtype="bfloat16"))
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert "layer_names0" in file["model_weights"].attrs
    back = load_model(tmp_path / "m.h5")
    assert [layer.name for layer in back.layers] == names
    assert back.weights[0].dtype == "bfloat16"
    np.testing.assert_array_equal(back.weights[0].numpy(), model.weights[0].numpy())


# ---- with Keras ----------------------------------------------------------------------------------------------------


class Exchanged:
    """What came back from Keras on one framework.

    Attributes:
        folder: where the files are.
        models: ours, with their inputs.
        failed: what Keras could not do, by name.
    """

    def __init__(self, framework: str, folder: Path, names: set[str]) -> None:
        self.folder = folder
        self.models: dict[str, Any] = {}
        with polykeras.use_backend("numpy"):
            for name in [name for name in MODELS if name in names]:
                model, inputs = MODELS[name]()
                self.models[name] = shaken(model), inputs
            for name in [name for name in OPTIMIZERS if name in names]:
                self.models[name] = compiled(name)
                np.savez(folder / f"{name}.labels.npz", LABELS)
            for name, (model, inputs) in self.models.items():
                model.save(folder / f"{name}.h5")
                np.savez(folder / f"{name}.npz", *inputs)
        environment = os.environ | {"KERAS_BACKEND": framework, "TF_CPP_MIN_LOG_LEVEL": "3"}
        script = Path(__file__).with_name("legacy_keras_side.py")
        run = subprocess.run(
            [sys.executable, str(script), str(folder)], env=environment, capture_output=True, text=True, timeout=600
        )
        assert run.returncode == 0, run.stderr[-3000:]
        self.failed = json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module", params=FRAMEWORKS)
def exchanged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exchanged:
    return Exchanged(request.param, tmp_path_factory.mktemp("h5"), selected(request, "name"))


@pytest.mark.keras
@pytest.mark.slow
@pytest.mark.parametrize("name", [*MODELS, *OPTIMIZERS])
def test_keras_reads_ours(exchanged: Exchanged, name: str) -> None:
    assert name not in exchanged.failed, exchanged.failed[name]
    model, inputs = exchanged.models[name]
    with np.load(exchanged.folder / f"{name}.out.npz") as file:
        theirs = [file[key] for key in file.files]
    for found, expected in zip(theirs, outputs(model, inputs), strict=True):
        np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.keras
@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_we_read_those_of_keras(exchanged: Exchanged, name: str) -> None:
    assert name not in exchanged.failed, exchanged.failed[name]
    model, inputs = exchanged.models[name]
    back = load_model(exchanged.folder / f"{name}.back.h5")
    for found, expected in zip(outputs(back, inputs), outputs(model, inputs), strict=True):
        np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.keras
@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_here(exchanged: Exchanged, name: str) -> None:
    """Two steps by Keras, then two by us: as by Keras alone."""
    assert name not in exchanged.failed, exchanged.failed[name]
    _, (x,) = exchanged.models[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = load_model(exchanged.folder / f"{name}.back.h5")
    assert int(model.optimizer.iterations) == 2
    for _ in range(2):
        model.train_on_batch(x, LABELS)
    with np.load(exchanged.folder / f"{name}.trained.npz") as theirs:
        for variable in model.weights:
            np.testing.assert_allclose(variable.numpy(), theirs[variable.path.replace("/", ".")], rtol=1e-4, atol=1e-5)
