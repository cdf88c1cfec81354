"""Names, order and values of logs of models with parts that are models, several outputs, and losses of a user's own.

The names and their order are those of Keras 3.15.1, and the numbers follow from the outputs by NumPy.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from polykeras import Input, Model, Sequential, callbacks, layers, losses, metrics, ops
from polykeras.backend import Backend
from polykeras.optimizers import SGD
from training.linear import X, Y, linear


def still(model: Any, loss: Any = "mse", **kwargs: Any) -> Any:
    """Return a model that is compiled, and does not move when it trains."""
    model.compile(SGD(0.0), loss, **kwargs)
    return model


def squared(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    return float(np.mean((y_true - y_pred) ** 2))


class Outputs(Model):
    """Three dense layers, whose outputs a function puts together."""

    def __init__(self, form: Any) -> None:
        super().__init__()
        self.parts = [layers.Dense(1) for _ in range(3)]
        self.form = form

    def call(self, inputs: Any) -> Any:
        return self.form(*(part(inputs) for part in self.parts))


class Watched(callbacks.Callback):
    """Keeps the logs of batches."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append(dict(logs))


# ---- models within models ------------------------------------------------------------------------------------------


def test_a_compiled_model_within_a_model_keeps_its_loss_to_itself(backend: Backend) -> None:
    inner = still(Sequential([Input((3,)), layers.Dense(2)]), metrics=["mae"])
    inner.fit(X, np.tile(Y, 2), verbose=0)
    x = Input((3,))
    model = still(Model(x, layers.Dense(1)(inner(x))), metrics=["mse"])
    loss = squared(Y, model.predict(X, verbose=0))
    watched = Watched()
    history = model.fit(X, Y, batch_size=40, verbose=0, callbacks=[watched], validation_data=(X, Y)).history
    assert list(history) == ["loss", "mse", "val_loss", "val_mse"]
    np.testing.assert_allclose([value for (value,) in history.values()], loss, rtol=1e-5)
    assert watched.seen == [{"loss": history["loss"][0], "mse": history["mse"][0]}]
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), [loss, loss], rtol=1e-5)
    np.testing.assert_allclose(model.train_on_batch(X, Y), [loss, loss], rtol=1e-5)


def test_metrics_of_layers_count_and_those_of_models_within_do_not(backend: Backend) -> None:
    class Seen(layers.Layer):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.seen = metrics.Mean(name=name)

        def call(self, inputs: Any) -> Any:
            self.seen.update_state(ops.mean(inputs))
            return inputs

    class Inner(Model):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.own = Seen("deep"), metrics.Sum(name="inner")

        def call(self, inputs: Any) -> Any:
            return self.layer(inputs)

    model = still(Sequential([Inner(), Seen("seen"), layers.Dense(1)]))
    logs = model.evaluate(X, Y, batch_size=40, verbose=0, return_dict=True)
    assert list(logs) == ["deep", "loss", "seen"]
    assert model.metrics_names == ["loss", "deep", "seen"]
    np.testing.assert_allclose([logs["deep"], logs["seen"]], X.mean(), rtol=1e-5)


# ---- several outputs -----------------------------------------------------------------------------------------------


def test_two_outputs_of_one_name_give_each_value(backend: Backend) -> None:
    layer, a, b = layers.Dense(1, name="d"), Input((3,)), Input((3,))
    model = still(Model([a, b], [layer(a), layer(b)]), metrics=[["mae"], ["mae"]])
    logs = model.evaluate([X, X + 1], [Y, Y], batch_size=40, verbose=0, return_dict=True)
    assert list(logs) == ["d_loss", "d_mae", "d_mae_1", "loss"]
    values = model.test_on_batch([X, X + 1], [Y, Y])
    np.testing.assert_allclose(values, [logs[n] for n in ["loss", "d_loss", "d_loss", "d_mae", "d_mae_1"]], rtol=1e-5)


