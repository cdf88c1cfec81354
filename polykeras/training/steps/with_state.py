"""Steps with their state as an argument, as Keras's JAX models have them: `train_step(self, state, data)`.

Such a step takes the values of the model's variables, and returns their new values beside its logs. Here it becomes a
step like all others: code over variables that takes a batch. Our own steps take a state too, for a user's step that
calls `super().train_step(state, data)`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from polykeras.backend import Backend, registry
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.variables import Scope, Variable, read_state

S = TypeVar("S", bound=Callable[..., Any])

KerasState: TypeAlias = tuple[list[Any], ...]
"""Values of the trainable variables, the others, those of the optimizer, those of the metrics; not all in each step."""

NAMES = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
_PARTS = {"train": (0, 1, 2, 3), "test": (0, 1, 3), "predict": (0, 1)}


def variables_of(model: Any, kind: str) -> dict[str, list[Variable]]:
    """Return the variables whose values are the state of a step, by Keras's names.

    Args:
        model: the model whose step it is.
        kind: `"train"`, `"test"` or `"predict"`.
    """
    optimizer = model.optimizer
    return {
        name: (optimizer.variables if optimizer is not None else []) if name == NAMES[2] else getattr(model, name)
        for name in (NAMES[part] for part in _PARTS[kind])
    }


def takes_state(step: Callable[..., Any], backend: Backend) -> bool:
    """Return whether a step takes `(state, data)` instead of `(data)`: whether two arguments are required.

    A step that takes `*args` is called as Keras calls steps with the framework of the backend.

    Args:
        step: bound to its model.
        backend: where it is to run.
    """
    parameters = inspect.signature(step).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not named:
        return backend.native.steps_take_state and any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return sum(p.default is p.empty for p in named) == 2


def neutral_step(model: Any, kind: str, backend: Backend) -> Callable[[Any], Any]:
    """Return a step of a model as code over variables that takes a batch, whichever form it was written in.

    Args:
        model: the model whose step it is.
        kind: `"train"`, `"test"` or `"predict"`.
        backend: where it is to run.
    """
    step: Callable[..., Any] = getattr(model, f"{kind}_step")
    return StateStep(model, kind, step) if takes_state(step, backend) else step


class StateStep:
    """A step that takes a state, turned into one that takes a batch and assigns the model's variables.

    Args:
        model: the model whose step it is.
        kind: `"train"`, `"test"` or `"predict"`.
        step: the user's, bound to the model.
    """

    def __init__(self, model: Any, kind: str, step: Callable[[KerasState, Any], Any]) -> None:
        self._model, self._kind, self._step = model, kind, step

    def build(self, data: Any) -> tuple[()]:
        """Make the variables that a state holds, as far as a batch determines them.

        The step does not run: it may be a framework's code, which does not run on shapes alone.

        Returns:
            An empty tuple, as shape inference wants a result.
        """
        model = self._model
        loss, metrics = (None, None) if self._kind == "predict" else (model._compiled_loss, model._compiled_metrics)
        judges: list[Callable[..., Any]] = []
        if loss is not None and not loss.built:
            judges.append(loss)
        if metrics is not None and not metrics.built:
            judges.append(metrics.update_state)
        if judges or not all(layer.built for layer in model._flatten_layers()):
            _try_out(model, data, judges)
        if self._kind == "train" and model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        return ()

    def __call__(self, data: Any) -> Any:
        """Run the step on a batch; return its logs or outputs."""
        self.build(data)
        parts = variables_of(self._model, self._kind)
        returned = self._step(tuple([v.value for v in part] for part in parts.values()), data)
        result, state = _parted(returned, self._kind, parts)
        for (name, variables), values in zip(parts.items(), state, strict=True):
            _assign(variables, values, f"{self._kind}_step", name)
        # Keras's guide leaves the result of its last metric, which may be one number.
        alone = self._kind != "predict" and not isinstance(result, dict) and registry.current().is_tensor(result)
        return self._model.get_metrics_result() if alone else result


def _try_out(model: Any, data: Any, judges: list[Callable[..., Any]]) -> None:
    """Call a model on a batch, and losses and metrics on its outputs, so that they are built; drop other changes."""
    x, y, sample_weight = unpack_x_y_sample_weight(data)
    try:
        with Scope():
            y_pred = model(x, training=False)
            for judge in judges if y is not None else ():
                judge(y, y_pred, sample_weight)
    except NotImplementedError:  # no `call`: it consists of models that its step calls, as a GAN does
        return
    finally:
        model._forget_losses()


def _parted(returned: Any, kind: str, parts: dict[str, Any]) -> tuple[Any, tuple[Any, ...]]:
    """Split what a step returned into logs or outputs, and the new state.

    Args:
        returned: what the step returned.
        kind: `"train"`, `"test"` or `"predict"`.
        parts: the variables of the state, by name.

    Raises:
        TypeError: it is no such pair.
    """
    what = "outputs" if kind == "predict" else "logs"
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise TypeError(
            f"{kind}_step(state, data) must return ({what}, state), where the state is ({', '.join(parts)}); received "
            f"{type(returned).__name__}{f' of {len(returned)}' if isinstance(returned, (tuple, list)) else ''}."
        )
    result, state = returned
    groups = isinstance(state, (tuple, list)) and all(isinstance(part, (tuple, list)) for part in state)
    if kind == "predict" and not (groups and len(state) == 2):  # in Keras it returns the second part alone
        return result, (None, state)
    if not groups or len(state) != len(parts):
        raise TypeError(
            f"{kind}_step(state, data): expected the new state as {len(parts)} lists, ({', '.join(parts)}); received "
            f"{type(state).__name__}{f' of {len(state)}' if isinstance(state, (tuple, list)) else ''}."
        )
    return result, tuple(state)


def _assign(variables: list[Variable], values: Any, step: str, name: str) -> None:
    """Give variables their new values; None instead of a list leaves them as they are."""
    if values is None:
        return
    if len(values) != len(variables):
        raise ValueError(f"{step}(state, data): `{name}` are {len(variables)}; received {len(values)} new values.")
    for variable, value in zip(variables, values, strict=True):
        if value is None:
            raise ValueError(f"{step}(state, data): the new value of {variable.path!r}, of `{name}`, is None.")
        if value is not variable.value:
            variable.assign(value)


def also_with_state(kind: str) -> Callable[[S], S]:
    """Return a decorator of steps that take `(data)`: they take `(state, data)` too, and then also return the state."""

    def decorate(step: S) -> S:
        @functools.wraps(step)
        def either(self: Any, *args: Any, **kwargs: Any) -> Any:
            if len(args) + len(kwargs) != 2:
                return step(self, *args, **kwargs)
            return _with_state(self, kind, step, *args, **kwargs)

        return either  # type: ignore[return-value]

    return decorate


def _with_state(model: Any, kind: str, step: Callable[..., Any], state: KerasState, data: Any) -> tuple[Any, Any]:
    parts = variables_of(model, kind)
    variables = [variable for part in parts.values() for variable in part]
    with Scope(variables, [value for values in state for value in values]):
        result = step(model, data)
        new = tuple(read_state(part, registry.current()) for part in parts.values())
    return result, new[1] if kind == "predict" else new
