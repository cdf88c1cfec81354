"""Two inputs and two outputs: the functional API on digits, one half of the picture to each input.

One branch sees the upper half of a digit, the other the lower half. One output names the digit, the other says how much
ink it has.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from shared import arguments, load, plot_curves, save_figure

import polykeras as keras
from polykeras import layers

options = arguments("A functional model with two inputs and two outputs.", epochs=25)

digits = load("digits")
images = (digits.images / 16.0).astype("float32")
inputs = {"upper": images[:, :4].reshape(-1, 32), "lower": images[:, 4:].reshape(-1, 32)}
labels = {"digit": digits.target, "ink": images.mean((1, 2))[:, None]}

upper = keras.Input((32,), name="upper")
lower = keras.Input((32,), name="lower")
look = layers.Dense(32, activation="relu", name="look")  # one layer, used twice: the halves share it
merged = layers.concatenate([look(upper), look(lower), upper * lower])
features = layers.Dropout(0.2)(layers.Dense(48, activation="relu")(merged))
model = keras.Model(
    inputs={"upper": upper, "lower": lower},
    outputs={
        "digit": layers.Dense(10, activation="softmax", name="digit")(features),
        "ink": layers.Dense(1, name="ink")(features),
    },
)
model.summary()
model.compile(
    optimizer="adam",
    loss={"digit": "sparse_categorical_crossentropy", "ink": "mse"},
    loss_weights={"digit": 1.0, "ink": 10.0},
    metrics={"digit": ["accuracy"], "ink": ["mae"]},
)
history = model.fit(inputs, labels, epochs=options.epochs, validation_split=0.2, verbose=2).history

accuracy, error = history["val_digit_accuracy"][-1], history["val_ink_mae"][-1]
print(f"\nFrom two halves it names {accuracy:.1%} of the validation digits and gauges their ink to within {error:.3f}.")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
plot_curves(
    left, {"training": history["digit_accuracy"], "validation": history["val_digit_accuracy"]}, "digit accuracy"
)
errors = {"training": history["ink_mae"], "validation": history["val_ink_mae"]}
plot_curves(right, errors, "error of the share of dark pixels", log=True)
save_figure(figure, "two_inputs")
assert np.isfinite(error)
