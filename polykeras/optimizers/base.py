"""The base of all optimizers: state, learning rate, clipping, weight decay, accumulation and averages.

An optimizer is one elementwise rule over arrays. This class runs it over lists of variables with
`Backend.map_elementwise`, so that a backend may fuse a whole list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from polykeras import ops
from polykeras.backend import Backend, current
from polykeras.backend.families.execution import FusedKernel, Rule
from polykeras.backend.handles import convert
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.optimizers.averages import move_averages
from polykeras.optimizers.elementwise import assign_elementwise
from polykeras.optimizers.gradients import checked, clip_each, clip_together, clip_values, present
from polykeras.optimizers.minimizing import minimize
from polykeras.optimizers.schedules.base import scalar_dtype
from polykeras.optimizers.state import OptimizerState
from polykeras.pending_sums import averaged
from polykeras.saving.serialization import Registry
from polykeras.variables import Scope, Variable, branch, by_dtype, read_state, unique

registry: Registry[Optimizer] = Registry("optimizer", "keras.optimizers")


class Optimizer(OptimizerState):
    """Base of optimizers. A subclass defines `rule`, and `slots` and `scalars` if it needs them.

    Args:
        learning_rate: a number, a schedule, or a function without arguments that returns a number.
        weight_decay: before each update, the variables shrink by the fraction `weight_decay * learning_rate`.
        clipnorm: the largest L2 norm of each gradient; None or 0: no clipping, and so with the next two.
        clipvalue: the largest absolute value of each element of the gradients.
        global_clipnorm: the largest L2 norm of all gradients together.
        use_ema: whether to keep exponential moving averages of the variables.
        ema_momentum: `average = ema_momentum * average + (1 - ema_momentum) * variable` after each call of `apply`. If
            gradients accumulate, this includes calls that update nothing, as in Keras.
        ema_overwrite_frequency: the number of updates after which variables are set to their averages. With None, only
            `finalize_variable_values` does so.
        loss_scale_factor: a factor by which the loss was multiplied (see `scale_loss`); gradients are divided by it.
        gradient_accumulation_steps: the number of gradients that are averaged for one update.
        name: the prefix of its variables' paths.
        **kwargs: Keras 2's `lr`, another name of `learning_rate`, and `decay`, which divides the learning rate by
            `1 + decay * iterations`.

    Raises:
        TypeError: if an argument name is unknown, or the learning rate has an unsupported type.
        ValueError: if a value is out of range, or more than one kind of clipping is given.
    """

    # ---- what a subclass defines -------------------------------------------------------------------------------

    def rule(
        self, gradient: Array, parameter: Array, slots: Sequence[Array], scalars: Sequence[Array]
    ) -> tuple[Array, ...]:
        """Return the new parameter and the new slots.

        The rule is elementwise: a result depends only on the operands at its index. It keeps the parameter's dtype.

        Args:
            gradient: an array of the current backend.
            parameter: an array of the gradient's shape and dtype.
            slots: arrays of the same shape and dtype, in the order of `slots`.
            scalars: the result of `scalars`, in the same dtype.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `rule`.")

    def fused_kernel(self) -> FusedKernel | None:
        """Return the name of `rule` among the kernels of frameworks, or None if it has none."""
        return None

    def scalars(self, learning_rate: Array, step: ArrayLike) -> list[Array]:
        """Return values that are computed once for an update and are the same for all variables.

        Args:
            learning_rate: a scalar array of at least float32.
            step: the number of this update, counted from 1, as a scalar array.
        """
        return [learning_rate]

    def update_step(self, gradient: Array, variable: Variable, learning_rate: Array) -> None:
        """Update one variable. Override it in place of `rule` for an update that is not elementwise, as in Keras 3.

        Args:
            gradient: an array of the variable's shape and dtype.
            variable: the variable. Assign to it, and to variables that `build` made with `add_optimizer_variables`.
            learning_rate: a scalar array of at least float32.
        """
        raise NotImplementedError

    # ---- updates -----------------------------------------------------------------------------------------------

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """Update variables by pairs of a gradient and a variable, and return the counter of steps."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def apply(self, grads: Sequence[Array], trainable_variables: Iterable[Variable] | None = None) -> None:
        """Update variables.

        Args:
            grads: one array for each variable, of its shape. Where workers share a batch, each passes those of its own
                samples, and the means over workers are applied.
            trainable_variables: the variables; by default those that the optimizer was built with. Variables of a
                framework (`tf.Variable`) are accepted too.

        Raises:
            ValueError: if there is no gradient (each is None), one is of another shape, or a variable is not known.
            TypeError: if a gradient is not of a float dtype, or an item is not a variable.
        """
        grads = list(grads)
        if grads:
            variables = self._resolve(grads, trainable_variables)
            with averaged(grads) as means:
                self._apply(means, variables)

    def _apply(self, grads: Sequence[Array], variables: Sequence[Variable]) -> None:
        """Update variables, each by its gradient, which is that of the whole batch."""
        backend = current()
        gradients, targets = [], []
        for gradient, variable in present(grads, variables):
            gradient = checked(backend, gradient, variable)
            if variable.overwrite_with_gradient:
                variable.assign(gradient)
                continue
            gradients.append(gradient if self.loss_scale_factor is None else gradient / self.loss_scale_factor)
            targets.append(variable)
        if targets:
            if self.gradient_accumulation_steps:
                self._accumulate(backend, gradients, targets)
            else:
                self._update(backend, gradients, targets)
            if self.use_ema:
                self._average(backend)
        self._iterations.assign_add(1)

    def minimize(self, loss: Any, var_list: Any, tape: Any = None) -> Variable:
        """Update variables by the gradients of a loss, as in tf.keras 2; see `optimizers.minimizing.minimize`.

        Args:
            loss: a function without arguments that computes the loss; with `tape`, the loss itself.
            var_list: the variables, or a function that returns them.
            tape: a `tf.GradientTape` that recorded the loss.

        Returns:
            The counter of steps.

        Raises:
            ValueError: if the loss is a value, and there is no tape; or there are no variables.
        """
        return minimize(self, loss, var_list, tape)

    def _accumulate(self, backend: Backend, gradients: list[Array], variables: list[Variable]) -> None:
        steps = self.gradient_accumulation_steps
        accumulators = self._of(self._accumulators, variables)
        sums = [a + g for a, g in zip(read_state(accumulators, backend), gradients, strict=True)]

        def update() -> None:
            self._update(backend, [total / steps for total in sums], variables)
            for accumulator, total in zip(accumulators, sums, strict=True):
                accumulator.assign(backend.zeros_like(total))

        def wait() -> None:
            for accumulator, total in zip(accumulators, sums, strict=True):
                accumulator.assign(total)

        complete = ops.equal(ops.mod(ops.add(self._iterations, 1), steps), 0)
        branch(backend, complete, update, wait, unique([*self._trainable_variables, *self._variables]))

    def _update(self, backend: Backend, gradients: list[Array], variables: list[Variable]) -> None:
        if self.clipnorm:
            gradients = clip_each(backend, gradients, self.clipnorm)
        elif self.global_clipnorm:
            gradients = clip_together(backend, gradients, self.global_clipnorm)
        elif self.clipvalue:
            gradients = clip_values(backend, gradients, self.clipvalue)
        rate = self._current_rate(backend)
        if type(self).update_step is not Optimizer.update_step:
            self._run_update_steps(backend, gradients, variables, rate)
        else:
            self._run_rule(backend, gradients, variables, rate)
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable))

    def _run_rule(self, backend: Backend, gradients: list[Array], variables: list[Variable], rate: Array) -> None:
        """Run `rule` over all variables: those of one dtype together, without weight decay and with it."""
        scalars = self.scalars(rate, self._float(backend, self.iterations) + 1.0)
        gradient_of = {id(v): g for v, g in zip(variables, gradients, strict=True)}

        def run(rule: Rule, group: list[Variable], scalars: list[Array], kernel: FusedKernel | None) -> None:
            operands = [[gradient_of[id(v)] for v in group]]
            targets = [group, *(self._of(slots, group) for slots in self._slots)]
            scalars = [backend.cast(scalar, group[0].dtype) for scalar in scalars]
            assign_elementwise(backend, rule, operands, targets, scalars, kernel)

        for group in by_dtype(variables):
            plain = [v for v in group if self.weight_decay_of(v) is None]
            decayed = [v for v in group if self.weight_decay_of(v) is not None]
            if plain:
                run(self._element, plain, scalars, self.fused_kernel())
            if decayed:
                run(self._decayed_element, decayed, [*scalars, rate * self.weight_decay], None)

    def _run_update_steps(
        self, backend: Backend, gradients: list[Array], variables: list[Variable], rate: Array
    ) -> None:
        """Run `update_step`, variable by variable."""
        for gradient, variable in zip(gradients, variables, strict=True):
            decay = self.weight_decay_of(variable)
            if decay is not None:
                (value,) = read_state([variable], backend)
                variable.assign(value - value * backend.cast(rate * decay, variable.dtype))
            self.update_step(gradient, variable, rate)

    def _element(self, gradient: Array, parameter: Array, *rest: Array) -> tuple[Array, ...]:
        return self.rule(gradient, parameter, rest[: len(self._slots)], rest[len(self._slots) :])

    def _decayed_element(self, gradient: Array, parameter: Array, *rest: Array) -> tuple[Array, ...]:
        return self._element(gradient, parameter - parameter * rest[-1], *rest[:-1])

    def _float(self, backend: Backend, value: ArrayLike) -> Any:
        return backend.cast(convert(backend, value), scalar_dtype())

    def _current_rate(self, backend: Backend) -> Any:
        rate = self._float(backend, self.learning_rate)
        if self.decay:
            rate = rate / (1.0 + self.decay * self._float(backend, self.iterations))
        return rate

    # ---- averages, loss and values -----------------------------------------------------------------------------

    def _average(self, backend: Backend) -> None:
        # After the constraints, unlike Keras: in most cases, an average of weights that satisfy them does so too.
        first = ops.equal(self.iterations, 0)
        share = self._float(backend, ops.where(first, 1.0, 1 - self.ema_momentum))
        overwrite: Any = None
        if self.ema_overwrite_frequency:
            overwrite = ops.equal(ops.mod(ops.add(self.iterations, 1), self.ema_overwrite_frequency), 0)
        averaged = [v for v in self._trainable_variables if not v.overwrite_with_gradient]
        for group in by_dtype(averaged):
            move_averages(backend, group, self._of(self._averages, group), share, overwrite)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Set variables to their moving averages, if the optimizer keeps them. `fit` does so at its end."""
        if not self.use_ema:
            return
        variables = self._ours(var_list)
        self._check_known(variables)
        for variable in variables:
            average = self._averages[self._places[id(variable)]]
            if average is not None:
                variable.assign(average)

    def scale_loss(self, loss: Array) -> Array:
        """Return the loss to differentiate: multiplied by `loss_scale_factor` if it is set."""
        return loss if self.loss_scale_factor is None else ops.multiply(loss, self.loss_scale_factor)

    # ---- state as values ---------------------------------------------------------------------------------------

    def stateless_apply(
        self, optimizer_variables: Sequence[Any], grads: Sequence[Array], trainable_variables: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        """Return the result of `apply` for given values, without changing any variable.

        Args:
            optimizer_variables: the values of `variables`.
            grads: one for each trainable variable.
            trainable_variables: the values of the variables that the optimizer was built with.

        Returns:
            `(trainable_variables, optimizer_variables)`.

        Raises:
            ValueError: if it is not built, or a list has another length.
        """
        if not self.built:
            raise ValueError(f"Optimizer {self.name!r}: call `build(variables)` before `stateless_apply`.")
        values = [convert(current(), value) for value in (*trainable_variables, *optimizer_variables)]
        with Scope([*self._trainable_variables, *self.variables], values):
            self.apply(grads)
            backend = current()
            return read_state(self._trainable_variables, backend), read_state(self.variables, backend)
