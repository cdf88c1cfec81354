"""Small colour images of ten classes."""

from __future__ import annotations

from polykeras.datasets.cifar import fetch_folder, load_batches
from polykeras.datasets.common import Split


def load_data() -> Split:
    """Return CIFAR-10: 50,000 training and 10,000 test images in colour, 32 by 32 pixels.

    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. The classes are: airplane, automobile,
    bird, cat, deer, dog, frog, horse, ship, truck.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(n, 32, 32, 3)`, or `(n, 3, 32, 32)` if
        `config.image_data_format()` says so, and classes uint8 `(n, 1)`.
    """
    folder = fetch_folder(
        "cifar-10", "cifar-10-batches-py", "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    )
    x_train, y_train = load_batches(folder, [f"data_batch_{i}" for i in range(1, 6)])
    x_test, y_test = load_batches(folder, ["test_batch"])
    return (x_train, y_train.astype("uint8")), (x_test, y_test.astype("uint8"))
