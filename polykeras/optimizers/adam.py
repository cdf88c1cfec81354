"""Adam and its relatives: moving averages of the gradient and of its square."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Unpack

from polykeras.backend import current
from polykeras.backend.families.execution import FusedKernel
from polykeras.backend.handles import convert
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.optimizers.arguments import LearningRate, OptimizerArguments, SharedArguments, check_beta
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.positional import shared_arguments
from polykeras.optimizers.schedules.base import scalar_dtype
from polykeras.variables import Variable


def one_minus_power(beta: float, step: ArrayLike) -> Array:
    """Return `1 - beta ** step`, which corrects the bias of an average that began at 0, with full precision."""
    backend = current()
    return -backend.expm1(step * math.log(beta)) if beta else backend.ones_like(step)


@registry.register()
class Adam(Optimizer):
    """Adam: steps from moving averages of the gradient and its square.

    `m += (1 - beta_1) * (g - m)`, `v += (1 - beta_2) * (g**2 - v)` and `w -= a * m / (sqrt(v) + epsilon)` with
    `a = learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)`.

    Kingma and Ba, https://arxiv.org/abs/1412.6980 (`epsilon` is the "epsilon hat" of its section 2); AMSGrad: Reddi et
    al., https://openreview.net/forum?id=ryQu7f-RZ.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: the decay rate of the first moment, in [0, 1).
        beta_2: the decay rate of the second moment, in [0, 1).
        epsilon: a small number that keeps the divisor from 0.
        amsgrad: whether to divide by the largest `v` so far.
        **kwargs: see `Optimizer`.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = check_beta(self, "beta_1", beta_1)
        self.beta_2 = check_beta(self, "beta_2", beta_2)
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def slots(self) -> list[dict[str, float]]:
        return [{"momentum": 0.0, "velocity": 0.0}, *([{"velocity_hat": 0.0}] if self.amsgrad else [])]

    def scalars(self, learning_rate: Array, step: ArrayLike) -> list[Array]:
        correction = current().sqrt(one_minus_power(self.beta_2, step)) / one_minus_power(self.beta_1, step)
        return [learning_rate * correction]

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        backend, (rate,) = current(), scalars
        momentum, velocity, *largest = slots
        momentum = momentum + (1 - self.beta_1) * (gradient - momentum)
        velocity = velocity + (1 - self.beta_2) * (gradient * gradient - velocity)
        largest = [backend.maximum(highest, velocity) for highest in largest]
        size = backend.sqrt(largest[0] if largest else velocity)
        return (parameter - rate * momentum / (size + self.epsilon), momentum, velocity, *largest)

    def fused_kernel(self) -> FusedKernel | None:
        if type(self).rule is not Adam.rule or type(self).scalars is not Adam.scalars:
            return None  # a user's own subclass
        return FusedKernel("adam", {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon})


@registry.register()
class AdamW(Adam):
    """Adam with weight decay that is decoupled from the gradient.

    Loshchilov and Hutter, https://arxiv.org/abs/1711.05101.

    Args:
        learning_rate: see `Optimizer`.
        weight_decay: see `Optimizer`.
        beta_1: see `Adam`.
        beta_2: see `Adam`.
        epsilon: see `Adam`.
        amsgrad: see `Adam`.
        **kwargs: see `Optimizer`.

    Raises:
        ValueError: if `weight_decay` is missing.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Unpack[SharedArguments],
    ) -> None:
        if weight_decay is None:
            raise ValueError("AdamW: `weight_decay` must be a number; received None. Without decay, use Adam.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)


@registry.register()
class Adamax(Optimizer):
    """Adam with the largest gradient in place of the root mean square.

    `m += (1 - beta_1) * (g - m)`, `u = max(beta_2 * u, abs(g))` and
    `w -= learning_rate / (1 - beta_1**t) * m / (u + epsilon)`.

    Kingma and Ba, section 7.1 of https://arxiv.org/abs/1412.6980.

    Args:
        learning_rate: see `Optimizer`.
        beta_1: the decay rate of the first moment, in [0, 1).
        beta_2: the decay rate of the largest gradient, in [0, 1).
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
        return [{"momentum": 0.0, "norm": 0.0}]

    def scalars(self, learning_rate: Array, step: ArrayLike) -> list[Array]:
        return [learning_rate / one_minus_power(self.beta_1, step)]

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        backend, (rate,) = current(), scalars
        momentum, norm = slots
        momentum = momentum + (1 - self.beta_1) * (gradient - momentum)
        norm = backend.maximum(self.beta_2 * norm, backend.abs(gradient))
        return parameter - rate * momentum / (norm + self.epsilon), momentum, norm


@registry.register()
class Nadam(Optimizer):
    """Adam with Nesterov momentum.

    The momentum of step t is `u_t = beta_1 * (1 - 0.96**t / 2)`, and `w -= learning_rate * h / (sqrt(v') + epsilon)`
    where `h = u_{t+1} * m / (1 - u_1 ... u_{t+1}) + (1 - u_t) * g / (1 - u_1 ... u_t)` and `v' = v / (1 - beta_2**t)`.

    Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.

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

    def build(self, var_list: Iterable[Variable]) -> None:
        first = not self.built
        super().build(var_list)
        if first:
            self._product = self.add_variable((), "ones", scalar_dtype(), "momentum_product")

    def scalars(self, learning_rate: Array, step: ArrayLike) -> list[Array]:
        backend = current()
        now, following = (self.beta_1 * (1.0 - 0.5 * backend.exp(t * math.log(0.96))) for t in (step, step + 1.0))
        product = convert(backend, self._product) * now
        self._product.assign(product)
        return [
            learning_rate * following / (1.0 - product * following),
            learning_rate * (1.0 - now) / (1.0 - product),
            1.0 / one_minus_power(self.beta_2, step),
        ]

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        momentum_rate, gradient_rate, correction = scalars
        momentum, velocity = slots
        momentum = momentum + (1 - self.beta_1) * (gradient - momentum)
        velocity = velocity + (1 - self.beta_2) * (gradient * gradient - velocity)
        step = momentum_rate * momentum + gradient_rate * gradient
        return parameter - step / (current().sqrt(velocity * correction) + self.epsilon), momentum, velocity
