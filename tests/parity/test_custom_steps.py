"""Training steps of a user's own: one code, compiled on every backend, with the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from parity.experiments import worst

import polykeras as keras
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
        self.python_runs = 0

    def compile(self, critic_optimizer: Any, generator_optimizer: Any) -> None:  # type: ignore[override]
        super().compile()
        self.critic_optimizer = critic_optimizer
        self.generator_optimizer = generator_optimizer

    def train_step(self, data: Any) -> dict[str, Any]:
        self.python_runs += 1
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
        self.python_runs = 0

    def train_step(self, data: Any) -> dict[str, Any]:
        self.python_runs += 1
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


def train(kind: str, backend: Any) -> tuple[dict[str, list[float]], int]:
    """Return the history of three epochs of 16 steps, and how often Python ran through `train_step`."""
    x = np.random.default_rng(0).normal(size=(512, 2)).astype("float32") + 3
    with keras.use_backend(backend):
        keras.utils.set_random_seed(0)
        if kind == "wgan":
            model: Any = WGAN()
            model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
        else:
            model = VAE()
            model.compile(optimizer=keras.optimizers.Adam(1e-3))
        history = model.fit(x, epochs=3, batch_size=32, verbose=0).history
    return history, model.python_runs


@pytest.mark.parametrize("kind", ["wgan", "vae"])
def test_one_code_on_all_backends(kind: str, backend: Backend) -> None:
    expected, _ = train(kind, "numpy")
    history, python_runs = train(kind, backend)
    assert history.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(history[name], expected[name], rtol=1e-5, atol=1e-5)
    if backend.is_compiled():
        assert python_runs <= 6, "the step is traced, not run for each of the 48 batches"
    else:
        assert python_runs >= 48
    name = "critic_loss" if kind == "wgan" else "loss_of_vae"
    assert worst(history[name][-1:], history[name][:1]) > 0.01, "it trains"
