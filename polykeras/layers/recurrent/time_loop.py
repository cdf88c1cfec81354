"""The loop that runs a cell's step along time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops
from polykeras.backend import registry
from polykeras.backend.spec import Array
from polykeras.backend.symbolic.dims import is_known
from polykeras.common import nested
from polykeras.graph import KerasTensor, infer_outputs
from polykeras.layers.recurrent.base_cell import TimeStep
from polykeras.variables import Scope, Variable, read_state


def along_time(
    step: TimeStep,
    xs: Array,
    states: list[Array],
    valid: Array | None,
    all_times: bool,
    unroll: bool = False,
    zeros_where_masked: bool = False,
    variables: Sequence[Variable] = (),
) -> tuple[Array, list[Array]]:
    """Run a step along the time axis.

    Args:
        step: the step; see `TimeStep`.
        xs: the inputs of the steps, `(time, batch, ...)`.
        states: the initial states; the first one is the output.
        valid: bool `(time, batch)`, or None. At a masked step, the states stay as they were.
        all_times: whether to return the outputs at all time steps.
        unroll: a hint to the backend to unroll the loop.
        zeros_where_masked: whether outputs at masked steps are zeros, instead of the previous output.
        variables: the variables that the step assigns; the loop carries them.

    Returns:
        The outputs `(time, batch, ...)` or the last one, and the last states.
    """
    backend = registry.current()

    def shown(output: Array, now: Array) -> Any:
        return _where_valid(now, output, 0) if now is not None and zeros_where_masked else output

    def body(carry: tuple[Any, Any], inputs: tuple[Array, Array]) -> tuple[tuple[Any, Any], Any]:
        (old, values), (x, now) = carry, inputs
        with Scope(variables, values):
            new = step(x, old)
            values = read_state(variables, backend)
        if now is not None:
            new = nested.map_structure(lambda n, o: _where_valid(now, n, o), new, old)
        return (new, values), shown(new[0], now) if all_times else None

    start = (states, read_state(variables, backend))
    (states, values), outputs = ops.scan(body, start, (xs, valid), unroll=unroll or 1)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    if not all_times:
        outputs = shown(states[0], None if valid is None else ops.any(valid[-1:], 0))  # there may be no steps
    return outputs, states


def _where_valid(valid: Array | None, x: Array, other: Any) -> Array:
    """Return `x` for the samples that are True in the mask `(batch,)`, and `other` for the rest."""
    return ops.where(ops.reshape(valid, (*ops.shape(valid), *(1,) * (len(ops.shape(x)) - 1))), x, other)


def rehearse(step: TimeStep, xs: Array, states: list[Array]) -> tuple[list[Variable], Any]:
    """Run the step of a user's cell on shapes alone; if a user's graph does not know the shapes, run it on zeros.

    Returns:
        The variables that the step assigns (seeds, statistics), and zeros with the shape of its output.
    """
    backend = registry.current()
    written: dict[int, Variable] = {}

    def shape_of(x: Array, drop: int = 0) -> KerasTensor:
        dims = backend.shape(x)[drop:]
        return KerasTensor([n if is_known(n) else None for n in dims], backend.dtype(x), name="rehearsed")

    def rehearsed(x: Array, states: Array) -> Any:
        with Scope() as scope:
            output = step(x, [None, states])[0]
        written.update(scope.written)
        return output

    output = None
    if backend.holds_values:
        output = infer_outputs(rehearsed, (shape_of(xs, 1), nested.map_structure(shape_of, states)), {})
    if output is None or None in output.shape:  # a graph being made knows sizes only when it runs
        output = rehearsed(ops.zeros(backend.shape(xs)[1:], backend.dtype(xs)), states)
    return list(written.values()), ops.zeros(ops.shape(output), output.dtype)
