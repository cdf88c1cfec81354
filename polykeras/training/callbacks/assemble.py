"""The callbacks of a run: the user's, and our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras.training.callbacks.base import Callback
from polykeras.training.callbacks.callback_list import CallbackList
from polykeras.training.callbacks.history import History
from polykeras.training.callbacks.progress import ProgbarLogger, make_progress


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
        verbose: 0 silent, 1 or "auto" a progress bar, 2 a line an epoch.
        epochs: the last epoch.
        steps: in an epoch, None where unknown.
        records: whether there is to be a history, also where the user gives none.
        validation_steps: in a validation, None where unknown, or where there is none.

    Returns:
        The user's callbacks, then the progress display, then the history, which sees what others added to the logs.
    """
    if isinstance(callbacks, CallbackList):
        return callbacks
    given = [] if callbacks is None else [callbacks] if isinstance(callbacks, Callback) else list(callbacks)
    histories = [c for c in given if isinstance(c, History)] or ([History()] if records else [])
    others = [c for c in given if not isinstance(c, History)]
    level = 1 if verbose == "auto" else int(verbose)
    shown = any(isinstance(c, ProgbarLogger) for c in given)
    progress = [] if shown else make_progress(level, epochs, steps, validation_steps)
    every = [*others, *progress, *histories]
    return CallbackList(every, model=model, verbose=level, epochs=epochs, steps=steps)
