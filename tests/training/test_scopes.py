"""Scopes keep what is written in them; all kinds of variables take part in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import host
from polykeras import Variable, layers
from polykeras.backend import Backend
from polykeras.variables import Scope, functionalize


class Mistake(Exception):
    """An exception that no framework knows."""


# ---- scopes ----------------------------------------------------------------------------------------------------------


def test_a_scope_keeps_what_is_written_in_it(backend: Backend) -> None:
    a, b = Variable(1.0), Variable(2.0)
    with Scope([a], [backend.asarray(5.0)]) as scope:
        assert (float(host(a.value)), float(host(b.value))) == (5.0, 2.0)
        b.assign_add(1.0)
        with Scope() as inner:
            assert float(host(b.value)) == 3.0
            b.assign(9.0)
        assert inner.updates()[0] == [b] or inner.updates()[0][0] is b
        assert float(host(b.value)) == 3.0
        assert b.numpy() == 3.0
    assert (float(a), float(b)) == (1.0, 2.0)
    assert [float(host(v)) for v in scope.updates()[1]] == [3.0]


def test_an_exception_in_a_scope_leaves_variables_alone(backend: Backend) -> None:
    a = Variable(1.0)

    def fail() -> None:
        with Scope():
            a.assign(5.0)
            raise Mistake

    with pytest.raises(Mistake):
        fail()
    assert float(a) == 1.0
    a.assign(2.0)  # and no scope is left behind
    assert float(a) == 2.0


def test_functionalize_is_pure(backend: Backend) -> None:
    a, b = Variable(1.0), Variable(2.0)

    def fn(x: Any) -> Any:
        a.assign_add(x)
        return a * b

    pure = functionalize(fn, [a, b])
    state, result = pure([backend.asarray(10.0), backend.asarray(3.0)], backend.asarray(1.0))
    assert [float(host(s)) for s in state] == [11.0, 3.0]
    assert float(host(result)) == 33.0
    assert (float(a), float(b)) == (1.0, 2.0)


@pytest.mark.parametrize("where", ["function", "value_and_grad"])
def test_an_exception_in_a_function_leaves_variables_alone(backend: Backend, where: str) -> None:
    a = Variable(1.0)

    def fn() -> Any:
        a.assign(a * 2.0)
        raise Mistake("on purpose")

    run = polykeras.function(fn) if where == "function" else polykeras.value_and_grad(fn, a)
    for _ in range(2):
        with pytest.raises(Mistake, match="on purpose"):
            run()
        assert float(a) == 1.0


@pytest.mark.parametrize("eagerly", [False, True])
def test_an_exception_in_fit_leaves_variables_alone(backend: Backend, eagerly: bool) -> None:
    class Bad(polykeras.Sequential):
        fails = False

        def train_step(self, data: Any) -> Any:
            logs = super().train_step(data)
            if self.fails:
                raise Mistake("late in the step")
            return logs

    model = Bad([layers.Dense(2, input_dim=3), layers.Dropout(0.5)])
    model.compile(optimizer=polykeras.optimizers.SGD(0.1, momentum=0.9), loss="mse", run_eagerly=eagerly)
    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    model.fit(x, y, verbose=0)
    state = model.variables + model.optimizer.variables
    before = [v.numpy() for v in state]
    model.fails = True
    model.compile(optimizer=model.optimizer, loss="mse", run_eagerly=eagerly)
    with pytest.raises(Mistake, match="late in the step"):
        model.fit(x, y, verbose=0)
    for v, expected in zip(state, before, strict=True):
        np.testing.assert_array_equal(v.numpy(), expected, err_msg=v.path)
    model.fails = False
    model.compile(optimizer=model.optimizer, loss="mse", run_eagerly=eagerly)
    model.fit(x, y, verbose=0)


# ---- kinds of variables in training ----------------------------------------------------------------------------------


class Kinds(layers.Layer):
    """A layer with a weight under two names, a frozen one, one that is not trainable, and a counter."""

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], 1), initializer="ones", name="kernel")
        self.alias = self.kernel
        self.holder = {"again": [self.kernel]}
        self.offset = self.add_weight(shape=(1,), initializer="ones", trainable=False, name="offset")
        self.count = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="count")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.count.assign_add(1)
        return inputs @ self.kernel + inputs @ self.alias + self.offset


def test_aliased_integer_and_untrained_variables(backend: Backend) -> None:
    layer = Kinds()
    model = polykeras.Sequential([layers.Input((2,)), layer])
    assert [v.name for v in model.weights] == ["kernel", "offset", "count"]
    assert [v.name for v in model.trainable_weights] == ["kernel"]
    model.compile(optimizer=polykeras.optimizers.SGD(0.1), loss="mse")
    x = np.array([[1.0, 2.0]] * 4, "float32")
    model.fit(x, np.zeros((4, 1)), batch_size=2, epochs=1, shuffle=False, verbose=0)
    kernel = np.ones((2, 1))
    for _ in range(2):
        error = 2 * x[:2] @ kernel + 1.0
        kernel -= 0.1 * (2 * 2 * x[:2].T @ error / 2)
    np.testing.assert_allclose(layer.kernel.numpy(), kernel, rtol=1e-5)
    assert layer.offset.numpy().tolist() == [1.0]
    assert layer.count.numpy() == 2
    assert layer.count.numpy().dtype == np.int32


def test_a_layer_may_be_frozen_or_a_variable_alone(backend: Backend) -> None:
    model = polykeras.Sequential([layers.Dense(2, input_dim=2), layers.Dense(2), layers.Dense(1)])
    model.layers[0].trainable = False
    model.layers[1].bias.trainable = False
    assert [v.path.split("/")[-2:] for v in model.trainable_weights] == [
        [model.layers[1].name, "kernel"],
        [model.layers[2].name, "kernel"],
        [model.layers[2].name, "bias"],
    ]
    model.compile(optimizer="sgd", loss="mse")
    before = model.get_weights()
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, False, True, True]


def test_variables_made_during_a_call_are_trained(backend: Backend) -> None:
    class Lazy(polykeras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.steps: list[Any] = []

        def call(self, inputs: Any) -> Any:
            if not self.steps:
                self.steps = [layers.Dense(3), layers.Dense(1)]
            for step in self.steps:
                inputs = step(inputs)
            return inputs

    model = Lazy()
    model.compile(optimizer=polykeras.optimizers.SGD(0.05), loss="mse")
    history = model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=3, verbose=0)
    assert len(model.trainable_weights) == 4
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_an_initializer_with_a_seed_generator_draws_for_good(backend: Backend) -> None:
    generator = polykeras.random.SeedGenerator(3)
    initializer = polykeras.initializers.RandomNormal(seed=generator)
    model = polykeras.Sequential([layers.Dense(2, kernel_initializer=initializer) for _ in range(2)])
    model.compile(optimizer="sgd", loss="mse")
    model.fit(np.ones((4, 2)), np.ones((4, 2)), verbose=0, epochs=1)
    first, second = (layer.kernel.numpy() for layer in model.layers)
    assert not np.array_equal(first, second)
    assert generator.state.numpy()[2] == 2
