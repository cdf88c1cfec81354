"""Draws `same_seed.png`: the losses of one experiment, from one seed, on each backend of polykeras and of Keras 3.

`python docs/pictures/same_seed.py` writes it, with all frameworks and Keras installed (`pip install -e ".[bench]"`).
Each experiment has a process of its own, because Keras has one backend a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS = 15
LIBRARIES = {
    "polykeras": ("numpy", "jax", "torch", "tensorflow"),
    "keras": ("jax", "torch", "tensorflow"),  # on NumPy Keras does not train
}
NAMES = {"numpy": "NumPy", "jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow"}
COLORS = {"numpy": "#E69F00", "jax": "#0072B2", "torch": "#D55E00", "tensorflow": "#009E73"}
WIDTHS = {"numpy": 9.0, "jax": 6.0, "torch": 3.5, "tensorflow": 1.4}
"""Thinner and thinner: where curves agree, each still shows."""


def experiment(keras: Any) -> list[float]:
    """Return the loss of each epoch; `keras` is Keras 3 or polykeras."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype("float32")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((30,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy")
    return model.fit(x, y, epochs=EPOCHS, batch_size=32, verbose=0).history["loss"]


def losses(library: str, backend: str) -> list[float]:
    """Return the losses of the experiment, run in a process of its own."""
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "POLYKERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [sys.executable, __file__, library]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def draw(path: Path) -> None:
    """Run all experiments and write the picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for axes, (library, backends) in zip(panels, LIBRARIES.items(), strict=True):
        curves = {backend: np.array(losses(library, backend)) for backend in backends}
        first = curves[backends[0]]
        apart = max(float(np.max(np.abs(curve / first - 1))) for curve in curves.values())
        for backend, curve in curves.items():
            width = WIDTHS[backend] if library == "polykeras" else 2.0
            axes.plot(range(1, EPOCHS + 1), curve, color=COLORS[backend], linewidth=width, label=NAMES[backend])
        words = f"{apart:.0e}" if apart < 0.01 else f"{apart:.0%}"
        name = "polykeras" if library == "polykeras" else "Keras 3"
        axes.set_title(f"{name}: losses differ by up to {words}", fontsize=11)
        axes.set_xlabel("epoch")
        axes.legend(frameon=False)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panels[0].set_ylabel("loss, seed 0")
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        from importlib import import_module

        print(json.dumps(experiment(import_module(sys.argv[1]))))
    else:
        draw(Path(__file__).with_suffix(".png"))
