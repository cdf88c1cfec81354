"""Models with a framework's own objects inside its own compiler: `torch.compile`, `jax.jit`. TensorFlow's are in `tests/single`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras import Model, Sequential, layers, use_backend

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X.sum(1, keepdims=True) * 0.5 + 0.1


class OnTorch:
    """`torch.compile` traces a model with breaks; what it gives is what eager code gives."""

    @pytest.fixture(autouse=True)
    def on_torch(self) -> Iterator[None]:
        self.torch = pytest.importorskip("torch")
        with use_backend("torch") as backend, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's compiler about what it leaves to Python
            asked, backend.native.parameters.requested = backend.native.parameters.requested, True
            self.x, self.y = self.torch.from_numpy(X), self.torch.from_numpy(Y)
            yield
            backend.native.parameters.requested = asked

    def compiled(self, module: Any) -> Any:
        return self.torch.compile(module, backend="eager")

    def losses(self, call: Callable[[Any], Any], parameters: Any, steps: int = 12) -> list[float]:
        """Return the losses of a loop with an optimizer of torch's over what a module calls."""
        optimizer = self.torch.optim.SGD(parameters, lr=0.1)
        found = []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = self.torch.nn.functional.mse_loss(call(self.x), self.y)
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found


def ours(torch: Any) -> Any:
    return Sequential([keras.Input((3,)), layers.Dense(8, "tanh"), layers.Dense(1)])


def in_a_sequential_of_torch(torch: Any) -> Any:
    made = torch.nn.Sequential(layers.Dense(8, "tanh"), torch.nn.Linear(8, 4), layers.Dense(1))
    made(torch.from_numpy(X))  # builds
    return made


