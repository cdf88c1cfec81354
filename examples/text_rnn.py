"""A recurrent network on text: is a sentence about dates, prices or places?

The sentences are made by a small grammar, so that nothing needs to be downloaded. They have different lengths; the
shorter ones are filled up with zeros, which `mask_zero` tells the GRU to skip.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from shared import arguments, plot_curves, save_figure, split

import polykeras as keras
from polykeras import layers

options = arguments("A recurrent network on text.", epochs=8, sentences=1500)

GRAMMAR = {
    "date": (
        ["we meet", "it ends", "they begin", "she comes"],
        ["on monday", "in may", "at noon", "next year", "in june"],
    ),
    "price": (
        ["we pay", "it costs", "they want", "she asks"],
        ["ten euros", "a dollar", "too much", "half of it", "one cent"],
    ),
    "place": (["we stand", "it lies", "they live", "she walks"], ["in the woods", "by the sea", "at home", "in town"]),
}
FILLERS = ["", " again", " as always", " if you like", " says the old man", " not"]
names = list(GRAMMAR)
rng = np.random.default_rng(0)


def sentence(kind: str) -> str:
    """Return one sentence; the words of other kinds come in the first half, so that the order matters."""
    subject, _ = GRAMMAR[names[rng.integers(3)]]
    _, end = GRAMMAR[kind]
    return f"{rng.choice(subject)}{rng.choice(FILLERS)} {rng.choice(end)}{rng.choice(FILLERS)}"


classes = rng.integers(3, size=options.sentences)
texts = [sentence(names[c]) for c in classes]
letters = sorted(set("".join(texts)))
length = max(map(len, texts))
codes = np.zeros((len(texts), length), "int32")
for i, text in enumerate(texts):
    codes[i, : len(text)] = [letters.index(letter) + 1 for letter in text]
(x_train, y_train), (x_test, y_test) = split(codes, classes)

model = keras.Sequential(
    [
        keras.Input((length,), dtype="int32"),
        layers.Embedding(len(letters) + 1, 16, mask_zero=True),
        layers.Bidirectional(layers.GRU(24)),
        layers.Dense(3, activation="softmax"),
    ]
)
model.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, epochs=options.epochs, validation_data=(x_test, y_test), verbose=2).history

print(
    f"\n{history['val_accuracy'][-1]:.1%} of {len(y_test)} new sentences are understood, letter by letter. For "
    "instance:"
)
for text, guess in zip(texts[-4:], model.predict(codes[-4:], verbose=0).argmax(-1), strict=True):
    print(f"  {text!r} is about a {names[guess]}")

figure, axes = plt.subplots(figsize=(5, 3.6))
plot_curves(axes, {"training": history["accuracy"], "test": history["val_accuracy"]}, "accuracy")
save_figure(figure, "text_rnn")
