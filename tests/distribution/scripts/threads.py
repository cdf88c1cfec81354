"""While a thread trains on several workers, a callback evaluates in the same thread, and others try to train and predict."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import polykeras as keras
from helpers.workers import tell


def in_thread(call: Callable[[], Any]) -> str:
    """Return the name of a result's type, or the message of an error, of a call in a thread of its own."""
    found = []

    def run() -> None:
        try:
            found.append(type(call()).__name__)
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


class Calls(keras.callbacks.Callback):
    """Calls what a second thread might call."""

    def __init__(self, other: keras.Model, x: np.ndarray) -> None:
        super().__init__()
        self.other, self.x, self.y = other, x, x[:, :1]
        self.found: dict[str, str] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.found["here"] = type(self.model.evaluate(self.x, self.y, verbose=0)).__name__
        self.found["fit"] = in_thread(lambda: self.other.fit(self.x, self.y, verbose=0))
        self.found["evaluate"] = in_thread(lambda: self.other.evaluate(self.x, self.y, verbose=0))
        self.found["batch"] = in_thread(lambda: self.other.train_on_batch(self.x, self.y))
        self.found["predict"] = in_thread(lambda: self.other.predict(self.x, verbose=0))


def model() -> keras.Model:
    """Return a small model."""
    found = keras.Sequential([keras.layers.Dense(1)])
    found.compile("sgd", "mse")
    return found


keras.distribution.initialize()
keras.distribution.set_distribution(keras.distribution.DataParallel())
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
calls = Calls(model(), x)
model().fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[calls])
calls.found["after"] = in_thread(lambda: calls.other.fit(x, x[:, :1], batch_size=4, verbose=0))
tell(keras.distribution.distribution().data_shard_id, calls.found)