def module_as_an_attribute(torch: Any) -> Any:
    class Holds(Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = torch.nn.Linear(3, 8), layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.last(torch.tanh(self.first(x)))

    made = Holds()
    made(torch.from_numpy(X))
    return made


def wrapped_module(torch: Any) -> Any:
    return Sequential([keras.Input((3,)), layers.TorchModuleWrapper(torch.nn.Linear(3, 8)), layers.Dense(1)])


@pytest.mark.needs("torch")
@pytest.mark.cpu_only("tensors are made on the host")
class TestTorch(OnTorch):
    @pytest.mark.parametrize("make", [ours, in_a_sequential_of_torch, module_as_an_attribute, wrapped_module])
    def test_it_trains_as_in_eager_code(self, make: Any) -> None:
        module = make(self.torch)
        twin = make(self.torch)
        twin.load_state_dict(module.state_dict())
        eager = self.losses(module, module.parameters())
        assert eager[-1] < 0.5 * eager[0]
        np.testing.assert_allclose(self.losses(self.compiled(twin), twin.parameters()), eager, rtol=1e-4)

    def test_state_dicts(self) -> None:
        module, twin = ours(self.torch), ours(self.torch)
        compiled = self.compiled(module)
        compiled(self.x)
        state = {name.removeprefix("_orig_mod."): value for name, value in compiled.state_dict().items()}
        assert state.keys() == module.state_dict().keys()
        twin.load_state_dict(state)
        np.testing.assert_allclose(twin(self.x).detach(), compiled(self.x).detach(), rtol=1e-6)

    def test_optim_over_values(self) -> None:
        module = ours(self.torch)
        found = self.losses(self.compiled(module), [v.value for v in module.trainable_variables])
        assert found[-1] < 0.5 * found[0]

    def test_our_optimizer_under_no_grad(self) -> None:
        module = ours(self.torch)
        compiled, optimizer, found = self.compiled(module), keras.optimizers.Adam(0.05), []
        for _ in range(20):
            module.zero_grad()
            loss = self.torch.nn.functional.mse_loss(compiled(self.x), self.y)
            loss.backward()
            weights = list(module.trainable_weights)
            with self.torch.no_grad():
                optimizer.apply([v.value.grad for v in weights], weights)
            found.append(loss.item())
        assert found[-1] < 0.5 * found[0]

    def test_training_freezing_and_moving(self) -> None:
        module = Sequential([keras.Input((3,)), layers.Dense(64), layers.Dropout(0.5), layers.Dense(1)])
        compiled = self.compiled(module)
        module.eval()
        np.testing.assert_array_equal(compiled(self.x).detach(), compiled(self.x).detach())
        module.train()
        assert np.abs((compiled(self.x) - compiled(self.x)).detach().numpy()).max() > 0
        module.layers[0].requires_grad_(False)
        assert compiled.to("cpu") is compiled
        self.torch.nn.functional.mse_loss(compiled(self.x), self.y).backward()
        assert [p.grad is not None for p in module.parameters()] == [False, False, True, True]

    def test_training_freezing_and_moving_in_fit(self) -> None:
        module = ours(self.torch)
        module.compile("sgd", "mse")
        module.layers[0].requires_grad_(False)
        before = [w.copy() for w in module.get_weights()]
        module.to("cpu").eval()
        module.fit(X, Y, epochs=2, verbose=0)
        changed = [np.abs(a - b).max() > 0 for a, b in zip(before, module.get_weights(), strict=True)]
        assert changed == [False, False, True, True]
        module.layers[0].requires_grad_(True)
        module.compile("sgd", "mse")
        module.fit(X, Y, epochs=2, verbose=0)
        assert np.abs(before[0] - module.get_weights()[0]).max() > 0

    def test_a_sequential_of_torch_with_our_layers_in_fit(self) -> None:
        class Holds(Model):
            def __init__(self, body: Any) -> None:
                super().__init__()
                self.body = body

            def call(self, x: Any) -> Any:
                return self.body(x)

        model = Holds(in_a_sequential_of_torch(self.torch))
        model.compile(keras.optimizers.Adam(0.05), "mse")
        losses = model.fit(X, Y, epochs=15, batch_size=8, verbose=0).history["loss"]
        assert losses[-1] < 0.5 * losses[0]
        assert len(model.trainable_variables) == 6


@pytest.mark.needs("jax")
class TestJax:
    @pytest.fixture(autouse=True)
    def on_jax(self) -> Iterator[None]:
        self.jax = pytest.importorskip("jax")
        with use_backend("jax"):
            yield

    def loss(self, model: Any) -> Callable[[Any], Any]:
        others = model.non_trainable_variables

        def loss(weights: Any) -> Any:
            outputs, _ = model.stateless_call(weights, others, X, training=False)
            return self.jax.numpy.mean((outputs - Y) ** 2)

        return loss

    @pytest.mark.parametrize("compile_too", [False, True], ids=["eager", "jit"])
    def test_stateless_apply(self, compile_too: bool) -> None:
        model, optimizer = ours(None), keras.optimizers.Adam(0.05)
        optimizer.build(model.trainable_variables)
        slope = self.jax.value_and_grad(self.loss(model))

        def step(weights: Any, state: Any) -> Any:
            value, gradients = slope(weights)
            return value, *optimizer.stateless_apply(state, gradients, weights)

        run = self.jax.jit(step) if compile_too else step
        weights, state, found = model.trainable_variables, optimizer.variables, []
        for _ in range(20):
            value, weights, state = run(weights, state)
            found.append(float(value))
        assert found[-1] < 0.5 * found[0]

    def test_checkpoint_in_jit(self) -> None:
        model = ours(None)
        loss, weights = self.loss(model), [v.value for v in model.trainable_variables]
        plain, again = self.jax.grad(loss)(weights), self.jax.jit(self.jax.grad(self.jax.checkpoint(loss)))(weights)
        for a, b in zip(plain, again, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)

    def test_a_module_of_flax_in_jit(self) -> None:
        nn = pytest.importorskip("flax.linen")
        model = Sequential([keras.Input((3,)), layers.FlaxLayer(nn.Dense(8)), layers.Dense(1)])
        weights = [v.value for v in model.trainable_variables]
        assert len(weights) == 4
        value, gradients = self.jax.jit(self.jax.value_and_grad(self.loss(model)))(weights)
        assert float(value) == pytest.approx(float(np.mean((model.predict(X, verbose=0) - Y) ** 2)), rel=1e-5)
        expected = self.jax.grad(self.loss(model))(weights)
        for a, b in zip(gradients, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
