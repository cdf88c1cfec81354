"""What the inference of native code must not do: leave arrays without values, move random streams, hide errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from helpers import data, host
from polykeras import Input, Model, Sequential, layers, ops
from polykeras.backend import Backend
from polykeras.graph import KerasTensor, infer_outputs
from polykeras.variables import Variable


def native(backend: Backend) -> Any:
    """Return a backend's framework; for JAX its NumPy."""
    module = sys.modules[backend.name]
    return module.numpy if backend.name == "jax" else module


def native_tanh(backend: Backend) -> Callable[[Any], Any]:
    """Return the hyperbolic tangent of a framework."""
    return native(backend).tanh


def native_array(backend: Backend, values: Any) -> Any:
    """Return values as an array made by the framework itself."""
    names = {"numpy": "asarray", "jax": "asarray", "torch": "tensor", "tensorflow": "constant"}
    return getattr(native(backend), names[backend.name])(values)


def test_unknown_sizes_are_found_by_two_sizes(backend: Backend) -> None:
    tanh = native_tanh(backend)
    shapes = {
        "same": lambda x: x,
        "more": lambda x: ops.concatenate([x, x], axis=1),
        "sum": lambda x: ops.sum(x, axis=1),
        "cut": lambda x: x[:, :5],
        "rest": lambda x: x[:, 1:],
        "flat": lambda x: ops.reshape(x, (-1, 4)),
    }
    expected = {
        "same": (None, None, 4),
        "more": (None, None, 4),
        "sum": (None, 4),
        "cut": (None, 5, 4),
        "rest": (None, None, 4),
        "flat": (None, 4),
    }
    x = KerasTensor((None, None, 4))
    found = infer_outputs(lambda x: {name: fn(tanh(x)) for name, fn in shapes.items()}, (x,), {})
    assert {name: y.shape for name, y in found.items()} == expected


