"""The progress bar, and what callbacks have to say."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import numpy as np

from polykeras import config
from polykeras.common.arguments import takes_old_arguments
from polykeras.training.callbacks.base import Callback

REDRAW_SECONDS = 0.1
BAR_WIDTH = 20


def make_progress(level: int, epochs: int, steps: int | None) -> list[Callback]:
    """Return the callbacks that display the progress of a run.

    Args:
        level: 0 nothing, 1 a bar, 2 a line an epoch.
        epochs: the last epoch.
        steps: in an epoch, None where unknown.
    """
    return [ProgressDisplay(level, epochs, steps)] if level else []


def announce(message: str) -> None:
    """Print a line, below the progress bar where there may be one."""
    _say(f"\n{message}" if _can_redraw() else message)


def _say(text: str, end: str = "\n") -> None:
    if config.is_interactive_logging_enabled():
        print(text, end=end, flush=True)
    else:
        logging.getLogger("polykeras").info("%s", text.strip())


class ProgressDisplay(Callback):
    """Draws a bar with the steps done, the time and the metrics; or prints one line an epoch.

    Where standard output is a file or a pipe, in which a bar cannot be redrawn, it prints lines.

    Args:
        level: 0 nothing, 1 a bar, 2 a line an epoch.
        epochs: the last epoch.
        steps: in an epoch, None where unknown; learnt from the first epoch then.
    """

    per_chunk = True

    def __init__(self, level: int, epochs: int, steps: int | None) -> None:
        super().__init__()
        self._fits = False
        self._show(level, epochs, steps)

    def _show(self, level: int, epochs: int, steps: int | None) -> None:
        self._epochs = epochs
        self._line = ProgressLine(level, steps)

    # ---- hooks -------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """From here on, evaluations are validations, which show in the line of their epoch."""
        self._fits = True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin a line."""
        self._line.title = f"Epoch {epoch + 1}/{self._epochs}"
        if self._line.redraws and self._epochs > 1:
            _say(self._line.title)
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
        """Begin a line, in `evaluate`."""
        if not self._fits:
            self._line.begin()

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Redraw the bar, in `evaluate`."""
        if not self._fits:
            self._line.advance(batch + 1, logs)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the line, in `evaluate`."""
        if not self._fits:
            self._line.end(logs)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a line."""
        self._line.begin()

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Redraw the bar, from time to time."""
        self._line.advance(batch + 1, None)

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """End the line."""
        self._line.end(None)


class ProgressLine:
    """A line of the steps done, the time and some values: a bar that is redrawn, or printed once at its end.

    Args:
        level: 0 nothing; 1 a bar, where standard output can redraw one; 2 a line at the end.
        steps: how many there are, None where unknown; learnt when the line ends then.
        width: of the bar, in characters.
        interval: seconds between two drawings.
        unit: what a step is called.

    Attributes:
        title: stands before a line that is printed once.
        redraws: whether there is a bar.
        level: as given.
        steps: how many there are, None as long as that is not known.
        done: how many are done.
    """

    def __init__(
        self,
        level: int,
        steps: int | None,
        width: int = BAR_WIDTH,
        interval: float = REDRAW_SECONDS,
        unit: str = "step",
    ) -> None:
        self.title = ""
        self.redraws = level == 1 and _can_redraw()
        self.level = level
        self.steps = steps
        self._width = width
        self._interval = interval
        self._unit = unit
        self.begin()

    def begin(self, done: int = 0) -> None:
        """Begin a line, some steps of which an earlier run did."""
        self.done = self._before = done  # the latter are not in the time spent
        self._start = self._now = time.perf_counter()
        self._first: tuple[int, float] | None = None  # steps and time of the first chunk, which compiles
        self._drawn = 0.0

    def advance(self, done: int, logs: dict[str, Any] | None, draw: bool = True) -> None:
        """Note that so many steps are done, and redraw the bar, from time to time."""
        self.done = done
        self._now = time.perf_counter()
        self._first = self._first or (done, self._now)
        if draw and self.redraws and self._now - self._drawn >= self._interval:
            self._drawn = self._now
            self._write(self._bar_line(self._left(), logs))

    def end(self, logs: dict[str, Any] | None) -> None:
        """End the line."""
        self.steps = self.steps or self.done
        if not self.level:
            return
        spent = _duration(time.perf_counter() - self._start)
        if self.redraws:
            self._write(self._bar_line(spent, logs), end="\n")
            return
        line = self._bar_line(spent, logs) if self.level == 1 else self._plain_line(spent, logs)
        _say(" - ".join([self.title, line]) if self.title else line)

    def _bar_line(self, duration: str, logs: dict[str, Any] | None) -> str:
        if self.steps:
            full = self._width * self.done // self.steps
            done, left = _bar_characters()
            bar = done * full + left * (self._width - full)
            count = f"{self.done:>{len(str(self.steps))}}/{self.steps} {bar}"
        else:
            count = f"{self.done:>7}/unknown"
        return " - ".join([f"{count} {duration} {self._speed()}", *_values(logs)])

    def _plain_line(self, duration: str, logs: dict[str, Any] | None) -> str:
        return " - ".join([f"{self.done}/{self.steps}", duration, self._speed(), *_values(logs)])

    def _left(self) -> str:
        """The time that is left in the epoch; as long as nothing is known of it, the time spent."""
        if not self.steps or self._first == (self.done, self._now):
            return _duration(self._now - self._start)
        return _duration(self._step_seconds() * (self.steps - self.done))

    def _speed(self) -> str:
        seconds = self._step_seconds()
        for unit, size in (("s", 1.0), ("ms", 1e-3)):
            if seconds >= size:
                return f"{seconds / size:.0f}{unit}/{self._unit}"
        return f"{seconds * 1e6:.0f}us/{self._unit}"

    def _step_seconds(self) -> float:
        steps, moment = self._first or (0, self._start)
        if self.done > steps:
            return (self._now - moment) / (self.done - steps)
        return (self._now - self._start) / max(1, self.done - self._before)

    @staticmethod
    def _write(line: str, end: str = "") -> None:
        _say(f"\r{line}\x1b[K", end=end)  # the escape code clears what is left of a longer line


class ProgbarLogger(ProgressDisplay):
    """Shows the progress of a run. `fit`, `evaluate` and `predict` add one by themselves, by `verbose`.

    Attributes:
        verbose: 0 silent, 1 a bar, 2 a line an epoch.
        epochs: the last epoch.
        target: how many steps an epoch has, None as long as that is not known.
        seen: how many steps of the epoch are done.
    """

    @takes_old_arguments
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


def _can_redraw() -> bool:
    return config.is_interactive_logging_enabled() and (sys.stdout.isatty() or "ipykernel" in sys.modules)


def _bar_characters() -> str:
    """Return the characters of what is done and of what is left: Keras's where standard output can show them."""
    try:
        "━─".encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return "=."
    return "━─"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{rest}s"


def _values(logs: dict[str, Any] | None) -> list[str]:
    return [f"{name}: {_number(value)}" for name, value in (logs or {}).items()]


def _number(value: Any) -> str:
    if np.ndim(value):
        return f"[{' '.join(_number(part) for part in np.ravel(value))}]"
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"
