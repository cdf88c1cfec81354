"""The first look: a small network learns to tell odd handwritten digits from even ones.

The network is the one that stands at the beginning of most Keras tutorials: 784 inputs and three dense layers with
sigmoids. The digits are scikit-learn's (1,797 images of 8 x 8 pixels), enlarged to 28 x 28.
"""

from __future__ import annotations

import time

import matplotlib.pyplot as plt
import numpy as np
from shared import arguments, load, plot_curves, save_figure, split

import polykeras as keras
from polykeras.layers import Dense
from polykeras.models import Sequential

options = arguments("Odd or even? The classic first network, on real handwritten digits.", epochs=60)

digits = load("digits")
# 8 x 8 pixels to 28 x 28: each pixel of the result takes its nearest one.
nearest = np.arange(28) * 8 // 28
images = (digits.images[:, nearest][:, :, nearest] / 16.0).astype("float32")
(x_train, digits_train), (x_test, digits_test) = split(images.reshape(-1, 784), digits.target)
y_train, y_test = digits_train % 2, digits_test % 2

model = Sequential()
model.add(Dense(32, input_dim=784, activation="sigmoid"))
model.add(Dense(10, activation="sigmoid"))
model.add(Dense(1, activation="sigmoid"))
model.summary()

model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.SGD(lr=0.1, momentum=0.9), metrics=["accuracy"])
begin = time.perf_counter()
history = model.fit(
    x_train, y_train, epochs=options.epochs, batch_size=32, validation_data=(x_test, y_test), verbose=0
).history
seconds = time.perf_counter() - begin

print(f"\n{'epoch':>5}  {'loss':>8}  {'accuracy':>8}  {'test loss':>9}  {'test accuracy':>13}")
last = options.epochs - 1
for epoch in sorted({*range(0, options.epochs, max(1, options.epochs // 6)), last}):
    row = [history[name][epoch] for name in ("loss", "accuracy", "val_loss", "val_accuracy")]
    print(f"{epoch + 1:>5}  {row[0]:>8.4f}  {row[1]:>8.1%}  {row[2]:>9.4f}  {row[3]:>13.1%}")
right = history["val_accuracy"][-1]
print(
    f"\nIt names {right:.1%} of {len(x_test)} digits that it never saw correctly as odd or even, after "
    f"{options.epochs} epochs in {seconds:.1f} s."
)

figure, (left, middle, right_axes) = plt.subplots(1, 3, figsize=(12, 3.6), width_ratios=(1, 1, 1.1))
plot_curves(left, {"training": history["loss"], "test": history["val_loss"]}, "loss")
plot_curves(middle, {"training": history["accuracy"], "test": history["val_accuracy"]}, "accuracy")
probability = model.predict(x_test[:12], verbose=0)[:, 0]
tiles = np.zeros((3, 4, 38, 38))
tiles[:, :, :28, 5:33] = x_test[:12].reshape(3, 4, 28, 28)
right_axes.imshow(tiles.transpose(0, 2, 1, 3).reshape(3 * 38, 4 * 38), cmap="gray_r")
right_axes.set_axis_off()
right_axes.set_title("digits it never saw: what it says, and how sure it is\n(green: right, red: wrong)", fontsize=9)
for i, p in enumerate(probability):
    row, column = divmod(i, 4)
    good = (p > 0.5) == bool(y_test[i])
    guess = f"odd, {p:.0%}" if p > 0.5 else f"even, {1 - p:.0%}"
    place = (column * 38 + 19, row * 38 + 33)
    color = "#009E73" if good else "#D55E00"
    right_axes.text(*place, f"{digits_test[i]}: {guess}", color=color, fontsize=8, ha="center", va="center")
save_figure(figure, "demo")

print("\nWhat next?")
for other in keras.backends():
    if other.name != keras.backend.backend():
        note = "" if other.installed else " (installs it first)"
        print(f"  make demo BACKEND={other.name:<12} the same experiment on {other.name}, with the same numbers{note}")
print("  examples/                      convnets, recurrent networks, a model that changes frameworks while it trains")
