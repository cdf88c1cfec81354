"""Two processes that have parts of the weights: what they write, how a run goes on, and what is refused.

The argument is a folder that both processes see.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import polykeras as keras
from helpers.parts import part
from helpers.workers import tell
from polykeras import layers, ops
from polykeras.distribution.connections import current_job

X = np.random.default_rng(1).normal(size=(32, 8)).astype(np.float32)
Y = X[:, :1]
api = keras.distribution


class Fails(keras.callbacks.Callback):
    """Fails in the middle of the third epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 2:
            raise KeyboardInterrupt


class StopsOne(keras.callbacks.Callback):
    """Stops the training of one worker."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = current_job().rank == 1


def distribute(whole: str | None = None, axes: tuple[str | None, ...] = (None, "model")) -> None:
    """Cut the kernels of two layers. Lay the outputs of a layer out whole."""
    layout_map = api.LayoutMap(api.DeviceMesh((1, 2), ["batch", "model"]))
    layout_map["(.*/)?(first|second)/kernel"] = axes
    if whole is not None:
        layout_map[f"(.*/)?{whole}/output"] = ()
    api.set_distribution(api.ModelParallel(layout_map=layout_map, batch_dim_name="batch"))


class Places(layers.Layer):
    """Adds the places of its inputs among numbers: an operation for which DTensor has no rule."""

    def call(self, inputs: Any) -> Any:
        return inputs + ops.cast(ops.searchsorted(ops.array([0.0, 1.0]), inputs), inputs.dtype)


def mixed() -> list[keras.Layer]:
    """Return layers whose operations DTensor does not all know, and one whose weights are cut."""
    return [layers.Reshape((4, 2)), layers.LSTM(3), Places(name="places"), layers.Dense(8, name="second")]


def model(make: Callable[[], list[keras.Layer]] = list, eagerly: bool = False) -> keras.Model:
    keras.utils.set_random_seed(0)
    middle = make()
    made = keras.Sequential([layers.Dense(8, name="first", activation="tanh"), *middle, layers.Dense(1)], name="net")
    made.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eagerly)
    return made


def history(made: keras.Model, *callbacks: keras.callbacks.Callback, epochs: int = 4) -> list[float]:
    found = made.fit(X, Y, batch_size=8, epochs=epochs, callbacks=list(callbacks), verbose=2).history["loss"]
    return [float(v) for v in found]


def resumed(folder: Path) -> dict[str, Any]:
    """Cut a run off, and let it go on from its backup; write the weights of each epoch meanwhile."""
    files = folder / str(current_job().rank)
    backup = keras.callbacks.BackupAndRestore(folder / "backup", delete_checkpoint=False)
    stopping = keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
    checkpoint = keras.callbacks.ModelCheckpoint(files / "{epoch}.weights.h5", verbose=1)
    with suppress(KeyboardInterrupt):
        history(model(), backup, stopping, checkpoint, Fails())
    second = model()
    losses = history(second, keras.callbacks.BackupAndRestore(folder / "backup"), stopping, checkpoint)
    third = model()
    third.build((None, 8))
    third.load_weights(folder / "0" / "4.weights.h5")
    equal = [bool(np.array_equal(a, b)) for a, b in zip(second.get_weights(), third.get_weights(), strict=True)]
    return {"losses": losses, "equal": equal, "files": sorted(p.name for p in files.glob("*"))}


def message(made: keras.Model) -> str:
    """Return the error of a model, with its notes."""
    try:
        history(made, epochs=1)
    except (RuntimeError, ValueError) as error:
        return "\n".join([str(error), *getattr(error, "__notes__", [])])
    return "none"


def main() -> None:
    api.initialize()
    folder, found = Path(sys.argv[1]), {}
    distribute()
    trained = model()
    found["whole run"] = history(trained)
    variables = [*trained.variables, *trained.optimizer.variables]
    found["in parts"] = [v.path for v in variables if part(v) != list(v.shape)]
    found["eager"] = history(model(eagerly=True))
    found["resumed"] = resumed(folder)
    found["stopped"] = len(history(model(), StopsOne()))
    found["no rule"] = message(model(lambda: [Places(name="places")]))
    distribute(whole="first")
    found["mixed"] = history(model(mixed))
    distribute(axes=("batch", "model", "batch"))
    found["uneven"] = message(model())
    alone = api.DeviceMesh((1,), ["batch"], ["cpu:0"])
    api.set_distribution(api.ModelParallel(layout_map=api.LayoutMap(alone)))
    found["one device"] = message(model())
    api.set_distribution(None)
    found["one process"] = history(model())
    found["one process, mixed"] = history(model(mixed))
    tell(current_job().rank, found)


main()
