"""FTRL-Proximal: for sparse linear models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from polykeras.backend import current
from polykeras.backend.spec import Array
from polykeras.optimizers.arguments import LearningRate, OptimizerArguments, check_between, check_positive
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.positional import shared_arguments


@registry.register()
class Ftrl(Optimizer):
    """Follow the regularized leader (FTRL-Proximal).

    With `n' = n + g**2` and `p = -learning_rate_power`:
    `z += g + 2 * shrinkage * w - (n'**p - n**p) / learning_rate * w` and
    `w = (clip(z, -l1, l1) - z) / ((beta + n'**p) / learning_rate + 2 * l2)`.

    McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013.

    Args:
        learning_rate: see `Optimizer`.
        learning_rate_power: 0 or less; 0 for a fixed learning rate.
        initial_accumulator_value: the initial value of `n`: 0 or more.
        l1_regularization_strength: 0 or more.
        l2_regularization_strength: 0 or more; keeps the weights near 0.
        l2_shrinkage_regularization_strength: 0 or more; a penalty on the size of the weights.
        beta: the parameter of the formula above.
        **kwargs: see `Optimizer`.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.learning_rate_power = check_between(float("-inf"), 0, self, "learning_rate_power", learning_rate_power)
        self.initial_accumulator_value = check_positive(self, "initial_accumulator_value", initial_accumulator_value)
        self.l1_regularization_strength = check_positive(self, "l1_regularization_strength", l1_regularization_strength)
        self.l2_regularization_strength = check_positive(self, "l2_regularization_strength", l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = check_positive(
            self, "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength
        )
        self.beta = beta

    def slots(self) -> list[dict[str, float]]:
        return [{"accumulator": self.initial_accumulator_value, "linear": 0.0}]

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        backend, (rate,) = current(), scalars
        (before, linear), l1 = slots, self.l1_regularization_strength
        after = before + gradient * gradient
        power_before, power_after = (backend.power(n, -self.learning_rate_power) for n in (before, after))
        shrinkage = 2 * self.l2_shrinkage_regularization_strength
        linear = linear + gradient + shrinkage * parameter - (power_after - power_before) / rate * parameter
        clipped = backend.minimum(backend.maximum(linear, -l1), l1)
        quadratic = (self.beta + power_after) / rate + 2 * self.l2_regularization_strength
        return (clipped - linear) / quadratic, after, linear
