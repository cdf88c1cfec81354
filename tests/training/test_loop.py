"""The loop itself: logs and their names, numbers of traces, steps of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Input, Model, Sequential, layers, ops
from polykeras.backend import Backend
from polykeras.optimizers import schedules

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def linear(cls: Any = Sequential, **kwargs: Any) -> Any:
    """Return a compiled linear model with fixed initial weights."""
    model = cls([layers.Dense(1, input_dim=3, kernel_initializer="ones")])
    model.compile(**{"optimizer": polykeras.optimizers.SGD(0.1), "loss": "mse", **kwargs})
    return model


class Counting(Sequential):
    """Counts how often its steps run as Python."""

    traces = 0

    def train_step(self, data: Any) -> Any:
        self.traces += 1
        return super().train_step(data)

    def test_step(self, data: Any) -> Any:
        self.traces += 1
        return super().test_step(data)


# ---- logs --------------------------------------------------------------------------------------------------------


def two_outputs(**kwargs: Any) -> Model:
    """Return a model with the outputs `a` (a number) and `b` (three classes), compiled."""
    x = Input((3,), name="x")
    a = layers.Dense(1, name="a")(x)
    model = Model(x, [a, layers.Dense(3, activation="softmax", name="b")(x)])
    model.compile("sgd", **{"loss": ["mse", "sparse_categorical_crossentropy"], **kwargs})
    return model


LABELS = [Y, np.arange(40) % 3]

SPECS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "losses alone": ({}, ["loss", "a_loss", "b_loss"]),
    "flat list": ({"metrics": ["mae", "accuracy"]}, ["loss", "a_loss", "b_loss", "a_mae", "b_accuracy"]),
    "list of lists": (
        {"metrics": [["mae", "mse"], ["accuracy"]]},
        ["loss", "a_loss", "b_loss", "a_mae", "a_mse", "b_accuracy"],
    ),
    "dict": ({"metrics": {"b": "accuracy"}}, ["loss", "a_loss", "b_loss", "b_accuracy"]),
    "weighted": (
        {"metrics": {"b": ["accuracy"]}, "weighted_metrics": {"a": ["mae"], "b": ["accuracy"]}},
        ["loss", "a_loss", "b_loss", "b_accuracy", "a_mae", "weighted_b_accuracy"],
    ),
    "dict of losses": (
        {"loss": {"a": "mae", "b": "sparse_categorical_crossentropy"}, "loss_weights": {"a": 2.0}},
        ["loss", "a_loss", "b_loss"],
    ),
    "one loss": ({"loss": {"a": "mse"}}, ["loss", "a_loss"]),
    "an object": (
        {"metrics": [[polykeras.metrics.MeanSquaredError(name="own")], None]},
        ["loss", "a_loss", "b_loss", "a_own"],
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_names_and_order_of_logs(backend: Backend, name: str) -> None:
    spec, names = SPECS[name]
    model = two_outputs(**spec)
    history = model.fit(X, LABELS, batch_size=20, validation_split=0.5, verbose=0)
    assert list(history.history) == [*names, *(f"val_{n}" for n in names)]
    logs = model.evaluate(X, LABELS, batch_size=20, verbose=0, return_dict=True)
    values = model.evaluate(X, LABELS, batch_size=20, verbose=0)
    assert list(logs) == names == model.metrics_names
    assert values == list(logs.values())
    assert all(type(value) is float for value in values)


def test_single_batches_give_the_same_names(backend: Backend) -> None:
    model = two_outputs(metrics=["mae", "accuracy"])
    logs = model.train_on_batch(X, LABELS, return_dict=True)
    assert list(logs) == ["loss", "a_loss", "b_loss", "a_mae", "b_accuracy"]
    model.reset_metrics()
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
        "weighted_a_mae": np.average(np.abs(a - Y)[:, 0], weights=weights),
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
    with pytest.raises(ValueError, match="takes instances; received the class MeanAbsoluteError"):
        two_outputs(metrics=[polykeras.metrics.MeanAbsoluteError, None])
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
    model.reset_metrics()
    model.test_on_batch(X[:20], Y[:20])
    together = model.test_on_batch(X[20:], Y[20:])  # single batches accumulate
    np.testing.assert_allclose(together, first, rtol=1e-5)


# ---- steps -------------------------------------------------------------------------------------------------------


def test_steps_per_epoch_take_a_part_of_arrays(backend: Backend) -> None:
    model = linear(optimizer=polykeras.optimizers.SGD(0.0))
    loss = model.fit(X, Y, batch_size=10, steps_per_epoch=2, shuffle=False, verbose=0).history["loss"][0]
    assert loss == pytest.approx(float(np.mean((X.sum(1, keepdims=True) - Y)[:20] ** 2)), rel=1e-5)
    assert int(model.optimizer.iterations) == 2
    assert model.predict(X, batch_size=16, steps=2, verbose=0).shape == (32, 1)
    assert model.evaluate(X, Y, batch_size=10, steps=2, verbose=0) == pytest.approx(loss, rel=1e-6)
    with pytest.raises(ValueError, match="5 steps of epoch 1 were asked for and 4 came"):
        model.fit(X, Y, batch_size=10, steps_per_epoch=5, verbose=0)


def test_traces_are_one_for_each_shape_of_batch(backend: Backend) -> None:
    if not backend.is_compiled():
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
    assert model.traces == traces + 1


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


# ---- one's own steps ---------------------------------------------------------------------------------------------


class OwnStep(Sequential):
    """The training step written by hand, with two metrics of its own."""

    def __init__(self, parts: Any) -> None:
        super().__init__(parts)
        self.mean = polykeras.metrics.Mean(name="mean")
        self.largest = polykeras.metrics.Mean(name="largest")

    def train_step(self, data: Any) -> Any:
        x, y = data[0], data[1]

        def loss() -> Any:
            return ops.mean(ops.square(self(x, training=True) - y))

        value, gradients = polykeras.value_and_grad(loss, self.trainable_variables)()
        self.optimizer.apply(gradients, self.trainable_variables)
        self.mean.update_state(value)
        self.largest.update_state(ops.max(ops.abs(y)))
        return {"mean": self.mean.result(), "largest": self.largest.result()}


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_train_step_of_ones_own(backend: Backend, eagerly: bool) -> None:
    model = OwnStep([layers.Dense(1, input_dim=3, kernel_initializer="ones")])
    model.compile(polykeras.optimizers.SGD(0.1), run_eagerly=eagerly)
    history = model.fit(X, Y, batch_size=20, epochs=3, shuffle=False, verbose=0).history
    reference = linear()
    expected = reference.fit(X, Y, batch_size=20, epochs=3, shuffle=False, verbose=0).history["loss"]
    assert list(history) == ["mean", "largest"]
    np.testing.assert_allclose(history["mean"], expected, rtol=1e-5)
    np.testing.assert_allclose(model.get_weights()[0], reference.get_weights()[0], rtol=1e-5)
    sizes = [np.abs(Y[:20]).max(), np.abs(Y[20:]).max()]
    np.testing.assert_allclose(history["largest"], [np.mean(sizes)] * 3, rtol=1e-5)  # reset at each epoch


def test_two_optimizers_and_a_schedule(backend: Backend) -> None:
    class Game(Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = layers.Dense(1, kernel_initializer="ones")
            self.second = layers.Dense(1, kernel_initializer="ones")

        def compile(self, first: Any, second: Any) -> None:
            super().compile()
            self.first_optimizer, self.second_optimizer = first, second

        def train_step(self, data: Any) -> Any:
            x, y = data[:2]
            for part, optimizer in ((self.first, self.first_optimizer), (self.second, self.second_optimizer)):
                loss, gradients = (
                    polykeras.value_and_grad(
                        lambda part=part: ops.mean(ops.square(part(x) - y)), part.trainable_variables
                    )()
                    if part.built
                    else (part(x), None)
                )
                if gradients is not None:
                    optimizer.apply(gradients, part.trainable_variables)
            return {"loss": ops.mean(loss)}

    game = Game()
    game.first.build((None, 3))
    game.second.build((None, 3))
    rate = schedules.ExponentialDecay(0.1, 1, 0.5)
    game.compile(polykeras.optimizers.SGD(0.1), polykeras.optimizers.SGD(rate, momentum=0.9))
    game.fit(X, Y, batch_size=20, shuffle=False, epochs=2, verbose=0)
    reference = linear()
    reference.fit(X, Y, batch_size=20, shuffle=False, epochs=2, verbose=0)
    np.testing.assert_allclose(game.first.kernel.numpy(), reference.get_weights()[0], rtol=1e-5)
    assert (int(game.first_optimizer.iterations), int(game.second_optimizer.iterations)) == (4, 4)


def test_run_eagerly_sees_values(backend: Backend) -> None:
    seen = []

    class Curious(Sequential):
        def train_step(self, data: Any) -> Any:
            logs = super().train_step(data)
            try:
                seen.append(float(ops.convert_to_numpy(logs["loss"])))
            except TypeError:  # on shapes alone, before the first step
                seen.append(None)
            return logs

    model = Curious([layers.Dense(1, input_dim=3)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(X, Y, batch_size=20, epochs=2, verbose=0)
    assert [type(v) for v in seen if v is not None] == [float] * 4


def test_a_step_called_by_hand_sees_the_model_as_it_is_now(backend: Backend) -> None:
    model = Sequential([layers.Dense(2, input_dim=3), layers.Dense(1)])
    model.compile(polykeras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    model.layers[0].trainable = False
    before = model.get_weights()
    batch = tuple(map(backend.asarray, (X, Y)))
    logs = model.train_step(batch)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True]
    model.compile("sgd", "mae")
    assert list(logs) == ["loss", "mae"]
    assert list(model.test_step(batch)) == ["loss"]


def test_layers_keep_no_values_of_a_compiled_step(backend: Backend) -> None:
    class Penalty(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(ops.mean(inputs))
            return inputs

    model = Sequential([layers.Dense(1, input_dim=3), Penalty()])
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert model.losses == []
    model(X)
    assert float(ops.convert_to_numpy(model.losses[0])) == pytest.approx(
        float(model.predict(X, verbose=0).mean()), rel=1e-4
    )


# ---- errors within a step ----------------------------------------------------------------------------------------


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
