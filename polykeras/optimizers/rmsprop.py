"""RMSprop: gradients divided by a running average of their size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from polykeras.backend import current
from polykeras.backend.spec import Array
from polykeras.optimizers.arguments import LearningRate, OptimizerArguments, check_beta, check_between
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.positional import shared_arguments


@registry.register()
class RMSprop(Optimizer):
    """Divides the gradient by the root of a moving average of its square.

    `v = rho * v + (1 - rho) * g**2` and `w -= learning_rate * g / sqrt(v + epsilon)`. With `centered`, the variance is
    used in place of `v`. With momentum, `m = momentum * m + learning_rate * g / sqrt(...)` and `w -= m`.

    Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; centered: Graves,
    https://arxiv.org/abs/1308.0850.

    Args:
        learning_rate: see `Optimizer`.
        rho: the decay rate of the averages, in [0, 1).
        momentum: the decay rate of the momentum, in [0, 1].
        epsilon: a small number that keeps the divisor from 0.
        centered: whether to divide by the root of the variance.
        **kwargs: see `Optimizer`.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = check_beta(self, "rho", rho)
        self.momentum = check_between(0, 1, self, "momentum", momentum)
        self.epsilon = epsilon
        self.centered = centered

    def slots(self) -> list[dict[str, float]]:
        momentum = [{"momentum": 0.0}] if self.momentum else []
        return [{"velocity": 0.0}, *momentum, *([{"average_gradient": 0.0}] if self.centered else [])]

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        backend, (rate,) = current(), scalars
        velocity = self.rho * slots[0] + (1 - self.rho) * (gradient * gradient)
        variance, averages = velocity, []
        if self.centered:
            average = self.rho * slots[-1] + (1 - self.rho) * gradient
            variance, averages = backend.maximum(velocity - average * average, 0.0), [average]
        step = rate * gradient / backend.sqrt(variance + self.epsilon)
        if not self.momentum:
            return (parameter - step, velocity, *averages)
        momentum = self.momentum * slots[1] + step
        return (parameter - momentum, velocity, momentum, *averages)