def test_outputs_without_names_are_called_by_their_losses(backend: Backend) -> None:
    model = still(Outputs(lambda a, b, c: (a, b)), ["mse", losses.MeanSquaredError()], metrics=[["mae"], ["mae"]])
    history = model.fit(X, (Y, Y), verbose=0, validation_data=(X, (Y, Y))).history
    names = ["loss", "mae", "mae_1", "mean_squared_error_loss", "mse_loss"]
    assert list(history) == [*names, *(f"val_{name}" for name in names)]
    order = ["loss", "mae", "mae", "mse_loss", "mean_squared_error_loss", "mae_1"]
    logs = model.evaluate(X, (Y, Y), verbose=0, return_dict=True)
    assert model.evaluate(X, (Y, Y), verbose=0) == [logs[name] for name in order]


@pytest.mark.parametrize(
    ("form", "losses_", "metrics_", "names"),
    [
        (
            lambda a, b, c: {"z": a, "y": b},
            {"z": "mse", "y": "mae"},
            {"z": ["mae"], "y": ["mse"]},
            ["loss", "y_loss", "y_mse", "z_loss", "z_mae"],
        ),
        (
            lambda a, b, c: {"a": a, "n": {"b": b, "c": c}},
            {"a": "mse", "n": {"b": "mse", "c": "mae"}},
            {"a": ["mse"], "n": {"b": ["mae"], "c": ["mse"]}},
            ["a_loss", "loss", "mae", "mse", "mse_1", "n/b_loss", "n/c_loss"],
        ),
        (
            lambda a, b, c: (a, (b, c)),
            ("mse", ("mae", "log_cosh")),
            (["mae"], (["mse"], ["mape"])),
            ["1/log_cosh_loss", "1/mae_loss", "loss", "mae", "mape", "mse", "mse_loss"],
        ),
    ],
    ids=["dict", "dict of dicts", "tuple of tuples"],
)
def test_trees_of_outputs(backend: Backend, form: Any, losses_: Any, metrics_: Any, names: list[str]) -> None:
    model = still(Outputs(form), losses_, metrics=metrics_, weighted_metrics=[])
    labels = form(Y, 2 * Y, 3 * Y)
    logs = model.evaluate(X, labels, verbose=0, return_dict=True)
    assert list(logs) == names
    assert list(model.fit(X, labels, verbose=0).history) == names
    total = sum(value for name, value in logs.items() if name.endswith("_loss"))
    assert logs["loss"] == pytest.approx(total, rel=1e-5)


def test_outputs_of_a_graph_that_lie_deeper(backend: Backend) -> None:
    x = Input((3,))
    a, b, c = (layers.Dense(1, name=name)(x) for name in "abc")
    model = still(Model(x, [a, [b, c]]), ["mse", ["mse", "mae"]], metrics=[["mae"], [["mae"], []]])
    logs = model.evaluate(X, [Y, [Y, Y]], verbose=0, return_dict=True)
    assert list(logs) == ["1/b_loss", "1/c_loss", "a_loss", "a_mae", "b_mae", "loss"]


@pytest.mark.parametrize(
    ("losses_", "metrics_", "labels", "wanted"),
    [
        (["mse", None], [["mae"], None], Y, [0]),
        ([lambda t, p: ops.mean(ops.square(t - p), -1), None], None, [Y], [0]),
        ([None, "mse"], [None, ["mae"]], Y, [1]),
        (["mse", None], None, [Y, Y], [0]),
    ],
    ids=["a name", "a function", "the second", "labels for all"],
)
def test_a_loss_for_one_of_two_outputs(backend: Backend, losses_: Any, metrics_: Any, labels: Any, wanted: Any) -> None:
    x = Input((3,))
    model = still(Model(x, [layers.Dense(1, name=name)(x) for name in "ab"]), losses_, metrics=metrics_)
    output = model.predict(X, verbose=0)[wanted[0]]
    logs = model.fit(X, labels, batch_size=40, verbose=0).history
    assert list(logs) == ([f"{'ab'[wanted[0]]}_mae"] if metrics_ else []) + ["loss"]
    assert logs["loss"] == pytest.approx([squared(Y, output)], rel=1e-5)
    assert model.evaluate(X, labels, verbose=0, return_dict=True)["loss"] == pytest.approx(logs["loss"][0], rel=1e-5)
    if metrics_:
        (mae,) = logs[f"{'ab'[wanted[0]]}_mae"]
        assert mae == pytest.approx(np.mean(np.abs(Y - output)), rel=1e-5)


