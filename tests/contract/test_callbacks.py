"""Callbacks on each backend: which hooks are called when, early stopping, learning rates."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contract.small_model import DATA, Feed, X, Y, small_model
from polykeras import callbacks, metrics
from polykeras.backend import Backend
from polykeras.models import Sequential


class Log(callbacks.Callback):
    """Writes the calls of all hooks down."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def of(self, hook: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == hook]


def _hook(name: str) -> Callable[..., None]:
    def hook(self: Log, *args: Any, **by_name: Any) -> None:
        *place, logs = *args, *by_name.values()
        self.calls.append((name, *place, dict(logs)))

    return hook


BATCH_HOOKS = [name for name in vars(callbacks.Callback) if re.fullmatch(r"on_\w+_batch_\w+", name)]
OTHER_HOOKS = [name for name in vars(callbacks.Callback) if name.startswith("on_") and "batch" not in name]


class EpochLog(Log):
    """As `Log`, for hooks of epochs and runs."""


for _name in OTHER_HOOKS:
    setattr(EpochLog, _name, _hook(_name))


class BatchLog(EpochLog):
    """As `Log`, for all hooks."""


for _name in BATCH_HOOKS:
    setattr(BatchLog, _name, _hook(_name))


# ---- hooks -----------------------------------------------------------------------------------------------------------


def test_hooks_of_fit(backend: Backend) -> None:
    log = BatchLog()
    model = small_model()
    history = model.fit(**DATA, epochs=2, validation_data=(X[:8], Y[:8]), callbacks=log)
    epoch = ["on_epoch_begin"]
    epoch += ["on_train_batch_begin", "on_train_batch_end"] * 3
    epoch += ["on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end", "on_epoch_end"]
    assert [call[0] for call in log.calls] == ["on_train_begin", *epoch, *epoch, "on_train_end"]
    assert [batch for batch, _ in log.of("on_train_batch_end")] == [0, 1, 2] * 2
    assert [number for number, _ in log.of("on_epoch_begin")] == [0, 1]
    assert log.model is model
    assert log.params == {"verbose": 0, "epochs": 2, "steps": 3}
    for number, logs in log.of("on_epoch_end"):
        assert logs == {name: values[number] for name, values in history.history.items()}
        assert all(type(value) is float for value in logs.values())
    assert set(history.history) == {"loss", "val_loss"}
    assert history.epoch == [0, 1]
    assert model.history is history


def test_every_batch_is_seen(backend: Backend) -> None:
    # The loss is a running mean: of the rows seen so far.
    log = BatchLog()
    model = small_model(rate=1e-9)
    model.fit(**DATA, shuffle=False, callbacks=[log])
    errors = (model.predict(X, verbose=0) - Y) ** 2
    expected = [errors[:8].mean(), errors[:16].mean(), errors.mean()]
    assert [logs["loss"] for _, logs in log.of("on_train_batch_end")] == pytest.approx(expected, rel=1e-5)


def test_hooks_of_evaluate_and_predict(backend: Backend) -> None:
    log = BatchLog()
    model = small_model()
    loss = model.evaluate(**DATA, callbacks=[log])
    steps = ["on_test_batch_begin", "on_test_batch_end"] * 3
    assert [call[0] for call in log.calls] == ["on_test_begin", *steps, "on_test_end"]
    assert log.of("on_test_end")[-1] == ({"loss": loss},)
    log.calls.clear()
    found = model.predict(X, batch_size=8, verbose=0, callbacks=[log])
    steps = ["on_predict_batch_begin", "on_predict_batch_end"] * 3
    assert [call[0] for call in log.calls] == ["on_predict_begin", *steps, "on_predict_end"]
    first = backend.to_numpy(log.of("on_predict_batch_end")[0][1]["outputs"])
    np.testing.assert_allclose(first, found[:8], rtol=1e-6)


def test_hooks_of_epochs_leave_steps_in_chunks(backend: Backend) -> None:
    seen: list[int] = []

    class PerChunk(callbacks.Callback):
        per_chunk = True

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            seen.append(batch)

    x = np.zeros((400, 3), np.float32)
    small_model().fit(x, x[:, :1], batch_size=1, verbose=0, callbacks=[EpochLog(), PerChunk()])
    assert seen[-1] == 399
    assert len(seen) < 400
    seen.clear()
    small_model().fit(x, x[:, :1], batch_size=10, verbose=0, callbacks=[BatchLog(), PerChunk()])
    assert seen == list(range(40))


def test_legacy_names_of_hooks(backend: Backend) -> None:
    class Old(callbacks.Callback):
        batches: list[int] = []  # noqa: RUF012

        def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            self.batches.append(batch)

    small_model().fit(**DATA, callbacks=[Old()])
    assert Old.batches == [0, 1, 2]


