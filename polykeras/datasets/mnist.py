"""Handwritten digits."""

from __future__ import annotations

import numpy as np

from polykeras.datasets.common import Split, fetch


def load_data(path: str = "mnist.npz") -> Split:
    """Return the MNIST digits: 60,000 training and 10,000 test images, in grey, 28 by 28 pixels.

    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998.

    Args:
        path: the name of the file in the folder of data sets.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(n, 28, 28)` and digits uint8 `(n,)`.
    """
    file = fetch(path, "mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")
    with np.load(file, allow_pickle=False) as arrays:
        return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
