"""The arguments that all optimizers share, and their checks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import numpy as np

from polykeras.common.arguments import python_numbers
from polykeras.common.naming import did_you_mean
from polykeras.optimizers.schedules.base import LearningRateSchedule, scalar_dtype
from polykeras.variables import Variable
from polykeras.variables.adapters import variable_types, variables_in

LearningRate = float | LearningRateSchedule | Callable[[], Any]


class SharedArguments(TypedDict, total=False):
    """The keyword arguments that every optimizer takes, except `weight_decay`; see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None
    lr: LearningRate
    decay: float


class OptimizerArguments(SharedArguments, total=False):
    """The keyword arguments of an optimizer that treats `weight_decay` in the usual way."""

    weight_decay: float | None


def check_between(low: float, high: float, owner: object, name: str, value: float) -> float:
    """Return the argument `value` of `owner`, or raise if it lies outside `[low, high]`."""
    if not low <= value <= high:
        raise ValueError(f"{type(owner).__name__}: `{name}` must lie in [{low}, {high}]; received {value!r}.")
    return value


def check_beta(owner: object, name: str, value: float) -> float:
    """Return the argument `value`, the decay rate of a moving average, or raise if it lies outside `[0, 1)`."""
    if not 0 <= value < 1:
        raise ValueError(f"{type(owner).__name__}: `{name}` must lie in [0, 1); received {value!r}.")
    return value


def check_positive(owner: object, name: str, value: float) -> float:
    """Return the argument `value`, or raise if it is negative."""
    return check_between(0, float("inf"), owner, name, value)


def check_count(least: int, owner: object, name: str, value: int | None) -> int | None:
    """Return the argument `value`, or raise unless it is None or an int of at least `least`."""
    count = python_numbers(value)
    if count is None or (isinstance(count, int) and count >= least):
        return count
    raise ValueError(f"{type(owner).__name__}: `{name}` must be an int >= {least}, or None; received {value!r}.")


def learning_rate_number(owner: object, value: Any) -> np.ndarray:
    """Return a learning rate as a scalar array.

    Raises:
        TypeError: if it is not a number.
    """
    if isinstance(value, Variable):
        value = value.numpy()
    number = None if isinstance(value, (str, bool, type(None))) else np.asarray(value)
    if number is None or number.shape != () or number.dtype.kind not in "iuf":
        raise TypeError(
            f"{type(owner).__name__}: `learning_rate` must be a number, a schedule or a function without arguments; "
            f"received {value!r}."
        )
    return number.astype(scalar_dtype())


def refuse_unknown(owner: object, unknown: Mapping[str, Any]) -> None:
    """Raise TypeError if unknown arguments are left."""
    for name in unknown:
        known = [*inspect.signature(type(owner).__init__).parameters, *SharedArguments.__annotations__, "weight_decay"]
        raise TypeError(f"{type(owner).__name__} has no argument {name!r}.{did_you_mean(name, known)}")


def check_clipping(owner: object, **bounds: float | None) -> None:
    """Raise ValueError unless at most one bound is given, and it is not negative."""
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    if len(given) > 1:
        raise ValueError(f"{type(owner).__name__}: only one kind of clipping at a time; received {given}.")
    for name, bound in given.items():
        if not bound >= 0:
            raise ValueError(
                f"{type(owner).__name__}: `{name}` must be positive; received {bound!r}. None or 0: no clipping."
            )


def adapted(owner: Any, variable: Any) -> Variable:
    """Return our variable in place of one of a framework; raise `TypeError` for anything else."""
    found = list(variables_in(variable, owner.name)) if isinstance(variable, variable_types()) else []
    if len(found) != 1:
        raise TypeError(
            f"Optimizer {owner.name!r} updates variables: a `polykeras.Variable`, or a `tf.Variable` if the "
            f"tensorflow backend is loaded. Received {variable!r}, of {type(variable).__name__}. Make it a "
            "`polykeras.Variable`."
        )
    return found[0]
