"""How models were compiled and what their optimizers kept, in files of Keras 1 and 2."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import data
from polykeras import losses, metrics, optimizers
from polykeras.backend import Backend
from polykeras.saving import SavedFileError, load_model
from saving.legacy_writer import convolve, layer, named, sequential, write_model

X, Y = data(8, 4), data(8, 2, seed=9)
W, B = data(4, 2, seed=1), data(2, seed=2)
CONFIG = sequential(layer("Dense", "d", units=2, batch_input_shape=[None, 4]))


def told(class_name: str, loss: Any = "mse", **config: Any) -> dict[str, Any]:
    return {
        "optimizer_config": {"class_name": class_name, "config": config},
        "loss": loss,
        "metrics": [],
        "sample_weight_mode": None,
        "loss_weights": None,
    }


def gradients(w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return those of the mean squared error of `X @ w + b`."""
    error = 2 * (X @ w + b - Y) / Y.size
    return X.T @ error, error.sum(axis=0)


class Run:
    """Keras 2's optimizers, written with NumPy: `weights`, and `kept`, what a file holds of the optimizer."""

    def __init__(self) -> None:
        self.weights = [W.astype("float64"), B.astype("float64")]
        self.steps = 0
        self.slots: dict[str, list[np.ndarray]] = {}

    def slot(self, name: str) -> list[np.ndarray]:
        return self.slots.setdefault(name, [np.zeros_like(w) for w in self.weights])

    def step(self) -> None:
        grads = gradients(*self.weights)
        self.steps += 1
        for i, gradient in enumerate(grads):
            self.weights[i] = self.weights[i] + self.update(i, gradient)

    def update(self, i: int, g: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def kept(self) -> list[tuple[str, np.ndarray]]:
        arrays = [("iterations:0", np.int64(self.steps))]
        return arrays + [(f"{name}_{i}:0", a) for name, slots in self.slots.items() for i, a in enumerate(slots)]


class Adam(Run):
    config = told("Adam", lr=0.01, beta_1=0.9, beta_2=0.99, decay=0.1, epsilon=1e-7, amsgrad=False)

    def update(self, i: int, g: np.ndarray) -> np.ndarray:
        m, v = self.slot("m"), self.slot("v")
        m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.99 * v[i] + 0.01 * g**2
        rate = 0.01 / (1 + 0.1 * (self.steps - 1)) * np.sqrt(1 - 0.99**self.steps) / (1 - 0.9**self.steps)
        return -rate * m[i] / (np.sqrt(v[i]) + 1e-7)

    def kept(self) -> list[tuple[str, np.ndarray]]:
        return super().kept() + [(f"vhat_{i}:0", np.zeros(1)) for i in range(2)]


class AmsGrad(Run):
    config = told("Adam", lr=0.01, beta_1=0.9, beta_2=0.5, decay=0.0, epsilon=1e-7, amsgrad=True)

    def update(self, i: int, g: np.ndarray) -> np.ndarray:
        m, v, largest = self.slot("m"), self.slot("v"), self.slot("vhat")
        m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.5 * v[i] + 0.5 * g**2
        largest[i] = np.maximum(largest[i], v[i])
        rate = 0.01 * np.sqrt(1 - 0.5**self.steps) / (1 - 0.9**self.steps)
        return -rate * m[i] / (np.sqrt(largest[i]) + 1e-7)


class Momentum(Run):
    config = told("SGD", lr=0.05, momentum=0.9, decay=0.0, nesterov=True)

    def update(self, i: int, g: np.ndarray) -> np.ndarray:
        m = self.slot("m")
        m[i] = 0.9 * m[i] - 0.05 * g
        return 0.9 * m[i] - 0.05 * g


class Plain(Run):
    config = told("SGD", lr=0.05, momentum=0.0, decay=0.5, nesterov=False)

    def update(self, i: int, g: np.ndarray) -> np.ndarray:
        self.slot("m")  # which Keras 2 kept, without any use
        return -0.05 / (1 + 0.5 * (self.steps - 1)) * g


class RMSprop(Run):
    config = told("RMSprop", lr=0.01, rho=0.9, decay=0.0, epsilon=1e-7)

    def update(self, i: int, g: np.ndarray) -> np.ndarray:
        a = self.slot("a")
        a[i] = 0.9 * a[i] + 0.1 * g**2
        return -0.01 * g / (np.sqrt(a[i]) + 1e-7)

    def kept(self) -> list[tuple[str, np.ndarray]]:
        return super().kept()[1:]  # without the number of steps, as until Keras 2.2


class Adadelta(Run):
    config = told("Adadelta", lr=1.0, rho=0.9, decay=0.0, epsilon=1e-4)

    def update(self, i: int, g: np.ndarray) -> np.ndarray:
        a, d = self.slot("a"), self.slot("d")
        a[i] = 0.9 * a[i] + 0.1 * g**2
        step = g * np.sqrt(d[i] + 1e-4) / np.sqrt(a[i] + 1e-4)
        d[i] = 0.9 * d[i] + 0.1 * step**2
        return -step


class Adagrad(Run):
    config = told("Adagrad", lr=0.05, decay=0.0, epsilon=1e-7)

    def update(self, i: int, g: np.ndarray) -> np.ndarray:
        a = self.slot("a")
        a[i] = a[i] + g**2
        return -0.05 * g / (np.sqrt(a[i]) + 1e-7)


class Adamax(Run):
    config = told("Adamax", lr=0.02, beta_1=0.9, beta_2=0.99, decay=0.0, epsilon=1e-7)

    def update(self, i: int, g: np.ndarray) -> np.ndarray:
        m, u = self.slot("m"), self.slot("u")
        m[i], u[i] = 0.9 * m[i] + 0.1 * g, np.maximum(0.99 * u[i], np.abs(g))
        return -0.02 / (1 - 0.9**self.steps) * m[i] / (u[i] + 1e-7)


@pytest.mark.parametrize("kind", [Adam, AmsGrad, Momentum, Plain, RMSprop, Adadelta, Adagrad, Adamax])
def test_training_goes_on(backend: Backend, tmp_path: Path, kind: type[Run]) -> None:
    """Three steps by NumPy, the file, then three more: as if nothing had happened in between."""
    run = kind()
    for _ in range(3):
        run.step()
    weights = {"d": named("d", *(w.astype("float32") for w in run.weights))}
    path = write_model(tmp_path / "m.h5", CONFIG, weights, training=kind.config, optimizer=run.kept())
    model = load_model(path)
    for _ in range(3):
        run.step()
        model.train_on_batch(X, Y)
    for found, expected in zip(model.get_weights(), run.weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    if kind is Adagrad:
        assert model.optimizer.initial_accumulator_value == 0.0  # as it began before there was a choice
    if kind is not RMSprop:
        assert int(model.optimizer.iterations) == 6


def test_the_optimizer_of_tf_keras_of_the_last_versions(tmp_path: Path) -> None:
    """It kept what belongs to a variable side by side, and its learning rate."""
    run = Adam()
    config = told(
        "Custom>Adam", name="Adam", weight_decay=None, clipnorm=None, global_clipnorm=None, clipvalue=None, use_ema=False,
        ema_momentum=0.99, ema_overwrite_frequency=None, jit_compile=False, is_legacy_optimizer=False,
        learning_rate=0.01, beta_1=0.9, beta_2=0.99, epsilon=1e-7, amsgrad=False,
    )  # fmt: skip
    for _ in range(3):
        run.step()
    m, v = run.slots["m"], run.slots["v"]
    kept = [("iteration:0", np.int64(3)), ("learning_rate:0", np.float32(0.25)),
            ("Adam/m/w:0", m[0]), ("Adam/v/w:0", v[0]), ("Adam/m/b:0", m[1]), ("Adam/v/b:0", v[1])]  # fmt: skip
    path = write_model(tmp_path / "m.h5", CONFIG, {"d": named("d", W, B)}, "2.11.0", training=config, optimizer=kept)
    with polykeras.use_backend("numpy"):
        optimizer = load_model(path).optimizer
    expected = [3, 0.25, m[0], v[0], m[1], v[1]]
    for found, value in zip(optimizer.variables, expected, strict=True):
        np.testing.assert_allclose(found.numpy(), value, rtol=1e-6)


@pytest.mark.parametrize(
    ("version", "by_name"), [("2.0.5", True), ("2.0.6", False), ("1.2.2", True), ("2.0.8-tf", True)]
)
def test_the_order_of_weights_in_an_optimizer(tmp_path: Path, version: str, by_name: bool) -> None:
    """It was that of their names once."""
    options = {"output_dim": 4, "bias": False} if version.startswith("1") else {"units": 4, "use_bias": False}
    shape = {"batch_input_shape": [None, 4]}
    config = sequential(layer("Dense", "d_9", **options, **shape), layer("Dense", "d_10", **options))
    weights = {f"d_{i}": [(f"d_{i}/kernel:0", data(4, 4))] for i in (9, 10)}
    layered = ["d_9/kernel:0", "d_10/kernel:0"]
    moments = {name: data(4, 4, seed=i) for i, name in enumerate(layered)}
    kept = [("iterations:0", np.int64(1))]
    kept += [(f"m{i}", moments[name]) for i, name in enumerate(sorted(layered) if by_name else layered)]
    training = told("SGD", lr=0.1, momentum=0.5, decay=0.0, nesterov=False)
    path = write_model(tmp_path / "m.h5", config, weights, version, training=training, optimizer=kept)
    with polykeras.use_backend("numpy"):
        found = load_model(path).optimizer.variables[2:]
    for variable, name in zip(found, layered, strict=True):
        np.testing.assert_array_equal(variable.numpy(), moments[name])


def test_state_of_kernels_that_are_turned_around(tmp_path: Path) -> None:
    """What Theano kept for a kernel is turned around with it: the next step is that of Theano."""
    kernel, bias, m = data(3, 2, 2, 4, seed=1), data(4, seed=2), data(3, 2, 2, 4, seed=3)
    conv = layer("Conv2D", "c", filters=4, kernel_size=[3, 2], padding="valid", data_format="channels_last",
                 batch_input_shape=[None, 3, 2, 2])  # fmt: skip
    config = told("SGD", lr=0.1, momentum=0.5, decay=0.0, nesterov=False)
    kept = [("iterations:0", np.int64(1)), ("m0:0", m), ("m1:0", np.zeros(4))]
    path = write_model(
        tmp_path / "m.h5", sequential(conv), {"c": named("c", kernel, bias)}, "2.1.0", "theano", config, kept
    )
    x, y = data(2, 3, 2, 2), data(2, 1, 1, 4, seed=5)
    error = 2 * (convolve(x, kernel, turned=True) + bias - y) / y.size
    gradient = np.einsum("brci,bo->rcio", x, error[:, 0, 0])[::-1, ::-1]
    after = kernel + 0.5 * m - 0.1 * gradient
    with polykeras.use_backend("numpy"):
        model = load_model(path)
        model.train_on_batch(x, y)
    np.testing.assert_allclose(model.get_weights()[0], after[::-1, ::-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "kept", "reason"),
    [
        (
            Adam.config,
            [("iterations:0", np.int64(1)), ("m:0", W)],
            "Adam keeps 2 arrays for each of 2 weights; the file holds 1",
        ),
        (
            Adam.config,
            [("it:0", np.int64(1)), ("a", W), ("b", W), ("c", W), ("d", B)],
            "Its arrays and the weights differ",
        ),
        (
            told("Nadam", lr=0.01, schedule_decay=0.004),
            [("it:0", np.int64(1))],
            "Nadam keeps 2 numbers; the file holds 1",
        ),
        (
            Adam.config,
            [("it:0", np.int64(1)), ("lr:0", np.float32(1))],
            "Adam keeps 2 arrays for each of 2 weights; the file holds 1",
        ),
    ],
)
def test_state_that_does_not_fit_is_left_out_with_a_warning(
    tmp_path: Path, config: Any, kept: Any, reason: str
) -> None:
    path = write_model(tmp_path / "m.h5", CONFIG, {"d": named("d", W, B)}, training=config, optimizer=kept)
    with polykeras.use_backend("numpy"):
        with pytest.warns(UserWarning, match=rf"m\.h5: the optimizer's state is not loaded: .*{reason}.*starts again"):
            model = load_model(path)
        assert int(model.optimizer.iterations) == 0
        model.train_on_batch(X, Y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not load_model(path, compile=False).compiled


def test_losses_and_metrics(tmp_path: Path) -> None:
    wrapped = {
        "class_name": "MeanMetricWrapper",
        "config": {"name": "accuracy", "dtype": "float32", "fn": "categorical_accuracy"},
    }
    loss = {"class_name": "CategoricalCrossentropy",
            "config": {"reduction": "auto", "name": "cc", "from_logits": True, "label_smoothing": 0.1}}  # fmt: skip
    schedule = {"class_name": "ExponentialDecay",
                "config": {"initial_learning_rate": 0.5, "decay_steps": 10, "decay_rate": 0.5, "staircase": False, "name": None}}  # fmt: skip
    config = told(
        "Adam",
        loss,
        name="Adam",
        learning_rate=schedule,
        decay=0.0,
        beta_1=0.8,
        beta_2=0.9,
        epsilon=1e-6,
        amsgrad=False,
    )
    config["metrics"] = [[wrapped, "mae", {"class_name": "AUC", "config": {"name": "auc", "num_thresholds": 20}}]]
    config["weighted_metrics"] = None
    path = write_model(tmp_path / "m.h5", CONFIG, {"d": named("d", W, B)}, "2.4.0", training=config)
    with polykeras.use_backend("numpy"):
        model = load_model(path)
        assert isinstance(model.loss, losses.CategoricalCrossentropy)
        assert (model.loss.label_smoothing, model.loss.reduction) == (0.1, "sum_over_batch_size")
        assert isinstance(model.optimizer, optimizers.Adam)
        assert isinstance(model.optimizer._learning_rate, optimizers.schedules.ExponentialDecay)
        assert model.optimizer.beta_1 == 0.8
        logs = model.test_on_batch(X, np.eye(2)[np.arange(8) % 2], return_dict=True)
    assert set(logs) == {"loss", "accuracy", "mae", "auc"}
    assert any(isinstance(metric, metrics.CategoricalAccuracy) for metric in model.compiled_metrics.metrics)


def test_losses_by_output_and_old_names(tmp_path: Path) -> None:
    config = told("rmsprop", ["cosine_proximity"], lr=0.125, rho=0.9)
    config["metrics"] = ["acc"]
    path = write_model(tmp_path / "m.h5", CONFIG, {"d": named("d", W, B)}, training=config)
    with polykeras.use_backend("numpy"):
        model = load_model(path)
        assert float(model.optimizer.learning_rate) == 0.125
        result = model.test_on_batch(X, Y, return_dict=True)
    y = X @ W + B
    cosines = np.sum(y * Y, -1) / np.linalg.norm(y, axis=-1) / np.linalg.norm(Y, axis=-1)
    assert result["loss"] == pytest.approx(-cosines.mean(), rel=1e-4)
    assert "acc" in result


def own_loss(y_true: Any, y_pred: Any) -> Any:
    return polykeras.ops.mean(polykeras.ops.abs(y_true - y_pred), axis=-1)


def test_a_loss_of_the_users(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.h5", CONFIG, {"d": named("d", W, B)}, training=told("SGD", "own_loss", lr=0.1))
    with pytest.raises(SavedFileError, match=r"m\.h5: training_config.*'own_loss'"):
        load_model(path)
    with polykeras.use_backend("numpy"):
        model = load_model(path, custom_objects={"own_loss": own_loss})
        assert model.evaluate(X, Y, verbose=0) == pytest.approx(np.abs(X @ W + B - Y).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "training_config: has no `optimizer_config`"),
        (told("TFOptimizer"), "training_config.*TFOptimizer"),
        (told("SGD", lr=0.1) | {"target_tensors": 3}, r"training_config: \['target_tensors'\] are unknown"),
        (told("SGD", lr=-1.0, speed=3), "training_config.*speed"),
    ],
)
def test_errors_name_the_place(tmp_path: Path, config: Any, message: str) -> None:
    path = write_model(tmp_path / "m.h5", CONFIG, {"d": named("d", W, B)}, training=config)
    with pytest.raises(SavedFileError, match=rf"m\.h5: {message}"):
        load_model(path)
