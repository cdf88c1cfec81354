"""What callbacks share that compare a logged value with the best one so far."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.common.naming import did_you_mean
from polykeras.training.callbacks.base import Callback


class MonitorCallback(Callback):
    """Base class of callbacks that watch one value of the epochs' logs.

    Args:
        monitor: its name in the logs.
        mode: `"min"` or `"max"`: which values are better; `"auto"` asks the metric of that name.
        baseline: the value to beat at first, None for any.
        min_delta: by how much a value must be better to count.

    Raises:
        ValueError: an unknown mode.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", baseline: float | None = None, min_delta: float = 0.0
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{type(self).__name__}: mode must be 'auto', 'min' or 'max'; received {mode!r}.")
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best = baseline

    def is_better(self, value: float, reference: float | None) -> bool:
        """Return whether a value beats another one by more than `min_delta`; any value beats None.

        Args:
            value: the newer one.
            reference: the older one, or None.

        Raises:
            ValueError: the mode is `"auto"`, and no metric says which values are better.
        """
        gain = value if reference is None else value - reference
        if self._direction() == "down":
            gain = -gain
        return reference is None or gain > self.min_delta

    @property
    def monitor_op(self) -> Callable[[Any, Any], Any] | None:
        """`ops.less` or `ops.greater`, by which a value is better than another; None where that is not known."""
        try:
            return ops.less if self._direction() == "down" else ops.greater
        except ValueError:
            return None

    def _direction(self) -> str:
        if self.mode != "auto":
            return "up" if self.mode == "max" else "down"
        name = self.monitor.removeprefix("val_")
        if name == "loss" or name.endswith("_loss"):
            return "down"
        found = next((m.direction for m in getattr(self.model, "metrics", ()) if m.name == name), None)
        if found is None:
            raise ValueError(
                f"{type(self).__name__}: whether {self.monitor!r} should grow or shrink is not known. Pass mode='max' "
                "or mode='min'."
            )
        return found

    def monitored(self, logs: dict[str, Any] | None) -> float | None:
        """Return the value that is watched, None (with a warning) where the logs do not have it.

        Raises:
            ValueError: it is not a scalar.
        """
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(
                f"{type(self).__name__}: the logs have no {self.monitor!r}.{did_you_mean(self.monitor, logs)} "
                f"There are {', '.join(logs) or 'none'}.",
                stacklevel=3,
            )
            return None
        if np.ndim(value):
            raise ValueError(
                f"{type(self).__name__} watches {self.monitor!r}, which must be a scalar; received an array of shape "
                f"{np.shape(value)}."
            )
        return float(value)
