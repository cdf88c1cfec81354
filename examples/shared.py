"""What the examples have in common: the command line, data that ship with scikit-learn, and pictures."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import sklearn.datasets

import polykeras as keras

OUTPUTS = Path(os.environ.get("POLYKERAS_OUTPUTS", "outputs"))

# One colour a curve, in this order, readable for the colour-blind (Okabe and Ito, 2008).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def arguments(description: str, **defaults: Any) -> argparse.Namespace:
    """Return the command line's arguments, after choosing the backend and the seed.

    Args:
        description: for `--help`.
        **defaults: further int options with their defaults.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--backend", help="jax, torch, tensorflow or numpy; by default the first one installed")
    parser.add_argument("--seed", type=int, default=0)
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    if options.backend:
        keras.set_backend(options.backend)
    keras.utils.set_random_seed(options.seed)
    print(f"{description}\nbackend: {keras.backend.backend()}\n")
    return options


def installed_backends() -> list[str]:
    """Return the names of the backends whose framework is installed."""
    return [info.name for info in keras.backends() if info.installed]


def load(name: str) -> Any:
    """Return one of the data sets that ship with scikit-learn, such as `"digits"`."""
    return getattr(sklearn.datasets, f"load_{name}")()


def split(x: np.ndarray, y: np.ndarray, share: float = 0.2) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return `(train, test)`, shuffled in the same way each time."""
    order = np.random.default_rng(0).permutation(len(x))
    cut = int(len(x) * (1 - share))
    return (x[order[:cut]], y[order[:cut]]), (x[order[cut:]], y[order[cut:]])


def standardized(x: np.ndarray) -> np.ndarray:
    """Return columns with mean 0 and standard deviation 1."""
    return ((x - x.mean(0)) / (x.std(0) + 1e-7)).astype("float32")


def save_figure(figure: Any, name: str) -> None:
    """Write a picture and say where it is."""
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    path = OUTPUTS / f"{name}.png"
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"picture: {path}")


def plot_curves(axes: Any, curves: dict[str, list[float]], ylabel: str, log: bool = False) -> None:
    """Draw one line a name over epochs."""
    for color, (label, values) in zip(COLORS, curves.items(), strict=False):
        axes.plot(range(1, len(values) + 1), values, label=label, color=color)
    axes.set_xlabel("epoch")
    axes.set_ylabel(ylabel)
    if log:
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
