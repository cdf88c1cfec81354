"""Small files in the formats in which data sets are published."""

from __future__ import annotations

import gzip
import io
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np


def numbers(seed: int, *shape: int, high: int = 256) -> np.ndarray:
    """Return random uint8 numbers."""
    return np.random.default_rng(seed).integers(0, high, shape, dtype=np.uint8)


def lists(seed: int, count: int) -> np.ndarray:
    """Return an array of lists of unequal lengths."""
    random = np.random.default_rng(seed)
    texts = np.empty(count, object)
    for i in range(count):
        texts[i] = random.integers(1, 60, 1 + i % 7).tolist()
    return texts


def mnist(folder: Path) -> Path:
    """Write `mnist.npz`."""
    np.savez(
        folder / "mnist.npz",
        x_train=numbers(0, 6, 28, 28),
        y_train=numbers(1, 6, high=10),
        x_test=numbers(2, 3, 28, 28),
        y_test=numbers(3, 3, high=10),
    )
    return folder / "mnist.npz"


def fashion_mnist(folder: Path) -> Path:
    """Write the four files of Fashion-MNIST; return their folder."""
    for seed, (name, rows) in enumerate({"train": 6, "t10k": 3}.items()):
        for kind, header, shape in (("labels-idx1", 8, ()), ("images-idx3", 16, (28, 28))):
            content = bytes(header) + numbers(seed, rows, *shape, high=10).tobytes()
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
    return folder


def housing(folder: Path, rows: int = 700) -> Path:
    """Write an `.npz` file of `x` and `y`."""
    random = np.random.default_rng(4)
    np.savez(folder / "housing.npz", x=random.normal(size=(rows, 8)), y=random.normal(size=rows))
    return folder / "housing.npz"


def texts(folder: Path) -> Path:
    """Write an `.npz` file with lists of word numbers, under the names of both data sets of texts."""
    random = np.random.default_rng(5)
    arrays = {f"{name}": lists(i, 30 + i) for i, name in enumerate(("x_train", "x_test", "x"))}
    labels = {name.replace("x", "y"): random.integers(0, 2, len(part)) for name, part in arrays.items()}
    np.savez(folder / "texts.npz", **arrays, **labels)
    return folder / "texts.npz"


def objects(folder: Path, value: Any) -> Path:
    """Write an `.npz` file whose array of objects `x` is any pickle."""
    header = io.BytesIO()
    description = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    np.lib.format.write_array_header_1_0(header, description)
    with zipfile.ZipFile(folder / "objects.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + (value if isinstance(value, bytes) else pickle.dumps(value)))
    return folder / "objects.npz"


def _python2(value: Any) -> bytes:
    """Return a dictionary of byte strings, arrays and lists as Python 2 pickled it: its strings are our bytes."""
    content = bytearray(pickle.dumps(value, protocol=3).replace(b"numpy._core", b"numpy.core"))
    content[1] = 2
    older = {"BINBYTES": b"T", "SHORT_BINBYTES": b"U"}
    for code, _, place in pickletools.genops(bytes(content)):
        if code.name in older:
            content[place : place + 1] = older[code.name]
    return bytes(content)


def cifar(folder: Path, rows: int = 4) -> Path:
    """Write the files of both CIFAR sets, as Python 2 wrote them; return the folder that `get_file` would."""
    for i, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        target = folder / "cifar-10-batches-py"
        target.mkdir(exist_ok=True)
        content = {b"data": numbers(i, rows, 3072), b"labels": numbers(i + 50, rows, high=10).tolist(), b"x": b"name"}
        (target / name).write_bytes(_python2(content))
    for i, name in enumerate(("train", "test")):
        target = folder / "cifar-100-python"
        target.mkdir(exist_ok=True)
        fine, coarse = numbers(i, rows, high=100).tolist(), numbers(i, rows, high=20).tolist()
        content = {b"data": numbers(i, rows, 3072), b"fine_labels": fine, b"coarse_labels": coarse}
        (target / name).write_bytes(_python2(content))
    return folder
