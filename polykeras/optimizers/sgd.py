"""Gradient descent, with or without momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from polykeras.backend.families.execution import FusedKernel
from polykeras.backend.spec import Array
from polykeras.optimizers.arguments import LearningRate, OptimizerArguments, check_between
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.positional import shared_arguments


@registry.register()
class SGD(Optimizer):
    """Gradient descent.

    Without momentum `w -= learning_rate * g`. With it `m = momentum * m - learning_rate * g` and `w += m`, or after
    Nesterov `w += momentum * m - learning_rate * g`.

    Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013.

    Args:
        learning_rate: see `Optimizer`.
        momentum: the decay rate of the momentum, in [0, 1].
        nesterov: whether to use Nesterov momentum.
        **kwargs: see `Optimizer`.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.momentum = check_between(0, 1, self, "momentum", momentum)
        self.nesterov = nesterov

    def slots(self) -> list[dict[str, float]]:
        return [{"momentum": 0.0}] if self.momentum else []

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        (rate,) = scalars
        step = rate * gradient
        if not self.momentum:
            return (parameter - step,)
        momentum = self.momentum * slots[0] - step
        if self.nesterov:
            return parameter + (self.momentum * momentum - step), momentum
        return parameter + momentum, momentum

    def fused_kernel(self) -> FusedKernel | None:
        if self.momentum or type(self).rule is not SGD.rule or type(self).scalars is not SGD.scalars:
            return None  # frameworks keep the momentum without the learning rate; or a user's own subclass
        return FusedKernel("gradient descent", {})
