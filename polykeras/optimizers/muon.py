"""Muon: orthogonalized momentum for matrices, AdamW for everything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.optimizers.adam import one_minus_power
from polykeras.optimizers.arguments import LearningRate, check_beta, check_between
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.schedules.base import scalar_dtype
from polykeras.variables import Variable


@registry.register()
class Muon(Optimizer):
    """Steps along the orthogonal matrix nearest to the momentum. AdamW updates variables that are not matrices.

    The momentum is `m = momentum * m + g`; with `nesterov` the step goes along `g + momentum * m`. It is divided by its
    norm. Then `x` becomes `a * x + (b * x x^T + c * (x x^T)**2) x`, `ns_steps` times, which moves its singular values
    to 1.

    Jordan et al., https://kellerjordan.github.io/posts/muon/; the size of steps: Liu et al.,
    https://arxiv.org/abs/2502.16982.

    Args:
        learning_rate: see `Optimizer`.
        adam_beta_1: `beta_1` of AdamW, in [0, 1).
        adam_beta_2: `beta_2` of AdamW, in [0, 1).
        adam_weight_decay: the weight decay of AdamW.
        epsilon: `epsilon` of AdamW.
        weight_decay: the weight decay of matrices; see `Optimizer`.
        clipnorm: see `Optimizer`.
        clipvalue: see `Optimizer`.
        global_clipnorm: see `Optimizer`.
        use_ema: see `Optimizer`.
        ema_momentum: see `Optimizer`.
        ema_overwrite_frequency: see `Optimizer`.
        loss_scale_factor: see `Optimizer`.
        gradient_accumulation_steps: see `Optimizer`.
        name: see `Optimizer`.
        exclude_layers: regular expressions. AdamW updates matrices with a match in their paths.
        exclude_embeddings: whether AdamW updates matrices with "embedding" in their paths.
        muon_a: the coefficient a of the iteration.
        muon_b: the coefficient b of the iteration.
        muon_c: the coefficient c of the iteration.
        adam_lr_ratio: AdamW's learning rate as a multiple of `learning_rate`.
        momentum: the decay rate of the momentum, in [0, 1].
        ns_steps: the number of iterations.
        nesterov: whether to use Nesterov momentum, see above.
        rms_rate: a factor of the steps of matrices, together with the root of the larger size; None for no factors.
        **kwargs: see `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **kwargs,
        )
        self.adam_beta_1 = check_beta(self, "adam_beta_1", adam_beta_1)
        self.adam_beta_2 = check_beta(self, "adam_beta_2", adam_beta_2)
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c = muon_a, muon_b, muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = check_between(0, 1, self, "momentum", momentum)
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def uses_adam(self, variable: Variable) -> bool:
        """Return whether AdamW updates a variable."""
        embeds = self.exclude_embeddings and "embedding" in variable.path.lower()
        excluded = any(re.search(pattern, variable.path) for pattern in self.exclude_layers)
        return variable.ndim != 2 or embeds or excluded

    def weight_decay_of(self, variable: Variable) -> float | None:
        """Return the weight decay of a variable. Variables of AdamW have their own."""
        if self.is_excluded_from_weight_decay(variable):
            return None
        return self.adam_weight_decay if self.uses_adam(variable) else self.weight_decay

    def build(self, var_list: Iterable[Variable]) -> None:
        """Create a momentum for each variable, and a second moment for the variables of AdamW."""
        variables, first = list(var_list), not self.built
        super().build(variables)
        if not first:
            return
        self.momentums: list[Variable | None] = []
        self.adam_velocities: list[Variable | None] = []
        for variable in variables:
            kept, adam = not variable.overwrite_with_gradient, self.uses_adam(variable)
            self.momentums.append(self.add_variable_from_reference(variable, "momentum") if kept else None)
            self.adam_velocities.append(
                self.add_variable_from_reference(variable, "velocity") if kept and adam else None
            )

    def update_step(self, gradient: Array, variable: Variable, learning_rate: Array) -> None:
        """Update one variable."""
        index = self._get_variable_index(variable)
        momentum, velocity = self.momentums[index], self.adam_velocities[index]
        assert momentum is not None
        rate = ops.cast(learning_rate, variable.dtype)
        if velocity is not None:
            self._adam_step(gradient, variable, rate * self.adam_lr_ratio, momentum, velocity)
            return
        momentum.assign(self.momentum * momentum + gradient)
        direction = gradient + self.momentum * momentum if self.nesterov else ops.convert_to_tensor(momentum)
        update = rate * self.orthogonalize(direction)
        if self.rms_rate is not None:
            update = update * (max(variable.shape) ** 0.5 * self.rms_rate)
        variable.assign(variable - update)

    def _adam_step(
        self, gradient: Array, variable: Variable, rate: Array, momentum: Variable, velocity: Variable
    ) -> None:
        step = ops.cast(ops.add(self.iterations, 1), scalar_dtype())
        momentum.assign(momentum + (1 - self.adam_beta_1) * (gradient - momentum))
        velocity.assign(velocity + (1 - self.adam_beta_2) * (ops.square(gradient) - velocity))
        correction = ops.sqrt(one_minus_power(self.adam_beta_2, step)) / one_minus_power(self.adam_beta_1, step)
        rate = rate * ops.cast(correction, variable.dtype)
        variable.assign(variable - rate * momentum / (ops.sqrt(velocity) + self.epsilon))

    def orthogonalize(self, x: Array) -> Array:
        """Return approximately the nearest orthogonal matrix, by Newton-Schulz iteration."""
        rows, columns = ops.shape(x)
        x = ops.transpose(x) if rows > columns else x
        x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
        for _ in range(self.ns_steps):
            square = ops.matmul(x, ops.transpose(x))
            x = self.muon_a * x + ops.matmul(self.muon_b * square + self.muon_c * ops.matmul(square, square), x)
        return ops.transpose(x) if rows > columns else x
