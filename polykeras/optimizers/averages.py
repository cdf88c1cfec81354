"""Exponential moving averages of the variables that an optimizer trains."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras.backend import Backend, current
from polykeras.backend.spec import Array
from polykeras.variables import Variable, read_state


def move_averages(
    backend: Backend,
    variables: Sequence[Variable],
    averages: Sequence[Variable],
    share: Array,
    overwrite: Sequence[Array],
) -> None:
    """Move averages towards their variables by `share` of the distance.

    Args:
        backend: the current backend.
        variables: variables of one dtype.
        averages: the average of each.
        share: a scalar array.
        overwrite: a bool scalar, whether the variables are then set to their averages; empty if they never are.
    """
    lists = [read_state(variables, backend), read_state(averages, backend)]
    scalars = [backend.cast(share, variables[0].dtype), *overwrite]
    results = backend.map_elementwise(_average_element, lists, scalars)
    for targets, values in zip((averages, variables), results, strict=False):
        for target, value in zip(targets, values, strict=True):
            target.assign(value)


def _average_element(parameter: Array, average: Array, share: Array, *overwrite: Array) -> tuple[Array, ...]:
    average = average + share * (parameter - average)
    return (average, *(current().where(now, average, parameter) for now in overwrite))
