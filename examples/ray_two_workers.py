"""Ray: a network trained by two workers of Ray Train, with the curve of one process; then two trials of Ray Tune."""

# Types are also checked where the extra `ray` is missing.
# pyright: reportMissingImports=false

from __future__ import annotations

import tempfile
from typing import Any

import matplotlib.pyplot as plt
import ray
import ray.train
import ray.tune
from shared import arguments, load, plot_curves, save_figure, split

import polykeras as keras
from polykeras import layers
from polykeras.integrations.ray import PolykerasTrainer, ReportCheckpointCallback

RATES = (0.003, 0.03)
options = arguments("Ray: digits with two workers, and a learning rate from two trials.", epochs=5)
digits = load("digits")
(x_train, y_train), (x_test, y_test) = split((digits.data / 16.0).astype("float32"), digits.target)


def fit(rate: float, *callbacks: keras.callbacks.Callback) -> dict[str, list[float]]:
    """Train a network, alone or shared, and return its history."""
    keras.utils.set_random_seed(options.seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.fit(
        x_train,
        y_train,
        batch_size=64,
        epochs=options.epochs,
        validation_data=(x_test, y_test),
        callbacks=list(callbacks),
        verbose=0,
    ).history


def train(config: dict[str, Any]) -> None:
    """Train on a worker of Ray Train, or in a trial of Ray Tune, which is a run of one process."""
    keras.distribution.initialize()
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    fit(config["rate"], ReportCheckpointCallback())


def reported(run: Any, name: str) -> list[float]:
    """Return what a run has reported, an epoch a number."""
    return list(run.metrics_dataframe[name])


if __name__ == "__main__":
    backend = keras.backend.backend()
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        runtime_env={"env_vars": {"POLYKERAS_BACKEND": backend}},
    )
    with tempfile.TemporaryDirectory() as folder:
        result = PolykerasTrainer(
            train,
            train_loop_config={"rate": RATES[0]},
            scaling_config=ray.train.ScalingConfig(num_workers=2),
            run_config=ray.train.RunConfig(name="two_workers", storage_path=folder),
        ).fit()
        shared = reported(result, "loss")
        found = ray.tune.Tuner(
            train,
            param_space={"rate": ray.tune.grid_search(list(RATES))},
            run_config=ray.tune.RunConfig(name="rates", storage_path=folder, verbose=0),
        ).fit()
        results: list[Any] = [found[i] for i in range(len(found))]
        trials = {f"rate {trial.config['rate']}": reported(trial, "val_loss") for trial in results}
        best: Any = found.get_best_result("val_loss", "min")
    ray.shutdown()

    alone = fit(RATES[0])
    furthest = max(abs(a - b) for a, b in zip(alone["loss"], shared, strict=True))
    print(f"\nThe losses of two workers and of one process differ by {furthest:.1e} at most.")
    print(f"Of the trials, the one with the rate {best.config['rate']} has the smallest loss on test digits.")

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    plot_curves(left, {"one process": alone["loss"], "two workers": shared}, "loss")
    plot_curves(right, trials, "loss on test digits")
    save_figure(figure, "ray_two_workers")