def test_lambda_callback(backend: Backend) -> None:
    calls: list[Any] = []
    callback = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: calls.append(("epoch", epoch, sorted(logs))),
        on_train_batch_begin=lambda batch, logs: calls.append(batch),
        on_test_end=lambda logs: calls.append("test"),
    )
    small_model().fit(**DATA, validation_data=(X, Y), callbacks=[callback])
    assert calls == [0, 1, 2, "test", ("epoch", 0, ["loss", "val_loss"])]
    with pytest.raises(TypeError, match=r"no hook 'on_epoch_ends'. Did you mean 'on_epoch_end'"):
        callbacks.LambdaCallback(on_epoch_ends=print)


def test_what_is_no_callback() -> None:
    with pytest.raises(ValueError, match="callbacks must be Callback objects; received"):
        callbacks.CallbackList([print], None, {})  # type: ignore[list-item]


def test_stopping_within_an_epoch(backend: Backend) -> None:
    class Stop(BatchLog):
        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            super().on_train_batch_end(batch, logs)
            self.model.stop_training = batch == 1

    log = Stop()
    history = small_model().fit(**DATA, epochs=5, callbacks=[log])
    assert len(log.of("on_train_batch_end")) == 2
    assert len(log.of("on_train_end")) == 1
    assert history.epoch == [0]


# ---- early stopping --------------------------------------------------------------------------------------------------


def stops_after(values: list[float], **arguments: Any) -> tuple[int, callbacks.EarlyStopping, Sequential]:
    stopping = callbacks.EarlyStopping(monitor="value", **arguments)
    model = small_model()
    history = model.fit(**DATA, epochs=len(values), callbacks=[Feed("value", values), stopping])
    return len(history.epoch), stopping, model


@pytest.mark.parametrize(
    ("values", "arguments", "epochs"),
    [
        ([3.0, 2.0, 2.0, 1.0], {}, 3),
        ([3.0, 4.0, 2.0, 5.0, 5.0, 0.0], {"patience": 2}, 5),
        ([3.0, 4.0, 5.0, 2.0], {"mode": "max"}, 4),
        ([3.0, 2.9, 2.8, 2.7], {"min_delta": 0.15}, 2),
        ([3.0, 2.9, 2.8, 2.7], {"min_delta": 0.15, "patience": 2}, 4),
        ([3.0, 4.0, 4.0, 4.0, 4.0, 4.0], {"start_from_epoch": 3}, 5),
        # An improvement that does not reach the baseline does not stop, nor does it earn patience.
        ([5.0, 4.0, 4.5, 3.0], {"baseline": 2.0, "patience": 3}, 3),
        ([5.0, 1.0, 4.5, 3.0, 3.0, 0.0], {"baseline": 2.0, "patience": 3}, 5),
        ([1.0, float("nan"), 0.0], {}, 2),
        ([2.0, 3.0], {"patience": 5}, 2),
    ],
)
def test_early_stopping(backend: Backend, values: list[float], arguments: dict[str, Any], epochs: int) -> None:
    done, stopping, _ = stops_after(values, **{"mode": "min"} | arguments)
    assert done == epochs
    assert stopping.stopped_epoch == (epochs - 1 if epochs < len(values) else stopping.stopped_epoch)


def test_best_weights_are_restored(backend: Backend) -> None:
    kept: list[np.ndarray] = []
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()[0]))
    stopping = callbacks.EarlyStopping("value", patience=2, mode="min", restore_best_weights=True)
    model = small_model()
    feed = Feed("value", [3.0, 1.0, 2.0, 2.0, 0.0])
    model.fit(**DATA, epochs=5, callbacks=[keep, feed, stopping])
    assert len(kept) == 4
    assert stopping.best_epoch == 1
    assert not np.array_equal(kept[1], kept[3])
    np.testing.assert_array_equal(model.get_weights()[0], kept[1])
    assert stopping.best == 1.0
    # The same callback in a second run begins anew.
    feed.values = [9.0]
    model.fit(**DATA, callbacks=[feed, stopping])
    assert stopping.best == 9.0


def test_direction_of_metrics(backend: Backend) -> None:
    model = small_model(metrics.R2Score(), "mae", metrics.MeanMetricWrapper(lambda y, p: p, "mine"))
    model.fit(**DATA)
    for monitor, improves in (("val_r2_score", True), ("mae", False), ("val_loss", False), ("out_loss", False)):
        callback = callbacks.MonitorCallback(monitor)
        callback.set_model(model)
        assert callback.is_better(2.0, 1.0) is improves
        assert callback.is_better(1.0, 1.0) is False
        assert callback.is_better(1.0, None) is True
    callback = callbacks.MonitorCallback("val_mine")
    callback.set_model(model)
    with pytest.raises(ValueError, match=r"whether 'val_mine' should grow or shrink is not known. Pass mode='max'"):
        callback.is_better(2.0, 1.0)


def test_monitor_that_is_not_there(backend: Backend) -> None:
    with pytest.warns(
        UserWarning, match=r"EarlyStopping: the logs have no 'val_loss'. fit has no validation data.*There are l"
    ):
        small_model().fit(**DATA, callbacks=[callbacks.EarlyStopping()])
    with pytest.raises(ValueError, match=r"must be a scalar; received an array of shape \(2,\)"):
        callbacks.MonitorCallback("f").monitored({"f": np.ones(2)})
    with pytest.raises(ValueError, match="mode must be 'auto', 'min' or 'max'; received 'least'"):
        callbacks.EarlyStopping(mode="least")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_terminate_on_nan(backend: Backend, bad: float, capsys: pytest.CaptureFixture[str]) -> None:
    class Spoil(callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            if epoch == 2:
                self.model.set_weights([np.full((3, 1), bad, np.float32), np.zeros(1, np.float32)])

    history = small_model().fit(**DATA, epochs=6, callbacks=[Spoil(), callbacks.TerminateOnNaN()])
    assert history.epoch == [0, 1, 2]
    assert "training ends" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match=r"The loss is .* Try a smaller learning rate"):
        small_model().fit(**DATA, epochs=6, callbacks=[Spoil(), callbacks.TerminateOnNaN(raise_error=True)])


# ---- learning rates --------------------------------------------------------------------------------------------------


def test_learning_rate_scheduler(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model(rate=0.1)
    seen: list[tuple[int, float]] = []

    def halve(epoch: int, rate: float) -> float:
        seen.append((epoch, rate))
        return rate / 2

    history = model.fit(**DATA, epochs=3, callbacks=[callbacks.LearningRateScheduler(halve, verbose=1)])
    assert seen == [(0, 0.1), (1, 0.05), (2, 0.025)]
    assert history.history["learning_rate"] == [0.05, 0.025, 0.0125]
    assert capsys.readouterr().out.splitlines()[0] == "Epoch 1: the learning rate is set to 0.05"
    model.fit(**DATA, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 0.25)])
    assert float(model.optimizer.learning_rate) == 0.25
    with pytest.raises(ValueError, match=r"must return a float; received 1 .int. for epoch 0"):
        model.fit(**DATA, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 1)])


def test_a_changed_rate_is_used(backend: Backend) -> None:
    # The compiled step takes the rate from its variable: a rate of 0 changes nothing.
    model = small_model(rate=0.1)
    model.fit(**DATA)
    before = model.get_weights()[0]
    model.fit(**DATA, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 0.0)])
    np.testing.assert_array_equal(model.get_weights()[0], before)


@pytest.mark.parametrize(
    ("values", "arguments", "rates"),
    [
        ([3.0, 3.0, 3.0, 2.0, 2.0], {"patience": 1, "factor": 0.5}, [8.0, 8.0, 4.0, 2.0, 2.0]),
        ([3.0, 3.0, 3.0, 3.0, 3.0], {"patience": 2, "factor": 0.5}, [8.0, 8.0, 8.0, 4.0, 4.0]),
        ([3.0, 3.0, 3.0, 3.0, 3.0], {"patience": 1, "factor": 0.5, "cooldown": 2}, [8.0, 8.0, 4.0, 4.0, 2.0]),
        ([3.0, 3.0, 3.0, 3.0, 3.0], {"patience": 1, "factor": 0.5, "min_lr": 3.0}, [8.0, 8.0, 4.0, 3.0, 3.0]),
        ([3.0, 2.9, 2.8, 2.7, 2.6], {"patience": 1, "factor": 0.5, "min_delta": 0.15}, [8.0, 8.0, 4.0, 4.0, 2.0]),
        ([3.0, 4.0, 4.0, 5.0, 6.0], {"patience": 1, "factor": 0.5, "mode": "max"}, [8.0, 8.0, 8.0, 4.0, 4.0]),
    ],
)
def test_reduce_on_plateau(
    backend: Backend, values: list[float], arguments: dict[str, Any], rates: list[float]
) -> None:
    reduce = callbacks.ReduceLROnPlateau("value", **{"mode": "min"} | arguments)
    model = small_model(rate=8.0)
    data = DATA | {"x": 0 * X, "y": 0 * Y}
    history = model.fit(**data, epochs=5, callbacks=[Feed("value", values), reduce])
    assert history.history["learning_rate"] == rates


def test_factor_of_reduce() -> None:
    with pytest.raises(ValueError, match=r"factor must be less than 1; received 1.5"):
        callbacks.ReduceLROnPlateau(factor=1.5)
