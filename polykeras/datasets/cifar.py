"""The files of CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from polykeras import config
from polykeras.datasets.pickles import load_pickle
from polykeras.utils.files import get_file


def fetch_folder(name: str, folder: str, file_hash: str) -> str:
    """Return the path of the folder with the unpacked files.

    Args:
        name: `"cifar-10"` or `"cifar-100"`.
        folder: the folder in the archive.
        file_hash: the hash of the archive.
    """
    origin = f"https://www.cs.toronto.edu/~kriz/{name}-python.tar.gz"
    path = get_file(f"{folder}-target", origin=origin, extract=True, file_hash=file_hash)
    return os.path.join(path, folder)


def load_batches(folder: str, names: Iterable[str], label_key: str = "labels") -> tuple[np.ndarray, np.ndarray]:
    """Return the images and labels of some files.

    Args:
        folder: the folder of the files.
        names: the names of the files.
        label_key: the name of the labels in them.

    Returns:
        Images `(n, 32, 32, 3)`, or `(n, 3, 32, 32)` if `config.image_data_format()` says so, and labels `(n, 1)`.
    """
    images, labels = [], []
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            batch = load_pickle(file, encoding="bytes")
        images.append(batch[b"data"].reshape(-1, 3, 32, 32))
        labels.append(np.reshape(batch[label_key.encode()], (-1, 1)))
    x = np.concatenate(images)
    return x.transpose(0, 2, 3, 1) if config.image_data_format() == "channels_last" else x, np.concatenate(labels)
