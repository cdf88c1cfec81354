"""Training steps of a user's own: one code, compiled on every backend, with the same numbers."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from parity.experiments import worst
from polykeras import layers, ops
from polykeras.backend import Backend


class WGAN(keras.Model):
    """A Wasserstein GAN with gradient penalty (Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028)."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = keras.Sequential(
            [keras.Input((4,)), layers.Dense(16, activation="gelu"), layers.BatchNormalization(), layers.Dense(2)]
        )
        self.critic = keras.Sequential([keras.Input((2,)), layers.Dense(16, activation="tanh"), layers.Dense(1)])
        self.seed = keras.random.SeedGenerator(3)
        self.critic_loss = keras.metrics.Mean(name="critic_loss")
        self.generator_loss = keras.metrics.Mean(name="generator_loss")
        self.python_runs: list[int] = []

    def compile(self, critic_optimizer: Any, generator_optimizer: Any) -> None:  # type: ignore[override]
        super().compile()
        self.critic_optimizer = critic_optimizer
        self.generator_optimizer = generator_optimizer

    def train_step(self, data: Any) -> dict[str, Any]:
        self.python_runs.append(1)
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        n = ops.shape(x)[0]
        noise = keras.random.normal((n, 4), seed=self.seed)
        share = keras.random.uniform((n, 1), seed=self.seed)

        def critic_loss() -> Any:
            fake = self.generator(noise, training=True)
            between = share * x + (1.0 - share) * fake
            slope = keras.grad(lambda z: ops.sum(self.critic(z)))(between)
            length = ops.sqrt(ops.sum(ops.square(slope), axis=1) + 1e-12)
            gap = ops.mean(self.critic(fake)) - ops.mean(self.critic(x))
            return gap + 10.0 * ops.mean(ops.square(length - 1.0))

        weights = self.critic.trainable_variables
        loss, gradients = keras.value_and_grad(critic_loss, weights)()
        self.critic_optimizer.apply(gradients, weights)
        self.critic_loss.update_state(loss)

        def generator_loss() -> Any:
            return -ops.mean(self.critic(self.generator(noise, training=True)))

        weights = self.generator.trainable_variables
        loss, gradients = keras.value_and_grad(generator_loss, weights)()
        self.generator_optimizer.apply(gradients, weights)
        self.generator_loss.update_state(loss)
        return {m.name: m.result() for m in (self.critic_loss, self.generator_loss)}


class VAE(keras.Model):
    """A variational autoencoder (Kingma and Welling, 2013, https://arxiv.org/abs/1312.6114)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = keras.Sequential([keras.Input((2,)), layers.Dense(16, activation="gelu"), layers.Dense(4)])
        self.decoder = keras.Sequential([keras.Input((2,)), layers.Dense(16, activation="gelu"), layers.Dense(2)])
        self.seed = keras.random.SeedGenerator(5)
        self.mean_loss = keras.metrics.Mean(name="loss_of_vae")
        self.python_runs: list[int] = []

    def train_step(self, data: Any) -> dict[str, Any]:
        self.python_runs.append(1)
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)

        def loss() -> Any:
            mean, log_variance = ops.split(self.encoder(x), 2, axis=-1)
            code = mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.seed)
            error = ops.sum(ops.square(self.decoder(code) - x), axis=-1)
            divergence = -0.5 * ops.sum(1.0 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=-1)
            return ops.mean(error + divergence)

        value, gradients = keras.value_and_grad(loss, self.trainable_variables)()
        self.optimizer.apply(gradients, self.trainable_variables)
        self.mean_loss.update_state(value)
        return {"loss_of_vae": self.mean_loss.result()}


def points() -> np.ndarray:
    """Return 512 points of the plane."""
    return np.random.default_rng(0).normal(size=(512, 2)).astype("float32") + 3


def make(kind: str) -> Any:
    """Return a compiled model, from a seed."""
    keras.utils.set_random_seed(0)
    if kind == "wgan":
        model: Any = WGAN()
        model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
        return model
    model = VAE()
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    return model


@cache
def reference(kind: str) -> dict[str, list[float]]:
    """The history of three epochs on the numpy backend."""
    with keras.use_backend("numpy"):
        return make(kind).fit(points(), epochs=3, verbose=0).history


@pytest.mark.parametrize("kind", ["wgan", "vae"])
def test_one_code_on_all_backends(kind: str, backend: Backend) -> None:
    """The losses agree to 1e-5, through gradients of gradients and random numbers of the step's own."""
    history, expected = make(kind).fit(points(), epochs=3, verbose=0).history, reference(kind)
    assert history.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-5, atol=1e-5)
    name = "critic_loss" if kind == "wgan" else "loss_of_vae"
    assert worst(history[name][-1:], history[name][:1]) > 0.01, "it trains"


@pytest.mark.parametrize("kind", ["wgan", "vae"])
def test_the_step_is_compiled(kind: str, backend: Backend) -> None:
    """Where the backend compiles, Python runs through the step in the first epoch and not again."""
    model = make(kind)
    model.fit(points(), verbose=0)
    first = len(model.python_runs)
    model.fit(points(), epochs=4, verbose=0)
    if backend.execution.compiles:
        assert 1 <= first < 6, "once for shapes, and to trace it"
        assert len(model.python_runs) == first
    else:
        assert first >= 16
        assert len(model.python_runs) == first + 4 * 16


def test_a_loop_without_fit(backend: Backend) -> None:
    """The same step, compiled by `polykeras.function` in a loop of the user's own, gives the same losses."""
    expected = reference("vae")["loss_of_vae"][0]
    model = make("vae")
    step = keras.function(model.train_step)
    # One draw belongs to the shuffle of `fit`.
    order = keras.random.host_generator(keras.random.draw_seed()).permutation(512)
    for batch in points()[order].reshape(16, 32, 2):
        logs = step(batch)
    np.testing.assert_allclose(float(logs["loss_of_vae"]), expected, rtol=1e-5)
