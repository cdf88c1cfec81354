"""Workers that end at other times, or one of them by an error or by `sys.exit` while the other one waits for it."""

from __future__ import annotations

import sys
import time

import numpy as np

import polykeras as keras
from polykeras.backend import registry
from polykeras.distribution.connections import current_job


def leave_in_fit(rank: int) -> None:
    """Train; one worker leaves in the middle."""
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")

    def leave(batch: int, logs: object) -> None:
        if batch == 2 and current_job().rank == rank:
            sys.exit(3)

    x = np.ones((40, 3), np.float32)
    callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=leave)]
    model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=callbacks)


def main(how: str) -> None:
    keras.distribution.initialize()
    rank = current_job().rank
    registry.current().barrier()
    if how == f"late {rank}":
        time.sleep(2)
    if how == f"error {rank}":
        raise ValueError("a mistake")
    if how.startswith("exit"):
        leave_in_fit(int(how.split()[1]))
    if how.startswith("error"):
        registry.current().barrier()


main(sys.argv[1])
