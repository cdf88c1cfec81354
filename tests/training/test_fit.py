"""`fit`, `evaluate` and `predict`: what comes in, what comes out, and that the numbers are those of plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, ops
from polykeras.backend import Backend

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]], "float32") + 0.1).astype("float32")


def linear(**kwargs: Any) -> keras.Model:
    """Return a compiled linear model with fixed initial weights."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(**({"optimizer": keras.optimizers.SGD(0.1), "loss": "mse"} | kwargs))
    return model


def numpy_epoch(w: np.ndarray, b: float, batches: list[Any], rate: float) -> tuple[np.ndarray, float, list[float]]:
    """Gradient descent on the squared error, written out."""
    losses = []
    for x, y in batches:
        error = x @ w + b - y
        losses.append(float(np.mean(error**2)) * len(x))
        w = w - rate * 2 * x.T @ error / len(x)
        b = b - rate * 2 * float(error.mean())
    return w, b, losses


def test_an_epoch_is_gradient_descent(backend: Backend) -> None:
    """50 samples in batches of 16: the last batch has 2, and the epoch's loss is the mean over samples."""
    model = linear()
    history = model.fit(X, Y, batch_size=16, shuffle=False, verbose=0).history
    w, b, losses = numpy_epoch(np.ones((3, 1)), 0.0, [(X[i : i + 16], Y[i : i + 16]) for i in range(0, 50, 16)], 0.1)
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], [b], rtol=1e-4, atol=1e-6)
    assert history["loss"][0] == pytest.approx(sum(losses) / 50, rel=1e-5)


def test_shuffles_are_the_same_everywhere(backend: Backend) -> None:
    keras.utils.set_random_seed(4)
    model = linear()
    model.fit(X, Y, batch_size=16, verbose=0)
    with keras.use_backend("numpy"):
        keras.utils.set_random_seed(4)
        reference = linear()
        reference.fit(X, Y, batch_size=16, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], reference.get_weights()[0], rtol=1e-5)


def test_validation_split_takes_the_end(backend: Backend) -> None:
    y = Y.copy()
    y[40:] = 100.0
    history = linear(optimizer=keras.optimizers.SGD(0.0)).fit(X, y, validation_split=0.2, verbose=0).history
    assert history["val_loss"][0] > 1000 > history["loss"][0]
    with pytest.raises(ValueError, match="validation_data"):
        linear().fit(iter([(X, Y)]), validation_split=0.2, verbose=0)


def test_validation_data_and_frequency(backend: Backend) -> None:
    model = linear(metrics=["mae"])
    history = model.fit(X, Y, epochs=4, validation_data=(X[:10], Y[:10]), validation_freq=2, verbose=0).history
    assert len(history["loss"]) == 4
    assert len(history["val_loss"]) == len(history["val_mae"]) == 2
    results = model.evaluate(X[:10], Y[:10], return_dict=True, verbose=0)
    assert results["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-6)
    assert results["mae"] == pytest.approx(history["val_mae"][-1], rel=1e-6)


def test_sample_weights(backend: Backend) -> None:
    """A weight of 0 leaves a sample out of the gradient; the mean is still over all."""
    weight = np.zeros(50, "float32")
    weight[:10] = 1.0
    model = linear()
    model.fit(X, Y, sample_weight=weight, batch_size=50, shuffle=False, verbose=0)
    error = X @ np.ones((3, 1)) - Y
    expected = np.ones((3, 1)) - 0.1 * 2 * X[:10].T @ error[:10] / 50
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-4)


def test_class_weights_are_sample_weights(backend: Backend) -> None:
    labels = (X[:, 0] > 0).astype("int32")

    def run(**kwargs: Any) -> np.ndarray:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(X, labels, shuffle=False, verbose=0, **kwargs)
        return model.get_weights()[0]

    weights = np.where(labels == 1, 3.0, 0.5)
    np.testing.assert_allclose(run(class_weight={0: 0.5, 1: 3.0}), run(sample_weight=weights), rtol=1e-6)


