"""A user's own steps in a framework's idiom: gradients are gathered in leaves, and read from them.

Such a step runs within the same functions as any other step, and its variables are read from a scope. So it can be
recorded, and run in chunks. Nothing tells it from a neutral step beforehand. It runs as neutral code first. If it asks
for gradients, it begins again with leaves in the scope. If it asks for objects that outlive it (`parameters()`), or
uses an optimizer of the framework, it runs as plain Python on the variables themselves.

An attempt that is given up has changed no variable of ours. Other changes stay, and happen again in the next attempt:
plain attributes (a counter), lists, and objects of the framework that no layer holds. An attempt is given up only if
the step needs another way, which is mostly known after the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from polykeras import config, dtypes
from polykeras.backend import Backend
from polykeras.backend.native import Native
from polykeras.backend.scopes import current_scope
from polykeras.common import nested
from polykeras.common.traits import overrides
from polykeras.optimizers.gradients import NoGradients
from polykeras.variables import Scope, Variable, outside_scopes, read_state, value_of
from polykeras.variables.leaves import AskedStep, asked_step, leaf_of

_NEUTRAL, _LEAVES, _PLAIN = range(3)
_ATTEMPTS = 4  # at most: one in each way, and one more where the first one built layers

_WHY_PLAIN = (
    "it changes objects of the framework that outlive the step: its code asks for `parameters()`, or an optimizer of "
    "the framework is at work. With an optimizer of polykeras and `[v.value.grad for v in self.trainable_variables]` "
    "it is compiled"
)


def native_step(step: Callable[[Any], Any], model: Any, kind: str, backend: Backend) -> Callable[[Any], Any]:
    """Return a step that may be written in the framework's idiom; the step itself if the user did not write it.

    Args:
        step: takes a batch.
        model: the model whose step it is.
        kind: `"train"`, `"test"` or `"predict"`.
        backend: where it runs.
    """
    if kind != "train" or not backend.native.steps or not overrides(model, "train_step"):
        return step
    return _NativeStep(step, model, backend)


class _Asked(BaseException):
    """The step must begin again, in another way. A user's `except Exception` does not catch this."""

    def __init__(self, way: int) -> None:
        super().__init__(way)
        self.way = way


class _LeafScope(Scope):
    """A scope in which some variables are leaves, also after assignments."""

    __slots__ = ("_leaves", "_native")

    def __init__(self, variables: Sequence[Variable], values: Sequence[Any], native: Native) -> None:
        leaves = [native.step_leaf(value, None) for value in values]
        super().__init__(variables, leaves)
        self._native = native
        self._leaves = {id(v): (v, leaf, native.changes(leaf)) for v, leaf in zip(variables, leaves, strict=True)}

    def write(self, variable: Variable, value: Any) -> None:
        """Record a new value; for those variables it becomes a leaf, and the gradient stays."""
        entry = self._leaves.get(id(variable))
        if entry is not None:
            value = self._native.step_leaf(value, entry[1])
            self._leaves[id(variable)] = variable, value, self._native.changes(value)
        super().write(variable, value)

    def updates(self) -> tuple[list[Variable], list[Any]]:
        """Return what was written, and the leaves that native code changed in place."""
        for variable, leaf, changes in self._leaves.values():
            if self._native.changes(leaf) != changes:
                self.written.setdefault(id(variable), variable)
        return super().updates()


class _NativeStep(AskedStep):
    """A user's own `train_step`, run in the way that it turns out to need."""

    def __init__(self, step: Callable[[Any], Any], model: Any, backend: Backend) -> None:
        self._step = step
        self._model = model
        self._backend = backend
        self._native = backend.native
        self._way = _NEUTRAL

    def __call__(self, data: Any) -> Any:
        for attempt in range(_ATTEMPTS):
            before = len(self._model.trainable_variables)
            try:
                return self._plainly(data) if self._way == _PLAIN else self._in_scope(data)
            except _Asked as asked:
                self._way = asked.way
            except Exception as error:
                built = self._way == _LEAVES and len(self._model.trainable_variables) > before
                # Neutral code gives no gradient that is None. What was differentiated by its inputs has them.
                lacks = isinstance(error, NoGradients) or self._native.lacks_leaves(error)
                asks = self._way == _NEUTRAL and lacks
                if attempt == _ATTEMPTS - 1 or not (built or asks):
                    raise
                self._way = _LEAVES
        raise AssertionError("a step in plain Python asks for nothing")

    def _in_scope(self, data: Any) -> Any:
        token = asked_step.set(self)
        try:
            with self._scope() as scope:
                result = self._native.watched(lambda: self._step(data), self.ask_for_objects)
                result = self._detached(result)
                variables, values = scope.updates()
        finally:
            asked_step.reset(token)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(self._backend.stop_gradient(value))
        return result

    def _scope(self) -> Scope:
        if self._way == _NEUTRAL:
            return Scope()
        variables = [v for v in self._model.trainable_variables if dtypes.is_float(v.dtype)]
        return _LeafScope(variables, read_state(variables, self._backend), self._native)

    def _plainly(self, data: Any) -> Any:
        if config.verify() and not self._model.run_eagerly:
            raise RuntimeError(
                "A step that changes objects of a framework, such as the state of its optimizer, cannot be verified: "
                "it would change them once more each time. Leave `verify` out for this model."
            )

        def step() -> Any:
            with outside_scopes():
                for variable in self._model.trainable_variables:
                    leaf_of(variable, self._backend)
                return self._detached(self._step(data))

        result = self._native.plainly(step, _WHY_PLAIN)
        self._model._may_have_native_state = True
        scope = current_scope.get()
        if scope is not None:
            scope.renew(self._backend)
        return result

    def _detached(self, result: Any) -> Any:
        def own(leaf: Any) -> Any:
            leaf = value_of(leaf)
            return self._backend.stop_gradient(leaf) if self._backend.is_tensor(leaf) else leaf

        return nested.map_structure(own, result)

    # ---- what the step is told ---------------------------------------------------------------------------------

    def forget_gradients(self, variables: Sequence[Variable]) -> None:
        """Drop the gradients of variables; begin again if they are no leaves yet."""
        if self._way == _NEUTRAL:
            raise _Asked(_LEAVES)
        for variable in variables:
            self._native.forget_gradient(variable.value)

    def ask_for_objects(self) -> NoReturn:
        """Begin again as plain Python."""
        raise _Asked(_PLAIN)
