"""Ten classes: handwritten digits, with a small convolutional network."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from shared import arguments, load, plot_curves, save_figure, split

import polykeras as keras
from polykeras import layers

options = arguments("Classification of images: digits with a convnet.", epochs=12)

digits = load("digits")
images = (digits.images / 16.0).astype("float32")[..., None]
(x_train, y_train), (x_test, y_test) = split(images, digits.target)

model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(16, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.4),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(
    x_train, y_train, epochs=options.epochs, batch_size=64, validation_data=(x_test, y_test), verbose=2
).history

predicted = model.predict(x_test, verbose=0).argmax(-1)
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (y_test, predicted), 1)
worst = np.unravel_index(np.argmax(confusion - np.diag(np.diag(confusion))), (10, 10))
print(f"\n{np.mean(predicted == y_test):.1%} of {len(y_test)} test digits are read rightly.")
if confusion[worst]:
    print(f"Its most frequent mistake: it takes a {worst[0]} for a {worst[1]} ({confusion[worst]} times).")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
plot_curves(left, {"training": history["accuracy"], "test": history["val_accuracy"]}, "accuracy")
right.imshow(np.log1p(confusion), cmap="Blues")
right.set_xticks(range(10))
right.set_yticks(range(10))
right.set_xlabel("read as")
right.set_ylabel("true digit")
for i, j in zip(*np.nonzero(confusion), strict=True):
    right.text(j, i, confusion[i, j], ha="center", va="center", fontsize=7, color="white" if i == j else "black")
save_figure(figure, "digits_convnet")
