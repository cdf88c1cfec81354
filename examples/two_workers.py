"""One experiment on one, two or four workers: the same numbers. (1797 digits, a convolutional network.)

Alone it has one worker. A launcher starts more, for instance two of them:

    torchrun --nproc-per-node 2 examples/two_workers.py --backend torch
    mpiexec -n 2 python examples/two_workers.py --backend numpy

The picture shows the runs so far on top of each other, of any number of workers and on any backend.
"""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
from shared import COLORS, OUTPUTS, arguments, load, save_figure, split

import polykeras as keras
from polykeras import layers

options = arguments("One experiment on any number of workers.", epochs=8)

keras.distribution.initialize()  # reads what the launcher says; alone, there is nothing to read
here = keras.distribution.DataParallel()
keras.distribution.set_distribution(here)
workers = here.num_model_replicas

data = load("digits")
(x_train, y_train), (x_test, y_test) = split(data.images[..., None].astype("float32") / 16, data.target)

model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
# 64 samples a step, whatever the number of workers: each takes its share of them.
history = model.fit(
    x_train, y_train, batch_size=64, epochs=options.epochs, validation_data=(x_test, y_test), verbose=2
).history

if here.data_shard_id == 0:  # one worker writes
    runs = OUTPUTS / "two_workers"
    runs.mkdir(parents=True, exist_ok=True)
    name = f"{keras.backend.backend()}, {workers} worker{'s' if workers > 1 else ''}"
    (runs / f"{name}.json").write_text(json.dumps(history["loss"]))
    curves = {path.stem: json.loads(path.read_text()) for path in sorted(runs.glob("*.json"))}
    print(f"\n{'run':<24} {'loss of the last epoch':>24}")
    for run, losses in curves.items():
        print(f"{run:<24} {losses[-1]:>24.7f}")

    figure, axes = plt.subplots(figsize=(6, 3.8))
    for place, (run, losses) in enumerate(curves.items()):  # later ones thinner, so that all are seen
        width = 9 * 0.6**place
        axes.plot(range(1, len(losses) + 1), losses, label=run, color=COLORS[place % len(COLORS)], linewidth=width)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    save_figure(figure, "two_workers")
