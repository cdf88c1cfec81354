"""SavedModels of TensorFlow as layers: calls, training, shapes, files, and what refuses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polykeras import Input, config, layers, models, saving, value_and_grad
from polykeras.backend import use_backend

tf = pytest.importorskip("polykeras_tensorflow.backend").tf
pytestmark = [pytest.mark.needs("tensorflow"), pytest.mark.usefixtures("on_tensorflow")]

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(8, 3)).astype("float32")
Y = DRAWS.normal(size=(8, 1)).astype("float32")
W = DRAWS.normal(size=(3, 2)).astype("float32")
ROWS = tf.TensorSpec((None, 3))


class Linear(tf.Module):
    """A product, in a function within the function; in training it counts its calls, and adds the count."""

    def __init__(self) -> None:
        super().__init__()
        self.count = tf.Variable(0.0, trainable=False, name="count")
        self.w = tf.Variable(W, name="inner/w")
        self.unused = tf.Variable(1.0)

    @tf.function(input_signature=[ROWS])
    def product(self, x: Any) -> Any:
        return x @ self.w

    @tf.function(input_signature=[ROWS])
    def serve(self, x: Any) -> Any:
        return self.product(x)

    @tf.function(input_signature=[ROWS])
    def train(self, x: Any) -> Any:
        self.count.assign_add(1.0)
        return self.product(x) + self.count


@pytest.fixture
def linear(tmp_path: Path) -> str:
    folder = str(tmp_path / "linear")
    module = Linear()
    tf.saved_model.save(module, folder, signatures={"serving_default": module.serve})
    return folder


def values(layer: Any) -> list[np.ndarray]:
    return [weight.numpy().copy() for weight in layer.weights]


# ---- calls -----------------------------------------------------------------------------------------------------------


def test_a_call_is_the_functions(linear: str) -> None:
    layer = layers.TFSMLayer(linear)
    np.testing.assert_allclose(layer(X), X @ W, rtol=1e-6)
    assert [(w.name, w.shape, w.trainable) for w in layer.weights] == [("inner_w", (3, 2), True)]
    np.testing.assert_allclose(models.Sequential([layer]).predict(X, verbose=0), X @ W, rtol=1e-6)


def test_a_path_and_a_signature(linear: str) -> None:
    layer = layers.TFSMLayer(Path(linear), call_endpoint="serving_default")
    (output,) = layer(X).values()
    np.testing.assert_allclose(output, X @ W, rtol=1e-6)
    (predicted,) = models.Sequential([layer]).predict(X, verbose=0).values()
    np.testing.assert_allclose(predicted, X @ W, rtol=1e-6)
    assert [w.name for w in layer.trainable_weights] == ["inner_w"]


def test_training_calls_the_other_endpoint(linear: str) -> None:
    layer = layers.TFSMLayer(linear, call_training_endpoint="train")
    assert [(w.name, w.trainable) for w in layer.weights] == [("inner_w", True), ("count", False)]
    np.testing.assert_allclose(layer(X, training=True), X @ W + 1, rtol=1e-5)
    np.testing.assert_allclose(layer(X, training=True), X @ W + 2, rtol=1e-5)
    np.testing.assert_allclose(layer(X, training=False), X @ W, rtol=1e-5)
    assert float(layer.weights[1].numpy()) == 2


def test_without_one_training_calls_the_same(linear: str) -> None:
    np.testing.assert_allclose(layers.TFSMLayer(linear)(X, training=True), X @ W, rtol=1e-6)


def test_trees_of_inputs_and_of_outputs(tmp_path: Path) -> None:
    class Two(tf.Module):
        @tf.function(input_signature=[{"a": ROWS, "b": ROWS}])
        def serve(self, x: Any) -> Any:
            return {"sum": x["a"] + x["b"], "first": [x["a"]]}

    tf.saved_model.save(Two(), str(tmp_path))
    layer = layers.TFSMLayer(str(tmp_path))
    inputs = {name: Input((3,)) for name in "ab"}
    model = models.Model(inputs, layer(inputs)["sum"])
    np.testing.assert_allclose(model.predict({"a": X, "b": 2 * X}, verbose=0), 3 * X, rtol=1e-6)
    np.testing.assert_array_equal(layer({"a": X, "b": X})["first"][0], X)


def test_shapes_on_inputs(linear: str) -> None:
    layer = layers.TFSMLayer(linear, call_training_endpoint="train")
    inputs = Input((3,))
    outputs = layer(inputs, training=True)
    assert (outputs.shape, outputs.dtype) == ((None, 2), "float32")
    assert float(layer.weights[1].numpy()) == 0
    np.testing.assert_allclose(models.Model(inputs, layer(inputs)).predict(X, verbose=0), X @ W, rtol=1e-6)


# ---- training --------------------------------------------------------------------------------------------------------


def trained_by_hand(steps: int, rate: float, counts: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return both kernels after steps of gradient descent on the mean square of `x @ w @ v - y`."""
    w, v = W.astype("float64"), np.ones((2, 1))
    for step in range(steps):
        hidden = X @ w + (step + 1 if counts else 0)
        error = 2 * (hidden @ v - Y) / len(X)
        w, v = w - rate * X.T @ error @ v.T, v - rate * hidden.T @ error
    return w, v


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("endpoint", [None, "train"])
def test_fit(linear: str, endpoint: str | None, eagerly: bool) -> None:
    layer = layers.TFSMLayer(linear, call_training_endpoint=endpoint)
    model = models.Sequential([layer, layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile("sgd", "mse", run_eagerly=eagerly)
    model.optimizer.learning_rate = 0.02
    model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    w, v = trained_by_hand(3, 0.02, counts=endpoint is not None)
    np.testing.assert_allclose(layer.weights[0].numpy(), w, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.layers[1].kernel.numpy(), v, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer(X), X @ w, rtol=1e-4, atol=1e-5)  # the functions read the trained weights
    if endpoint is not None:
        assert float(layer.weights[1].numpy()) == 3


def test_frozen(linear: str) -> None:
    layer = layers.TFSMLayer(linear, trainable=False)
    assert layer.trainable_weights == []
    model = models.Sequential([layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(layer.weights[0].numpy(), W)


@pytest.mark.parametrize("eagerly", [False, True])
def test_gathers_loops_and_branches(tmp_path: Path, eagerly: bool) -> None:
    class Words(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = tf.Variable(DRAWS.normal(size=(5, 2)).astype("float32"))
            self.scale = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec((None, 1), tf.int32)])
        def serve(self, words: Any) -> Any:
            x = tf.gather(self.table, words)
            for _ in tf.range(2):
                x = x * self.scale
            return tf.cond(tf.size(words) > 0, lambda: x * self.scale, lambda: x)

    tf.saved_model.save(Words(), str(tmp_path))
    layer = layers.TFSMLayer(str(tmp_path))
    scale, table = sorted(layer.trainable_weights, key=lambda weight: len(weight.shape))
    words, old = np.array([[1], [3], [3]], "int32"), table.numpy().copy()
    value, gradients = value_and_grad(lambda: tf.reduce_sum(layer(words)), [table, scale])()
    np.testing.assert_allclose(value, 8 * old[words].sum(), rtol=1e-5)
    np.testing.assert_allclose(gradients[0], np.array([0, 8, 0, 16, 0])[:, None] * np.ones((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(gradients[1], 12 * old[words].sum(), rtol=1e-5)
    assert layer(Input((1,), dtype="int32")).shape == (None, 1, 2)
    model = models.Sequential([layer])
    model.compile("sgd", "mse", run_eagerly=eagerly)
    model.fit(words, np.zeros((3, 1, 2), "float32"), verbose=0)
    moved = np.abs(table.numpy() - old).max(axis=1) > 0
    assert moved.tolist() == [False, True, False, True, False]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "function"])
def test_a_tape_of_the_users(linear: str, compiled: bool) -> None:
    layer = layers.TFSMLayer(linear)

    def slope() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(X))
        return tape.gradient(loss, layer.trainable_weights)

    (gradient,) = (tf.function(slope) if compiled else slope)()
    np.testing.assert_allclose(gradient, np.repeat(X.sum(axis=0)[:, None], 2, axis=1), rtol=1e-5)


def test_two_layers_of_one_saved_model_are_apart(linear: str) -> None:
    first, second = layers.TFSMLayer(linear), layers.TFSMLayer(linear)
    inputs = Input((3,))
    model = models.Model(inputs, [first(inputs), second(inputs), first(2 * inputs)])
    second.set_weights([np.zeros_like(W)])
    found = model.predict(X, verbose=0)
    for output, expected in zip(found, (X @ W, 0 * X @ W, 2 * X @ W), strict=True):
        np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)


def test_refused_where_tensorflow_cannot_exchange_variables(linear: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from polykeras_tensorflow.native import saved_model

    layer = layers.TFSMLayer(linear)
    model = models.Sequential([layer])
    model.compile("sgd", "mse")
    monkeypatch.setattr(saved_model, "call_on_captures", None)
    np.testing.assert_allclose(layer(X), X @ W, rtol=1e-6)
    with pytest.raises(RuntimeError, match="cannot take part in compiled or differentiated code"):
        model.fit(X, X @ W, verbose=0)


# ---- files -----------------------------------------------------------------------------------------------------------


def test_config(linear: str) -> None:
    layer = layers.TFSMLayer(linear, call_training_endpoint="train", trainable=False, name="loaded")
    found = layer.get_config()
    assert {name: found[name] for name in ("name", "trainable", "filepath", "call_endpoint")} == {
        "name": "loaded",
        "trainable": False,
        "filepath": linear,
        "call_endpoint": "serve",
    }
    again = layers.TFSMLayer.from_config(found, safe_mode=False)
    assert again.get_config() == found
    np.testing.assert_allclose(again(X), X @ W, rtol=1e-6)


def test_a_config_is_refused_in_safe_mode(linear: str) -> None:
    layer = layers.TFSMLayer(linear)
    with pytest.raises(ValueError, match="safe_mode=False"):
        layers.TFSMLayer.from_config(layer.get_config())
    with pytest.raises(ValueError, match="safe_mode=False"):
        layers.TFSMLayer.from_config(layer.get_config(), safe_mode=True)
    with pytest.raises(ValueError, match="safe_mode=False"):
        layers.deserialize(layers.serialize(layer))


def test_files(linear: str, tmp_path: Path) -> None:
    model = models.Sequential([Input((3,)), layers.TFSMLayer(linear, call_training_endpoint="train"), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    path = str(tmp_path / "model.keras")
    model.save(path)
    with pytest.raises(ValueError, match="safe_mode=False"):
        saving.load_model(path)
    loaded = saving.load_model(path, safe_mode=False)
    for old, new in zip(values(model), values(loaded), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_allclose(loaded.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-6)


def test_the_switch_for_the_whole_process(linear: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings(), "unsafe_deserialization", False)  # for it to be put back
    found = layers.TFSMLayer(linear).get_config()
    config.enable_unsafe_deserialization()
    np.testing.assert_allclose(layers.TFSMLayer.from_config(found)(X), X @ W, rtol=1e-6)


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_no_such_function(linear: str) -> None:
    with pytest.raises(ValueError, match=r"no function 'other'.*'product', 'serve', 'train'.*'serving_default'"):
        layers.TFSMLayer(linear, call_endpoint="other")
    with pytest.raises(ValueError, match="no function 'w'"):
        layers.TFSMLayer(linear, call_training_endpoint="w")


def test_other_backends(linear: str) -> None:
    layer = layers.TFSMLayer(linear)
    with use_backend("numpy"):
        with pytest.raises(ValueError, match=r"TFSMLayer runs code of tensorflow.*'numpy'"):
            layers.TFSMLayer(linear)
        with pytest.raises(ValueError, match=r"runs code of tensorflow.*'numpy'"):
            layer(X)
