"""Adafactor: the second moment of a matrix, stored as one number for each row and each column."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Unpack

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.optimizers.arguments import LearningRate, OptimizerArguments
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.positional import shared_arguments
from polykeras.variables import Variable


def _root_mean_square(x: Array) -> Array:
    return ops.sqrt(ops.mean(ops.square(x)))


@registry.register()
class Adafactor(Optimizer):
    """Adam's step with little memory: no first moment, and a second moment of matrices from their rows and columns.

    With `b = 1 - t**beta_2_decay`, the averages `r += (1 - b) * (mean of g**2 along rows - r)` and `c` along columns
    give `v = r * c / mean(r)`; then `u = g / sqrt(v)` and `w -= a * u / max(1, rms(u) / clip_threshold)` with
    `a = max(epsilon_2, rms(w)) * min(learning_rate, 1 / sqrt(t))`.

    Shazeer and Stern, https://arxiv.org/abs/1804.04235.

    Args:
        learning_rate: see `Optimizer`.
        beta_2_decay: the exponent that makes the averages longer over time; below 0.
        epsilon_1: added to squared gradients.
        epsilon_2: the least root mean square of a variable for scaling its steps.
        clip_threshold: the root mean square above which an update is shrunk.
        relative_step: whether a constant learning rate is bounded by `1 / sqrt(t)`.
        **kwargs: see `Optimizer`.
    """

    @shared_arguments
    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Unpack[OptimizerArguments],
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def build(self, var_list: Iterable[Variable]) -> None:
        """Create the averages (of rows and columns for two or more axes) and the second moment."""
        variables, first = list(var_list), not self.built
        super().build(variables)
        if not first:
            return
        self._moments: list[list[Variable] | None] = []
        for variable in variables:
            if variable.overwrite_with_gradient:
                self._moments.append(None)
                continue
            shapes, dtype = [(), ()], "int32"  # unused, but present in Keras's files
            if variable.ndim >= 2:
                shapes, dtype = [variable.shape[:-1], (*variable.shape[:-2], variable.shape[-1])], variable.dtype
            factors = [self.add_variable(shape, dtype=dtype, name=variable.name) for shape in shapes]
            self._moments.append([*factors, self.add_variable_from_reference(variable, "velocity")])

    def update_step(self, gradient: Array, variable: Variable, learning_rate: Array) -> None:
        """Update one variable."""
        moments = self._moments[self._get_variable_index(variable)]
        assert moments is not None
        rows, columns, velocity = moments
        step = ops.cast(ops.add(self.iterations, 1), variable.dtype)
        rate = ops.minimum(ops.cast(learning_rate, variable.dtype), 1.0 / ops.sqrt(step))
        rate = ops.maximum(_root_mean_square(variable), self.epsilon_2) * rate
        share = ops.power(step, self.beta_2_decay)  # the weight of the newest square
        square = ops.square(gradient) + self.epsilon_1
        if variable.ndim >= 2:
            for factor, axis in ((rows, -1), (columns, -2)):
                factor.assign(factor + share * (ops.mean(square, axis=axis) - factor))
            shares = ops.divide(rows, ops.mean(rows, axis=-1, keepdims=True))
            velocity.assign(ops.expand_dims(shares, -1) * ops.expand_dims(columns, -2))
        else:
            velocity.assign(velocity + share * (square - velocity))
        update = ops.divide(gradient, ops.sqrt(velocity))
        update = update / ops.maximum(_root_mean_square(update) / self.clip_threshold, 1.0)
        variable.assign(ops.subtract(variable, rate * update))