def test_several_inputs_and_outputs(backend: Backend) -> None:
    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    joined = layers.concatenate([a, b])
    kind = layers.Dense(4, activation="softmax", name="kind")
    outputs = {"y": layers.Dense(1, name="y")(joined), "kind": kind(joined)}
    model = keras.Model({"a": a, "b": b}, outputs)
    model.compile(
        "adam",
        loss={"y": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"y": 2.0, "kind": 0.5},
        metrics={"kind": ["accuracy"], "y": ["mae"]},
    )
    inputs = {"a": X, "b": X[:, :2]}
    labels = {"y": Y, "kind": np.arange(50) % 4}
    logs = model.fit(inputs, labels, epochs=2, validation_split=0.2, verbose=0).history
    expected = {"loss", "y_loss", "kind_loss", "kind_accuracy", "y_mae"}
    assert expected | {f"val_{name}" for name in expected} == set(logs)
    np.testing.assert_allclose(
        logs["loss"], 2.0 * np.array(logs["y_loss"]) + 0.5 * np.array(logs["kind_loss"]), rtol=1e-5
    )
    predictions = model.predict(inputs, verbose=0)
    assert {name: p.shape for name, p in predictions.items()} == {"y": (50, 1), "kind": (50, 4)}


@pytest.mark.parametrize(
    ("units", "activation", "labels", "loss", "expected"),
    [
        (1, "sigmoid", lambda n: n % 2, "binary_crossentropy", "BinaryAccuracy"),
        (3, "softmax", lambda n: n % 3, "sparse_categorical_crossentropy", "SparseCategoricalAccuracy"),
        (3, "softmax", lambda n: np.eye(3)[n % 3], "categorical_crossentropy", "CategoricalAccuracy"),
    ],
)
def test_accuracy_is_the_fitting_one(
    backend: Backend, units: int, activation: str, labels: Any, loss: str, expected: str
) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(units, activation=activation)])
    model.compile("sgd", loss, metrics=["accuracy"])
    y = labels(np.arange(50))
    model.fit(X, y, verbose=0)
    assert type(model.compiled_metrics.by_name["accuracy"]).__name__ == expected
    predicted = model.predict(X, verbose=0)
    chosen = predicted[:, 0] > 0.5 if units == 1 else predicted.argmax(-1)
    truth = y if y.ndim == 1 else y.argmax(-1)
    assert model.evaluate(X, y, verbose=0)[1] == pytest.approx(np.mean(chosen == truth), abs=1e-6)


# ---- sources of data -------------------------------------------------------------------------------------------


def batches(endless: bool = False) -> Any:
    """Yield the data in batches of 10, once or forever."""
    while True:
        for i in range(0, 50, 10):
            yield X[i : i + 10], Y[i : i + 10]
        if not endless:
            return


