"""Optimizers and learning-rate schedulers of PyTorch over our models: in a loop, around `torch.compile`, and in `fit`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import Model, layers, use_backend

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.needs("torch"), pytest.mark.cpu_only("tensors are made on the host")]

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X.sum(1, keepdims=True) * 0.5 + 0.1
EPOCHS = 12
SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "step": lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=4, gamma=0.5),
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=EPOCHS),
    "one cycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=EPOCHS + 1),
    "plateau": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=0.9, factor=0.5),
}


@pytest.fixture(autouse=True)
def on_torch() -> Iterator[None]:
    with use_backend("torch") as backend:
        asked = backend.native.parameters.requested
        yield
        backend.native.parameters.requested = asked


def step_of(scheduler: Any, loss: float) -> None:
    scheduler.step(*([loss] if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau) else []))


class WithTorchOptimizer(Model):
    torch_optimizer: Any = None

    def train_step(self, data: Any) -> Any:
        x, y = data
        loss = torch.nn.functional.mse_loss(self(x, training=True), y)
        self.torch_optimizer.zero_grad()
        loss.backward()
        self.torch_optimizer.step()
        return {"loss": loss}


def made(cls: Any = Model) -> Any:
    keras.utils.set_random_seed(2)
    inputs = layers.Input((3,))
    return cls(inputs, layers.Dense(1)(layers.Dense(8, activation="tanh")(inputs)))


def plain_torch(name: str, model: Any) -> tuple[list[float], list[float]]:
    """Return losses and learning rates of the same training by PyTorch alone."""
    first, second = (layer.get_weights() for layer in model.layers[1:])
    weights = [torch.nn.Parameter(torch.tensor(w)) for w in (*first, *second)]

    def call(x: Any) -> Any:
        return torch.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3]

    return loop(name, weights, call)


def loop(name: str, parameters: Any, call: Any) -> tuple[list[float], list[float]]:
    """Return losses and learning rates of a training by a function and its parameters."""
    optimizer = torch.optim.Adam(parameters, lr=0.05)
    scheduler = SCHEDULERS[name](optimizer)
    losses, rates = [], []
    for _ in range(EPOCHS):
        loss = torch.nn.functional.mse_loss(call(torch.from_numpy(X)), torch.from_numpy(Y))
        optimizer.zero_grad()
        loss.backward()
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        step_of(scheduler, loss.item())
        losses.append(loss.item())
    return losses, rates


def by_fit(name: str, model: Any) -> tuple[list[float], list[float]]:
    model.compile()
    model.torch_optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    scheduler = SCHEDULERS[name](model.torch_optimizer)
    rates: list[float] = []

    class Schedules(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            rates.append(model.torch_optimizer.param_groups[0]["lr"])
            step_of(scheduler, logs["loss"])

    with pytest.warns(RuntimeWarning, match="plain Python.*outlive"):
        history = model.fit(X, Y, batch_size=32, epochs=EPOCHS, callbacks=[Schedules()], verbose=0).history
    return history["loss"], rates


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("place", ["eager", "torch.compile", "fit"])
def test_schedulers_of_torch(name: str, place: str) -> None:
    model = made(WithTorchOptimizer)
    expected = plain_torch(name, model)
    if place == "fit":
        found = by_fit(name, model)
    else:
        call = torch.compile(model, backend="eager") if place == "torch.compile" else model
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's compiler about what it leaves to Python
            found = loop(name, model.parameters(), call)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-6)
    assert len(set(found[1])) > 1, "the rate moves"
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-3, atol=1e-6)
    assert found[0][-1] < 0.5 * found[0][0]
