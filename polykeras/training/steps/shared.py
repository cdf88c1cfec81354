"""A step as it runs on one worker of several: on its rows, with what the workers do together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras import dtypes, ops
from polykeras.backend import registry
from polykeras.backend.handles import convert
from polykeras.backend.job import SharedStep, shared_step
from polykeras.common import nested
from polykeras.common.naming import is_ours
from polykeras.common.traits import overrides, trait
from polykeras.layers.base.samples_axis import refuse_samples_axis
from polykeras.pending_sums import combine, pending_sums, send
from polykeras.variables import Variable, unique

if TYPE_CHECKING:
    from polykeras.training.steps.plan import StepPlan


def shared(code: Callable[[Any], Any], plan: StepPlan) -> Callable[[Any], Any]:
    """Return code that takes a worker's rows of a batch, and leaves all variables the same on all workers.

    Args:
        code: takes a batch; returns flat logs.
        plan: that of the step. For one worker, the code stays as it is.

    Raises:
        ValueError: a loss or metric works along the axis of the samples. Layers refuse that themselves.
    """
    if not plan.workers.share_batches:
        return code
    model, workers = plan.model, plan.workers.count
    _refuse_mixing(model)
    logs_are_local = overrides(model, f"{plan.kind}_step", "compute_metrics", "get_metrics_result")
    states = _states_of_users(model)

    def run(batch: Any) -> Any:
        if registry.current().workers() != workers:  # plain Python runs once for all devices of a process
            raise ValueError(
                "run_eagerly=True: a step that is not compiled runs on one device of a process. Start one process for "
                "each device, or train with run_eagerly=False."
            )
        rows = ops.shape(nested.flatten(batch)[0])[0]
        token = shared_step.set(SharedStep(workers, rows, plan.draws))
        try:
            with pending_sums():
                before = [variable.value for variable in states]
                logs = code(batch)
                changed = [(v, old) for v, old in zip(states, before, strict=True) if v.value is not old]
                return _agreed(logs, changed, logs_are_local)
        finally:
            shared_step.reset(token)

    return run


def _refuse_mixing(model: Any) -> None:
    """Raise if an axis argument of a loss or metric of polykeras is that of the samples, or may be."""
    for part in model._losses_and_metrics():
        function = getattr(type(part), "fn", None)
        if function is None or trait(function, "sample_by_sample") is not False:  # else it sums over all workers
            refuse_samples_axis(part)


def _states_of_users(model: Any) -> list[Variable]:
    """Return the floats that a user's layers may change in a step, each worker by its rows."""
    layers = [layer for layer in model._flatten_layers() if not is_ours(type(layer))]
    found = unique(v for layer in layers for v in layer.non_trainable_variables)
    return [v for v in found if dtypes.is_float(v.stored_dtype)]


def _agreed(logs: dict[str, Any], changed: list[tuple[Variable, Any]], logs_are_local: bool) -> dict[str, Any]:
    """Give changed variables the values that they have in the whole batch, and return the logs of it.

    Variables become means over workers if they do not say otherwise (`Variable.aggregation`). Logs that a user's step
    computed become means; of metrics, these are the same numbers.
    """
    backend = registry.current()
    arrays = {name: convert(backend, value) for name, value in logs.items()} if logs_are_local else {}
    floats = [name for name, x in arrays.items() if dtypes.is_float(backend.dtype(x))]
    variables = [variable for variable, _ in changed]
    rules = ["mean" if v.aggregation in (None, "none") else v.aggregation for v in variables]
    combine(variables, [old for _, old in changed], rules)
    sums = send([arrays[name] for name in floats])
    return logs | {name: total / backend.workers() for name, total in zip(floats, sums, strict=True)}
