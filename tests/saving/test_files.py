"""Models and weights to files and back: every format, every backend, whole and exact."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import polykeras as keras
from contract.layer_cases import LAYER_CASES, OWN
from helpers.layer_runner import LayerCase
from polykeras import layers
from polykeras.backend import Backend, use_backend
from polykeras.common import nested
from polykeras.saving import SavedFileError
from polykeras.saving.walk import parts
from saving.exchange_cases import MODELS, of_layer

pytestmark = pytest.mark.whole

WEIGHTS = ("w.weights.h5", "w.npz", "w.safetensors", "w.weights.json")


def _classifier() -> Any:
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.4),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


X = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
Y = np.arange(40) % 3


def _values(model: Any) -> list[np.ndarray]:
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def _same(model: Any, other: Any) -> None:
    for a, b in zip(_values(model), _values(other), strict=True):
        np.testing.assert_array_equal(a, b)


# ---- whole models ----------------------------------------------------------------------------------------------------


def test_training_goes_on_as_if_nothing_had_been(backend: Backend, tmp_path: Path) -> None:
    model = _classifier()
    model.fit(X, Y, epochs=2, batch_size=8, verbose=0)
    model.save(tmp_path / "m.keras")
    other = keras.saving.load_model(tmp_path / "m.keras")
    assert other.optimizer.get_config() == model.optimizer.get_config()
    _same(model, other)
    for each in (model, other):
        each.fit(X, Y, epochs=2, batch_size=8, verbose=0, shuffle=False)
    _same(model, other)  # dropout goes on where it was, too
    np.testing.assert_array_equal(model.predict(X, verbose=0), other.predict(X, verbose=0))


def test_a_file_does_not_depend_on_the_backend(all_backends: list[Backend], tmp_path: Path) -> None:
    made = {}
    for backend in all_backends:
        keras.utils.set_random_seed(0)
        with use_backend(backend.name):
            model = _classifier()
            model(X)
            model.save(tmp_path / "m.keras")
        with zipfile.ZipFile(tmp_path / "m.keras") as archive:
            made[backend.name] = archive.read("config.json"), archive.read("model.weights.h5")
    configs = [json.loads(config) for config, _ in made.values()]
    assert all(_without_names(config) == _without_names(configs[0]) for config in configs)
    kinds = [_kinds(weights) for _, weights in made.values()]
    assert kinds[0]
    assert all(kind == kinds[0] for kind in kinds)
    with use_backend("numpy"):
        expected = keras.saving.load_model(tmp_path / "m.keras").predict(X, verbose=0)
    for backend in all_backends:
        with use_backend(backend.name):
            found = keras.saving.load_model(tmp_path / "m.keras").predict(X, verbose=0)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def _kinds(weights: bytes) -> dict[str, tuple[Any, ...]]:
    """Return the arrays in an HDF5 file by name: their shapes and dtypes."""
    found = {}
    with h5py.File(io.BytesIO(weights)) as file:
        file.visititems(
            lambda name, part: (
                found.update({name: (part.shape, part.dtype)}) if isinstance(part, h5py.Dataset) else None
            )
        )
    return found


def _without_names(config: Any) -> Any:
    """Names of layers count up in a process."""
    if isinstance(config, dict):
        return {key: _without_names(value) for key, value in config.items() if key not in ("name", "keras_history")}
    return [_without_names(part) for part in config] if isinstance(config, list) else config


@pytest.mark.parametrize("case", LAYER_CASES, ids=[case.id for case in LAYER_CASES])
def test_every_layer_comes_back(case: LayerCase, tmp_path: Path) -> None:
    with use_backend("numpy"):
        model, inputs = of_layer(case)
        for variable in model.weights:
            variable.assign(variable.numpy() + 1)
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras", custom_objects=OWN)
        for a, b in zip(_outputs(model, inputs), _outputs(other, inputs), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MODELS)
def test_models_come_back(name: str, tmp_path: Path) -> None:
    with use_backend("numpy"):
        model, inputs = MODELS[name]()
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras")
        assert [v.shape for v in other.weights] == [v.shape for v in model.weights]
        for a, b in zip(_outputs(model, inputs), _outputs(other, inputs), strict=True):
            np.testing.assert_array_equal(a, b)


def _outputs(model: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    structure = nested.flatten_with_def(model.input)[1]
    return [keras.ops.convert_to_numpy(y) for y in nested.flatten(model(nested.unflatten(structure, inputs)))]


def test_a_layer_of_two_models_is_one_again(tmp_path: Path) -> None:
    with use_backend("numpy"):
        model, _ = MODELS["shared"]()
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras")
    assert other.get_layer("first").get_layer("shared") is other.get_layer("second").get_layer("shared")


@keras.saving.register_keras_serializable("tests")
class Doubling(layers.Layer):
    """A layer with sublayers in a list, in a dict and as an attribute, and a file of its own."""

    def __init__(self, words: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words: list[str] = list(words or [])
        self.inner = [layers.Dense(2), layers.Dense(2)]
        self.named = {"a": layers.Dense(2)}
        self.last = layers.Dense(1)

    def call(self, x: Any) -> Any:
        """Return the last layer's outputs."""
        for layer in (*self.inner, self.named["a"], self.last):
            x = layer(x)
        return x

    def save_assets(self, folder: str) -> None:
        """Write the words."""
        Path(folder, "words.txt").write_text("\n".join(self.words))

    def load_assets(self, folder: str) -> None:
        """Read the words."""
        self.words = Path(folder, "words.txt").read_text().splitlines()


