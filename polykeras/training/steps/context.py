"""What the default steps of a model know of the model and the batch while one of them runs."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from polykeras.metrics import Metric
from polykeras.variables import Variable


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
