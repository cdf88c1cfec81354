"""Parts of a model that work along the axis of the samples, which workers cannot share."""

from __future__ import annotations

from typing import Any

from polykeras.common.naming import is_ours
from polykeras.common.traits import trait
from polykeras.layers.base.layer import Layer
from polykeras.layers.base.shapes import map_shapes


def refuse_mixing(model: Any) -> None:
    """Raise if an axis argument of a layer, loss or metric of polykeras is that of the samples.

    What a user's own code does along that axis is not known.

    Args:
        model: compiled and built.

    Raises:
        ValueError: there is one; the message names it.
    """
    losses = model._compiled_loss.losses if model._compiled_loss is not None else []
    metrics = model._compiled_metrics.metrics if model._compiled_metrics is not None else []
    for part in (*model._flatten_layers(), *losses, *metrics):
        if is_ours(type(part)) and _is_along_samples(part):
            raise ValueError(
                f"{part.name!r} ({type(part).__name__}) works along axis 0, that of the samples, which several workers "
                "share: its result depends on samples that this one does not have. Move the axis, or train on one "
                "worker."
            )


def _is_along_samples(part: Any) -> bool:
    function = getattr(type(part), "fn", None)
    if function is not None and trait(function, "sample_by_sample") is False:
        return False  # a loss that sums over the samples of all workers
    axes = [getattr(part, name, None) for name in ("axis", "axes")]
    found = {i for axis in axes if axis is not None for i in ((axis,) if isinstance(axis, int) else axis)}
    ranks: list[int] = []
    if isinstance(part, Layer):
        map_shapes(lambda shape: ranks.append(len(shape)), part._build_shapes or {})
    return 0 in found or any(-rank in found for rank in ranks)
