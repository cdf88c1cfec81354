"""Copies and pickles of compiled, trained models: they go on as the original would have."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Input, Model, Sequential, layers, optimizers
from polykeras.backend import Backend
from polykeras.optimizers.schedules import ExponentialDecay
from training.linear import X, Y

pytestmark = pytest.mark.cpu_only("memory that a framework on the CPU uses in place")

COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda model: pickle.loads(pickle.dumps(model))}


class Net(Model):
    """A subclassed model with layers in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [layers.Dense(4, "tanh"), layers.BatchNormalization(), layers.Dense(1)]

    def call(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x


def functional() -> Model:
    """Return a model with two branches."""
    x = Input((3,))
    return Model(x, layers.add([layers.Dense(1)(layers.Dropout(0.5)(x)), layers.Dense(1, kernel_regularizer="l2")(x)]))


MODELS: dict[str, Callable[[], Model]] = {
    "sequential": lambda: Sequential([Input((3,)), layers.Dense(4, "relu"), layers.Dropout(0.3), layers.Dense(1)]),
    "late": lambda: Sequential([layers.Dense(4, "relu"), layers.Dense(1)]),
    "functional": functional,
    "subclassed": Net,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", MODELS)
def test_a_copy_goes_on_as_the_original(backend: Backend, name: str, how: str) -> None:
    model = MODELS[name]()
    optimizer = optimizers.AdamW(0.01)
    optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if "bias" in v.path])
    model.compile(optimizer, "mse", metrics=["mae"])
    model.fit(X, Y, batch_size=10, verbose=0)
    twin = COPIES[how](model)
    before = model.get_weights()
    curves = []
    for each in (twin, model):
        each.optimizer.learning_rate = ExponentialDecay(0.01, 10, 0.5)  # nothing that was compiled before serves
        polykeras.utils.set_random_seed(1)
        each.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False)
        curves.append(each.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False).history)
        if each is twin:  # nothing of the original moved
            for old, now in zip(before, model.get_weights(), strict=True):
                np.testing.assert_array_equal(now, old)
    assert curves[0] == curves[1]
    assert int(twin.optimizer.iterations) == int(model.optimizer.iterations) == 24
    for a, b in zip(twin.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(twin.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_pickle_is_read_on_another_backend(all_backends: list[Backend]) -> None:
    for first in all_backends:
        with polykeras.use_backend(first.name):
            model = MODELS["functional"]()
            model.compile(optimizers.LossScaleOptimizer("adam"), "mse")
            model.fit(X, Y, verbose=0)
            data, predictions = pickle.dumps(model), model.predict(X, verbose=0)
        for second in all_backends:
            with polykeras.use_backend(second.name):
                twin = pickle.loads(data)
                np.testing.assert_allclose(twin.predict(X, verbose=0), predictions, rtol=1e-4, atol=1e-6)
                twin.fit(X, Y, verbose=0)


def test_a_copied_function_compiles_anew(backend: Backend) -> None:
    total = polykeras.Variable(1.0)
    add = polykeras.function(lambda x: x + total)
    assert float(add(1.0)) == 2.0
    other = copy.deepcopy(add)
    assert float(other(2.0)) == 3.0


def test_a_shallow_copy_has_steps_of_its_own(backend: Backend) -> None:
    class Scaled(Sequential):
        scale = 1.0

        def predict_step(self, data: Any) -> Any:
            return super().predict_step(data) * self.scale

    model = Scaled([Input((3,)), layers.Dense(1)])
    expected = model.predict(X, verbose=0)
    other = copy.copy(model)
    other.scale = 2.0
    np.testing.assert_array_equal(other.predict(X, verbose=0), 2 * expected)
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)


def test_a_shallow_copy_of_a_layer_adds_losses_of_its_own(backend: Backend) -> None:
    dense = layers.Dense(2, activity_regularizer="l2")
    dense(X)
    twin = copy.copy(dense)
    twin(2 * X)
    assert len(dense.losses) == len(twin.losses) == 1
    assert float(twin.losses[0]) > float(dense.losses[0]) > 0


def test_clones_of_a_compiled_model_are_compiled(backend: Backend) -> None:
    model = Sequential([Input((3,)), layers.Dense(2)])
    assert not polykeras.models.clone_model(model).compiled
    model.compile(optimizers.SGD(0.25, momentum=0.5), "mae", metrics=["mse"])
    clone = polykeras.models.clone_model(model)
    assert clone.optimizer is not model.optimizer
    clone.fit(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"), verbose=0)
    assert (int(model.optimizer.iterations), int(clone.optimizer.iterations)) == (0, 1)