def test_a_users_layer_is_saved_without_a_line_about_weights(tmp_path: Path) -> None:
    with use_backend("numpy"):
        x = keras.Input((3,))
        layer = Doubling(name="d")
        model = keras.Model(x, layer(x))
        layer.words = ["one", "two"]
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras")
        np.testing.assert_array_equal(model(X[:, :3]), other(X[:, :3]))
    assert other.get_layer("d").words == ["one", "two"]
    names = {path for path, _ in parts(model)}
    assert {"layers/doubling/inner/dense", "layers/doubling/inner/dense_1", "layers/doubling/last"} <= names


def test_a_subclassed_model_comes_back(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("tests")
    class Own(keras.Model):
        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.hidden = layers.Dense(units, "relu")
            self.out = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.out(self.hidden(x))

    with use_backend("numpy"):
        model = Own(4)
        model.compile("adam", "mse")
        model.fit(X, Y[:, None], verbose=0)
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras")
        assert type(other) is Own
        _same(model, other)


def test_what_compile_was_told_comes_back(tmp_path: Path) -> None:
    with use_backend("numpy"):
        x = keras.Input((6,))
        model = keras.Model(x, {"a": layers.Dense(1, name="a")(x), "b": layers.Dense(3, "softmax", name="b")(x)})
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
        model.compile(
            keras.optimizers.SGD(schedule, momentum=0.9, clipnorm=1.0),
            loss={"a": keras.losses.Huber(0.5), "b": "sparse_categorical_crossentropy"},
            loss_weights={"a": 0.3, "b": 1.0},
            metrics={"b": ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)]},
        )
        model.fit(X, {"a": Y[:, None], "b": Y}, verbose=0)
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras")
        given = X, {"a": Y[:, None], "b": Y}
        assert other.evaluate(*given, verbose=0, return_dict=True) == model.evaluate(
            *given, verbose=0, return_dict=True
        )
        _same(model, other)
        plain = keras.saving.load_model(tmp_path / "m.keras", compile=False)
        assert not plain.compiled


