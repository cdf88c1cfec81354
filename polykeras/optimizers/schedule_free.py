"""AdamW without a schedule: an average of all iterates replaces it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from polykeras.backend import current
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike, InitializerLike
from polykeras.optimizers.adam import one_minus_power
from polykeras.optimizers.arguments import LearningRate, OptimizerArguments, check_beta
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.positional import shared_arguments
from polykeras.variables import Variable


@registry.register()
class ScheduleFreeAdamW(Optimizer):
    """AdamW that needs no learning-rate schedule, since the weights are an average of all iterates.

    The variables hold `y = (1 - beta_1) * z + beta_1 * x`, where `z` makes Adam's steps,
    `z -= learning_rate * g / (sqrt(v / (1 - beta_2**t)) + epsilon)`, and `x` is the average of all `z` so far.

    Defazio et al., https://arxiv.org/abs/2405.15682.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: the share of the average, in (0, 1).
        beta_2: the decay rate of the second moment, in [0, 1).
        epsilon: a small number that keeps the divisor from 0.
        warmup_steps: the number of steps over which the learning rate grows from 0.
        **kwargs: see `Optimizer`.

    Raises:
        ValueError: if a number is out of range.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if not 0 < beta_1 < 1:
            raise ValueError(f"ScheduleFreeAdamW: `beta_1` must lie in (0, 1); received {beta_1!r}.")
        self.beta_1 = beta_1
        self.beta_2 = check_beta(self, "beta_2", beta_2)
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def slots(self) -> list[dict[str, float]]:
        return [{"momentum": 0.0, "velocity": 0.0}]  # Keras's name for z

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: InitializerLike = "zeros"
    ) -> Variable:
        """Return a new variable, as `Optimizer` makes it; `z` starts at the value of the variable."""
        if name == "momentum":
            initializer = lambda shape, dtype: reference_variable.numpy()  # noqa: E731
        return super().add_variable_from_reference(reference_variable, name, initializer)

    def scalars(self, learning_rate: Array, step: ArrayLike) -> list[Array]:
        backend = current()
        if self.warmup_steps > 0:
            learning_rate = learning_rate * backend.minimum(step / self.warmup_steps, backend.ones_like(step))
        return [learning_rate, 1.0 / one_minus_power(self.beta_2, step), 1.0 / step]

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        rate, correction, weight = scalars
        before, velocity = slots
        velocity = velocity + (1 - self.beta_2) * (gradient * gradient - velocity)
        place = before - rate * gradient / (current().sqrt(velocity * correction) + self.epsilon)
        average = (parameter - (1 - self.beta_1) * before) / self.beta_1
        average = average + weight * (place - average)
        return (1 - self.beta_1) * place + self.beta_1 * average, place, velocity
