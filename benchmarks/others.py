"""The section others: steps and first epochs of models that nobody tuned anything for."""

from __future__ import annotations

from typing import Any

from benchmarks.measures import EPOCHS, epochs_of_fit, library, milliseconds_a_step
from benchmarks.other_models import OTHERS


def others(who: str, framework: str, name: str) -> dict[str, Any]:
    """Return milliseconds a step by the rule of the section train, and the seconds of the first epoch."""
    task = OTHERS[name]
    weights, k = task.initial_weights(), library(who)
    model = task.build(k)
    model.set_weights(weights)
    seconds, losses = epochs_of_fit(k, model, EPOCHS, **task.data())
    return {"a step": milliseconds_a_step(seconds, task.steps), "the first epoch": seconds[0], "losses": losses}
