"""The callbacks that show how far a run is."""

from __future__ import annotations

from typing import Any

from polykeras.common.legacy_arguments import takes_legacy_arguments
from polykeras.training.callbacks.base import Callback
from polykeras.training.callbacks.progress_line import ProgressLine, say


def make_progress(level: int, epochs: int, steps: int | None, validation_steps: int | None = None) -> list[Callback]:
    """Return the callbacks that display the progress of a run.

    Args:
        level: 0 nothing, 1 a bar, 2 a line an epoch.
        epochs: the last epoch.
        steps: in an epoch, None where unknown.
        validation_steps: in a validation, None where unknown, or where there is none.
    """
    return [ProgressDisplay(level, epochs, steps, validation_steps)] if level else []


class ProgressDisplay(Callback):
    """Draws a bar with the steps done, the time and the metrics; or prints one line an epoch.

    The bar of an epoch shows its validation too. Where standard output is a log (a file, a pipe, the output of a CI
    job), in which a bar cannot be redrawn, it prints lines, and of predictions, which have no metrics, none.

    Args:
        level: 0 nothing, 1 a bar, 2 a line an epoch.
        epochs: the last epoch.
        steps: in an epoch, None where unknown; learnt from the first epoch then.
        validation_steps: in a validation, likewise.
    """

    per_chunk = True

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
        """From here on, evaluations are validations, which show in the line of their epoch."""
        self._fits = True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin a line."""
        self._line.title = f"Epoch {epoch + 1}/{self._epochs}"
        if self._line.redraws and self._epochs > 1:
            say(self._line.title)
        self._line.begin()

    def on_train_resume(self, epoch: int, step: int) -> None:
        """Begin the line of an epoch that was cut."""
        if step:
            self.on_epoch_begin(epoch)
            self._line.begin(step)

    def get_state(self) -> dict[str, Any]:
        """There is nothing to remember."""
        return {}

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Redraw the bar, from time to time."""
        self._line.advance(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """End the line."""
        self._line.end(logs)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a line, in `evaluate`; in `fit` the line goes on with the validation."""
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
        """End the line, in `evaluate`; in `fit` that is for the end of the epoch."""
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
    """Shows the progress of a run. `fit`, `evaluate` and `predict` add one by themselves, by `verbose`.

    Attributes:
        verbose: 0 silent, 1 a bar, 2 a line an epoch.
        epochs: the last epoch.
        target: how many steps an epoch has, None as long as that is not known.
        seen: how many steps of the epoch are done.
    """

    @takes_legacy_arguments
    def __init__(self) -> None:
        super().__init__(1, 1, None)

    def set_params(self, params: dict[str, Any]) -> None:
        """Take over how much is to be shown of how many epochs and steps."""
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self._show(1 if verbose == "auto" else int(verbose), params.get("epochs", 1), params.get("steps"))

    @property
    def verbose(self) -> int:
        """How much is shown."""
        return self._line.level

    @property
    def epochs(self) -> int:
        """The last epoch."""
        return self._epochs

    @property
    def target(self) -> int | None:
        """The number of steps in an epoch."""
        return self._line.steps

    @property
    def seen(self) -> int:
        """The number of steps done."""
        return self._line.done
