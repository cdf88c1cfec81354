"""A binary classifier: is a breast tumour benign? (569 patients, 30 measurements of cells.)"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from shared import arguments, load, plot_curves, save_figure, split, standardized

import polykeras as keras
from polykeras.layers import Dense, Dropout

options = arguments("Binary classification: breast cancer.", epochs=40)

data = load("breast_cancer")
(x_train, y_train), (x_test, y_test) = split(standardized(data.data), data.target)

model = keras.Sequential(
    [
        keras.Input((30,)),
        Dense(32, activation="relu"),
        Dropout(0.3),
        Dense(10, activation="tanh"),
        Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    optimizer=keras.optimizers.SGD(learning_rate=0.05, momentum=0.9),
    loss="binary_crossentropy",
    metrics=["accuracy", keras.metrics.AUC(name="auc")],
)
history = model.fit(
    x_train, y_train, epochs=options.epochs, batch_size=32, validation_data=(x_test, y_test), verbose=2
).history

probability = model.predict(x_test, verbose=0)[:, 0]
predicted = probability > 0.5
missed = int(np.sum(predicted & (y_test == 0)))
alarms = int(np.sum(~predicted & (y_test == 1)))
print(
    f"\nOf {len(y_test)} patients it never saw, it judges {np.mean(predicted == y_test):.1%} rightly: {missed} "
    f"malignant tumours are missed, {alarms} benign ones cause a false alarm."
)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
plot_curves(left, {"training": history["loss"], "test": history["val_loss"]}, "loss", log=True)
for value, label, color in ((1, "benign", "#009E73"), (0, "malignant", "#D55E00")):
    right.hist(probability[y_test == value], bins=20, range=(0, 1), alpha=0.7, label=label, color=color)
right.set_xlabel("predicted probability of benign")
right.set_ylabel("patients")
right.legend(frameon=False)
save_figure(figure, "binary_classifier")
