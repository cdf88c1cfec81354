"""The callbacks that show the progress of a run."""

from __future__ import annotations

from typing import Any

from polykeras.common.legacy_arguments import takes_legacy_arguments
from polykeras.training.callbacks.base import Callback
from polykeras.training.callbacks.progress_line import ProgressLine, say


class ProgressDisplay(Callback):
    """Draws a bar with the steps done, the time and the metrics; or prints one line per epoch.

    The bar of an epoch shows its validation too. If standard output is a log (a file, a pipe, the output of a CI job),
    a bar cannot be redrawn: then the callback prints lines, and nothing for predictions, which have no metrics.

    Args:
        level: 0: nothing; 1: a bar; 2: one line per epoch.
        epochs: the number of the last epoch.
        steps: steps per epoch. None if unknown; the first epoch then tells it.
        validation_steps: steps per validation. None if unknown; the first validation then tells it.
    """

    per_chunk = True
    first_worker_only = True

    def __init__(self, level: int, epochs: int, steps: int | None, validation_steps: int | None = None) -> None:
        super().__init__()
        self._fits = False
        self._show(level, epochs, steps, validation_steps)

    def _show(self, level: int, epochs: int, steps: int | None, validation_steps: int | None = None) -> None:
        self._epochs = epochs
        self._line = ProgressLine(level, steps)
        self._line.validation.steps = validation_steps

    # ---- hooks -------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """From now on, evaluations are validations, which are shown in the line of their epoch."""
        self._fits = True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin the line of the epoch."""
        self._line.title = f"Epoch {epoch + 1}/{self._epochs}"
        if self._line.redraws and self._epochs > 1:
            say(self._line.title)
        self._line.begin()

    def on_train_resume(self, epoch: int, step: int) -> None:
        """Begin the line of an epoch that an earlier run began."""
        if step:
            self.on_epoch_begin(epoch)
            self._line.begin(step)

    def get_state(self) -> dict[str, Any]:
        """Return an empty state: there is nothing to remember."""
        return {}

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Redraw the bar, from time to time."""
        self._line.advance(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """End the line."""
        self._line.end(logs)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """In `evaluate`, begin a line. In `fit`, the line of the epoch continues with the validation."""
        if self._fits:
            self._line.validation.begin()
        else:
            self._line.begin()

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Redraw the bar, from time to time."""
        if self._fits:
            self._line.advance_validation(batch + 1)
        else:
            self._line.advance(batch + 1, logs)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """In `evaluate`, end the line. In `fit`, the end of the epoch does that."""
        if self._fits:
            self._line.validation.end()
        else:
            self._line.end(logs)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a line."""
        self._line.begin()

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Redraw the bar, from time to time."""
        self._line.advance(batch + 1, None)

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the line."""
        if self._line.redraws or self._line.level > 1:
            self._line.end(None)


class ProgbarLogger(ProgressDisplay):
    """Shows the progress of a run. `fit`, `evaluate` and `predict` show it by themselves, as `verbose` says.

    Attributes:
        verbose: 0: silent; 1: a bar; 2: one line per epoch.
        epochs: the number of the last epoch.
        target: steps per epoch; None while unknown.
        seen: the number of steps of the epoch that are done.
    """

    @takes_legacy_arguments
    def __init__(self) -> None:
        super().__init__(1, 1, None)

    def set_params(self, params: dict[str, Any]) -> None:
        """Take `verbose`, `epochs` and `steps` from the parameters of the run."""
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self._show(1 if verbose == "auto" else int(verbose), params.get("epochs", 1), params.get("steps"))

    @property
    def verbose(self) -> int:
        """0: silent; 1: a bar; 2: one line per epoch."""
        return self._line.level

    @property
    def epochs(self) -> int:
        """The number of the last epoch."""
        return self._epochs

    @property
    def target(self) -> int | None:
        """Steps per epoch; None while unknown."""
        return self._line.steps

    @property
    def seen(self) -> int:
        """The number of steps of the epoch that are done."""
        return self._line.done