def test_a_lambda_runs_where_its_reader_says_so(tmp_path: Path) -> None:
    with use_backend("numpy"):
        model = keras.Sequential([keras.Input((2,)), layers.Lambda(lambda x: x * 2 + 1)])
        model.save(tmp_path / "m.keras")
        with pytest.raises(SavedFileError, match=r"m\.keras: config\.json: .*safe_mode=False"):
            keras.saving.load_model(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras", safe_mode=False)
        np.testing.assert_array_equal(other(X[:, :2]), model(X[:, :2]))


# ---- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_of_every_format(backend: Backend, name: str, tmp_path: Path) -> None:
    model, other = _classifier(), _classifier()
    for each in (model, other):
        each.fit(X, Y, verbose=0, epochs=1)
    model.save_weights(tmp_path / name)
    other.load_weights(tmp_path / name)
    _same(model, other)


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_weights_of_every_dtype(name: str, dtype: str, tmp_path: Path) -> None:
    with use_backend("numpy"):
        model, other = (keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype=dtype)]) for _ in range(2))
        model.save_weights(tmp_path / name)
        other.load_weights(tmp_path / name)
    for a, b in zip(model.weights, other.weights, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_array_equal(a.numpy().astype("float64"), b.numpy().astype("float64"))


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_do_not_fit_change_nothing(name: str, tmp_path: Path) -> None:
    with use_backend("numpy"):
        model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(2)])
        other = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(3)])
        model.save_weights(tmp_path / name)
        before = other.get_weights()
        with pytest.raises(SavedFileError, match=r"layers/dense_1/vars: .*shape \(4, 3\); received .*\(4, 2\)"):
            other.load_weights(tmp_path / name)
        for a, b in zip(other.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
        with pytest.warns(UserWarning, match="left out: layers/dense_1/vars"):
            other.load_weights(tmp_path / name, skip_mismatch=True)
        np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
        np.testing.assert_array_equal(other.get_weights()[2], before[2])


def test_shards(tmp_path: Path) -> None:
    with use_backend("numpy"):
        model = keras.Sequential([keras.Input((64,)), *(layers.Dense(64) for _ in range(6))])
        model.save_weights(tmp_path / "w.weights.json", max_shard_size=40_000 / 2**30)
        assert len(list(tmp_path.glob("w_*.weights.h5"))) == 3
        other = keras.Sequential([keras.Input((64,)), *(layers.Dense(64) for _ in range(6))])
        other.load_weights(tmp_path / "w.weights.json")
        for a, b in zip(other.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        with pytest.raises(ValueError, match="pass a larger `max_shard_size`"):
            model.save_weights(tmp_path / "w.weights.json", max_shard_size=1e-6)


def test_mistakes(tmp_path: Path) -> None:
    with use_backend("numpy"):
        model = _classifier()
        with pytest.raises(ValueError, match=r"end in '\.keras'"):
            model.save(tmp_path / "model")
        with pytest.raises(ValueError, match=r"\.weights\.h5, \.npz"):
            model.save_weights(tmp_path / "w.txt")
        with pytest.raises(FileNotFoundError, match="There is no file"):
            keras.saving.load_model(tmp_path / "none.keras")
        model.save(tmp_path / "m.keras")
        with pytest.raises(FileExistsError, match="overwrite=True"):
            model.save(tmp_path / "m.keras", overwrite=False)
        (tmp_path / "bad.keras").write_bytes(b"no archive")
        with pytest.raises(SavedFileError, match=r"bad\.keras: .*zip"):
            keras.saving.load_model(tmp_path / "bad.keras")
        with pytest.raises(ValueError, match="by_name"):
            model.save_weights(tmp_path / "w.npz")
            model.load_weights(tmp_path / "w.npz", by_name=True)


def test_layers_beside_numbers_are_saved_too(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("tests")
    class Mixture(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.parts = {"rate": 0.1, "dense": layers.Dense(2)}
            self.pairs = [(0.5, layers.Dense(2)), "name", layers.Dense(2)]

        def call(self, x: Any) -> Any:
            for layer in (self.parts["dense"], self.pairs[0][1], self.pairs[2]):
                x = layer(x)
            return x

    with use_backend("numpy"):
        x = keras.Input((3,))
        model = keras.Model(x, Mixture()(x))
        assert len(model.weights) == 6
        model.save(tmp_path / "m.keras")
        other = keras.saving.load_model(tmp_path / "m.keras")
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_model_that_was_never_trained_gets_the_optimizers_state(name: str, tmp_path: Path) -> None:
    with use_backend("numpy"):
        model = _classifier()
        model.fit(X, Y, verbose=0)
        model.save_weights(tmp_path / name)
        other = _classifier()
        other.load_weights(tmp_path / name)
        _same(model, other)


@pytest.mark.parametrize("name", WEIGHTS)
def test_arrays_without_a_place_are_no_match(name: str, tmp_path: Path) -> None:
    with use_backend("numpy"):
        large = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(2)])
        small = keras.Sequential([keras.Input((3,)), layers.Dense(4)])
        large.save_weights(tmp_path / name)
        before = small.get_weights()[0]
        with pytest.raises(SavedFileError, match="layers/dense_1/vars: has no place in Sequential"):
            small.load_weights(tmp_path / name)
        np.testing.assert_array_equal(small.get_weights()[0], before)
        with pytest.warns(UserWarning, match="layers/dense_1/vars: has no place"):
            small.load_weights(tmp_path / name, skip_mismatch=True)
        np.testing.assert_array_equal(small.get_weights()[0], large.get_weights()[0])
