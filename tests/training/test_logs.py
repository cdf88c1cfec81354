"""Logs of training: their names, order and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Input, Model, layers
from polykeras.backend import Backend
from training.linear import X, Y, linear


def two_outputs(**kwargs: Any) -> Model:
    """Return a model with the outputs `a` (a number) and `b` (three classes), compiled."""
    x = Input((3,), name="x")
    a = layers.Dense(1, name="a")(x)
    model = Model(x, [a, layers.Dense(3, activation="softmax", name="b")(x)])
    model.compile("sgd", **{"loss": ["mse", "sparse_categorical_crossentropy"], **kwargs})
    return model


LABELS = [Y, np.arange(40) % 3]

# What is given to `compile`, and the names of the values in lists; in logs they are sorted. Both are Keras's.
SPECS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "losses alone": ({}, ["loss", "a_loss", "b_loss"]),
    "flat list": ({"metrics": ["mae", "accuracy"]}, ["loss", "a_loss", "b_loss", "a_mae", "b_accuracy"]),
    "list of lists": (
        {"metrics": [["mse", "mae"], ["accuracy"]]},
        ["loss", "a_loss", "b_loss", "a_mae", "a_mse", "b_accuracy"],
    ),
    "dict": ({"metrics": {"b": "accuracy"}}, ["loss", "a_loss", "b_loss", "b_accuracy"]),
    "weighted": (
        {"metrics": {"b": ["accuracy"]}, "weighted_metrics": {"a": ["mae"], "b": ["accuracy"]}},
        ["loss", "a_loss", "b_loss", "a_mae", "b_accuracy", "b_weighted_accuracy"],
    ),
    "several times": (
        {"metrics": [["mae", "mae"], None], "weighted_metrics": [["mae", "mae"], []]},
        ["loss", "a_loss", "b_loss", "a_mae", "a_mae_1", "a_weighted_mae", "a_weighted_mae_1"],
    ),
    "none weighted": ({"metrics": {"a": ["mae"]}, "weighted_metrics": []}, ["loss", "a_loss", "b_loss", "a_mae"]),
    "dict of losses": (
        {"loss": {"a": "mae", "b": "sparse_categorical_crossentropy"}, "loss_weights": {"a": 2.0}},
        ["loss", "a_loss", "b_loss"],
    ),
    "one loss": ({"loss": ["mse", None], "metrics": {"a": ["mae"]}}, ["loss", "a_mae"]),
    "an object": (
        {"metrics": [[polykeras.metrics.MeanSquaredError(name="own")], None]},
        ["loss", "a_loss", "b_loss", "a_own"],
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_names_and_order_of_logs(backend: Backend, name: str) -> None:
    spec, order = SPECS[name]
    names = sorted(order)
    model = two_outputs(**spec)
    history = model.fit(X, LABELS, batch_size=20, validation_split=0.5, verbose=0)
    assert list(history.history) == [*names, *(f"val_{n}" for n in names)]
    logs = model.evaluate(X, LABELS, batch_size=20, verbose=0, return_dict=True)
    values = model.evaluate(X, LABELS, batch_size=20, verbose=0)
    assert list(logs) == names
    assert model.metrics_names == order
    assert values == [logs[n] for n in order]
    assert all(type(value) is float for value in values)


def test_single_batches_give_the_same_names(backend: Backend) -> None:
    model = two_outputs(metrics=["mae", "accuracy"])
    logs = model.train_on_batch(X, LABELS, return_dict=True)
    assert list(logs) == ["a_loss", "a_mae", "b_accuracy", "b_loss", "loss"]
    model.reset_metrics()
    logs, values = model.test_on_batch(X, LABELS, return_dict=True), model.test_on_batch(X, LABELS)
    np.testing.assert_allclose(values, [logs[n] for n in ["loss", "a_loss", "b_loss", "a_mae", "b_accuracy"]])
    assert len(model.train_on_batch(X, LABELS)) == 5


def test_values_of_logs_are_those_of_numpy(backend: Backend) -> None:
    model = two_outputs(loss_weights=[2.0, 0.5], metrics=[["mae"], ["accuracy"]], weighted_metrics=[["mae"], []])
    weights = np.linspace(0.5, 2.0, 40).astype("float32")
    a, b = model.predict(X, verbose=0)
    logs = model.evaluate(X, LABELS, sample_weight=weights, batch_size=20, verbose=0, return_dict=True)
    a_loss = np.mean(weights * ((a - Y) ** 2)[:, 0])
    b_loss = np.mean(weights * -np.log(b[np.arange(40), LABELS[1]]))
    expected = {
        "loss": 2.0 * a_loss + 0.5 * b_loss,
        "a_loss": a_loss,
        "b_loss": b_loss,
        "a_mae": np.mean(np.abs(a - Y)),
        "b_accuracy": np.mean(b.argmax(-1) == LABELS[1]),
        "a_weighted_mae": np.average(np.abs(a - Y)[:, 0], weights=weights),
    }
    assert logs.keys() == expected.keys()
    for key, value in expected.items():
        assert logs[key] == pytest.approx(value, rel=1e-5), key


def test_sample_weights_by_output(backend: Backend) -> None:
    model = two_outputs()
    first, second = np.zeros(40), np.arange(40.0)
    a_loss, b_loss = model.evaluate(X, LABELS, sample_weight=[first, second], batch_size=40, verbose=0)[1:]
    b = model.predict(X, verbose=0)[1]
    assert a_loss == 0.0
    assert b_loss == pytest.approx(np.mean(second * -np.log(b[np.arange(40), LABELS[1]])), rel=1e-5)


def test_bad_specifications(backend: Backend) -> None:
    with pytest.raises(ValueError, match=r"`metrics` is a flat list of 1; the model has 2 outputs \['a', 'b'\]"):
        two_outputs(metrics=["mae"]).fit(X, LABELS, verbose=0)
    with pytest.raises(ValueError, match=r"`loss` names the output 'c'. The outputs are"):
        two_outputs(loss={"a": "mse", "c": "mse"}).fit(X, LABELS, verbose=0)
    with pytest.raises(ValueError, match="`loss` has 1 entries; the model has 2 outputs"):
        two_outputs(loss=["mse"]).fit(X, LABELS, verbose=0)
    with pytest.raises(ValueError, match=r"2 outputs.*`y` is one array"):
        two_outputs().fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match="callbacks must be Callback objects; received 3"):
        linear().fit(X, Y, callbacks=[3], verbose=0)
    with pytest.raises(ValueError, match="`steps_per_execution` must be a positive int; received 0"):
        linear(steps_per_execution=0)
    with pytest.raises(ValueError, match=r"validation_split must lie between 0 and 1; received 1.5"):
        linear().fit(X, Y, validation_split=1.5, verbose=0)


def test_metrics_begin_anew_when_they_should(backend: Backend) -> None:
    model = linear(metrics=["mae"])
    first = model.evaluate(X, Y, verbose=0)
    assert model.evaluate(X, Y, verbose=0) == first  # each evaluation
    model.test_on_batch(X[:20], Y[:20])
    np.testing.assert_allclose(model.test_on_batch(X, Y), first, rtol=1e-5)  # and each single batch, as in Keras


class Logging(polykeras.Sequential):
    """Returns what the test says as logs."""

    def train_step(self, data: Any) -> Any:
        return self.logs(polykeras.ops.mean(data[0]))


@pytest.mark.parametrize("eagerly", [False, True])
def test_logs_within_logs(backend: Backend, eagerly: bool) -> None:
    model = linear(Logging, run_eagerly=eagerly)
    model.logs = lambda mean: {"b": mean, "more": {"z": mean + 1.0, "a": {"y": mean + 2.0}}, "c": 3.0}
    expected = {"b": [X.mean()], "c": [3.0], "y": [X.mean() + 2], "z": [X.mean() + 1]}
    history = model.fit(X, Y, batch_size=40, verbose=0).history
    assert list(history) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(history[name], value, rtol=1e-5)
    assert list(model.train_on_batch(X, Y, return_dict=True)) == list(expected)


def test_a_log_that_is_none_is_named(backend: Backend) -> None:
    model = linear(Logging)
    model.logs = lambda mean: {"loss": mean, "more": {"grad": None}}
    with pytest.raises(TypeError, match="train_step must return scalars for the logs; 'grad' is None"):
        model.fit(X, Y, verbose=0)