# ---- names of metrics ----------------------------------------------------------------------------------------------


def test_metrics_are_called_by_their_functions(backend: Backend) -> None:
    def MyMetric(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.abs(y_true - y_pred), -1)

    class CallMe:
        def __call__(self, y_true: Any, y_pred: Any) -> Any:
            return MyMetric(y_true, y_pred)

    given = [MyMetric, lambda t, p: MyMetric(t, p), functools.partial(MyMetric), CallMe(), losses.MeanSquaredError()]
    model = linear(metrics=[*given, "MSE"])
    names = ["loss", "my_metric", "lambda", "partial", "call_me", "mean_squared_error", "MSE"]
    logs = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert list(logs) == sorted(names)
    assert model.metrics_names == names
    assert len({round(logs[name], 5) for name in names[1:5]}) == 1


def test_a_metric_keeps_its_name_on_several_outputs_and_in_another_model(backend: Backend) -> None:
    mine, x = metrics.MeanAbsoluteError(name="mine"), Input((3,))
    model = still(Model(x, [layers.Dense(1, name=name)(x) for name in "ab"]), metrics=[[mine], [mine]])
    logs = model.evaluate(X, [Y, Y], verbose=0, return_dict=True)
    assert list(logs) == ["a_loss", "a_mine", "b_loss", "b_mine", "loss"]
    assert logs["a_mine"] == logs["b_mine"]
    assert mine.name == "mine"
    assert list(linear(metrics=[mine]).evaluate(X, Y, verbose=0, return_dict=True)) == ["loss", "mine"]


def test_metrics_of_one_output_by_any_name(backend: Backend) -> None:
    model = linear(metrics={"any name": ["mae", "mse"]})
    assert list(model.evaluate(X, Y, verbose=0, return_dict=True)) == ["loss", "mae", "mse"]


def test_callbacks_find_which_values_are_better(backend: Backend) -> None:
    """The metrics of `compile` are one in `model.metrics`, and have the names of their outputs in logs alone."""
    x = Input((3,))
    model = still(Model(x, [layers.Dense(1, name=name)(x) for name in "ab"]), metrics=[["mae"], ["r2_score"]])
    for monitor, best in (("val_a_mae", "down"), ("b_r2_score", "up"), ("val_a_loss", "down")):
        stopping = callbacks.EarlyStopping(monitor, patience=1)
        history = model.fit(X, [Y, Y], epochs=4, verbose=0, callbacks=[stopping], validation_data=(X, [Y, Y])).history
        assert len(history["loss"]) == 2
        assert stopping._direction() == best


# ---- the metrics of `compile` as one -------------------------------------------------------------------------------


def test_a_loop_over_metrics_gives_weights_to_weighted_ones_alone(backend: Backend) -> None:
    class Looping(Sequential):
        def test_step(self, data: Any) -> Any:
            x, y, weights = data
            y_pred = self(x)
            loss = self.compute_loss(x, y, y_pred, weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred, sample_weight=weights)
            return {metric.name: metric.result() for metric in self.metrics}

    model = linear(Looping, metrics=["mae"], weighted_metrics=["mse"])
    weights = np.linspace(0.0, 1.0, 40).astype("float32")
    error = np.abs(model.predict(X, verbose=0) - Y)[:, 0]
    logs = model.evaluate(X, Y, sample_weight=weights, batch_size=40, verbose=0, return_dict=True)
    assert list(logs) == ["mae", "mse", "loss"]
    assert logs["mae"] == pytest.approx(error.mean(), rel=1e-5)
    assert logs["mse"] == pytest.approx(np.average(error**2, weights=weights), rel=1e-5)
    assert [metric.name for metric in model.metrics] == ["loss", "compile_metrics"]


