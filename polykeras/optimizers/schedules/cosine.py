"""Schedules that fall along half a cosine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.optimizers.schedules.base import LearningRateSchedule, as_float, positive, registry, scalar_dtype

_LAST_STEP = 2**31  # steps are counted in int32


def _cosine(fraction: Any) -> Any:
    """Return half a cosine, from 1 at `fraction` 0 to 0 at 1."""
    return ops.multiply(0.5, ops.add(1.0, ops.cos(ops.multiply(math.pi, fraction))))


def _above(alpha: float, part: Any) -> Any:
    """Map the interval [0, 1] to [`alpha`, 1]."""
    return ops.add(ops.multiply(1 - alpha, part), alpha)


@registry.register()
class CosineDecay(LearningRateSchedule):
    """Falls along half a cosine, after an optional linear warmup.

    Loshchilov and Hutter, "SGDR", https://arxiv.org/abs/1608.03983.

    Args:
        initial_learning_rate: the first learning rate.
        decay_steps: the number of steps over which it falls.
        alpha: the last learning rate, as a fraction of the one from which it falls.
        name: a name for reference, without effect.
        warmup_target: the learning rate at the end of the warmup, from which it falls. None: no warmup.
        warmup_steps: the number of warmup steps; `decay_steps` are counted from their end.

    Raises:
        ValueError: if `decay_steps` is not positive, or `warmup_steps` is negative.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = positive(self, "decay_steps", decay_steps)
        self.alpha = alpha
        self.name = name
        if warmup_steps < 0:
            raise ValueError(f"CosineDecay: `warmup_steps` must be 0 or more; received {warmup_steps!r}.")
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def _falling(self, step: ArrayLike, top: float) -> Any:
        fraction = ops.minimum(ops.divide(step, self.decay_steps), 1.0)
        return ops.multiply(top, _above(self.alpha, _cosine(fraction)))

    def __call__(self, step: ArrayLike) -> Array:
        step = as_float(step)
        if self.warmup_target is None:
            return self._falling(step, self.initial_learning_rate)
        slope = (self.warmup_target - self.initial_learning_rate) / max(1, self.warmup_steps)
        rising = ops.add(self.initial_learning_rate, ops.multiply(slope, step))
        falling = self._falling(ops.subtract(step, self.warmup_steps), self.warmup_target)
        return ops.where(ops.less(step, self.warmup_steps), rising, falling)


@registry.register()
class CosineDecayRestarts(LearningRateSchedule):
    """Falls along half a cosine, and restarts again and again.

    Loshchilov and Hutter, "SGDR", https://arxiv.org/abs/1608.03983.

    Args:
        initial_learning_rate: the first learning rate.
        first_decay_steps: the length of the first period.
        t_mul: the length of each period, as a multiple of the previous one.
        m_mul: the first learning rate of each period, as a multiple of the previous one.
        alpha: the last learning rate of each period, as a fraction of the initial one.
        name: a name for reference, without effect.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = positive(self, "first_decay_steps", first_decay_steps)
        self.t_mul = positive(self, "t_mul", t_mul)
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def _periods(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the first step and the length of each period, for all steps that an int32 can count."""
        starts, lengths = [0.0], [float(self.first_decay_steps)]
        while lengths[-1] * self.t_mul >= 1 and starts[-1] + lengths[-1] < _LAST_STEP:
            starts.append(starts[-1] + lengths[-1])
            lengths.append(lengths[-1] * self.t_mul)
        return np.array(starts), np.array(lengths)

    def __call__(self, step: ArrayLike) -> Array:
        step = as_float(step)
        if self.t_mul == 1:
            period = ops.floor(ops.divide(step, self.first_decay_steps))
            fraction = ops.subtract(ops.divide(step, self.first_decay_steps), period)
        else:
            # Looked up in a table: the rounding errors of logarithms would shift the restarts.
            starts, lengths = (table.astype(scalar_dtype()) for table in self._periods())
            begun = ops.greater_equal(ops.expand_dims(step, -1), starts)
            period = ops.subtract(ops.sum(ops.cast(begun, "int32"), axis=-1), 1)
            fraction = ops.divide(ops.subtract(step, ops.take(starts, period)), ops.take(lengths, period))
            fraction, period = ops.minimum(fraction, 1.0), as_float(period)
        wave = ops.multiply(ops.power(self.m_mul, period), _cosine(fraction))
        return ops.multiply(self.initial_learning_rate, _above(self.alpha, wave))
