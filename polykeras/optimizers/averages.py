"""Exponential moving averages of the variables that an optimizer trains."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras.backend import Backend, current
from polykeras.backend.spec import Array
from polykeras.optimizers.elementwise import assign_elementwise
from polykeras.variables import Variable, read_state


def move_averages(
    backend: Backend,
    variables: Sequence[Variable],
    averages: Sequence[Variable],
    share: Array,
    overwrite: Array | None,
) -> None:
    """Move averages towards their variables by `share` of the distance.

    Args:
        backend: the current backend.
        variables: variables of one dtype.
        averages: the average of each.
        share: a scalar array.
        overwrite: a bool scalar, whether the variables are then set to their averages; None if they never are.
    """
    share = backend.cast(share, variables[0].dtype)
    if overwrite is None:
        assign_elementwise(backend, _average, [read_state(variables, backend)], [averages], [share])
    else:
        assign_elementwise(backend, _average_and_set, [], [variables, averages], [share, overwrite])


def _average(parameter: Array, average: Array, share: Array) -> tuple[Array]:
    return (average + share * (parameter - average),)


def _average_and_set(parameter: Array, average: Array, share: Array, now: Array) -> tuple[Array, Array]:
    (average,) = _average(parameter, average, share)
    return current().where(now, average, parameter), average
