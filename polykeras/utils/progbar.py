"""A progress bar for a user's own loops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from polykeras.training.callbacks.progress_line import ProgressLine


class Progbar:
    """Shows the progress of a loop, the time and some values, in the same line as `fit`.

    Args:
        target: the number of steps; None if unknown.
        width: the width of the bar in characters.
        verbose: 0 for nothing, 1 for a bar (a final line if the output cannot redraw one), 2 for a final line.
        interval: the seconds between two updates.
        stateful_metrics: names of values that are shown unchanged; for other values, the mean over the steps is shown.
        stateless_metrics: names of values whose mean is shown; other values are shown unchanged. It replaces
            `stateful_metrics`.
        unit_name: the name of a step.

    Raises:
        ValueError: if both lists of names are given.

    Example:
        >>> bar = Progbar(2, verbose=0)
        >>> bar.add(1, [("loss", 3.0)])
        >>> bar.add(1, [("loss", 1.0)])
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Progbar: pass `stateful_metrics` or `stateless_metrics`, not both.")
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics = set(stateful_metrics or ()) if stateless_metrics is None else None
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self._line = ProgressLine(verbose, target, width, interval, unit_name)
        self._sums: dict[str, tuple[float, int]] = {}  # the sum of each value, and the number of steps
        self._seen_so_far = 0

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Show that `current` steps are done.

        Args:
            current: the number of steps.
            values: pairs of a name and the value of the last step.
            finalize: whether the line ends; by default at the last step, if `target` is known.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        steps = max(current - self._seen_so_far, 1)
        for name, value in values or ():
            number = float(np.mean(value))
            total, count = self._sums.get(name, (0.0, 0))
            as_it_is = finalize or self._is_stateful(name)
            self._sums[name] = (number, 1) if as_it_is else (total + number * steps, count + steps)
        self._seen_so_far = current
        if not self.verbose:
            return
        self._line.advance(current, self._means(), draw=not finalize)
        if finalize:
            self._line.end(self._means())

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Show that `n` more steps are done.

        Args:
            n: the number of steps.
            values: pairs of a name and the value of the last step.
        """
        self.update(self._seen_so_far + n, values)

    def _is_stateful(self, name: str) -> bool:
        if self.stateful_metrics is not None:
            return name in self.stateful_metrics
        return name not in (self.stateless_metrics or ())

    def _means(self) -> dict[str, float]:
        return {name: total / count for name, (total, count) in self._sums.items()}
