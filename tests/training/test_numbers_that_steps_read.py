"""Numbers in attributes, closures and globals that a step reads count as they are now, compiled or not.

A step that is compiled reads them while it is traced, and is traced again when one of them changes. A number that the
step itself changes is told by a warning, since it changes once a trace. Losses are known by hand: they are the number.
"""

from __future__ import annotations

import functools
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polykeras import Input, Model, Sequential, callbacks, layers, losses, metrics, ops, optimizers, regularizers
from polykeras.backend import Backend

X = np.ones((8, 3), "float32")
Y = np.zeros((8, 1), "float32")
RATES = {"beta": 0.0}
BETA = 0.0


class Beta(Model):
    """Its loss is `beta`. `traces` counts how often its code runs."""

    def __init__(self, beta: Any = 0.0) -> None:
        super().__init__()
        self.dense = layers.Dense(1)
        self.beta = beta
        self.traces: list[int] = []

    def call(self, inputs: Any) -> Any:
        self.traces.append(1)
        return self.dense(inputs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        if training:
            return self.beta + 0.0 * ops.mean(y_pred)
        return ops.mean(y_pred) * 0.0


class Setting(callbacks.Callback):
    """Sets `beta` to 0, 1, 2, ... by a hook."""

    def __init__(self, hook: str) -> None:
        super().__init__()
        setattr(self, hook, self._set)

    def _set(self, number: int, logs: Any = None) -> None:
        self.model.beta = float(number)


def compiled(model: Any, loss: Any = None, optimizer: Any = "sgd", **kwargs: Any) -> Any:
    model.compile(optimizer, loss, **kwargs)
    return model


def zeros(*parts: Any, **kwargs: Any) -> Any:
    """A compiled model whose outputs are the sum of a sample, 3 each."""
    return compiled(Sequential([Input((3,)), *parts, layers.Dense(1, kernel_initializer="ones")]), **kwargs)


def frozen() -> Any:
    return optimizers.SGD(0.0)


# ---- when it changes -------------------------------------------------------------------------------------------------


def test_an_attribute_that_a_callback_sets(backend: Backend) -> None:
    model = compiled(Beta())
    run = model.fit(X, Y, batch_size=2, epochs=4, verbose=0, callbacks=[Setting("on_epoch_begin")])
    assert run.history["loss"] == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("stream", [False, True])
def test_within_an_epoch(backend: Backend, stream: bool) -> None:
    model = compiled(Beta())
    data = (((X[i : i + 2], Y[i : i + 2]) for i in range(0, 8, 2)),) if stream else (X, Y)
    sizes = {} if stream else {"batch_size": 2}
    run = model.fit(*data, **sizes, verbose=0, callbacks=[Setting("on_train_batch_begin")])
    assert run.history["loss"] == [1.5]


def test_between_runs_and_between_batches(backend: Backend) -> None:
    model = compiled(Beta())
    for beta in (1, 0.5, np.float64(0.25)):
        model.beta = beta
        assert model.fit(X, Y, verbose=0).history["loss"] == [float(beta)]
    model = compiled(Beta())
    for beta in (1, 0.5, 0.25):
        model.beta = beta
        assert model.train_on_batch(X, Y) == beta


def test_an_attribute_that_was_missing(backend: Backend) -> None:
    class Late(Beta):
        def compute_loss(self, **kwargs: Any) -> Any:  # type: ignore[override]
            return getattr(self, "late", 1.0) + 0.0 * ops.mean(kwargs["y_pred"])

    model = compiled(Late())
    assert model.train_on_batch(X, Y) == 1.0
    model.late = 2.0
    assert model.train_on_batch(X, Y) == 2.0


def test_a_dict_in_an_attribute(backend: Backend) -> None:
    class InDict(Beta):
        def compute_loss(self, **kwargs: Any) -> Any:  # type: ignore[override]
            return self.rates["beta"] + 0.0 * ops.mean(kwargs["y_pred"])

    model = compiled(InDict())
    model.rates = {"beta": 1.0}
    assert model.train_on_batch(X, Y) == 1.0
    model.rates["beta"] = 2.0
    assert model.train_on_batch(X, Y) == 2.0


def test_of_a_loss(backend: Backend) -> None:
    class Scaled(losses.Loss):
        def __init__(self) -> None:
            super().__init__()
            self.scale = 1.0

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return self.scale * ops.mean(y_pred, axis=-1)

    loss, huber = Scaled(), losses.Huber(delta=1.0)
    model, other = zeros(loss=loss, optimizer=frozen()), zeros(loss=huber, optimizer=frozen())
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(3.0)
    assert other.train_on_batch(X, Y) == pytest.approx(2.5)
    loss.scale = 2.0
    huber.delta = 2.0
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(6.0)
    assert other.train_on_batch(X, Y) == pytest.approx(4.0)


def test_of_a_metric(backend: Backend) -> None:
    class Scaled(metrics.Mean):
        scale = 1.0

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
            super().update_state(self.scale * y_pred)

    metric = Scaled()
    model = zeros(loss="mse", metrics=[metric])
    assert model.evaluate(X, Y, verbose=0)[1] == pytest.approx(3.0)
    metric.scale = 2.0
    assert model.evaluate(X, Y, verbose=0)[1] == pytest.approx(6.0)


def test_of_a_regularizer(backend: Backend) -> None:
    penalty = regularizers.L2(1.0)
    model = Sequential([Input((3,)), layers.Dense(1, kernel_initializer="ones", kernel_regularizer=penalty)])
    compiled(model, lambda y, p: 0.0 * p, frozen())
    assert model.train_on_batch(X, Y) == pytest.approx(3.0)
    penalty.l2 = 2.0
    assert model.train_on_batch(X, Y) == pytest.approx(6.0)


def test_of_a_layer(backend: Backend) -> None:
    class Scale(layers.Layer):
        factor = 1.0

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor

    scale = Scale()
    model = zeros(scale, loss="mse", optimizer=frozen())
    assert model.predict(X, verbose=0)[0, 0] == pytest.approx(3.0)
    assert model.train_on_batch(X, Y) == pytest.approx(9.0)
    scale.factor = 2.0
    assert model.predict(X, verbose=0)[0, 0] == pytest.approx(6.0)
    assert model.train_on_batch(X, Y) == pytest.approx(36.0)


def test_the_rate_of_a_dropout(backend: Backend) -> None:
    dropout = layers.Dropout(0.4, seed=1)
    model = zeros(dropout, loss="mse", optimizer=frozen())
    assert model.train_on_batch(X, Y) != pytest.approx(9.0)
    dropout.rate = 0.0
    assert model.train_on_batch(X, Y) == pytest.approx(9.0)


def test_an_activation_that_is_another_function(backend: Backend) -> None:
    model = zeros(loss="mse", optimizer=frozen())
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(9.0)
    model.layers[0].activation = ops.negative
    assert model.predict(X, verbose=0)[0, 0] == pytest.approx(-3.0)


def test_of_an_optimizer(backend: Backend) -> None:
    """The gradient of each weight is 1 throughout."""
    optimizer = optimizers.SGD(1.0, momentum=0.5)
    model = zeros(loss=lambda y, p: p, optimizer=optimizer)
    model.train_on_batch(X, Y)
    optimizer.momentum = 0.25
    model.train_on_batch(X, Y)
    np.testing.assert_allclose(model.get_weights()[0], np.full((3, 1), -1.25), rtol=1e-6)
    optimizer.clipvalue = 0.25
    model.train_on_batch(X, Y)
    np.testing.assert_allclose(model.get_weights()[0], np.full((3, 1), -1.8125), rtol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "name", "value"),
    [
        (optimizers.SGD, "momentum", 0.5),
        (optimizers.RMSprop, "centered", True),
        (optimizers.Adam, "amsgrad", True),
        (optimizers.Adam, "use_ema", True),
        (optimizers.Lion, "gradient_accumulation_steps", 2),
    ],
)
def test_an_argument_that_asks_for_other_state(backend: Backend, optimizer: Any, name: str, value: Any) -> None:
    for train in (False, True):  # its state is made by `build`, or by the first step
        made = optimizer(0.1)
        model = zeros(loss="mse", optimizer=made)
        model.train_on_batch(X, Y) if train else made.build(model.trainable_variables)
        setattr(made, name, value)
        with pytest.raises(ValueError, match=r"asks for other state. Expected .*; received .* Set it back"):
            model.train_on_batch(X, Y)


