"""PyTorch's idiom in published forms, where `backward()` is the first that native code asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import layers, use_backend

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.needs("torch"), pytest.mark.cpu_only("tensors are made on the host")]

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = np.arange(8) % 2


@pytest.fixture(autouse=True)
def on_torch() -> Iterator[None]:
    with use_backend("torch") as backend:
        asked, backend.native.parameters.requested = backend.native.parameters.requested, False
        yield
        backend.native.parameters.requested = asked


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(2, activation="softmax", kernel_initializer="ones")

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def functional() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Dense(2, activation="softmax", kernel_initializer="ones")(inputs))


@pytest.mark.parametrize("make", [functional, Subclassed])
def test_a_loop_whose_first_step_begins_with_backward(make: Any) -> None:
    model, loss_fn, optimizer = make(), keras.losses.SparseCategoricalCrossentropy(), keras.optimizers.SGD(0.5)

    def train_step(inputs: Any, targets: Any) -> Any:
        predictions = model(inputs, training=True)
        loss = loss_fn(targets, predictions)
        loss.backward()
        gradients = [weight.value.grad for weight in model.trainable_weights]
        with torch.no_grad():
            optimizer.apply(gradients, model.trainable_weights)
        model.zero_grad()
        return loss

    losses = [float(train_step(X, Y).detach()) for _ in range(3)]
    other = functional()
    other.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    expected = [float(other.train_on_batch(X, Y)) for _ in range(3)]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_a_neutral_program_gets_no_parameters() -> None:
    model = functional()
    assert not model(X).requires_grad
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    assert all(variable.native_parameter is None for variable in model.variables)
    with torch.no_grad():
        assert not model(X, training=True).requires_grad
    other = functional()
    assert other(X, training=True).requires_grad
    assert not model(X).requires_grad