def test_other_sizes_are_tried_where_the_first_do_not_fit(backend: Backend) -> None:
    tanh = native_tanh(backend)
    x = KerasTensor((None, 34))  # which is not to be taken for an unknown size
    thirds = infer_outputs(lambda x: ops.reshape(tanh(x), (x.shape[0] // 3, 3, 34)), (x,), {})
    assert thirds.shape == (None, 3, 34)
    assert layers.Dense(2)(Sequential([layers.Lambda(tanh), layers.Dense(34), layers.Dense(3)])(x)).shape == (None, 2)


def test_nothing_of_the_inference_stays(backend: Backend) -> None:
    tanh, before = native_tanh(backend), ops.convert_to_tensor(np.ones(2, "float32"))

    class Keeping(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.norm = layers.Dense(3), layers.BatchNormalization()
            self.dropout, self.mean = layers.Dropout(0.5), keras.metrics.Mean()
            self.held, self.count, self.calls = before, Variable(0.0, trainable=False), 0

        def call(self, x: Any, training: bool = True) -> Any:
            self.calls += 1
            y = tanh(x)
            y = self.last = self.dropout(self.norm(self.dense(y), training=True), training=True)
            self.held, self.kept = y, {"a": [y]}
            self.count.assign_add(1.0)
            self.mean.update_state(y)
            self.add_loss(ops.mean(y))
            return y

    layer = Keeping()
    x = Input((4,))
    y = layer(x)
    assert layer.calls >= 2
    assert y.shape == (None, 3)
    assert layer.held is before
    assert not hasattr(layer, "last")
    assert not hasattr(layer, "kept")
    assert layer.losses == []
    assert float(layer.count) == 0.0
    assert float(host(layer.mean.result())) == 0.0
    assert int(layer.dropout.seed_generator.state.numpy()[2]) == 0
    np.testing.assert_array_equal(layer.norm.moving_mean.numpy(), np.zeros(3))
    for variable in layer.variables:
        assert variable.location in ("host", backend.name)
        assert np.isfinite(variable.numpy()).all()
    rows = data(5, 4)
    assert host(Model(x, y)(rows)).shape == (5, 3)
    np.testing.assert_allclose(host(layer.losses[0]), host(layer.last).mean(), rtol=1e-5)
    assert float(layer.count) == 1.0


def test_no_initial_value_is_drawn_for_a_look_at_its_shape(backend: Backend) -> None:
    tanh, drawn = native_tanh(backend), []

    class Told(keras.initializers.GlorotUniform):
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            drawn.append(shape)
            return super().__call__(shape, dtype)

    class Within(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = layers.Dense(3), layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.second(tanh(self.first(x)))

    layer = Within()
    layer(Input((4,)))
    assert [v.location for v in layer.weights] == ["host"] * 4


def test_random_streams_stay_where_they_are(backend: Backend) -> None:
    tanh = native_tanh(backend)

    def noisy(x: Any) -> Any:
        return tanh(x) + np.random.normal(size=x.shape[1:]).astype("float32")

    np.random.seed(3)
    expected = np.random.normal(size=2)
    np.random.seed(3)
    if backend.name == "numpy":  # where a layer's own random numbers are NumPy's
        layers.Lambda(noisy)(Input((4,)))
    np.testing.assert_array_equal(np.random.normal(size=2), expected)
    keras.utils.set_random_seed(3)
    first = host(keras.random.normal((2,)))
    keras.utils.set_random_seed(3)
    infer_outputs(lambda x: tanh(x) + keras.random.normal((4,)), (KerasTensor((None, 4)),), {})
    np.testing.assert_array_equal(host(keras.random.normal((2,))), first)


def test_what_build_makes_has_values(backend: Backend) -> None:
    tanh = native_tanh(backend)

    class Table(layers.Layer):
        def build(self, shape: Any) -> None:
            self.shape_seen = shape
            self.table = native_array(backend, np.arange(shape[-1], dtype="float32"))
            self.made = ops.convert_to_tensor(self.table) * 2.0

        def call(self, x: Any) -> Any:
            return x + self.table + self.made

    class Around(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Table()

        def call(self, x: Any) -> Any:
            return self.inner(tanh(x))

    layer, x = Around(), Input((None, 3))
    y = layer(x)
    assert layer.inner.shape_seen == (None, None, 3)
    np.testing.assert_array_equal(host(layer.inner.made), [0.0, 2.0, 4.0])
    rows = data(2, 2, 3)
    np.testing.assert_allclose(host(Model(x, y)(rows)), np.tanh(rows) + np.arange(3) * 3.0, rtol=1e-5)


def test_lambdas_wrappers_and_models(backend: Backend) -> None:
    tanh = native_tanh(backend)

    class Cell(layers.Layer):
        state_size = output_size = 3

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight((shape[-1], 3), name="kernel")

        def call(self, x: Any, states: Any, training: bool = False) -> Any:
            new = tanh(ops.matmul(x, self.kernel) + states[0])
            return new, [new]

    class Half(Model):
        def call(self, x: Any) -> Any:
            n = x.shape[1] // 2
            return tanh(x[:, :n]) + x[:, n:]

    x = Input((6, 4))
    assert layers.Lambda(lambda x: tanh(x[:, 0]))(x).shape == (None, 4)
    assert layers.TimeDistributed(layers.Lambda(tanh))(x).shape == (None, 6, 4)
    assert layers.RNN(Cell(), return_sequences=True)(x).shape == (None, 6, 3)
    with keras.utils.custom_object_scope({"Cell": Cell}):
        assert layers.Bidirectional(layers.RNN(Cell()))(x).shape == (None, 6)
    recurrent = Model(x, layers.RNN(Cell())(x))
    rows, (kernel,) = data(2, 6, 4), recurrent.get_weights()
    state = np.zeros((2, 3))
    for time in range(6):
        state = np.tanh(rows[:, time] @ kernel + state)
    np.testing.assert_allclose(recurrent.predict(rows, verbose=0), state, rtol=1e-4, atol=1e-5)
    inner = Sequential([Input((6, 4)), layers.Lambda(tanh), layers.Dense(2)])
    assert Half()(inner(x)).shape == (None, 3, 2)
    assert layers.Activation(tanh)(x).shape == layers.Dense(4, activation=tanh)(x).shape == (None, 6, 4)
    assert Half().compute_output_shape((None, 8, 5)) == (None, 4, 5)
    model = Half()
    model.build((None, 6, 4))
    assert model.built


def test_losses_and_metrics_of_native_functions(backend: Backend) -> None:
    tanh = native_tanh(backend)
    x = Input((3,))
    model = Model(x, layers.Dense(1)(x))

    def loss(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.square(y_true - (tanh(y_pred) if backend.name != "numpy" else ops.tanh(y_pred))))

    def own_metric(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(tanh(y_pred))

    model.compile(keras.optimizers.Adam(0.05), loss, metrics=[own_metric])
    rows = data(24, 3)
    history = model.fit(rows, (rows[:, :1] > 0).astype("float32"), epochs=5, batch_size=8, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert model.optimizer.built
    assert np.isfinite(history["own_metric"]).all()


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_an_error_of_the_users_is_shown_as_it_is(backend: Backend) -> None:
    tanh = native_tanh(backend)

    class Wrong(layers.Layer):
        def call(self, x: Any) -> Any:
            y = tanh(x)
            if y.shape[-1] == 3:
                raise KeyError("mine")
            return y

    with pytest.raises(KeyError, match="mine") as caught:
        Wrong(name="wrong")(Input((3,)))
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    calling, advice = (note for note in error.__notes__ if "Wrong" in note)  # JAX has one too
    assert calling == "While calling Layer 'wrong' (Wrong) with float32 (None, 3)."
    assert "Layer 'wrong' (Wrong)" in advice
    assert repr(backend.name) in advice
    assert "`compute_output_shape(input_shape)`" in advice


def test_a_shape_that_does_not_fit_is_told_by_the_framework(backend: Backend) -> None:
    tanh, weights = native_tanh(backend), native_array(backend, np.ones((4, 2), "float32"))
    product = native(backend).matmul
    with pytest.raises(Exception, match=r"[34]") as caught:
        layers.Lambda(lambda x: product(tanh(x), weights), name="product")(Input((3,)))
    assert "SymbolicArray" not in str(caught.value)
    assert any("'product' (Lambda)" in note for note in caught.value.__notes__)


@pytest.mark.needs("jax")
def test_what_needs_values_may_write_its_shape_down() -> None:
    class Needing(layers.Layer):
        def call(self, x: Any) -> Any:
            return x * float(x.max())

    class Written(Needing):
        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

    with keras.use_backend("jax"):
        with pytest.raises(TypeError, match="traced array") as caught:
            Needing()(Input((3,)))
        assert any("compute_output_shape" in note for note in caught.value.__notes__)
        assert Written()(Input((3,))).shape == (None, 3)


@pytest.mark.needs("numpy")
def test_zeros_are_not_computed_with_where_they_are_too_many() -> None:
    with keras.use_backend("numpy"), pytest.raises(MemoryError, match="not inferred by computing") as caught:
        layers.Lambda(np.tanh)(Input((2**14, 2**14)))
    assert any("compute_output_shape" in note for note in caught.value.__notes__)


DIRECT: dict[str, list[Callable[[Any, Any], Any]]] = {
    "numpy": [lambda np, x: np.sin(x), lambda np, x: np.concatenate([x, x])],
    "jax": [],  # which asks symbolic tensors for nothing, and raises errors of its own
    "torch": [lambda torch, x: torch.sin(x), lambda torch, x: torch.cat([x, x]), lambda torch, x: torch.nn.ReLU()(x)],
    "tensorflow": [lambda tf, x: tf.shape(x), lambda tf, x: tf.concat([x, x], 0), lambda tf, x: tf.nn.relu(x)],
}
NAMES = {"numpy": "a NumPy function", "torch": "the PyTorch function `\\w+`", "tensorflow": "a TensorFlow function"}


def test_functions_of_a_framework_say_that_a_symbolic_tensor_belongs_into_a_layer(backend: Backend) -> None:
    x = Input((3,))
    for call in DIRECT[backend.name]:
        with pytest.raises(
            TypeError, match=f"has no value: {NAMES[backend.name]} needs one.*Lambda.*`call` of a layer"
        ):
            call(native(backend), x)
    constant = native_array(backend, np.ones(3, "float32"))
    for result in (constant * x, x * constant, constant - x, x / constant):
        assert (result.shape, result.dtype) == ((None, 3), "float32")
