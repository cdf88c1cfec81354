"""The models that are measured. A batch is that of two workers together, 64 samples for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.tasks import TASKS, Task

OURS, ALONE = "polykeras", "one process"  # the ways that are ours; the others are those of experts
BATCH = 128
VOCABULARY = 100_000


@dataclass(frozen=True)
class Shared:
    """A model whose batches are shared.

    Attributes:
        task: the model, its data, and the way it is trained.
        native: the task of `benchmarks.tasks` whose loop by hand fits: the same layers in other sizes.
        remark: what an expert's loop does otherwise than `fit`; nothing if both do the same.
    """

    task: Task
    native: str
    remark: str = ""


def _perceptron(k: Any) -> Any:
    hidden = [k.layers.Dense(256, activation="relu") for _ in range(2)]
    return k.Sequential([k.Input((784,)), *hidden, k.layers.Dense(10, activation="softmax")])


def _large_table(k: Any) -> Any:
    layers = k.layers
    inputs = {"words": k.Input((4,), dtype="int32", name="words"), "numbers": k.Input((32,), name="numbers")}
    words = layers.Flatten()(layers.Embedding(VOCABULARY, 16)(inputs["words"]))
    x = layers.Concatenate()([words, inputs["numbers"]])
    x = layers.Dense(64, activation="relu")(x)
    return k.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def _words_and_numbers(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    words = rng.integers(VOCABULARY, size=(rows, 4)).astype("int32")
    return {"words": words, "numbers": rng.normal(size=(rows, 32)).astype("float32")}


def _task(name: str, label: str, steps: int, **changes: Any) -> Task:
    return replace(TASKS[name], label=label, batch=BATCH, steps=steps, has_dropout=False, **changes)


MODELS = {
    "mlp": Shared(_task("wide", "MLP 784-256-256-10, Adam", 60, model=_perceptron), "wide"),
    "conv": Shared(_task("conv", "conv 28x28 (32, 64), Adam", 8), "conv"),
    "lstm": Shared(_task("lstm", "LSTM 80x64, Adam", 10), "lstm"),
    "transformer": Shared(_task("transformer", "transformer block 32x64, Adam", 20), "transformer"),
    "table": Shared(
        _task("two_inputs", "embedding 100,000x16, Adam", 20, model=_large_table, inputs=_words_and_numbers),
        "two_inputs",
    ),
}
OTHERS = {
    "batch_norm": Shared(
        _task("batch_norm", "conv 28x28 (16, 32), batch norm, momentum", 10),
        "batch_norm",
        "the loops on PyTorch and TensorFlow normalize by the moments of each worker, `fit` by those of the batch",
    ),
}
