"""Losses and metrics that work along the axis of the samples, which workers cannot share. Layers see it themselves."""

from __future__ import annotations

from typing import Any

from polykeras.common.traits import trait
from polykeras.layers.base.samples_axis import refuse_samples_axis


def refuse_mixing(model: Any) -> None:
    """Raise if an axis argument of a loss or metric of polykeras is that of the samples, or may be.

    Args:
        model: compiled.

    Raises:
        ValueError: there is one; the message names it.
    """
    losses = model._compiled_loss.losses if model._compiled_loss is not None else []
    metrics = model._compiled_metrics.metrics if model._compiled_metrics is not None else []
    for part in (*losses, *metrics):
        function = getattr(type(part), "fn", None)
        if function is None or trait(function, "sample_by_sample") is not False:  # else it sums over all workers
            refuse_samples_axis(part)
