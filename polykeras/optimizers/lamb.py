"""LAMB: Adam's steps, scaled by the norms of the variables."""

from __future__ import annotations

from typing import Unpack

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.optimizers.adam import one_minus_power
from polykeras.optimizers.arguments import LearningRate, OptimizerArguments, check_beta
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.positional import shared_arguments
from polykeras.optimizers.schedules.base import scalar_dtype
from polykeras.variables import Variable


@registry.register()
class Lamb(Optimizer):
    """Adam's direction, scaled by the norm of each variable, for large batches.

    With Adam's `m` and `v`, `u = m / (1 - beta_1**t) / (sqrt(v / (1 - beta_2**t)) + epsilon)` and
    `w -= learning_rate * norm(w) / norm(u) * u`; the quotient is 1 if one of the norms is 0.

    You et al., https://arxiv.org/abs/1904.00962.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: the decay rate of the first moment, in [0, 1).
        beta_2: the decay rate of the second moment, in [0, 1).
        epsilon: a small number that keeps the divisor from 0.
        **kwargs: see `Optimizer`.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = check_beta(self, "beta_1", beta_1)
        self.beta_2 = check_beta(self, "beta_2", beta_2)
        self.epsilon = epsilon

    def slots(self) -> list[dict[str, float]]:
        return [{"momentum": 0.0, "velocity": 0.0}]

    def update_step(self, gradient: Array, variable: Variable, learning_rate: Array) -> None:
        """Update one variable."""
        momentum, velocity = (self._of(slots, [variable])[0] for slots in self._slots)
        step = ops.cast(ops.add(self.iterations, 1), scalar_dtype())
        corrections = [ops.cast(one_minus_power(beta, step), variable.dtype) for beta in (self.beta_1, self.beta_2)]
        momentum.assign(momentum + (1 - self.beta_1) * (gradient - momentum))
        velocity.assign(velocity + (1 - self.beta_2) * (ops.square(gradient) - velocity))
        update = momentum / corrections[0] / (ops.sqrt(velocity / corrections[1]) + self.epsilon)
        norm, length = (ops.sqrt(ops.sum(ops.square(x))) for x in (variable, update))
        both = ops.logical_and(norm > 0, length > 0)
        ratio = ops.where(both, norm / ops.where(both, length, 1.0), 1.0)
        variable.assign(variable - ops.cast(learning_rate, variable.dtype) * ratio * update)
