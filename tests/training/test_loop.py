"""The loop itself: numbers of steps and traces, stopping, validation, errors within a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, layers
from polykeras.backend import Backend, use_backend
from polykeras.optimizers import schedules
from polykeras.training.steps import CompiledStep, StepPlan
from polykeras.training.steps.sizes import MOST_STEPS, ChunkSize
from training.linear import X, Y, linear


class Counting(Sequential):
    """Counts how often its steps run as Python."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.runs: list[int] = []

    @property
    def traces(self) -> int:
        return len(self.runs)

    def train_step(self, data: Any) -> Any:
        self.runs.append(1)
        return super().train_step(data)

    def test_step(self, data: Any) -> Any:
        self.runs.append(1)
        return super().test_step(data)


# ---- steps -----------------------------------------------------------------------------------------------------------


def test_steps_per_epoch_take_a_part_of_arrays(backend: Backend) -> None:
    model = linear(optimizer=polykeras.optimizers.SGD(0.0))
    loss = model.fit(X, Y, batch_size=10, steps_per_epoch=2, shuffle=False, verbose=0).history["loss"][0]
    assert loss == pytest.approx(float(np.mean((X.sum(1, keepdims=True) - Y)[:20] ** 2)), rel=1e-5)
    assert int(model.optimizer.iterations) == 2
    assert model.predict(X, batch_size=16, steps=2, verbose=0).shape == (32, 1)
    assert model.evaluate(X, Y, batch_size=10, steps=2, verbose=0) == pytest.approx(loss, rel=1e-6)
    with pytest.warns(UserWarning, match="5 steps of epoch 1 were asked for and 4 came"):
        model.fit(X, Y, batch_size=10, steps_per_epoch=5, verbose=0)


def test_wrong_numbers_of_steps_are_called_what_the_user_calls_them() -> None:
    with use_backend("numpy"):
        model = linear()
        with pytest.raises(ValueError, match=r"^`steps` must be a positive int; received 0 \(int\)"):
            model.evaluate(X, Y, steps=0, verbose=0)
        with pytest.raises(ValueError, match=r"^`steps` must be a positive int; received -1 \(int\)"):
            model.predict(X, steps=-1, verbose=0)
        with pytest.raises(ValueError, match=r"^`steps_per_epoch` must be a positive int; received 0 \(int\)"):
            model.fit(X, Y, steps_per_epoch=0, verbose=0)
        with pytest.raises(ValueError, match=r"^`validation_steps` must be a positive int; received 1.5 \(float\)"):
            model.fit(X, Y, validation_data=(X, Y), validation_steps=1.5, verbose=0)


@pytest.mark.counts_runs
def test_traces_are_one_for_each_shape_of_batch(backend: Backend) -> None:
    if not backend.execution.compiles:
        pytest.skip(f"{backend.name} runs the step's Python code each time")
    model = linear(Counting, metrics=["mae"])
    model.fit(X, Y, batch_size=10, epochs=3, verbose=0)
    # once on shapes alone, to make what it needs; then for the batch of 10
    assert model.traces == 2
    model.fit(X, Y, batch_size=16, verbose=0)  # batches of 16, and a last one of 8
    assert model.traces == 4
    model.fit(X[:30], Y[:30], batch_size=10, epochs=2, verbose=0)  # other data, other number of steps
    model.fit(X, Y, batch_size=16, verbose=0)
    assert model.traces == 4
    model.evaluate(X, Y, batch_size=10, verbose=0)
    traces = model.traces
    model.evaluate(X, Y, batch_size=10, verbose=0)
    model.fit(X, Y, batch_size=10, validation_data=(X, Y), epochs=3, verbose=0)
    assert model.traces == traces
    for _ in range(3):
        model.train_on_batch(X[:10], Y[:10])
    assert model.traces == traces + 2  # once on shapes: the step begins metrics anew, and is another one


def test_a_schedule_in_place_of_a_rate_is_noticed(backend: Backend) -> None:
    model = linear()
    model.fit(X, Y, batch_size=40, verbose=0)
    before = model.get_weights()[0]
    model.optimizer.learning_rate = schedules.PiecewiseConstantDecay([2], [0.0, 0.1])
    model.fit(X, Y, batch_size=40, epochs=2, verbose=0)  # steps 1 and 2: the rate is 0
    np.testing.assert_array_equal(model.get_weights()[0], before)
    model.fit(X, Y, batch_size=40, epochs=1, verbose=0)
    assert not np.array_equal(model.get_weights()[0], before)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_spellings_of_keras_2(backend: Backend, decay: float) -> None:
    model = linear(optimizer=polykeras.optimizers.SGD(lr=0.1, decay=decay))
    model.fit(X, Y, batch_size=20, shuffle=False, verbose=0)
    w, b = np.ones((3, 1)), 0.0
    for i in range(2):
        x, y = X[20 * i : 20 * i + 20], Y[20 * i : 20 * i + 20]
        error = x @ w + b - y
        rate = 0.1 / (1 + decay * i)
        w, b = w - rate * 2 * x.T @ error / 20, b - rate * 2 * error.mean()
    np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-4)
    assert model.optimizer.lr is model.optimizer.learning_rate


