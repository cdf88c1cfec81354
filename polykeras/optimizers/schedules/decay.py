"""Schedules that decay as powers, lines and steps."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.optimizers.schedules.base import LearningRateSchedule, as_float, positive, registry, scalar_dtype


@registry.register()
class ExponentialDecay(LearningRateSchedule):
    """Returns `initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: the first learning rate.
        decay_steps: the number of steps in which `decay_rate` is applied once.
        decay_rate: the factor.
        staircase: whether the exponent is rounded down.
        name: a name for reference, without effect.

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
        self.decay_steps = positive(self, "decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: ArrayLike) -> Array:
        exponent = ops.divide(as_float(step), self.decay_steps)
        if self.staircase:
            exponent = ops.floor(exponent)
        return ops.multiply(self.initial_learning_rate, ops.power(self.decay_rate, exponent))


@registry.register()
class PiecewiseConstantDecay(LearningRateSchedule):
    """Returns `values[i]` as long as the step is at most `boundaries[i]`, and the last value after that.

    Args:
        boundaries: steps, in increasing order.
        values: learning rates, one more than boundaries.
        name: a name for reference, without effect.

    Raises:
        ValueError: if the boundaries do not increase, or the numbers of boundaries and values do not fit.
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"PiecewiseConstantDecay needs one more value than boundaries; received {len(values)} "
                f"values and {len(boundaries)} boundaries."
            )
        if list(boundaries) != sorted(boundaries):
            raise ValueError(f"PiecewiseConstantDecay: `boundaries` must increase; received {list(boundaries)}.")
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: ArrayLike) -> Array:
        rate = ops.cast(self.values[0], scalar_dtype())
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            rate = ops.where(ops.greater(step, boundary), value, rate)
        return rate


@registry.register()
class PolynomialDecay(LearningRateSchedule):
    """Falls from one learning rate to another with `(1 - step / decay_steps) ** power`, and stays there.

    Args:
        initial_learning_rate: the first learning rate.
        decay_steps: the step at which the last one is reached.
        end_learning_rate: the last learning rate.
        power: the exponent; 1 falls linearly.
        cycle: whether to restart instead of staying, with `decay_steps` extended to the next multiple of it.
        name: a name for reference, without effect.
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
        self.decay_steps = positive(self, "decay_steps", decay_steps)
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: ArrayLike) -> Array:
        fraction = ops.divide(as_float(step), self.decay_steps)
        if self.cycle:
            fraction = ops.divide(fraction, ops.maximum(1.0, ops.ceil(fraction)))
        rest = ops.power(ops.subtract(1.0, ops.minimum(fraction, 1.0)), self.power)
        return ops.add(ops.multiply(self.initial_learning_rate - self.end_learning_rate, rest), self.end_learning_rate)


@registry.register()
class InverseTimeDecay(LearningRateSchedule):
    """Returns `initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: the first learning rate.
        decay_steps: the unit of time.
        decay_rate: the rate of the decay.
        staircase: whether the time is rounded down to whole units.
        name: a name for reference, without effect.
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
        self.decay_steps = positive(self, "decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: ArrayLike) -> Array:
        time = ops.divide(as_float(step), self.decay_steps)
        if self.staircase:
            time = ops.floor(time)
        return ops.divide(self.initial_learning_rate, ops.add(1.0, ops.multiply(self.decay_rate, time)))
