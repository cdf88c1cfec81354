"""Adagrad and Adadelta: a step size for each weight, from all its gradients so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from polykeras.backend import current
from polykeras.backend.spec import Array
from polykeras.optimizers.arguments import LearningRate, OptimizerArguments, check_beta, check_positive
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.positional import shared_arguments


@registry.register()
class Adagrad(Optimizer):
    """Divides the gradient by the root of the sum of all its squares.

    `a += g**2` and `w -= learning_rate * g / sqrt(a + epsilon)`.

    Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12 (2011).

    Args:
        learning_rate: see `Optimizer`.
        initial_accumulator_value: the initial value of the sum: 0 or more.
        epsilon: a small number that keeps the divisor from 0.
        **kwargs: see `Optimizer`.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value = check_positive(self, "initial_accumulator_value", initial_accumulator_value)
        self.epsilon = epsilon

    def slots(self) -> list[dict[str, float]]:
        return [{"accumulator": self.initial_accumulator_value}]

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        (rate,) = scalars
        accumulator = slots[0] + gradient * gradient
        return parameter - rate * gradient / current().sqrt(accumulator + self.epsilon), accumulator


@registry.register()
class Adadelta(Optimizer):
    """Steps in the units of the weights, from moving averages of squared gradients and squared steps.

    `a = rho * a + (1 - rho) * g**2`, `d = sqrt(b + epsilon) / sqrt(a + epsilon) * g`,
    `b = rho * b + (1 - rho) * d**2` and `w -= learning_rate * d`.

    Zeiler, https://arxiv.org/abs/1212.5701, where the learning rate is 1.

    Args:
        learning_rate: see `Optimizer`.
        rho: the decay rate of the averages, in [0, 1).
        epsilon: sets the size of the first steps.
        **kwargs: see `Optimizer`.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = check_beta(self, "rho", rho)
        self.epsilon = epsilon

    def slots(self) -> list[dict[str, float]]:
        return [{"accumulated_grad": 0.0, "accumulated_delta_var": 0.0}]

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        backend, (rate,) = current(), scalars
        gradients, deltas = slots
        gradients = self.rho * gradients + (1 - self.rho) * (gradient * gradient)
        delta = backend.sqrt(deltas + self.epsilon) * gradient / backend.sqrt(gradients + self.epsilon)
        deltas = self.rho * deltas + (1 - self.rho) * (delta * delta)
        return parameter - rate * delta, gradients, deltas
