"""The same seed on every backend that is installed: the curves in one picture, the time beside them."""

from __future__ import annotations

import time

import matplotlib.pyplot as plt
import numpy as np
from shared import COLORS, arguments, installed_backends, load, save_figure, standardized

import polykeras as keras
from polykeras import layers

options = arguments("The same experiment on all backends.", epochs=15)

data = load("breast_cancer")
x, y = standardized(data.data), data.target


def experiment() -> tuple[list[float], float]:
    """Train from the same seed on the current backend; return the losses and the milliseconds a step."""
    keras.utils.set_random_seed(options.seed)
    model = keras.Sequential(
        [
            keras.Input((30,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(16, activation="tanh"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "binary_crossentropy")
    losses = model.fit(x, y, epochs=1, verbose=0).history["loss"]  # compiles
    begin = time.perf_counter()
    history = model.fit(x, y, epochs=options.epochs, initial_epoch=1, verbose=0).history
    steps = (options.epochs - 1) * -(-len(x) // 32)
    return losses + history["loss"], 1000 * (time.perf_counter() - begin) / steps


chosen = keras.backend.backend()
names = [chosen, *(name for name in installed_backends() if name != chosen)]
results = {}
for name in names:
    with keras.use_backend(name):
        results[name] = experiment()

reference = np.array(results[chosen][0])
print(f"{'backend':<12} {'first loss':>11} {'last loss':>11} {'worst difference':>17} {'ms a step':>10}")
for name, (losses, milliseconds) in results.items():
    worst = np.max(np.abs(np.array(losses) / reference - 1))
    print(f"{name:<12} {losses[0]:>11.7f} {losses[-1]:>11.7f} {worst:>17.1e} {milliseconds:>10.3f}")
print(f"\nOne seed, one experiment: {len(names)} backend(s) draw one curve. (Differences are relative to {chosen}.)")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
for i, (color, (name, (losses, _))) in enumerate(zip(COLORS, results.items(), strict=False)):
    # Thinner and thinner lines: where the curves agree, each still shows.
    left.plot(range(1, len(losses) + 1), losses, color=color, linewidth=9 - 2.5 * i, label=name, alpha=0.8)
left.set_xlabel("epoch")
left.set_ylabel("loss")
left.legend(frameon=False)
right.barh(list(results), [ms for _, ms in results.values()], color=COLORS[: len(results)])
right.invert_yaxis()
right.set_xlabel("milliseconds a step (small model, batch 32)")
save_figure(figure, "compare_backends")