class Batches(keras.utils.PyDataset):
    """The data in batches of 10, on demand."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return X[10 * index : 10 * index + 10], Y[10 * index : 10 * index + 10]


@pytest.mark.parametrize(
    ("source", "kwargs"),
    [
        (lambda: batches(), {}),
        (lambda: batches(endless=True), {"steps_per_epoch": 5}),
        (lambda: Batches(), {"shuffle": False}),
        (lambda: Batches(workers=3), {"shuffle": False}),
        (lambda: list(batches()).__iter__(), {}),
    ],
    ids=["generator", "endless", "dataset", "workers", "iterator"],
)
def test_streams_train_like_arrays(backend: Backend, source: Any, kwargs: dict[str, Any]) -> None:
    streamed, resident = linear(), linear()
    a = streamed.fit(source(), verbose=0, **kwargs).history
    b = resident.fit(X, Y, batch_size=10, shuffle=False, verbose=0).history
    assert a["loss"][0] == pytest.approx(b["loss"][0], rel=1e-5)
    np.testing.assert_allclose(streamed.get_weights()[0], resident.get_weights()[0], rtol=1e-5)


def test_an_endless_generator_goes_on(backend: Backend) -> None:
    seen = []

    def counted() -> Any:
        for i, batch in enumerate(batches(endless=True)):
            seen.append(i)
            yield batch

    linear().fit(counted(), steps_per_epoch=2, epochs=3, verbose=0)
    assert len(seen) >= 6
    assert seen[:6] == list(range(6))


def test_torch_loaders(backend: Backend) -> None:
    data = pytest.importorskip("torch.utils.data")
    torch = pytest.importorskip("torch")
    loader = data.DataLoader(data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), batch_size=10)
    model, reference = linear(), linear()
    model.fit(loader, epochs=2, verbose=0)
    reference.fit(X, Y, batch_size=10, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], reference.get_weights()[0], rtol=1e-5)


def test_arrays_of_the_framework(backend: Backend) -> None:
    model, reference = linear(), linear()
    model.fit(ops.convert_to_tensor(X), ops.convert_to_tensor(Y), shuffle=False, verbose=0)
    reference.fit(X, Y, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], reference.get_weights()[0], rtol=1e-6)


# ---- loops -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", ["auto", 1, 3, 100])
def test_chunks_change_nothing(backend: Backend, steps: Any) -> None:
    model, reference = linear(steps_per_execution=steps), linear(run_eagerly=True)
    a = model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    b = reference.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(a["loss"], b["loss"], rtol=1e-4)


def test_initial_epoch_and_history(backend: Backend) -> None:
    history = linear().fit(X, Y, epochs=5, initial_epoch=2, verbose=0)
    assert history.epoch == [2, 3, 4]
    assert len(history.history["loss"]) == 3


@pytest.mark.counts_runs
def test_learning_rate_without_a_new_trace(backend: Backend) -> None:
    traces: list[int] = []  # a number that a step counts would be told

    class Counted(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            traces.append(1)
            return super().train_step(data)

    model = Counted([keras.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X[:48], Y[:48], batch_size=16, verbose=0)
    before, first = model.get_weights()[0], len(traces)
    model.optimizer.learning_rate = 0.0
    model.fit(X[:48], Y[:48], batch_size=16, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)
    if backend.execution.compiles:
        assert len(traces) == first, "a new rate, and a second fit, trace nothing anew"


def test_one_batch_methods(backend: Backend) -> None:
    model = linear(metrics=["mae"])
    loss, mae = model.test_on_batch(X, Y)
    error = X @ np.ones((3, 1)) - Y
    assert loss == pytest.approx(np.mean(error**2), rel=1e-5)
    assert mae == pytest.approx(np.mean(np.abs(error)), rel=1e-5)
    model.train_on_batch(X, Y)
    assert model.test_on_batch(X, Y, return_dict=True)["loss"] < loss
    np.testing.assert_allclose(model.predict_on_batch(X), model.predict(X, verbose=0), rtol=1e-6)


def test_predict_fills_up_no_batch(backend: Backend) -> None:
    """Rows may see each other: a last partial batch is what it is."""
    model = keras.Sequential([keras.Input((2,)), layers.Lambda(lambda x: x - ops.max(x, axis=0, keepdims=True))])
    x = np.arange(10, dtype="float32").reshape(5, 2)
    parts = [part - part.max(axis=0) for part in (x[:3], x[3:])]
    np.testing.assert_allclose(model.predict(x, batch_size=3, verbose=0), np.concatenate(parts))


def test_predict_covers_every_row(backend: Backend) -> None:
    model = linear()
    expected = X @ np.ones((3, 1))
    for size in (7, 32, 64):
        np.testing.assert_allclose(model.predict(X, batch_size=size, verbose=0), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(batches(), verbose=0), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(model(X)), expected, rtol=1e-5, atol=1e-6)


def test_freezing_after_compile_takes_effect(backend: Backend) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, name="frozen"), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, Y, verbose=0)
    model.get_layer("frozen").trainable = False
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert (model.get_weights()[2] != before[2]).any()


def test_add_loss_and_regularizers(backend: Backend) -> None:
    class Penalty(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(0.5 * ops.mean(ops.square(inputs)))
            return inputs

    regularizer = keras.regularizers.L2(0.1)
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(1, kernel_initializer="ones", kernel_regularizer=regularizer), Penalty()]
    )
    model.compile("sgd", "mse")
    output = X @ np.ones((3, 1))
    expected = np.mean((output - Y) ** 2) + 0.5 * np.mean(output**2) + 0.1 * 3
    assert model.evaluate(X, Y, batch_size=50, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_masks_reach_the_loss(backend: Backend) -> None:
    model = keras.Sequential(
        [keras.Input((4, 1)), layers.Masking(), layers.TimeDistributed(layers.Dense(1, kernel_initializer="ones"))]
    )
    model.compile("sgd", "mse")
    x = np.array([[[1.0], [2.0], [0.0], [0.0]], [[3.0], [0.0], [0.0], [0.0]]], "float32")
    y = np.full((2, 4, 1), 10.0, "float32")
    expected = np.mean([(1 - 10) ** 2, (2 - 10) ** 2, (3 - 10) ** 2])
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)
