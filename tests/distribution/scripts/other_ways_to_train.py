"""Streams, methods on one batch, evaluation, predictions, callbacks that stop: shared between the workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import polykeras as keras
from helpers.workers import tell
from polykeras import collectives, layers, ops

ROWS, BATCH = 203, 20
X = np.random.default_rng(0).normal(size=(ROWS, 5)).astype(np.float32)
Y = np.arange(ROWS) % 3


def model(**compiled: Any) -> keras.Model:
    """Return a small classifier with fixed initial weights."""
    keras.utils.set_random_seed(0)
    found = keras.Sequential(
        [layers.Dense(16, activation="relu"), layers.Dropout(0.2), layers.Dense(3, activation="softmax")]
    )
    found.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **compiled)
    return found


def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield batches without end; each eleventh one has three rows."""
    while True:
        for start in range(0, ROWS, BATCH):
            yield X[start : start + BATCH], Y[start : start + BATCH]


class Stops(keras.callbacks.Callback):
    """Stops training after some batches, on the first worker alone."""

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.model.stop_training = keras.distribution.distribution().data_shard_id == 0 and batch >= 3


class Numbered(keras.Model):
    """Multiplies each row by its number in the whole batch."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, _ = data
        numbers = ops.arange(x.shape[0]) * collectives.workers() + collectives.worker_index()
        products = ops.cast(numbers, "float32") * x[:, 0]
        return {"products": collectives.sum_over_workers(ops.sum(products))}


def own_rows() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield this worker's rows of whole batches."""
    here = keras.distribution.distribution()
    for start in range(0, 200, BATCH):
        rows = slice(start + here.data_shard_id, start + BATCH, here.num_model_replicas)
        yield X[rows], Y[rows]


def by_share() -> list[float]:
    """Train on batches that each worker reads by itself."""
    with keras.distribution.DataParallel(auto_shard_dataset=False).scope():
        return model().fit(_Rows(), epochs=2, verbose=0).history["loss"]


class _Rows(keras.utils.PyDataset):
    """Batches with the rows of this worker."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = list(own_rows())

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        return self.batches[index]


def results() -> dict[str, Any]:
    """Return the numbers of each way to train."""
    found: dict[str, Any] = {}
    trained = model()
    found["stream"] = trained.fit(batches(), epochs=2, steps_per_epoch=11, verbose=0).history
    found["evaluate"] = trained.evaluate(X, Y, batch_size=BATCH, verbose=0)
    found["evaluate stream"] = trained.evaluate(batches(), steps=11, verbose=0)
    found["predict"] = float(np.abs(trained.predict(X, batch_size=BATCH, verbose=0)[:, 0]).sum())
    found["by share"] = by_share()
    on_batches = model()
    found["train_on_batch"] = [on_batches.train_on_batch(X[i : i + 21], Y[i : i + 21]) for i in range(0, ROWS, 21)]
    found["test_on_batch"] = on_batches.test_on_batch(X[:20], Y[:20])
    stopped = model().fit(X, Y, batch_size=BATCH, epochs=3, verbose=0, callbacks=[Stops()])
    found["stopped"] = stopped.history
    found["eagerly"] = model(run_eagerly=True).fit(X[:80], Y[:80], batch_size=BATCH, epochs=2, verbose=0).history
    found["steps_per_execution"] = model(steps_per_execution=3).fit(X, Y, batch_size=28, epochs=2, verbose=0).history
    numbered = Numbered()
    numbered.compile()
    found["numbers of rows"] = numbered.fit(X, Y, batch_size=BATCH, shuffle=False, verbose=0).history
    mixed = model()
    mixed.optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(gradient_accumulation_steps=2))
    found["wrapped optimizer"] = mixed.fit(X, Y, batch_size=BATCH, epochs=2, verbose=0).history
    return found


keras.distribution.initialize()
keras.distribution.set_distribution(keras.distribution.DataParallel())
tell(keras.distribution.distribution().data_shard_id, results())
