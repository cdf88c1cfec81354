"""The one rule that says which layers, losses and metrics work along the axis of the samples."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from polykeras.backend import registry
from polykeras.collectives import workers
from polykeras.common import nested
from polykeras.common.naming import is_ours


def is_along_samples(part: Any, ranks: Collection[int] = ()) -> bool:
    """Return whether an axis of a layer, loss or metric is the first one, that of the samples, or may be.

    Args:
        part: a layer, loss or metric.
        ranks: those of its inputs, for axes that count from the end. If none is known, all but the last axis may be
            that of the samples.
    """
    found = [getattr(part, name, None) for name in ("axis", "axes", "attention_axes")]
    axes = {i for axis in found if axis is not None for i in ((axis,) if isinstance(axis, int) else axis)}
    return not axes.isdisjoint({0, *(-rank for rank in ranks)}) or (not ranks and min(axes, default=0) < -1)


def refuse_samples_axis(part: Any, ranks: Collection[int] = ()) -> None:
    """Raise if a part of polykeras's works along the axis of the samples, and workers share them.

    What a user's own code does along that axis is not known.

    Args:
        part: see `is_along_samples`.
        ranks: see `is_along_samples`.

    Raises:
        ValueError: it does.
    """
    if is_ours(type(part)) and is_along_samples(part, ranks):
        raise ValueError(
            f"{part.name!r} ({type(part).__name__}) works along axis 0, that of the samples, which several workers "
            "share: its result depends on samples that this one does not have. Move the axis (count it from the front "
            "if it is another one), or train on one worker."
        )


def check_call(layer: Any, args: tuple[Any, ...]) -> None:
    """Raise if a layer's call works along the axis of the samples, and workers share them."""
    if workers() > 1:
        backend = registry.current()
        refuse_samples_axis(layer, [len(backend.shape(x)) for x in nested.flatten(args[:1]) if backend.is_tensor(x)])
