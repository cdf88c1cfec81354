"""A variational autoencoder with a training step of its own: one code for all backends.

Source of the method: Kingma and Welling, "Auto-Encoding Variational Bayes", 2013, https://arxiv.org/abs/1312.6114.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from shared import arguments, load, plot_curves, save_figure

import polykeras as keras
from polykeras import layers, ops

options = arguments("A variational autoencoder with its own train_step.", epochs=40)


class VAE(keras.Model):
    """Learns to write digits from two numbers."""

    def __init__(self, latent: int = 2) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = keras.Sequential(
            [keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(2 * latent)]
        )
        self.decoder = keras.Sequential(
            [keras.Input((latent,)), layers.Dense(64, activation="relu"), layers.Dense(64, activation="sigmoid")]
        )
        self.seed = keras.random.SeedGenerator(0)
        self.reconstruction = keras.metrics.Mean(name="reconstruction")
        self.divergence = keras.metrics.Mean(name="divergence")

    def train_step(self, data: Any) -> dict[str, Any]:
        """Minimise the reconstruction error plus the divergence of the code from a normal distribution."""
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)

        def loss() -> tuple[Any, Any]:
            mean, log_variance = ops.split(self.encoder(x, training=True), 2, axis=-1)
            noise = keras.random.normal(ops.shape(mean), seed=self.seed)
            code = mean + ops.exp(0.5 * log_variance) * noise
            image = self.decoder(code, training=True)
            error = ops.mean(ops.sum(ops.square(image - x), axis=-1))
            divergence = -0.5 * ops.mean(
                ops.sum(1.0 + log_variance - ops.square(mean) - ops.exp(log_variance), axis=-1)
            )
            return error + 0.1 * divergence, (error, divergence)

        (_, (error, divergence)), gradients = keras.value_and_grad(loss, self.trainable_variables, has_aux=True)()
        self.optimizer.apply(gradients, self.trainable_variables)
        self.reconstruction.update_state(error)
        self.divergence.update_state(divergence)
        return {"reconstruction": self.reconstruction.result(), "divergence": self.divergence.result()}


images = (load("digits").images / 16.0).astype("float32").reshape(-1, 64)
model = VAE()
model.compile(optimizer=keras.optimizers.Adam(3e-3))
history = model.fit(images, epochs=options.epochs, batch_size=64, verbose=0).history
begin, end = history["reconstruction"][0], history["reconstruction"][-1]
print(f"The error of the reconstructed pixels fell from {begin:.2f} to {end:.2f}, through a code of two numbers.")

grid = np.linspace(-2, 2, 8, dtype="float32")
codes = np.stack(np.meshgrid(grid, -grid), -1).reshape(-1, 2)  # the first row of a picture is the upper one
written = model.decoder.predict(codes, verbose=0).reshape(8, 8, 8, 8)
spaced = np.pad(written, ((0, 0), (0, 0), (1, 1), (1, 1)))  # white between the digits
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
plot_curves(left, dict(history), "loss")
edge = 2 + (grid[1] - grid[0]) / 2
right.imshow(spaced.transpose(0, 2, 1, 3).reshape(80, 80), cmap="gray_r", extent=(-edge, edge, -edge, edge))
right.set_xlabel("first number of the code")
right.set_ylabel("second number of the code")
right.set_title("what the decoder writes for each code", fontsize=9)
save_figure(figure, "custom_train_step")
