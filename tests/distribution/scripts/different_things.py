"""The workers do different things in turn; each prints what it was told. Afterwards they still work together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import polykeras as keras
from helpers.workers import tell
from polykeras.distribution.connections import current_job

X = np.ones((16, 3), "float32")


class Evaluates(keras.callbacks.Callback):
    """Evaluates at the end of an epoch, on the first worker alone."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if current_job().rank == 0:
            self.model.evaluate(X, X, batch_size=8, verbose=0)


def main() -> None:
    keras.distribution.initialize()
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    rank = current_job().rank
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")

    def fit(**arguments: Any) -> Any:
        return model.fit(X, X, batch_size=8, epochs=2, verbose=0, **arguments)

    different: list[Callable[[], Any]] = [
        lambda: fit(callbacks=[Evaluates()]),
        lambda: fit(validation_data=(X, X), validation_freq=1 + rank),
        lambda: fit(initial_epoch=rank),
        lambda: model.evaluate(X, X, batch_size=8 - 4 * rank, verbose=0),
        lambda: model.train_on_batch(X[: 16 - rank], X[: 16 - rank]),
        lambda: model.test_on_batch(X, X) if rank else model.train_on_batch(X, X),
    ]
    found = []
    for work in different:
        try:
            work()
            found.append("nothing")
        except (RuntimeError, ValueError) as error:
            found.append(str(error))
    found.append(str(fit().history["loss"]))
    tell(rank, found)


main()
