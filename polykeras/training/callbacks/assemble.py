"""The callbacks of a run: those of the user and our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras.common import nested
from polykeras.distribution.workers import is_first_worker
from polykeras.training.callbacks.base import Callback
from polykeras.training.callbacks.callback_list import CallbackList
from polykeras.training.callbacks.foreign import as_callback
from polykeras.training.callbacks.history import History
from polykeras.training.callbacks.progress import ProgbarLogger, ProgressDisplay


def assemble(
    callbacks: Sequence[Callback] | Callback | CallbackList | None,
    model: Any,
    verbose: int | str,
    epochs: int,
    steps: int | None,
    records: bool = False,
    validation_steps: int | None = None,
) -> CallbackList:
    """Return the list of callbacks of a run.

    Args:
        callbacks: the user's.
        model: the model that is trained.
        verbose: 0: silent; 1 or "auto": a progress bar; 2: one line per epoch.
        epochs: the number of the last epoch.
        steps: steps per epoch; None if unknown.
        records: add a history if the user gave none.
        validation_steps: steps per validation; None if unknown or if there is no validation.

    Returns:
        The user's callbacks, the progress display, and the history. The history comes last because the callbacks before
        it may add to the logs. Of several workers, the first one alone shows progress and has the callbacks that write.
    """
    if isinstance(callbacks, CallbackList):
        return callbacks
    given = [as_callback(callback) for callback in nested.flatten(callbacks)] if callbacks else []
    if not is_first_worker():
        given = [c for c in given if not getattr(c, "first_worker_only", False)]
        verbose = 0
    histories = [c for c in given if isinstance(c, History)] or ([History()] if records else [])
    others = [c for c in given if not isinstance(c, History)]
    level = 1 if verbose == "auto" else int(verbose)
    shown = level and not any(isinstance(c, ProgbarLogger) for c in given)
    progress = [ProgressDisplay(level, epochs, steps, validation_steps)] if shown else []
    every = [*others, *progress, *histories]
    return CallbackList(every, model=model, verbose=level, epochs=epochs, steps=steps)
