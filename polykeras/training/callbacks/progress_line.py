"""The line that shows progress: a bar if it can be redrawn, else a line in a log."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from typing import Any

import numpy as np

from polykeras import config

REDRAW_SECONDS = 0.1
BAR_WIDTH = 20


def announce(message: str) -> None:
    """Print a line. If there may be a progress bar, print below it."""
    say(f"\n{message}" if can_redraw() else message)


def say(text: str, end: str = "\n") -> None:
    """Print a text, or log it if interactive logging is off.

    Args:
        text: the text.
        end: printed after it.
    """
    if config.is_interactive_logging_enabled():
        print(text, end=end, flush=True)
    else:
        logging.getLogger("polykeras").info("%s", text.strip())


class Stopwatch:
    """Times the steps of a pass over data.

    Args:
        steps: the number of steps. None if unknown; the end of the pass then tells it.

    Attributes:
        steps: see above.
        done: the number of steps that are done.
    """

    def __init__(self, steps: int | None) -> None:
        self.steps = steps
        self.begin()

    def begin(self, done: int = 0) -> None:
        """Begin a pass of which an earlier run did `done` steps."""
        self.done = self._before = done  # the time of those before is not counted
        self.start = self.now = time.perf_counter()
        self._first: tuple[int, float] | None = None  # steps and end of the first chunk, which compiles

    def advance(self, done: int) -> None:
        """Note that `done` steps are done."""
        self.done = done
        self.now = time.perf_counter()
        self._first = self._first or (done, self.now)

    def end(self) -> None:
        """End the pass."""
        self.steps = self.steps or self.done

    def step_seconds(self) -> float:
        """Return the seconds per step. The first chunk, which compiles, counts only while there is no other."""
        steps, moment = self._first or (0, self.start)
        if self.done > steps:
            return (self.now - moment) / (self.done - steps)
        return (self.now - self.start) / max(1, self.done - self._before)

    def left(self) -> float | None:
        """Return the seconds that the rest of the pass will take; None if this is not known yet."""
        if not self.steps or self._first is None or self._first == (self.done, self.now):
            return None
        return self.step_seconds() * (self.steps - self.done)

    def whole(self) -> float:
        """Return the seconds that the next pass will take, estimated from the last one; 0 if there was none."""
        return self.step_seconds() * (self.steps or 0)


class ProgressLine:
    """A line with the steps done, the time and some values: a bar that is redrawn, or one line at the end.

    A bar shows the time that is left, including the validation once one was timed. At the end it shows the time spent.

    Args:
        level: 0: nothing; 1: a bar if standard output can redraw one; 2: a line at the end.
        steps: the number of steps. None if unknown; the end of the line then tells it.
        width: of the bar, in characters.
        interval: seconds between two drawings.
        unit: the name of a step.

    Attributes:
        title: printed before a line that is not redrawn.
        redraws: whether there is a bar.
        level: see above.
        validation: times the steps of the validation that the line shows.
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
        self.redraws = level == 1 and can_redraw()
        self.level = level
        self.validation = Stopwatch(None)
        self._watch = Stopwatch(steps)
        self._width = width
        self._interval = interval
        self._unit = unit
        self.begin()

    @property
    def steps(self) -> int | None:
        """The number of steps; None while unknown."""
        return self._watch.steps

    @property
    def done(self) -> int:
        """The number of steps that are done."""
        return self._watch.done

    def begin(self, done: int = 0) -> None:
        """Begin a line for a pass of which an earlier run did `done` steps."""
        self._watch.begin(done)
        self._logs: dict[str, Any] | None = None
        self._drawn = 0.0  # when the line was drawn last
        self._covered = 0  # how many characters it had

    def advance(self, done: int, logs: dict[str, Any] | None, draw: bool = True) -> None:
        """Note that `done` steps are done, and redraw the bar if it is time to.

        Args:
            done: the number of steps that are done.
            logs: the values to show.
            draw: False: do not redraw.
        """
        self._watch.advance(done)
        self._logs = logs
        if draw and self._is_due(self._watch.now):
            left = self._watch.left()
            shown = self._watch.now - self._watch.start if left is None else left + self.validation.whole()
            self._draw(self._bar_line(shown, logs))

    def advance_validation(self, done: int) -> None:
        """Note that `done` steps of the validation are done, and redraw the bar if it is time to."""
        watch = self.validation
        watch.advance(done)
        if self._is_due(watch.now):
            left = watch.left()
            shown = watch.now - watch.start if left is None else left
            of = f"/{watch.steps}" if watch.steps else ""
            part = f"validation: {done}{of} {self._speed(watch)}"
            self._draw(self._bar_line(shown, self._logs, part))

    def end(self, logs: dict[str, Any] | None) -> None:
        """End the line, which shows `logs`."""
        self._watch.end()
        if not self.level:
            return
        spent = time.perf_counter() - self._watch.start
        if self.redraws:
            self._draw(self._bar_line(spent, logs), end="\n")
        else:
            say(" - ".join([*([self.title] if self.title else []), self._plain_line(spent, logs)]))

    def _is_due(self, now: float) -> bool:
        """Return whether to draw the bar now."""
        due = self.redraws and now - self._drawn >= self._interval
        if due:
            self._drawn = now
        return due

    def _bar_line(self, seconds: float, logs: dict[str, Any] | None, *parts: str) -> str:
        if self.steps:
            full = self._width * self.done // self.steps
            done, left = _bar_characters()
            bar = done * full + left * (self._width - full)
            count = f"{self.done:>{len(str(self.steps))}}/{self.steps} {bar}"
        else:
            count = f"{self.done:>7}/unknown"
        return " - ".join([f"{count} {_duration(seconds)} {self._speed(self._watch)}", *parts, *_values(logs)])

    def _plain_line(self, seconds: float, logs: dict[str, Any] | None) -> str:
        return " - ".join([f"{self.done}/{self.steps}", _duration(seconds), self._speed(self._watch), *_values(logs)])

    def _speed(self, watch: Stopwatch) -> str:
        seconds = watch.step_seconds()
        for unit, size in (("s", 1.0), ("ms", 1e-3)):
            if seconds >= size:
                return f"{seconds / size:.0f}{unit}/{self._unit}"
        return f"{seconds * 1e6:.0f}us/{self._unit}"

    def _draw(self, line: str, end: str = "") -> None:
        """Draw over the last drawing. Spaces cover the rest of a longer line, since notebooks ignore escape codes.

        A line that is longer than the terminal would continue in the next row and could not be drawn over: it is cut,
        except at the end.
        """
        if not end:
            line = line[: _columns()]
        say(f"\r{line.ljust(self._covered)}", end=end)
        self._covered = len(line)


def can_redraw() -> bool:
    """Return whether a person looks at standard output, and a line there can be drawn over."""
    if not config.is_interactive_logging_enabled() or os.environ.get("TERM") == "dumb":
        return False
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):  # terminals of CI are logs
        return False
    # On Windows, a program without a console has no standard output.
    return _is_notebook() or (sys.stdout is not None and sys.stdout.isatty())


def _is_notebook() -> bool:
    return type(sys.stdout).__module__.startswith("ipykernel.")


def _columns() -> int | None:
    """Return the most characters of a line that can be drawn over; None in a notebook, where there is no limit."""
    return None if _is_notebook() else shutil.get_terminal_size().columns - 1


def _bar_characters() -> str:
    """Return the characters for the done and the remaining part: Keras's if standard output can show them."""
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
