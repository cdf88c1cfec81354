"""Callbacks as programs for Keras write them: how their hooks are called, what they are told, and what they may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import callbacks, layers, ops
from polykeras.backend import Backend, use_backend

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


def linear(rate: float = 0.01, metrics: Any = None, kind: type[keras.Sequential] = keras.Sequential) -> Any:
    model = kind([keras.Input((3,)), layers.Dense(1, "sigmoid", kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(rate), "mse", metrics=metrics)
    return model


# ---- how hooks are called ------------------------------------------------------------------------------------------


def test_hooks_of_batches_get_the_logs_by_name(backend: Backend) -> None:
    calls: list[Any] = []

    class Hooks(callbacks.Callback):
        def on_train_batch_end(self, batch: int, *, logs: Any = None) -> None:
            calls.append((batch, *logs))

        def on_batch_begin(self, batch: int, *, logs: Any = None) -> None:
            calls.append((batch, "begins"))

        def on_test_batch_end(self, batch: int, **kwargs: Any) -> None:
            calls.append((batch, *kwargs))

        def on_predict_batch_end(self, batch: int, **kwargs: Any) -> None:
            calls.append((batch, *kwargs))

    model = linear()
    more = callbacks.LambdaCallback(on_train_batch_end=lambda batch, **kwargs: calls.append((batch, *kwargs)))
    model.fit(X, Y, batch_size=12, verbose=0, callbacks=[Hooks(), more])
    assert calls == [(0, "begins"), (0, "loss"), (0, "logs"), (1, "begins"), (1, "loss"), (1, "logs")]
    calls.clear()
    model.evaluate(X, Y, verbose=0, callbacks=Hooks())
    model.predict(X, verbose=0, callbacks=Hooks())
    assert calls == [(0, "logs"), (0, "logs")]


def test_a_list_that_a_users_own_loop_calls(backend: Backend) -> None:
    """The logs are never None, and tensors become floats."""
    calls: list[Any] = []

    class Watch(callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            calls.append(logs)

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            calls.append(logs)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            calls.append(logs)

    both = callbacks.CallbackList([Watch()], add_history=True, model=linear())
    both.on_train_begin()
    both.on_epoch_begin(0)
    both.on_train_batch_end(0, {"loss": ops.ones(()), "each": np.ones(2), "count": 3})
    both.on_epoch_end(0, {"loss": ops.ones(())})
    both.on_train_end()
    assert calls[:2] == [{}, {}]
    assert set(calls[2]) == {"count", "each", "loss"}
    assert [type(calls[2][name]) for name in ("count", "loss")] == [float] * 2
    assert calls[2]["each"].tolist() == [1.0, 1.0]
    assert both.model.history.history == {"loss": [1.0]}


def test_what_callbacks_add_to_the_logs_stays_in_the_epoch() -> None:
    ends: list[Any] = []
    watch = callbacks.LambdaCallback(on_train_end=lambda logs: ends.append([*logs]))
    with use_backend("numpy"):
        history = linear().fit(X, Y, verbose=0, callbacks=[watch, callbacks.LearningRateScheduler(lambda _: 0.5)])
    assert [*history.history] == ["loss", "learning_rate"]
    assert ends == [["loss"]]


# ---- what may be a callback ----------------------------------------------------------------------------------------


def test_any_object_with_hooks_is_a_callback(backend: Backend) -> None:
    class Foreign:
        def __init__(self) -> None:
            self.calls: list[Any] = []

        def set_model(self, model: Any) -> None:
            self.model = model

        def set_params(self, params: Any) -> None:
            self.params = params

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.calls.append(batch)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.calls.append(sorted(logs))
            self.model.stop_training = True

    foreign, model = Foreign(), linear()
    model.fit(X, Y, batch_size=12, epochs=3, verbose=0, callbacks=[[foreign]])
    assert foreign.calls == [0, 1, ["loss"]]
    assert foreign.params["epochs"] == 3
    assert foreign.model is model
    for wrong in (object(), "early stopping", callbacks.EarlyStopping):
        with pytest.raises(
            ValueError, match="must be Callback objects; received .* needs hooks such as `on_epoch_end`"
        ):
            model.fit(X, Y, verbose=0, callbacks=[wrong])


def test_a_lambda_callback_keeps_what_else_it_is_given() -> None:
    assert callbacks.LambdaCallback(on_epoch_end=print, patience=3).patience == 3
    with pytest.raises(TypeError, match="there is no hook 'on_epochs_end'. Did you mean 'on_epoch_end'"):
        callbacks.LambdaCallback(on_epochs_end=print)


# ---- what they watch -----------------------------------------------------------------------------------------------


def test_a_metric_with_one_class_is_watched_as_a_number(backend: Backend, tmp_path: Any) -> None:
    """Its value has the shape (1,)."""
    model = linear(0.0, [keras.metrics.F1Score(threshold=0.5)])
    stop = callbacks.EarlyStopping("f1_score", patience=2, restore_best_weights=True)
    save = callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras", "f1_score", save_best_only=True)
    history = model.fit(X, Y, epochs=9, verbose=0, callbacks=[stop, save]).history
    predicted = X.sum(1, keepdims=True) > 0
    expected = 2 * (predicted * Y).sum() / (predicted.sum() + Y.sum())
    np.testing.assert_allclose(history["f1_score"], [[expected]] * 3, rtol=1e-5)
    assert [path.name for path in tmp_path.iterdir()] == ["1.keras"]


def test_a_users_metric_says_which_values_are_better() -> None:
    class Counted(keras.metrics.Metric):
        def __init__(self) -> None:
            super().__init__(name="counted")
            self.value = self.add_weight(name="value", initializer="zeros")
            self._direction = "up"

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.value.assign_add(1.0)

        def result(self) -> Any:
            return self.value

    with use_backend("numpy"):
        stop = callbacks.EarlyStopping("counted", patience=1)
        assert len(linear(0.0, [Counted()]).fit(X, Y, epochs=5, verbose=0, callbacks=stop).epoch) == 2
        assert stop.is_better(2.0, 1.0)


def test_a_history_of_several_runs() -> None:
    history = callbacks.History()
    with use_backend("numpy"):
        model = linear()
        model.fit(X, Y, epochs=2, verbose=0, callbacks=history)
        assert model.fit(X, Y, epochs=1, verbose=0, callbacks=history) is history
    assert len(history.history["loss"]) == 3
    assert history.epoch == [0]


# ---- what they steer -----------------------------------------------------------------------------------------------


def test_a_run_that_is_stopped_before_its_first_step_does_that_step(backend: Backend) -> None:
    class Stop(callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = True

        def on_test_begin(self, logs: Any = None) -> None:
            self.model.stop_evaluating = True

    model = linear()
    model.fit(X, Y, batch_size=2, epochs=2, verbose=0)  # chunks have become long
    before = int(model.optimizer.iterations)
    assert model.fit(X, Y, batch_size=2, epochs=2, verbose=0, callbacks=Stop()).epoch == [0]
    assert int(model.optimizer.iterations) == before + 1
    first = model.evaluate(X[:2], Y[:2], verbose=0)
    assert model.evaluate(X, Y, batch_size=2, verbose=0, callbacks=Stop()) == pytest.approx(first, rel=1e-5)


def test_no_epochs() -> None:
    with use_backend("numpy"):
        model = linear()
        before = model.get_weights()
        history = model.fit(X, Y, epochs=0, verbose=0, validation_data=(X, Y))
        np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert (history.history, history.epoch) == ({}, [])


def test_a_model_validates_by_its_own_evaluate(backend: Backend) -> None:
    given: list[Any] = []

    class Own(keras.Sequential):
        def evaluate(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
            given.append((x is X, y is Y, kwargs["steps"]))
            return {**super().evaluate(x, y, **kwargs), "extra": 1.0}

    history = linear(0.0, kind=Own).fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), validation_steps=3).history
    assert history["val_loss"] == pytest.approx(history["loss"], rel=1e-5)
    assert history["val_extra"] == [1.0, 1.0]
    assert given == [(True, True, 3)] * 2
