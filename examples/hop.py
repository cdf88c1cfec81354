"""One model, trained in turn on all frameworks that are installed, as if it had stayed on one.

Weights, optimizer state, batch-norm statistics and the stream of random numbers move along, because they belong to the
model and not to a framework.
"""

from __future__ import annotations

from itertools import cycle, islice

import matplotlib.pyplot as plt
import numpy as np
from shared import COLORS, arguments, installed_backends, load, save_figure, standardized

import polykeras as keras
from polykeras import layers

options = arguments("One model hops from framework to framework while it trains.", epochs=10)

data = load("breast_cancer")
x, y = standardized(data.data), data.target


def make_model() -> keras.Model:
    """Return a model with everything that has state: dropout, batch normalization, Adam."""
    keras.utils.set_random_seed(options.seed)
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(16, activation="tanh"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return model


def train(backends: list[str]) -> list[float]:
    """Train one epoch on each of the backends; return the losses."""
    model = make_model()
    losses = []
    for epoch, name in enumerate(backends):
        with keras.use_backend(name):
            history = model.fit(x, y, epochs=epoch + 1, initial_epoch=epoch, verbose=0)
            losses.append(history.history["loss"][0])
    return losses


first = keras.backend.backend()
others = [name for name in installed_backends() if name != first]
tour = list(islice(cycle([first, *others]), options.epochs))
stayed, hopped = train([first] * options.epochs), train(tour)

print(f"{'epoch':>5}  {'on':<10}  {'loss':>10}  {'all on ' + first:>16}  difference")
for epoch, (name, loss, reference) in enumerate(zip(tour, hopped, stayed, strict=True), 1):
    print(f"{epoch:>5}  {name:<10}  {loss:>10.7f}  {reference:>16.7f}  {abs(loss / reference - 1):.0e}")
worst = float(np.max(np.abs(np.array(hopped) / np.array(stayed) - 1)))
print(f"\nThe hopping model and the one that stayed differ by at most {worst:.1e} of the loss.")

figure, axes = plt.subplots(figsize=(6, 3.8))
axes.plot(range(1, len(stayed) + 1), stayed, color="gray", linewidth=5, alpha=0.4, label=f"all on {first}")
for color, name in zip(COLORS, dict.fromkeys(tour), strict=False):
    places = [i for i, other in enumerate(tour) if other == name]
    axes.scatter([i + 1 for i in places], [hopped[i] for i in places], color=color, label=f"epoch on {name}", zorder=3)
axes.set_xlabel("epoch")
axes.set_ylabel("loss")
axes.legend(frameon=False)
save_figure(figure, "hop")