def test_averages_that_are_switched_off(backend: Backend) -> None:
    model = zeros(loss="mse", optimizer=optimizers.SGD(0.1, use_ema=True))
    model.train_on_batch(X, Y)
    model.optimizer.use_ema = False
    assert model.train_on_batch(X, Y) < 9.0


def test_of_a_schedule(backend: Backend) -> None:
    schedule = optimizers.schedules.ExponentialDecay(1.0, 1000, 1.0)
    model = zeros(loss=lambda y, p: p, optimizer=optimizers.SGD(schedule))
    model.train_on_batch(X, Y)
    schedule.initial_learning_rate = 0.5
    model.train_on_batch(X, Y)
    np.testing.assert_allclose(model.get_weights()[0], np.full((3, 1), -0.5), rtol=1e-6)


# ---- closures and globals --------------------------------------------------------------------------------------------


def test_a_closure_of_a_loss(backend: Backend) -> None:
    beta = 1.0
    model = zeros(loss=lambda y, p: beta + 0.0 * p)
    assert model.train_on_batch(X, Y) == 1.0
    beta = 2.0
    assert model.train_on_batch(X, Y) == 2.0


def test_a_global_of_a_helper(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def helper() -> float:
        return BETA

    model = zeros(loss=lambda y, p: helper() + 0.0 * p)
    assert model.train_on_batch(X, Y) == 0.0
    monkeypatch.setitem(globals(), "BETA", 3.0)
    assert model.train_on_batch(X, Y) == 3.0


def test_the_rate_of_an_optimizer_in_a_dict(backend: Backend) -> None:
    rates = {"now": 1.0}
    model = zeros(loss=lambda y, p: p, optimizer=optimizers.SGD(lambda: rates["now"]))

    class Halve(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            rates["now"] /= 2

    model.fit(X, Y, epochs=4, verbose=0, callbacks=[Halve()])
    np.testing.assert_allclose(model.get_weights()[0], np.full((3, 1), 1.0 - 1.875), rtol=1e-6)


def test_a_closure_of_a_regularizer_and_of_a_metric(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    factor = 1.0

    def penalty(w: Any) -> Any:
        return factor * ops.sum(w)

    def judged(y: Any, p: Any) -> Any:
        return RATES["beta"] + 0.0 * p

    model = Sequential([Input((3,)), layers.Dense(1, kernel_initializer="ones", kernel_regularizer=penalty)])
    compiled(model, lambda y, p: 0.0 * p, frozen(), metrics=[judged])
    assert model.train_on_batch(X, Y) == pytest.approx([3.0, 0.0])
    factor = 2.0
    assert model.train_on_batch(X, Y) == pytest.approx([6.0, 0.0])
    monkeypatch.setitem(RATES, "beta", 1.0)
    assert model.train_on_batch(X, Y) == pytest.approx([6.0, 1.0])


def test_globals_of_functions_in_all_kinds(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(self: Any, p: Any, by: float = 1.0) -> Any:
        return by * BETA * p

    class Kinds(Beta):
        @classmethod
        def of_class(cls) -> float:
            return BETA

        @property
        def shown(self) -> float:
            return BETA

        def __private(self) -> float:
            return BETA

        def compute_loss(self, **kwargs: Any) -> Any:  # type: ignore[override]
            number = self.of_class() + self.shown + self.__private() + self.bound()
            return number + 0.0 * ops.mean(kwargs["y_pred"])

    model = compiled(Kinds())
    model.bound = types.MethodType(functools.partial(scaled, p=1.0), model)
    for beta in (1.0, 2.0):
        monkeypatch.setitem(globals(), "BETA", beta)
        assert model.train_on_batch(X, Y) == 4 * beta


# ---- when nothing changes that is read -------------------------------------------------------------------------------


@pytest.fixture
def tracing(backend: Backend) -> Backend:
    """Each backend under test that traces."""
    if not backend.execution.compiles:
        pytest.skip(f"{backend.name} runs the step's Python code each time")
    return backend


def traces_of(model: Any, run: Callable[[], Any]) -> int:
    before = len(model.traces)
    run()
    return len(model.traces) - before


@pytest.mark.counts_runs
def test_nothing_is_traced_again(tracing: Backend) -> None:
    def fit(**kwargs: Any) -> Any:
        return model.fit(X, Y, batch_size=2, verbose=0, **kwargs)

    model = compiled(Beta(), optimizer=optimizers.SGD(lambda: RATES["beta"]), metrics=["mae"])
    fit(validation_data=(X, Y))
    assert traces_of(model, lambda: fit(epochs=2, validation_data=(X, Y))) == 0

    def others() -> None:
        model.evaluate(X, Y, verbose=0)
        model.predict(X, verbose=0)

    others()
    assert traces_of(model, lambda: (others(), fit(), others())) == 0
    model.stop_training = True
    model.note = "set from outside, and read by no step"
    zeros(loss="mse")  # another model is made
    assert traces_of(model, fit) == 0
    model.train_on_batch(X, Y)

    def batches() -> None:
        for i in range(3):
            model.note = i
            model.train_on_batch(X, Y)

    assert traces_of(model, batches) == 0


@pytest.mark.counts_runs
def test_a_number_that_comes_back(tracing: Backend) -> None:
    model = compiled(Beta())
    for beta in (0.0, 1.0):
        model.beta = beta
        model.train_on_batch(X, Y)
    for beta in (0.0, 1.0, 1.0, 0.0):
        model.beta = beta
        assert traces_of(model, lambda: model.train_on_batch(X, Y)) == 0
    assert model.train_on_batch(X, Y) == 0.0


@pytest.mark.counts_runs
def test_only_the_steps_that_read_a_number(tracing: Backend) -> None:
    class Judged(Beta):
        def test_step(self, data: Any) -> Any:
            self.traces.append(1)
            return super().test_step(data)

    model = compiled(Judged())
    model.evaluate(X, Y, verbose=0)
    model.beta = 1.0
    assert traces_of(model, lambda: model.evaluate(X, Y, verbose=0)) == 0


@pytest.mark.counts_runs
def test_numbers_that_a_step_sets_before_it_reads_them(tracing: Backend) -> None:
    class Noting(Beta):
        rows = 0

        def call(self, inputs: Any) -> Any:
            self.rows = int(inputs.shape[0])
            return self.dense(inputs) * (self.rows / self.rows)

    model = compiled(Noting())
    model.train_on_batch(X, Y)
    model.train_on_batch(X[:4], Y[:4])
    assert traces_of(model, lambda: [model.train_on_batch(X[:n], Y[:n]) for n in (8, 4, 8)]) == 0


# ---- what is told ----------------------------------------------------------------------------------------------------


class Counting(Beta):
    """A number of its own counts its steps, in vain where steps are compiled."""

    n = 0

    def train_step(self, data: Any) -> Any:
        self.n += 1
        return super().train_step(data)


@pytest.mark.counts_runs
def test_a_counter_is_told(tracing: Backend) -> None:
    model = compiled(Counting())
    with pytest.warns(RuntimeWarning, match=r"attribute `n` of Counting .* is changed by a step") as told:
        assert [model.train_on_batch(X[:n], Y[:n]) for n in (8, 8, 4)] == [0.0] * 3
    assert len({str(warning.message) for warning in told}) == 1
    assert traces_of(model, lambda: model.train_on_batch(X, Y)) == 0  # it is no reason to trace again


def test_a_number_that_changes_often_is_told(tracing: Backend) -> None:
    model = compiled(Beta())
    with pytest.warns(RuntimeWarning, match=r"attribute `beta` of Beta .* has changed .* this is value 9") as told:
        model.fit(X, Y, epochs=10, verbose=0, callbacks=[Setting("on_epoch_begin")])
    assert len({str(warning.message) for warning in told}) == 1


def test_values_that_are_equal(tracing: Backend) -> None:
    class Sized(Beta):
        size, rate = (1, 2), float("nan")

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs) * (self.size[0] if self.rate != 0 else 0)

    model = compiled(Sized())

    def again() -> None:
        model.size, model.rate = tuple(range(1, 3)), float("nan")
        model.train_on_batch(X, Y)

    again()
    assert traces_of(model, again) == 0


@pytest.mark.counts_runs
def test_what_threads_set_meanwhile(tracing: Backend) -> None:
    """Another thread sets a number while a step is traced."""

    class Slow(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.factor, self.during = 1.0, [lambda: None]

        def call(self, inputs: Any) -> Any:
            y = inputs * self.factor
            thread = threading.Thread(target=self.during[0])
            thread.start()
            thread.join()
            return y

    slow = Slow()
    model = zeros(slow, loss="mse")
    model.predict(X, verbose=0)
    slow.during[0] = lambda: setattr(slow, "factor", 2.0)
    model.predict(X[:4], verbose=0)
    slow.during[0] = lambda: None
    for rows in (8, 4):
        assert model.predict(X[:rows], verbose=0)[0, 0] == pytest.approx(6.0)


def test_a_counter_counts_where_steps_are_plain(backend: Backend) -> None:
    model = compiled(Counting(), run_eagerly=True)
    model.fit(X, Y, verbose=0)
    before = model.n
    model.fit(X, Y, epochs=2, verbose=0)
    assert model.n == before + 2


def test_a_counter_in_a_closure(tracing: Backend) -> None:
    steps = 0

    def loss(y: Any, p: Any) -> Any:
        nonlocal steps
        steps += 1
        return p

    model = zeros(loss=loss)
    with pytest.warns(RuntimeWarning) as told:
        assert len([model.train_on_batch(X, Y) for _ in range(2)]) == 2
    assert [str(w.message).split(",")[0] for w in told] == ["`steps`"]
    assert "takes from outside, is changed by a step" in str(told[0].message)


@pytest.mark.needs("torch")
def test_a_step_that_torch_runs_plainly(backend: Backend) -> None:
    if backend.name != "torch":
        pytest.skip("steps of other backends are compiled, or raise")

    class Looking(Counting):
        def call(self, inputs: Any) -> Any:
            y = super().call(inputs)
            return y if float(ops.stop_gradient(ops.mean(y))) > -1e9 else -y

    def trained(beta: float) -> float:
        model.beta = beta
        return model.train_on_batch(X, Y)

    model = compiled(Looking())
    with pytest.warns(RuntimeWarning) as told:
        assert list(map(trained, (1.0, 2.0, 3.0, 4.0))) == [1.0, 2.0, 3.0, 4.0]
    assert len(told) == 1
    assert "runs as plain Python" in str(told[0].message)
    assert model.n >= 4


@pytest.mark.needs("torch")
def test_a_shape_that_torch_runs_plainly_beside_one_that_is_compiled(backend: Backend) -> None:
    if backend.name != "torch":
        pytest.skip("steps of other backends are compiled, or raise")

    class Looking(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.factor = 1.0

        def call(self, inputs: Any) -> Any:
            y = inputs * self.factor
            return -y if inputs.shape[0] == 4 and float(ops.sum(y)) < -1e9 else y

    looking = Looking()
    model = zeros(looking, loss="mse")
    with pytest.warns(RuntimeWarning, match="runs as plain Python"):
        assert [model.predict_on_batch(X[:rows])[0, 0] for rows in (8, 4)] == [3.0, 3.0]
    looking.factor = 2.0
    with pytest.warns(RuntimeWarning, match="runs as plain Python"):
        assert [model.predict_on_batch(X[:rows])[0, 0] for rows in (8, 4)] == [6.0, 6.0]
