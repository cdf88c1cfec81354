"""The context in which a step runs: what the default steps of a model know of the model and the batch."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from polykeras.common import logits
from polykeras.metrics import Metric
from polykeras.training import padding
from polykeras.training.logs import flat_logs
from polykeras.variables import Variable

if TYPE_CHECKING:
    from polykeras.training.steps.plan import StepPlan


@dataclass(frozen=True, slots=True)
class StepContext:
    """What is looked up once for a model, before its steps are traced, and what is known of one batch.

    Attributes:
        model: the model whose step runs.
        trainable: its trainable variables.
        metrics: its metrics.
        layers: all layers in it.
        valid: which rows of the batch count, bool `(batch,)`; None for all.
        rows: how many rows count, a float scalar; None for all.
    """

    model: Any
    trainable: list[Variable]
    metrics: list[Metric]
    layers: list[Any]
    valid: Any = None
    rows: Any = None


# That of the step that runs in this thread: another thread may predict with the same model at the same time.
running: ContextVar[StepContext | None] = ContextVar("polykeras_step_context", default=None)


def step_context(model: Any) -> StepContext | None:
    """Return the context of this model's step that runs; None if none runs, or if nothing is known."""
    context = running.get()
    return context if context is not None and context.model is model else None


def in_context(code: Callable[[Any], Any], plan: StepPlan) -> Callable[[Any], Any]:
    """Return code that runs in a context, resets metrics if the plan says so, takes filled batches, returns flat logs.

    Args:
        code: takes a batch.
        plan: that of the step. If shapes did not build all that it needs, nothing is known without a batch.
    """
    model, kind = plan.model, plan.kind
    known = None
    if plan.is_built:
        known = StepContext(model, model.trainable_variables, model.metrics, model._flatten_layers())

    def run(batch: Any) -> Any:
        data, numbers = padding.unfilled(batch)
        context = known
        if known is not None and numbers is not None:
            valid = padding.valid_rows(numbers)
            context = replace(known, valid=valid, rows=padding.count(valid))
        token = running.set(context)
        try:
            if plan.resets:
                model.reset_metrics()
            with logits.remembered():
                result = code(data)
        finally:
            running.reset(token)
            model._forget_losses()
        if kind == "predict":
            return result
        logs = flat_logs(kind, result)
        model._steps.log_names[kind] = tuple(logs)
        return logs

    return run
