"""Small colour images of a hundred classes."""

from __future__ import annotations

from polykeras.datasets.cifar import fetch_folder, load_batches
from polykeras.datasets.common import Split


def load_data(label_mode: str = "fine") -> Split:
    """Return CIFAR-100: 50,000 training and 10,000 test images in colour, 32 by 32 pixels.

    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    Args:
        label_mode: `"fine"` for the 100 classes, `"coarse"` for 20 groups of classes.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 `(n, 32, 32, 3)`, or `(n, 3, 32, 32)` if
        `config.image_data_format()` says so, and classes int64 `(n, 1)`.

    Raises:
        ValueError: if `label_mode` is unknown.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f'cifar100: `label_mode` must be "fine" or "coarse"; received {label_mode!r}.')
    folder = fetch_folder(
        "cifar-100", "cifar-100-python", "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"
    )
    key = f"{label_mode}_labels"
    return load_batches(folder, ["train"], key), load_batches(folder, ["test"], key)
