"""Two processes that have parts of the weights. One changes a weight on its own; in the end, one is killed."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import numpy as np

import polykeras as keras
from helpers.workers import tell
from polykeras import layers
from polykeras.distribution.connections import current_job

X = np.random.default_rng(1).normal(size=(320, 64)).astype(np.float32)
api = keras.distribution


def _drift(bias: keras.Variable) -> None:
    bias.assign(np.full(bias.shape, 1e-3, np.float32))


def _end_soon(bias: keras.Variable) -> None:
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()


def train(happens: Any = None, epochs: int = 3) -> list[float]:
    """Train; something happens on worker 1 in the second epoch."""

    def begin(epoch: int, logs: Any = None) -> None:
        if epoch == 1 and current_job().rank == 1 and happens is not None:
            happens(model.layers[-1].bias)

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [layers.Dense(512, name="first", activation="tanh"), layers.Dense(1, name="last")], name="net"
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_begin=begin)]
    found = model.fit(X, X[:, :1], batch_size=160, epochs=epochs, callbacks=callbacks, verbose=0).history["loss"]
    return [float(v) for v in found]


def message(happens: Any, epochs: int = 3) -> str:
    """Return the kind of the error, its text and its notes."""
    try:
        train(happens, epochs)
    except RuntimeError as error:
        return "\n".join([type(error).__name__, str(error), *getattr(error, "__notes__", [])])
    return "none"


def main() -> None:
    api.initialize()
    layout_map = api.LayoutMap(api.DeviceMesh((1, 2), ["batch", "model"]))
    layout_map["(.*/)?first/kernel"] = (None, "model")
    parallel = api.ModelParallel(layout_map=layout_map, batch_dim_name="batch")
    api.set_distribution(parallel)
    found: dict[str, Any] = {"cut": train(), "drift": message(_drift)}
    api.set_distribution(None)
    with keras.use_backend("numpy"):
        found["alone on numpy"] = train()
    api.set_distribution(parallel)
    found["lost"] = message(_end_soon, 10**6)
    tell(current_job().rank, found)
    os._exit(0)  # the engine may wait for the process that was killed


main()
