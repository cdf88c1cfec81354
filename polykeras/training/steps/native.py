"""Steps of a user's own in a framework's idiom, whose gradients gather in parameters.

Such a step reads its variables from a scope, as any other. So it can be recorded, and run in chunks. Nobody knows
beforehand that it is not a neutral one. It runs as neutral code, and if it asks for gradients after all, it begins anew
with parameters in the scope. If it asks for parameters that outlive it (`parameters()`), or if an optimizer of the
framework's own is at work, it runs as plain Python on the variables themselves.

An attempt that is given up has changed no variable of ours. Other changes stay, and happen again in the next attempt:
plain attributes (a counter), lists, and objects of the framework that no layer holds. An attempt is given up only if
the step needs another way, which is mostly known after the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from polykeras import config, dtypes
from polykeras.backend import registry
from polykeras.backend.native import NativeParameters, NativeSteps
from polykeras.backend.scopes import current_scope
from polykeras.common import nested
from polykeras.common.traits import overrides
from polykeras.optimizers.gradients import NoGradients
from polykeras.variables import Scope, Variable, outside_scopes, read_state, value_of
from polykeras.variables.native_parameters import RestartableStep, parameter_of, parameters_of, restartable_step

if TYPE_CHECKING:
    from polykeras.training.steps.plan import StepPlan

_NEUTRAL, _PARAMETERS, _PLAIN = "neutral code", "with parameters", "plain Python"  # ways to run
_ATTEMPTS = 4  # at most: one in each way, and one more where the first one built layers

_WHY_PLAIN = (
    "it changes objects of the framework that outlive the step: its code asks for `parameters()`, or an optimizer of "
    "the framework is at work. With an optimizer of polykeras and `[v.value.grad for v in self.trainable_variables]` "
    "it is compiled"
)


def native_step(code: Callable[[Any], Any], plan: StepPlan) -> Callable[[Any], Any]:
    """Return code that may be written in the framework's idiom.

    Args:
        code: that of the model; takes a batch.
        plan: that of the step.

    Returns:
        Code of the same arguments; the code itself if it is not a user's `train_step`.
    """
    hooks = plan.backend.native.steps
    if plan.kind != "train" or hooks is None or not overrides(plan.model, "train_step"):
        return code
    return _NativeStep(code, plan, hooks)


class _Restart(BaseException):
    """The step is to begin anew, in another way. No code of a user's catches it."""

    def __init__(self, way: str) -> None:
        super().__init__(way)
        self.way = way


class _ParameterScope(Scope):
    """A scope in which some variables are parameters, after assignments too."""

    __slots__ = ("_make", "_parameters", "_version")

    def __init__(
        self, variables: Sequence[Variable], values: Sequence[Any], hooks: NativeParameters, steps: NativeSteps
    ) -> None:
        self._make, self._version = steps.make_parameter, hooks.version
        parameters = [self._make(value, None) for value in values]
        super().__init__(variables, parameters)
        self._parameters = {id(v): (v, p, self._version(p)) for v, p in zip(variables, parameters, strict=True)}

    def write(self, variable: Variable, value: Any) -> None:
        """Record a new value, which for those variables is a parameter too; the gradient stays."""
        known = self._parameters.get(id(variable))
        if known is not None:
            value = self._make(value, known[1])
            self._parameters[id(variable)] = variable, value, self._version(value)
        super().write(variable, value)

    def updates(self) -> tuple[list[Variable], list[Any]]:
        """Return what was written, and the parameters that native code changed in place."""
        for variable, parameter, version in self._parameters.values():
            if self._version(parameter) != version:
                self.written.setdefault(id(variable), variable)
        return super().updates()


class _NativeStep(RestartableStep):
    """A user's own `train_step`, in whichever way it turns out to need."""

    def __init__(self, code: Callable[[Any], Any], plan: StepPlan, hooks: NativeSteps) -> None:
        self._code = code
        self._model, self._backend = plan.model, plan.backend
        self._hooks = hooks
        self._parameters = parameters_of(plan.backend)
        self._way = _NEUTRAL

    def __call__(self, data: Any) -> Any:
        if not registry.current().holds_values:  # on shapes alone nothing is native
            return self._code(data)
        for attempt in range(_ATTEMPTS):
            before = len(self._model.trainable_variables)
            try:
                return self._run_eagerly(data) if self._way == _PLAIN else self._run_in_scope(data)
            except _Restart as restart:
                self._way = restart.way
            except Exception as error:
                built = self._way == _PARAMETERS and len(self._model.trainable_variables) > before
                # Neutral code gives no gradient that is None. What was differentiated by its inputs has them.
                lacks = isinstance(error, NoGradients) or self._hooks.is_missing_gradient(error)
                asks = self._way == _NEUTRAL and lacks
                if attempt == _ATTEMPTS - 1 or not (built or asks):
                    raise
                self._way = _PARAMETERS
        raise AssertionError("a step in plain Python asks for nothing")

    def _run_in_scope(self, data: Any) -> Any:
        token = restartable_step.set(self)
        try:
            with self._scope() as scope:
                result = self._hooks.run_with_update_hook(lambda: self._code(data), self.restart_eagerly)
                result = self._detached(result)
                variables, values = scope.updates()
        finally:
            restartable_step.reset(token)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(self._backend.stop_gradient(value))
        return result

    def _scope(self) -> Scope:
        if self._way == _NEUTRAL:
            return Scope()
        variables = [v for v in self._model.trainable_variables if dtypes.is_float(v.dtype)]
        return _ParameterScope(variables, read_state(variables, self._backend), self._parameters, self._hooks)

    def _run_eagerly(self, data: Any) -> Any:
        if config.verify() and not self._model.run_eagerly:
            raise RuntimeError(
                "A step that changes objects of a framework, such as the state of its optimizer, cannot be verified: "
                "it would change them once more each time. Leave `verify` out for this model."
            )

        def step() -> Any:
            with outside_scopes():
                for variable in self._model.trainable_variables:
                    parameter_of(variable, self._backend)
                return self._detached(self._code(data))

        result = self._hooks.run_eagerly(step, _WHY_PLAIN)
        self._model._may_have_native_state = True
        scope = current_scope.get()
        if scope is not None:
            scope.reload(self._backend)
        return result

    def _detached(self, result: Any) -> Any:
        def own(leaf: Any) -> Any:
            leaf = value_of(leaf)
            return self._backend.stop_gradient(leaf) if self._backend.is_tensor(leaf) else leaf

        return nested.map_structure(own, result)

    # ---- what the step is told ---------------------------------------------------------------------------------

    def clear_gradients(self, variables: Sequence[Variable]) -> None:
        """Drop the gradients of variables; begin anew if these are no parameters yet."""
        if self._way == _NEUTRAL:
            raise _Restart(_PARAMETERS)
        for variable in variables:
            self._parameters.clear_gradient(variable.value)

    def restart_eagerly(self) -> NoReturn:
        """Begin anew as plain Python."""
        raise _Restart(_PLAIN)
