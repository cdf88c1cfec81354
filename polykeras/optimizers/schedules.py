"""Learning rates as functions of the step: pure, so that they are compiled into the training step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.config import floatx
from polykeras.saving.configurable import Configurable
from polykeras.saving.serialization import Registry, serialize_keras_object

registry: Registry[LearningRateSchedule] = Registry("learning-rate schedule", "keras.optimizers.schedules")

_LAST_STEP = 2**31  # steps are counted in int32


def scalar_dtype() -> str:
    """Return the dtype of learning rates and other scalars of an update: at least float32."""
    return "float64" if floatx() == "float64" else "float32"


class LearningRateSchedule(Configurable):
    """Base of schedules: a function from the step to a learning rate."""

    def __call__(self, step: Any) -> Any:
        """Return the learning rate.

        Args:
            step: how many updates there were before: an int or an int32 scalar (traced inside a training step, so
                compute with `polykeras.ops`).
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `__call__(step)`.")


def _positive(owner: LearningRateSchedule, name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"{type(owner).__name__}: `{name}` must be positive; received {value!r}.")
    return value


def _float(step: Any) -> Any:
    return ops.cast(step, scalar_dtype())


def _cosine(fraction: Any) -> Any:
    """Half a cosine, from 1 at `fraction` 0 to 0 at 1."""
    return ops.multiply(0.5, ops.add(1.0, ops.cos(ops.multiply(math.pi, fraction))))


def _above(alpha: float, part: Any) -> Any:
    """Map the interval from 0 to 1 to that from `alpha` to 1."""
    return ops.add(ops.multiply(1 - alpha, part), alpha)


@registry.register()
class ExponentialDecay(LearningRateSchedule):
    """Gives `initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: the first one.
        decay_steps: after so many steps `decay_rate` has been applied once.
        decay_rate: a factor.
        staircase: whether the exponent is rounded down.
        name: for reading only.

    Example:
        >>> float(ExponentialDecay(0.5, decay_steps=10, decay_rate=0.5)(20))
        0.125
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(self, "decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Any:
        exponent = ops.divide(_float(step), self.decay_steps)
        if self.staircase:
            exponent = ops.floor(exponent)
        return ops.multiply(self.initial_learning_rate, ops.power(self.decay_rate, exponent))


@registry.register()
class PiecewiseConstantDecay(LearningRateSchedule):
    """Gives `values[i]` while the step is at most `boundaries[i]`, and the last value after that.

    Args:
        boundaries: increasing steps.
        values: one more than boundaries.
        name: for reading only.
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"PiecewiseConstantDecay needs one more of `values` than of `boundaries`; received {len(values)} "
                f"values and {len(boundaries)} boundaries."
            )
        if list(boundaries) != sorted(boundaries):
            raise ValueError(f"PiecewiseConstantDecay: `boundaries` must increase; received {list(boundaries)}.")
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: Any) -> Any:
        rate = ops.cast(self.values[0], scalar_dtype())
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            rate = ops.where(ops.greater(step, boundary), value, rate)
        return rate


