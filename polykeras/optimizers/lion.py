"""Lion: steps of equal size, in the direction of the momentum's sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from polykeras.backend import current
from polykeras.backend.spec import Array
from polykeras.optimizers.arguments import LearningRate, OptimizerArguments, check_between
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.positional import shared_arguments


@registry.register()
class Lion(Optimizer):
    """Steps in the direction of the momentum's sign.

    `w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)`, then `m = beta_2 * m + (1 - beta_2) * g`.

    Chen et al., "Symbolic discovery of optimization algorithms", https://arxiv.org/abs/2302.06675.

    Args:
        learning_rate: see `Optimizer`; usually a third to a tenth of Adam's.
        beta_1: the share of the momentum in a step, in (0, 1]; with 0, only the sign of the gradient would count.
        beta_2: the decay rate of the momentum, in [0, 1].
        **kwargs: see `Optimizer`.

    Raises:
        ValueError: if a number is out of range.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if not 0 < beta_1 <= 1:
            raise ValueError(f"Lion: `beta_1` must lie in (0, 1]; received {beta_1!r}.")
        self.beta_1 = beta_1
        self.beta_2 = check_between(0, 1, self, "beta_2", beta_2)

    def slots(self) -> list[dict[str, float]]:
        return [{"momentum": 0.0}]

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        (rate,), (momentum,) = scalars, slots
        direction = current().sign(self.beta_1 * momentum + (1 - self.beta_1) * gradient)
        return parameter - rate * direction, self.beta_2 * momentum + (1 - self.beta_2) * gradient