@pytest.mark.parametrize("where", ["batch", "epoch"])
def test_stop_training(backend: Backend, where: str) -> None:
    class Stop(polykeras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if where == "epoch" and epoch == 1:
                self.model.stop_training = True

    class StopInside(polykeras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                self.model.stop_training = True

    model = linear()
    history = model.fit(
        X, Y, batch_size=10, epochs=5, callbacks=[Stop() if where == "epoch" else StopInside()], verbose=0
    )
    assert int(model.optimizer.iterations) == (8 if where == "epoch" else 2)
    assert history.epoch == ([0, 1] if where == "epoch" else [0])
    model.fit(X, Y, batch_size=10, verbose=0)  # the next one is not stopped
    assert int(model.optimizer.iterations) == (12 if where == "epoch" else 6)


@pytest.mark.parametrize("stream", [False, True])
def test_a_stopped_model_is_evaluated_on_all_data(backend: Backend, stream: bool) -> None:
    class Stop(polykeras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = True

    def batches() -> Any:
        return ((X[i : i + 1], Y[i : i + 1]) for i in range(len(X)))

    model = linear(optimizer=polykeras.optimizers.SGD(0.0))
    loss = np.mean((X.sum(1, keepdims=True) - Y) ** 2)
    history = model.fit(
        X,
        Y,
        callbacks=[Stop()],
        validation_data=batches() if stream else (X, Y),
        validation_batch_size=None if stream else 1,
        verbose=0,
    )
    assert history.history["val_loss"] == pytest.approx([loss], rel=1e-5)
    arguments: Any = (batches(),) if stream else (X, Y, 1)
    assert model.evaluate(*arguments, verbose=0) == pytest.approx(loss, rel=1e-5)
    with pytest.warns(UserWarning, match="50 steps were asked for and 40 came"):
        assert model.evaluate(batches(), steps=50, verbose=0) == pytest.approx(loss, rel=1e-5)


def test_callbacks_of_batches_see_each_of_them(backend: Backend) -> None:
    seen: list[Any] = []

    class See(polykeras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append((batch, round(logs["loss"], 4)))

        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append((batch, len(logs["outputs"])))

    model = linear(optimizer=polykeras.optimizers.SGD(0.0))
    model.fit(X, Y, batch_size=16, shuffle=False, callbacks=[See()], verbose=0)
    squares = (X.sum(1, keepdims=True) - Y) ** 2
    assert [b for b, _ in seen] == [0, 1, 2]
    np.testing.assert_allclose([v for _, v in seen], [squares[:n].mean() for n in (16, 32, 40)], rtol=1e-3)
    seen.clear()
    model.predict(X, batch_size=16, callbacks=[See()], verbose=0)
    assert seen == [(0, 16), (1, 16), (2, 8)]


def test_validation_at_the_epochs_that_are_listed(backend: Backend) -> None:
    history = linear().fit(X, Y, epochs=4, validation_data=(X, Y, np.ones(40)), validation_freq=[1, 4], verbose=0)
    assert (len(history.history["loss"]), len(history.history["val_loss"])) == (4, 2)


# ---- errors within a step --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eagerly", [False, True])
def test_errors_of_a_layer_name_it_and_its_place(backend: Backend, eagerly: bool) -> None:
    class Mistake(Exception):
        pass

    class Broken(layers.Layer):
        works = True

        def call(self, inputs: Any) -> Any:
            if not self.works:
                raise Mistake("on purpose")
            return inputs

    inner = Sequential([layers.Dense(2), Broken(name="culprit")], name="inner")
    model = Sequential([layers.Input((3,)), inner, layers.Dense(1)], name="outer")
    model.compile("sgd", "mse", run_eagerly=eagerly)
    model.fit(X, Y, batch_size=40, verbose=0)
    inner.layers[1].works = False
    with pytest.raises(Mistake) as caught:
        model.fit(X[:10], Y[:10], verbose=0)
    assert caught.value.args == ("on purpose",)
    notes = [note for note in caught.value.__notes__ if note.startswith("While calling")]
    assert notes == ["While calling Layer 'culprit' (Broken) of outer/inner/culprit with float32 (10, 2)."]


def test_labels_out_of_range_are_seen_wherever_they_come_from(backend: Backend) -> None:
    model = Sequential([layers.Dense(3, "softmax", input_dim=3, name="kind")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    good, bad = np.arange(40) % 3, np.arange(40) % 4
    words = "'kind' are out of range.*from 0 to 2; received 0 to 3"
    for call in (
        lambda: model.fit(X, good, validation_data=(X, bad), verbose=0),
        lambda: model.fit(iter([(X, bad)]), verbose=0),
        lambda: model.fit(X, good, validation_data=iter([(X, bad)]), verbose=0),
        lambda: model.evaluate(X, bad, verbose=0),
        lambda: model.evaluate(iter([(X, bad)]), verbose=0),
        lambda: model.train_on_batch(X, bad),
        lambda: model.test_on_batch(X, bad),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_steps_of_single_batches_see_what_changed(backend: Backend) -> None:
    model = Sequential([polykeras.Input((3,)), layers.Dense(4), layers.Dense(1)])
    model.compile(polykeras.optimizers.SGD(0.1), "mse")
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")

    def changed() -> list[bool]:
        before = model.get_weights()
        model.train_on_batch(x, y)
        return [bool((a != b).any()) for a, b in zip(before, model.get_weights(), strict=True)]

    assert changed() == [True] * 4
    model.layers[0].trainable = False
    assert changed() == [False, False, True, True]
    model.layers[0].trainable = True
    model.layers[1].kernel.trainable = False
    assert changed() == [True, True, False, True]
    model.optimizer.learning_rate = schedules.ExponentialDecay(0.0, 1, 0.5)
    assert changed() == [False] * 4


def test_nothing_is_looked_for_again_in_steps_of_single_batches(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Sequential([polykeras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
    model.train_on_batch(x, y)
    model.predict_on_batch(x)
    for _ in range(3):  # compiled from the third call on
        model(x)
    looked = []
    monkeypatch.setattr(type(model), "_fingerprint", lambda self: looked.append(1))
    for _ in range(3):
        model.train_on_batch(x, y)
        model.predict_on_batch(x)
        model(x)
    assert not looked


def test_parts_that_are_exchanged_are_noticed(backend: Backend) -> None:
    class Net(polykeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1, kernel_initializer="ones")
            self.extra: Any = layers.Lambda(lambda x: x * 10.0)

        def call(self, x: Any) -> Any:
            y = self.dense(x)
            return y if self.extra is None else self.extra(y)

    model = Net()
    model.compile(polykeras.optimizers.SGD(0.0), "mse")
    x, y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
    assert model.predict_on_batch(x)[0] == 30.0
    kept = model.extra
    model.extra = None
    assert model.predict_on_batch(x)[0] == 3.0
    model.extra = kept
    assert model.predict_on_batch(x)[0] == 30.0
    model.train_on_batch(x, y)
    assert model.predict_on_batch(x)[0] == 30.0
    other = polykeras.optimizers.SGD(1e-3)
    other.build(model.trainable_variables)
    model.train_on_batch(x, y)
    model.optimizer = other
    model.train_on_batch(x, y)
    assert int(other.iterations) == 1
    assert model.predict_on_batch(x)[0] != 30.0


def test_chunks_are_powers_of_two_of_about_a_length() -> None:
    size = ChunkSize()
    size.record(1, 2.0)  # it compiled
    assert size.steps == 1
    for steps, seconds, wanted in ((1, 1e-4, 8), (8, 8e-4, 64), (64, 64e-4, 512), (512, 0.09, 512), (512, 0.16, 256)):
        size.record(steps, seconds)
        assert size.steps == wanted
    size.record(1, 10.0)
    assert size.steps == 1
    for _ in range(20):
        size.record(size.steps, 1e-9)
    assert size.steps == MOST_STEPS
    fixed = ChunkSize(7)
    fixed.record(7, 1e-3)
    assert fixed.steps == 7


def test_what_small_batches_take_says_nothing_of_large_ones(backend: Backend) -> None:
    model = Sequential([layers.Input((2,)), layers.Dense(1)])
    step = CompiledStep(lambda batch: {}, StepPlan(model, "train", backend, model.variables))
    small, large = ((np.zeros((rows, 2), "float32"), np.zeros(rows, "float32"), None) for rows in (1, 128))
    for _ in range(2):
        step.sizes.chunk(small, None).record(1, 1e-6)
    assert step.sizes.chunk(small, None).steps == 8
    assert step.sizes.chunk(large, None).steps == 1
    assert step.sizes.chunk(large, 3).steps == 3


def test_a_run_within_another_leaves_its_chunks_alone() -> None:
    """A callback that watches batches is called for each, also after a `fit` of its own in between."""
    model = polykeras.Sequential([polykeras.Input((2,)), layers.Dense(1)])
    model.compile(loss="mse")
    x, y = np.ones((64, 2), "float32"), np.ones((64, 1), "float32")
    model.fit(x, y, 8, epochs=4, verbose=0)  # chunks have grown
    seen = []

    class Within(polykeras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(batch)
            if batch == 1:
                model.fit(x, y, 8, verbose=0)

    model.fit(x, y, 8, verbose=0, callbacks=[Within()])
    assert seen == list(range(8))
