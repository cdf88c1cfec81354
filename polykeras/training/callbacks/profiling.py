"""A profile of some steps of a run, made by the profiler of the framework."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from polykeras.backend import registry


class Profile:
    """Starts the profiler before one step of a run and stops it after another.

    Args:
        batches: the number of the step to profile, counted from 1; or a pair, the first and the last step, also as
            `"10,20"`. 0: no profile.
        folder: where the profile is written.

    Raises:
        ValueError: `batches` is something else.
    """

    def __init__(self, batches: Any, folder: str) -> None:
        self.first, self.last = _range(batches)
        self.folder = folder
        self._end: Callable[[], None] | None = None

    def next_stop(self, done: int) -> int | None:
        """Return the next step after which the profiler starts or stops; None if there is none after `done` steps."""
        return min((step for step in (self.first - 1, self.last) if step > done), default=None)

    def after(self, done: int) -> None:
        """Start or stop the profiler if this is due after `done` steps of the run."""
        if self._end is not None and done >= self.last:
            self.end()
        elif self.first and done == self.first - 1:
            backend = registry.current()
            self._end = backend.start_profile(self.folder)
            if self._end is None:
                warnings.warn(
                    f"TensorBoard: `profile_batch` does nothing: the {backend.name} backend has no profiler.",
                    stacklevel=2,
                )

    def end(self) -> None:
        """Stop the profiler if it runs."""
        end, self._end = self._end, None
        if end is not None:
            end()


def _range(batches: Any) -> tuple[int, int]:
    try:
        parts = [int(part) for part in batches.split(",")] if isinstance(batches, str) else batches
        first, last = (parts, parts) if isinstance(parts, int) else parts if len(parts) == 2 else parts * 2
        if 0 <= first <= last and (first or not last):
            return int(first), int(last)
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"TensorBoard: `profile_batch` must be the number of a step, or a pair of them; received {batches!r}."
    )