@registry.register()
class PolynomialDecay(LearningRateSchedule):
    """Falls from one learning rate to another as `(1 - step / decay_steps) ** power`, and stays there.

    Args:
        initial_learning_rate: the first one.
        decay_steps: when the last one is reached.
        end_learning_rate: the last one.
        power: 1 falls along a line.
        cycle: instead of staying, begin again each time, with `decay_steps` at the next multiple of it.
        name: for reading only.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(self, "decay_steps", decay_steps)
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> Any:
        fraction = ops.divide(_float(step), self.decay_steps)
        if self.cycle:
            fraction = ops.divide(fraction, ops.maximum(1.0, ops.ceil(fraction)))
        rest = ops.power(ops.subtract(1.0, ops.minimum(fraction, 1.0)), self.power)
        return ops.add(ops.multiply(self.initial_learning_rate - self.end_learning_rate, rest), self.end_learning_rate)


@registry.register()
class InverseTimeDecay(LearningRateSchedule):
    """Gives `initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: the first one.
        decay_steps: the unit of time.
        decay_rate: how fast.
        staircase: whether the time is rounded down to whole units.
        name: for reading only.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(self, "decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Any:
        time = ops.divide(_float(step), self.decay_steps)
        if self.staircase:
            time = ops.floor(time)
        return ops.divide(self.initial_learning_rate, ops.add(1.0, ops.multiply(self.decay_rate, time)))


@registry.register()
class CosineDecay(LearningRateSchedule):
    """Falls along half a cosine, after a linear warmup where one is asked for.

    Loshchilov and Hutter, "SGDR", https://arxiv.org/abs/1608.03983.

    Args:
        initial_learning_rate: the first one.
        decay_steps: how long it falls.
        alpha: the last one, as a part of that from which it falls.
        name: for reading only.
        warmup_target: what the warmup reaches, and from where the rate falls. None: no warmup.
        warmup_steps: how long the warmup takes; `decay_steps` are counted from its end.
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
        self.decay_steps = _positive(self, "decay_steps", decay_steps)
        self.alpha = alpha
        self.name = name
        if warmup_steps < 0:
            raise ValueError(f"CosineDecay: `warmup_steps` must be 0 or more; received {warmup_steps!r}.")
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def _falling(self, step: Any, top: float) -> Any:
        fraction = ops.minimum(ops.divide(step, self.decay_steps), 1.0)
        return ops.multiply(top, _above(self.alpha, _cosine(fraction)))

    def __call__(self, step: Any) -> Any:
        step = _float(step)
        if self.warmup_target is None:
            return self._falling(step, self.initial_learning_rate)
        slope = (self.warmup_target - self.initial_learning_rate) / max(1, self.warmup_steps)
        rising = ops.add(self.initial_learning_rate, ops.multiply(slope, step))
        falling = self._falling(ops.subtract(step, self.warmup_steps), self.warmup_target)
        return ops.where(ops.less(step, self.warmup_steps), rising, falling)


@registry.register()
class CosineDecayRestarts(LearningRateSchedule):
    """Falls along half a cosine again and again.

    Loshchilov and Hutter, "SGDR", https://arxiv.org/abs/1608.03983.

    Args:
        initial_learning_rate: the first one.
        first_decay_steps: the length of the first period.
        t_mul: each period is so many times as long as the one before.
        m_mul: each period falls from so many times as high as the one before.
        alpha: the last rate of each period, as a part of the initial one.
        name: for reading only.
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
        self.first_decay_steps = _positive(self, "first_decay_steps", first_decay_steps)
        self.t_mul = _positive(self, "t_mul", t_mul)
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def _periods(self) -> tuple[np.ndarray, np.ndarray]:
        """The first step and the length of each period, as long as a period has a step and a step has a number."""
        starts, lengths = [0.0], [float(self.first_decay_steps)]
        while lengths[-1] * self.t_mul >= 1 and starts[-1] + lengths[-1] < _LAST_STEP:
            starts.append(starts[-1] + lengths[-1])
            lengths.append(lengths[-1] * self.t_mul)
        return np.array(starts), np.array(lengths)

    def __call__(self, step: Any) -> Any:
        step = _float(step)
        if self.t_mul == 1:
            period = ops.floor(ops.divide(step, self.first_decay_steps))
            fraction = ops.subtract(ops.divide(step, self.first_decay_steps), period)
        else:
            # Looked up rather than computed with logarithms, whose rounding errors would move the restarts.
            starts, lengths = (table.astype(scalar_dtype()) for table in self._periods())
            period = ops.subtract(ops.sum(ops.cast(ops.greater_equal(step, starts), "int32")), 1)
            fraction = ops.divide(ops.subtract(step, ops.take(starts, period)), ops.take(lengths, period))
            fraction, period = ops.minimum(fraction, 1.0), _float(period)
        wave = ops.multiply(ops.power(self.m_mul, period), _cosine(fraction))
        return ops.multiply(self.initial_learning_rate, _above(self.alpha, wave))


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """Return the config of a schedule."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> LearningRateSchedule:
    """Return the schedule of a config.

    Args:
        config: what `serialize` gave.
        custom_objects: further names it may use.
    """
    return registry.deserialize(config, custom_objects)


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]
