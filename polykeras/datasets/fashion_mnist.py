"""Pictures of clothes."""

from __future__ import annotations

import gzip
import os

import numpy as np

from polykeras.datasets.common import Split, fetch


def load_data() -> Split:
    """Return Fashion-MNIST: 60,000 training and 10,000 test images of clothes, in grey, 28 by 28 pixels.

    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms", 2017. The classes are: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag,
    ankle boot.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(n, 28, 28)` and classes uint8 `(n,)`.
    """
    return _part("train"), _part("t10k")


def _part(name: str) -> tuple[np.ndarray, np.ndarray]:
    labels = _read(f"{name}-labels-idx1-ubyte.gz", header=8)
    images = _read(f"{name}-images-idx3-ubyte.gz", header=16)
    return images.reshape(len(labels), 28, 28), labels


def _read(file: str, header: int) -> np.ndarray:
    path = fetch(file, file, cache_subdir=os.path.join("datasets", "fashion-mnist"))
    with gzip.open(path, "rb") as content:
        return np.frombuffer(bytearray(content.read()), np.uint8, offset=header)
