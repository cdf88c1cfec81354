"""Runs of Ray on this machine. Prints what `test_ray.py` looks at, a line `RESULT 0 {...}`.

Its arguments are the name of a function below, the backend, and a folder for results.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.train
import ray.tune
from ray.tune.integration.ray_train import TuneReportCallback

import polykeras as keras
from helpers.workers import tell
from polykeras.integrations.ray import PolykerasTrainer, ReportCheckpointCallback
from polykeras.integrations.ray.reporting import MODEL

EPOCHS = 4


class Kill(keras.callbacks.Callback):
    """Kills the process of worker 1 in the middle of the third epoch, if it is the first one.

    Args:
        started: a file, which lists the processes of worker 1.
    """

    def __init__(self, started: str) -> None:
        super().__init__()
        self.started = Path(started)

    def on_train_begin(self, logs: Any = None) -> None:
        if is_worker_1():
            with self.started.open("a") as file:
                file.write(f"{os.getpid()}\n")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        is_time = len(self.model.history.epoch) == 2 and batch == 3
        if is_worker_1() and is_time and len(self.started.read_text().split()) == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def is_worker_1() -> bool:
    return ray.train.get_context().get_world_rank() == 1


def fit(rate: float, *callbacks: keras.callbacks.Callback) -> dict[str, list[float]]:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), layers.Dropout(0.3), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"])
    x = np.random.default_rng(1).normal(size=(192, 6)).astype("float32")
    # 8 steps an epoch, and a shorter batch.
    history = model.fit(x, x[:, :1] * x[:, 1:2], 22, EPOCHS, callbacks=list(callbacks), verbose=0).history
    history["weights"] = [float(np.abs(w).sum()) for w in model.get_weights()]
    return history


def train(config: dict[str, Any]) -> dict[str, Any]:
    keras.distribution.initialize()
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    callbacks = [ReportCheckpointCallback(save_freq=config.get("save_freq", "epoch"))]
    if "started" in config:
        callbacks.append(Kill(config["started"]))
    history = fit(config["rate"], *callbacks)
    workers = keras.distribution.distribution().num_model_replicas
    return {"history": history, "workers": workers, "backend": keras.backend.backend()}


def trainer(config: dict[str, Any], name: str, callbacks: Any = None) -> PolykerasTrainer:
    run = ray.train.RunConfig(
        name=name,
        storage_path=config["folder"],
        failure_config=ray.train.FailureConfig(max_failures=1),
        callbacks=callbacks,
    )
    scaling = ray.train.ScalingConfig(num_workers=2)
    return PolykerasTrainer(train, train_loop_config=config, scaling_config=scaling, run_config=run)


def workers(folder: str) -> dict[str, Any]:
    """Two workers, without and with one that is killed; and one process."""
    config = {"rate": 0.01, "folder": folder}
    whole = trainer(config, "whole").fit()
    started = Path(folder) / "processes_of_worker_1"
    killed = trainer(config | {"started": str(started), "save_freq": 5}, "killed").fit()
    with whole.checkpoint.as_directory() as saved:
        model = keras.saving.load_model(Path(saved) / MODEL)
        loaded = [float(np.abs(w).sum()) for w in model.get_weights()]
    return {
        "alone": fit(0.01),
        "whole": whole.return_value,
        "reported": whole.metrics_dataframe.to_dict("list"),
        "loaded": loaded,
        "killed": killed.return_value,
        "processes": len(started.read_text().split()),
    }


def trials(folder: str) -> dict[str, Any]:
    """Two trials of Ray Tune, each in a process; and one trial of two workers."""

    def alone(config: dict[str, Any]) -> None:
        train(config)  # Ray Tune reports what a trial returns

    def shared(config: dict[str, Any]) -> None:
        trainer(config, "workers", [TuneReportCallback()]).fit()

    def losses(function: Any, space: Any, name: str) -> list[Any]:
        run = ray.tune.RunConfig(name=name, storage_path=folder, verbose=0)
        found = ray.tune.Tuner(function, param_space={"rate": space, "folder": folder}, run_config=run).fit()
        return [[trial.config["rate"], list(trial.metrics_dataframe["loss"])] for trial in found]

    return {
        "alone": {rate: fit(rate)["loss"] for rate in (0.01, 0.1)},
        "trials": losses(alone, ray.tune.grid_search([0.01, 0.1]), "trials"),
        "shared": losses(shared, 0.01, "shared"),
    }


if __name__ == "__main__":
    run, backend, folder = sys.argv[1:]
    keras.set_backend(backend)
    environment = {"env_vars": {"POLYKERAS_BACKEND": backend}}
    # A trial that starts two workers counts as a process too.
    ray.init(num_cpus=3, include_dashboard=False, object_store_memory=100 * 2**20, runtime_env=environment)
    try:
        tell(0, {"workers": workers, "trials": trials}[run](folder))
    finally:
        ray.shutdown()
