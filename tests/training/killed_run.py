"""A run of `fit` that kills itself where it is told; called again, it goes on. `test_kill.py` runs it as a program.

python killed_run.py FOLDER '{"variant": "plateau", "save_freq": 3, "kill": ["train_batch_end", 7]}'
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import polykeras as keras
from polykeras import callbacks, layers

EPOCHS, SAMPLES, BATCH = 6, 42, 8  # five full batches and a partial one
LONG_EPOCHS, LONG_SAMPLES = 15, 640  # long enough to be killed from outside


def die() -> None:
    """End as by `kill -9`: nothing is flushed, closed or cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


class Killer(callbacks.Callback):
    """Kills the process when a hook is called for the `count`-th time in it; of training, single steps count."""

    def __init__(self, hook: str, count: int, name: str = "SIGKILL") -> None:
        super().__init__()
        self._left = count
        self._signal = getattr(signal, name)
        self.per_chunk = not hook.startswith("train_batch")
        setattr(self, f"on_{hook}", self._called)

    def get_state(self) -> dict[str, Any]:
        """Counts calls in this process only."""
        return {}

    def _called(self, *args: Any, **kwargs: Any) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), self._signal)


class Noise(callbacks.Callback):
    """Draws from the global generators, remembers what it drew, and logs it."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[float] = []
        self.total = np.zeros(2)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw."""
        self.drawn.append(random.random())
        self.total += np.random.normal(size=2)
        assert logs is not None
        logs["noise"] = float(self.total[0]) + keras.random.draw_seed() % 1000


class Begun(callbacks.Callback):
    """Tells by a file that training has begun."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tell it."""
        self._path.touch()

    def get_state(self) -> dict[str, Any]:
        """Has none."""
        return {}


class Stream:
    """Batches one after the other, again in each epoch."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self._parts = [(x[i : i + BATCH], y[i : i + BATCH]) for i in range(0, len(x), BATCH)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parts)


def kill_within(function: str, count: int) -> None:
    """Kill the process in the `count`-th call of what files are written with, half done where that can be."""
    left = count

    def dying(original: Callable[..., Any], after: bool) -> Callable[..., Any]:
        def patched(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and not after:
                die()
            result = original(*args, **kwargs)
            if left == 0:
                die()
            return result

        return patched

    name, _, when = function.partition(" ")
    if name == "write_array":
        np.lib.format.write_array = dying(np.lib.format.write_array, when == "after")  # type: ignore[assignment]
    else:
        setattr(os, name, dying(getattr(os, name), when == "after"))


def make_model(variant: str) -> Any:
    """Return a model with everything that has a state."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(12, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(3, activation="softmax"),
        ]
    )
    rate = 0.02 if variant == "plateau" else keras.optimizers.schedules.ExponentialDecay(0.02, 7, 0.8)
    metrics = ["accuracy", keras.metrics.AUC()]
    model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=metrics)
    return model


def main() -> None:
    """Run, and write down what came out."""
    folder, told = Path(sys.argv[1]), json.loads(sys.argv[2])
    keras.utils.set_random_seed(3)
    generator = np.random.default_rng(0)
    epochs, samples = (LONG_EPOCHS, LONG_SAMPLES) if told.get("long") else (EPOCHS, SAMPLES)
    x = generator.normal(size=(samples, 4)).astype("float32")
    y = np.eye(3, dtype="float32")[(x[:, 0] + 0.5 * generator.normal(size=samples) > 0) + (x[:, 1] > 1) * 1]
    model = make_model(told["variant"])
    hook, count = told.get("kill") or ("", 0)
    noise = Noise()
    used: list[Any] = [
        noise,
        callbacks.EarlyStopping(patience=told.get("patience", 2), restore_best_weights=True),
        callbacks.ModelCheckpoint(folder / "best.npz", save_best_only=True),
        callbacks.BackupAndRestore(folder / "backup", save_freq=told["save_freq"]),
        callbacks.CSVLogger(folder / "log.csv"),
    ]
    if told.get("long"):
        used.append(Begun(folder / "begun"))
    if told["variant"] == "plateau":
        used.append(callbacks.ReduceLROnPlateau(patience=1, factor=0.5))
    if hook.startswith("os."):
        kill_within(hook.removeprefix("os."), count)
    elif hook:
        used.insert(told.get("place", 3), Killer(hook, count, told.get("signal", "SIGKILL")))
    data = [Stream(x, y)] if told.get("stream") else [x, y, BATCH]
    history = model.fit(*data, epochs=epochs, verbose=0, callbacks=used, validation_data=(x[:20], y[:20]))
    arrays = {f"{i} {v.path}": v.numpy() for i, v in enumerate([*model.variables, *model.optimizer.variables])}
    np.savez(folder / "result.npz", **{name.replace("/", "."): array for name, array in arrays.items()})
    result = {
        "history": history.history,
        "epochs": history.epoch,
        "same": model.history is history,
        "drawn": noise.drawn,
        "total": noise.total.tolist(),
        "next": [random.random(), np.random.random(), keras.random.draw_seed()],
        "log": (folder / "log.csv").read_text(),
        "left": sorted(path.name for path in folder.iterdir() if path.stem not in ("begun", "result")),
    }
    (folder / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