def test_logs_of_a_users_step_in_lists(backend: Backend) -> None:
    class Own(Sequential):
        def test_step(self, data: Any) -> Any:
            return {
                "z": ops.mean(data[0]),
                "mae": ops.mean(data[1]),
                "loss": ops.sum(data[1]),
                "b": {"y": 1.0, "a": 2.0},
            }

    model = linear(Own, metrics=["mae"])
    values = [Y.sum(), Y.mean(), 2.0, 1.0, X.mean()]  # the model's own metrics, then the others by name
    np.testing.assert_allclose(model.evaluate(X, Y, batch_size=40, verbose=0), values, rtol=1e-4)
    np.testing.assert_allclose(model.test_on_batch(X, Y), values, rtol=1e-4)


# ---- losses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["crossentropy", "ce"])
@pytest.mark.parametrize(
    ("units", "activation", "labels", "same"),
    [
        (1, "sigmoid", np.arange(40)[:, None] % 2, "binary_crossentropy"),
        (3, "softmax", np.arange(40) % 3, "sparse_categorical_crossentropy"),
        (3, "softmax", np.eye(3)[np.arange(40) % 3], "categorical_crossentropy"),
    ],
)
def test_crossentropy_by_the_shapes(
    backend: Backend, name: str, units: int, activation: str, labels: np.ndarray, same: str
) -> None:
    model = still(Sequential([Input((3,)), layers.Dense(units, activation)]), name)
    (loss,) = model.fit(X, labels, verbose=0).history["loss"]
    assert still(model, same).evaluate(X, labels, verbose=0) == pytest.approx(loss, rel=1e-5)


class OneNumber(losses.Loss):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.square(y_true - y_pred))


@pytest.mark.parametrize("loss", [lambda t, p: ops.mean(ops.square(t - p)), OneNumber()], ids=["function", "class"])
def test_a_loss_of_ones_own_may_be_one_number(backend: Backend, loss: Any) -> None:
    """Weights of samples then scale it by their mean, and a mask by the share of what counts, which is all."""
    model = still(Sequential([Input((3,)), layers.Dense(1)]), loss)
    expected = squared(Y, model.predict(X, verbose=0))
    weights = np.linspace(0.0, 3.0, 40).astype("float32")
    (weighted,) = model.fit(X, Y, sample_weight=weights, batch_size=40, verbose=0).history["loss"]
    assert weighted == pytest.approx(expected * weights.mean(), rel=1e-5)
    rows = np.ones((6, 4, 1), "float32")
    rows[:, 2:] = 0.0
    model = still(Sequential([Input((4, 1)), layers.Masking(), layers.Dense(1, use_bias=False)]), loss)
    expected = squared(np.ones_like(rows), model.predict(rows, verbose=0))
    assert model.evaluate(rows, np.ones_like(rows), verbose=0) == pytest.approx(expected, rel=1e-5)


def test_what_layers_add_to_the_loss_is_summed(backend: Backend) -> None:
    class Adding(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(0.1 * ops.square(inputs))
            self.add_loss(ops.mean(inputs))
            return inputs

    model = still(Sequential([Input((3,)), Adding(), layers.Dense(1)]))
    expected = squared(Y, model.predict(X, verbose=0)) + 0.1 * (X**2).sum() + X.mean()
    (loss,) = model.fit(X, Y, batch_size=40, verbose=0).history["loss"]
    assert loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*are broadcast to")
@pytest.mark.parametrize("name", ["hinge", "squared_hinge", "categorical_hinge"])
def test_hinge_losses_broadcast_labels(backend: Backend, name: str) -> None:
    labels = np.sign(Y)
    model = still(Sequential([Input((3,)), layers.Dense(3)]), name, metrics=[name])
    p = model.predict(X, verbose=0)
    margin = np.maximum(1.0 - labels * p, 0.0)
    expected = {
        "hinge": margin.mean(),
        "squared_hinge": (margin**2).mean(),
        "categorical_hinge": np.maximum(((1 - labels) * p).max(-1) - (labels * p).sum(-1) + 1, 0.0).mean(),
    }[name]
    np.testing.assert_allclose(model.evaluate(X, labels, verbose=0), [expected] * 2, rtol=1e-5)
