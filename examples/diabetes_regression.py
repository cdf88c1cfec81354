"""Regression: how a diabetes patient's disease progresses in a year, from ten measurements."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from shared import arguments, load, plot_curves, save_figure, split, standardized

import polykeras as keras
from polykeras import callbacks, layers

options = arguments("Regression: diabetes.", epochs=200)

data = load("diabetes")
target = standardized(data.target[:, None])[:, 0]
(x_train, y_train), (x_test, y_test) = split(standardized(data.data), target)

model = keras.Sequential(
    [
        keras.Input((10,)),
        layers.Dense(32, activation="gelu", kernel_regularizer=keras.regularizers.L2(1e-3)),
        layers.Dense(1),
    ]
)
model.compile(optimizer=keras.optimizers.AdamW(3e-3, weight_decay=1e-2), loss="huber", metrics=["mae"])
history = model.fit(
    x_train,
    y_train,
    epochs=options.epochs,
    batch_size=32,
    validation_split=0.2,
    callbacks=[callbacks.EarlyStopping(patience=15, restore_best_weights=True)],
    verbose=0,
).history
print(f"Stopped after {len(history['loss'])} epochs, when validation no longer improved.")

predicted = model.predict(x_test, verbose=0)[:, 0]
explained = 1 - np.sum((predicted - y_test) ** 2) / np.sum((y_test - y_test.mean()) ** 2)
print(f"On {len(y_test)} patients it never saw, it explains {explained:.0%} of the variance (R2 = {explained:.2f}).")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
plot_curves(left, {"training": history["loss"], "validation": history["val_loss"]}, "loss")
right.scatter(y_test, predicted, s=14, color="#0072B2")
right.plot([-2, 2.5], [-2, 2.5], color="gray", linewidth=1)
right.set_xlabel("progression (standard deviations)")
right.set_ylabel("predicted")
save_figure(figure, "diabetes_regression")
