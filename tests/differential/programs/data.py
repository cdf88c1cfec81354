"""The data of random programs: inputs, labels and weights, drawn from a seed, in each form that `fit` takes."""

from __future__ import annotations

from typing import Any

import numpy as np

SHAPES = {"vector": (4,), "sequence": (5, 3), "tokens": (6,), "image": (6, 6, 2)}
"""The kinds of inputs, each with the shape of a sample."""
VOCABULARY = 7
HEADS = {"real": (2, None), "one": (1, None), "yes": (1, "sigmoid"), "class": (3, "softmax"), "onehot": (3, "softmax")}
"""The kinds of outputs: how many numbers, and which activation."""


def inputs_of(kind: str, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return inputs; sequences end with zeros in each second sample, for masks."""
    if kind == "tokens":
        return rng.integers(0, VOCABULARY, (rows, *SHAPES[kind])).astype("int32")
    x = rng.normal(size=(rows, *SHAPES[kind])).astype("float32")
    if kind == "sequence":
        x[::2, 3:] = 0.0
    return x


def labels_of(head: str, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return labels for a head."""
    if head in ("real", "one"):
        return rng.normal(size=(rows, HEADS[head][0])).astype("float32")
    if head == "yes":
        return rng.integers(0, 2, (rows, 1)).astype("float32")
    classes = rng.integers(0, 3, rows)
    return np.eye(3, dtype="float32")[classes] if head == "onehot" else classes.astype("int32")


def arranged(names: list[str], values: list[Any], form: str) -> Any:
    """Return one value, or several as a list or a dict."""
    if form == "dict":
        return dict(zip(names, values, strict=True))
    return values[0] if len(values) == 1 and form != "list" else values


class Data:
    """Batches of a program: `x`, `y` and `sample_weight` for a model, from a seed."""

    def __init__(self, told: dict[str, Any]) -> None:
        rng = np.random.default_rng(told["seed"])
        rows = told["rows"]
        self.x = arranged(told["input_names"], [inputs_of(kind, rows, rng) for kind in told["inputs"]], told["x_form"])
        self.y = arranged(told["output_names"], [labels_of(head, rows, rng) for head in told["heads"]], told["y_form"])
        self.weights = rng.uniform(0.1, 2.0, rows).astype("float32") if told.get("weighted") else None
        self.batch, self.form = told["batch"], told["form"]

    def parts(self) -> tuple[Any, ...]:
        """Return `(x, y)` or `(x, y, sample_weight)`."""
        return (self.x, self.y) if self.weights is None else (self.x, self.y, self.weights)

    def batches(self) -> list[Any]:
        """Return the batches, each as `parts`, with tuples in place of lists: Keras on TensorFlow takes no lists."""
        rows = len(_first(self.x))
        return [_tuples(_cut(self.parts(), slice(i, i + self.batch))) for i in range(0, rows, self.batch)]

    def arguments(self, keras: Any) -> dict[str, Any]:
        """Return the arguments with which `fit` and `evaluate` get the data."""
        if self.form == "arrays":
            named = {"x": self.x, "y": self.y, "batch_size": self.batch}
            return named if self.weights is None else {**named, "sample_weight": self.weights}
        if self.form == "frame":
            import pandas as pd

            named = {"x": pd.DataFrame(self.x), "y": pd.DataFrame(self.y), "batch_size": self.batch}
            return named if self.weights is None else {**named, "sample_weight": self.weights}
        return {"x": getattr(self, f"_{self.form}")(keras)}

    def _tf_data(self, keras: Any) -> Any:
        import tensorflow as tf

        return tf.data.Dataset.from_tensor_slices(_tuples(self.parts())).batch(self.batch)

    def _loader(self, keras: Any) -> Any:
        import torch

        dataset = torch.utils.data.TensorDataset(*(torch.tensor(part) for part in self.parts()))
        return torch.utils.data.DataLoader(dataset, batch_size=self.batch)

    def _generator(self, keras: Any) -> Any:
        yield from self.batches()

    def _pydataset(self, keras: Any) -> Any:
        batches = self.batches()

        class Batches(keras.utils.PyDataset):
            def __len__(self) -> int:
                return len(batches)

            def __getitem__(self, index: int) -> Any:
                return batches[index]

        return Batches()


def _first(tree: Any) -> Any:
    while isinstance(tree, (dict, list, tuple)):
        tree = next(iter(tree.values())) if isinstance(tree, dict) else tree[0]
    return tree


def _cut(tree: Any, rows: slice) -> Any:
    if isinstance(tree, dict):
        return {name: _cut(value, rows) for name, value in tree.items()}
    return type(tree)(_cut(value, rows) for value in tree) if isinstance(tree, (list, tuple)) else tree[rows]


def _tuples(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _tuples(value) for name, value in tree.items()}
    return tuple(_tuples(value) for value in tree) if isinstance(tree, (list, tuple)) else tree
