"""Ctrl-C and errors during `fit`: what the model is afterwards."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from helpers import data
from polykeras import callbacks, layers
from polykeras.backend import Backend

X, Y = data(24, 3), data(24, 1, seed=1)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A shell lets jobs in the background ignore Ctrl-C, and their children do too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def make() -> Any:
    keras.utils.set_random_seed(7)
    keras.common.naming.reset_names()
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dropout(0.5), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


class Interrupts(callbacks.Callback):
    """Presses Ctrl-C after an epoch's first chunk."""

    per_chunk = True

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._when = epoch
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._epoch == self._when:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("keep", [True, False])
def test_the_history_holds_the_epochs_so_far(backend: Backend, tmp_path: Path, keep: bool) -> None:
    model = make()
    used: list[Any] = [callbacks.BackupAndRestore(tmp_path / "b")] if keep else []
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, 4, 5, 0, [*used, Interrupts(2)])
    assert model.history.epoch == [0, 1]
    assert len(model.history.history["loss"]) == 2
    assert np.isfinite(model.predict(X, verbose=0)).all()
    assert int(model.optimizer.iterations) > 12
    if not keep:
        model.fit(X, Y, 4, 1, 0)
        return
    whole = make()
    history = whole.fit(X, Y, 4, 5, 0).history
    keras.utils.set_random_seed(3)
    model.fit(X, Y, 4, 5, 0, used)  # the same model object goes back to the backup
    assert model.history.history == history
    assert all((a == b).all() for a, b in zip(model.get_weights(), whole.get_weights(), strict=True))


def test_an_error_within_steps_says_what_it_may_mean(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is lost by it, the backup has it."""
    whole = make()
    history = whole.fit(X, Y, 4, 3, 0).history
    keep = callbacks.BackupAndRestore(tmp_path / "b", 6)
    model = make()

    class Breaks(callbacks.Callback):
        def get_state(self) -> dict[str, Any]:
            return {}

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            if epoch == 2:
                step: Any = next(iter(model._steps.values()))
                programs = getattr(step, "_step", step)._programs  # of the step that a wrapper verifies
                run = programs.chunk

                def broken(state: Any, *args: Any) -> Any:
                    run(state, *args)
                    raise RuntimeError("out of memory")

                monkeypatch.setattr(programs, "chunk", broken)

    with pytest.raises(RuntimeError, match="out of memory") as caught:
        model.fit(X, Y, 4, 3, 0, [keep, Breaks()])
    notes = "".join(getattr(caught.value, "__notes__", []))
    assert ("let `fit` go on from the backup of a `BackupAndRestore`" in notes) == backend.execution.donates
    monkeypatch.undo()
    assert model.fit(X, Y, 4, 3, 0, keep).history == history
    assert all((a == b).all() for a, b in zip(model.get_weights(), whole.get_weights(), strict=True))
