"""Dynamic loss scaling, which keeps small gradients from vanishing in float16."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from polykeras import initializers, ops
from polykeras.backend import current
from polykeras.backend.handles import convert
from polykeras.backend.spec import Array
from polykeras.common.arguments import positive_int
from polykeras.optimizers.arguments import LearningRate
from polykeras.optimizers.base import Optimizer, registry
from polykeras.saving.configurable import init_parameters
from polykeras.saving.serialization import serialize_keras_object
from polykeras.variables import Scope, Variable, read_state


@registry.register()
class LossScaleOptimizer(Optimizer):
    """Wraps another optimizer with a loss scale that adjusts itself.

    The loss is multiplied by the scale and the gradients are divided by it, so that the gradients in between fit into
    float16. A step with a gradient that is not finite is skipped, and halves the scale. After `dynamic_growth_steps`
    finite steps in a row, the scale doubles. `compile` wraps the optimizer of a `mixed_float16` model in this way.

    Source: P. Micikevicius et al., "Mixed Precision Training", 2018, https://arxiv.org/abs/1710.03740.

    Args:
        inner_optimizer: an optimizer, or its name. Its own `loss_scale_factor` is removed.
        initial_scale: the first scale. A high value is better than a low one, since it falls faster than it grows.
        dynamic_growth_steps: the number of finite steps in a row after which the scale doubles.
        name: the prefix of its variables' paths.
        **kwargs: arguments of other optimizers, which old configs hold; only their defaults are accepted.

    Raises:
        ValueError: if a value is out of range, or an argument belongs to the inner optimizer.

    Example:
        >>> from polykeras.optimizers import LossScaleOptimizer
        >>> optimizer = LossScaleOptimizer("sgd", initial_scale=4.0)
        >>> float(optimizer.scale_loss(0.5))
        2.0
    """

    def __init__(
        self,
        inner_optimizer: Any,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        defaults = {p.name: p.default for p in init_parameters(Optimizer)} | {"dynamic": True}
        for argument, value in kwargs.items():
            if argument not in defaults or value != defaults[argument]:
                raise ValueError(
                    f"LossScaleOptimizer has no argument `{argument}`; received {value!r}. Pass it to the inner "
                    "optimizer, for instance `loss_scale_factor` for a constant scale."
                )
        super().__init__(0.0, name=name)
        self.inner_optimizer: Optimizer = registry.get(inner_optimizer)
        if not isinstance(self.inner_optimizer, Optimizer):
            raise ValueError(f"LossScaleOptimizer: expected an optimizer to wrap; received {inner_optimizer!r}.")
        self.inner_optimizer.loss_scale_factor = None  # otherwise gradients would be divided twice
        if not initial_scale > 0:
            raise ValueError(f"LossScaleOptimizer: `initial_scale` must be positive; received {initial_scale!r}.")
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = positive_int(dynamic_growth_steps, "dynamic_growth_steps")
        self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
        first = initializers.Constant(initial_scale)
        self.dynamic_scale = self.add_variable((), first, "float32", "dynamic_scale")

    # ---- properties of the inner optimizer ------------------------------------------------------------------------

    @property
    def variables(self) -> list[Variable]:
        """The state of this optimizer, followed by that of the inner one."""
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def iterations(self) -> Any:
        """The number of updates, without those that were skipped."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: LearningRate) -> None:
        self.inner_optimizer.learning_rate = value

    lr = learning_rate

    @property
    def _learning_rate(self) -> Any:  # type: ignore[override]
        return self.inner_optimizer._learning_rate

    @_learning_rate.setter
    def _learning_rate(self, value: Any) -> None:
        """Ignore the variable that the base class makes."""

    def build(self, var_list: Iterable[Variable]) -> None:
        """Create the state of both optimizers for these variables."""
        variables = self._ours(var_list)
        self.inner_optimizer.build(variables)
        super().build(variables)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Set variables to their moving averages, if the inner optimizer keeps them."""
        self.inner_optimizer.finalize_variable_values(var_list)

    # ---- updates -----------------------------------------------------------------------------------------------

    def scale_loss(self, loss: Array) -> Array:
        """Return the loss to differentiate: multiplied by the current scale."""
        return ops.multiply(loss, self.dynamic_scale)

    def _apply(self, grads: Sequence[Array], variables: Sequence[Variable]) -> None:
        backend = current()
        finite = self.check_finite(grads)
        steps, scale = read_state([self.step_counter, self.dynamic_scale], backend)
        unscaled = [
            gradient
            if gradient is None or variable.overwrite_with_gradient
            else ops.where(finite, ops.divide(gradient, scale), 0.0)
            for gradient, variable in zip(grads, variables, strict=True)
        ]
        # The update is always computed, then kept or not: a branch would make torch wait for `finite`.
        with Scope() as scope:
            self.inner_optimizer.apply(unscaled, variables)
        changed, updates = scope.updates()
        for variable, new, old in zip(changed, updates, read_state(changed, backend), strict=True):
            variable.assign(backend.where(finite, new, old))
        complete = backend.equal(steps, self.dynamic_growth_steps - 1)
        counts = backend.logical_and(finite, backend.logical_not(complete))
        self.step_counter.assign(backend.where(counts, steps + 1, 0))
        grown = backend.where(complete, 2.0 * scale, scale)
        self.dynamic_scale.assign(backend.where(finite, grown, 0.5 * scale))

    def check_finite(self, grads: Sequence[Array]) -> Array:
        """Return whether all elements of all gradients are finite, as a bool scalar. Gradients of None are ignored."""
        backend = current()
        arrays = [convert(backend, gradient) for gradient in grads if gradient is not None]
        if not arrays:
            return backend.asarray(True)
        return reduce(backend.logical_and, [backend.all(backend.isfinite(x)) for x in arrays])

    # ---- config ------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data."""
        return {
            "name": self.name,
            "inner_optimizer": serialize_keras_object(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }
