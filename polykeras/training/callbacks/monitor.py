"""The base of callbacks that compare a logged value with the best one so far."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.common.naming import did_you_mean
from polykeras.training.callbacks.base import Callback


class MonitorCallback(Callback):
    """Base class of callbacks that watch one value in the logs of the epochs.

    Args:
        monitor: the name of the value in the logs.
        mode: which values are better: `"min"` or `"max"`. `"auto"` asks the metric of this name.
        baseline: the value to beat at first; None: the first value is an improvement.
        min_delta: the smallest difference that counts as an improvement.

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
        """Return whether a value is better than another one by more than `min_delta`.

        Args:
            value: the newer value.
            reference: the older value. Any value is better than None.

        Raises:
            ValueError: the mode is `"auto"`, and no metric says which values are better.
        """
        gain = value if reference is None else value - reference
        if self._direction() == "down":
            gain = -gain
        return reference is None or gain > self.min_delta

    @property
    def monitor_op(self) -> Callable[[Any, Any], Any] | None:
        """`ops.less` or `ops.greater`, which says whether a value is better than another; None if that is not known."""
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
        metrics = getattr(self.model, "_metrics_in_logs", dict)()
        found = _direction_of(metrics[name]) if name in metrics else None
        if found is None:
            raise ValueError(
                f"{type(self).__name__}: whether {self.monitor!r} should grow or shrink is not known. Pass mode='max' "
                "or mode='min'."
            )
        return found

    def monitored(self, logs: dict[str, Any] | None) -> float | None:
        """Return the watched value. If the logs do not have it, warn and return None.

        Raises:
            ValueError: the value is not a scalar, or an array of one number.
        """
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            if self.monitor.startswith("val_") and not any(name.startswith("val_") for name in logs):
                hint = " fit has no validation data: pass validation_data=(x, y) or validation_split=0.2."
            else:
                hint = did_you_mean(self.monitor, logs)
            warnings.warn(
                f"{type(self).__name__}: the logs have no {self.monitor!r}.{hint} "
                f"There are {', '.join(logs) or 'none'}.",
                stacklevel=3,
            )
            return None
        if np.size(value) != 1:
            raise ValueError(
                f"{type(self).__name__} watches {self.monitor!r}, which must be a scalar; received an array of shape "
                f"{np.shape(value)}."
            )
        return float(np.reshape(value, ()))


def _direction_of(metric: Any) -> str | None:
    """Return the direction of a metric: what a user's metric says in Keras's way, `_direction`, or our own."""
    return getattr(metric, "_direction", metric.direction)
