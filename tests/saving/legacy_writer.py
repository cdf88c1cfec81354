"""Writes HDF5 files as Keras 1 and 2 did, and computes with NumPy what their layers give."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Arrays = Sequence[tuple[str, Any]]


def write_names(group: Any, attribute: str, names: Sequence[str], chunks: int = 1) -> None:
    """Write a list of names, as Keras 2 did: in several attributes where it was long."""
    encoded = [name.encode() for name in names]
    if chunks == 1:
        group.attrs[attribute] = encoded
        return
    for i, part in enumerate(np.array_split(np.asarray(encoded), chunks)):
        group.attrs[f"{attribute}{i}"] = part


def write_weights(
    group: Any, weights: Mapping[str, Arrays], version: str | None, backend: str | None, chunks: int = 1
) -> None:
    """Write the weights of layers into a group: the root of a file of weights, `model_weights` of one of a model."""
    write_names(group, "layer_names", list(weights), chunks)
    if version is not None:
        group.attrs["keras_version"] = version.encode()
    if backend is not None:
        group.attrs["backend"] = backend.encode()
    for layer, arrays in weights.items():
        inner = group.create_group(layer)
        write_names(inner, "weight_names", [name for name, _ in arrays])
        for name, array in arrays:
            inner.create_dataset(name, data=array)


def write_model(
    path: Path | str,
    config: Any,
    weights: Mapping[str, Arrays],
    version: str = "2.2.4",
    backend: str | None = "tensorflow",
    training: Any = None,
    optimizer: Arrays | None = None,
    chunks: int = 1,
) -> str:
    """Write a whole model and return the path.

    Args:
        path: the file.
        config: `{"class_name": ..., "config": ...}`.
        weights: the arrays of each layer with their names, in order.
        version: of Keras.
        backend: of Keras; None as in Keras 1.
        training: how it was compiled.
        optimizer: what its optimizer keeps.
        chunks: over how many attributes the names of layers are spread.
    """
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version.encode()
        if backend is not None:
            file.attrs["backend"] = backend.encode()
        file.attrs["model_config"] = json.dumps(config).encode()
        if training is not None:
            file.attrs["training_config"] = json.dumps(training).encode()
        write_weights(file.create_group("model_weights"), weights, version, backend, chunks)
        if optimizer is not None:
            group = file.create_group("optimizer_weights")
            write_names(group, "weight_names", [name for name, _ in optimizer])
            for name, array in optimizer:
                group.create_dataset(name, data=array)
    return str(path)


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a Sequential model as it was until Keras 2.2.2."""
    return {"class_name": "Sequential", "config": list(layers)}


def layer(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    """Return the config of a layer."""
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


def node(class_name: str, name: str, *inbound: Any, **config: Any) -> dict[str, Any]:
    """Return the entry of a layer in a graph; `inbound` are its calls."""
    return layer(class_name, name, **config) | {"name": name, "inbound_nodes": list(inbound)}


def named(prefix: str, *arrays: np.ndarray, names: Sequence[str] = ("kernel", "bias")) -> Arrays:
    """Return arrays with names as Keras 2 gave them: `dense_1/kernel:0`."""
    return [(f"{prefix}/{name}:0", array) for name, array in zip(names, arrays, strict=True)]


# ---- what the layers give ------------------------------------------------------------------------------------------


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return the logistic function."""
    return 1.0 / (1.0 + np.exp(-x))


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    """Return what Keras 1 and 2 called so."""
    return np.clip(0.2 * x + 0.5, 0.0, 1.0)


def convolve(x: np.ndarray, kernel: np.ndarray, turned: bool) -> np.ndarray:
    """Return a "valid" convolution of `(batch, rows, columns, inputs)` by `(rows, columns, inputs, outputs)`.

    Args:
        x: the images.
        kernel: the filters.
        turned: as in the textbook and Theano: the kernel is turned around; else a correlation.
    """
    rows, columns = kernel.shape[:2]
    kernel = kernel[::-1, ::-1] if turned else kernel
    result = np.zeros((len(x), x.shape[1] - rows + 1, x.shape[2] - columns + 1, kernel.shape[3]))
    for i in range(result.shape[1]):
        for j in range(result.shape[2]):
            result[:, i, j] = np.einsum("brci,rcio->bo", x[:, i : i + rows, j : j + columns], kernel)
    return result


def lstm(x: np.ndarray, w: Mapping[str, np.ndarray], gate: Any = hard_sigmoid) -> np.ndarray:
    """Return the last output of an LSTM; `w` holds `W_i`, `U_i`, `b_i`, and so on for f, c and o."""
    h = c = np.zeros((len(x), w["b_i"].shape[0]))
    for t in range(x.shape[1]):
        i, f, g, o = (x[:, t] @ w[f"W_{k}"] + h @ w[f"U_{k}"] + w[f"b_{k}"] for k in "ifco")
        c = gate(f) * c + gate(i) * np.tanh(g)
        h = gate(o) * np.tanh(c)
    return h


def gru(x: np.ndarray, w: Mapping[str, np.ndarray], gate: Any = hard_sigmoid) -> np.ndarray:
    """Return the last output of a GRU that resets the state before its product; `w` holds `W_z`, ... for z, r and h."""
    h = np.zeros((len(x), w["b_z"].shape[0]))
    for t in range(x.shape[1]):
        z, r = (gate(x[:, t] @ w[f"W_{k}"] + h @ w[f"U_{k}"] + w[f"b_{k}"]) for k in "zr")
        new = np.tanh(x[:, t] @ w["W_h"] + (r * h) @ w["U_h"] + w["b_h"])
        h = z * h + (1 - z) * new
    return h


def gates(names: str, features: int, units: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return random weights `W_k`, `U_k`, `b_k` for each gate."""
    rng = np.random.default_rng(seed)
    shapes = {"W": (features, units), "U": (units, units), "b": (units,)}
    return {f"{kind}_{k}": rng.normal(size=shape).astype("float32") for k in names for kind, shape in shapes.items()}
