"""The metrics that a layer keeps as attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from polykeras.common import nested
from polykeras.layers.base.tracking import tracked


class Measure:
    """The base class of metrics, by which layers recognize them. It is defined here because metrics build on layers."""


@nested.container
class _OwnMetrics(list[Any]):
    """Keras's list of a layer's own metrics; libraries append to it, and the layer keeps what they append.

    Args:
        layer: the layer, which keeps appended metrics among its attributes.
        metrics: the metrics of the layer.
    """

    def __init__(self, layer: Any, metrics: Iterable[Any]) -> None:
        super().__init__(metrics)
        self._layer = layer

    def append(self, metric: Any) -> None:
        """Keep one more metric."""
        self.extend([metric])

    def extend(self, metrics: Iterable[Any]) -> None:
        """Keep more metrics."""
        added = list(metrics)
        super().extend(added)
        self._layer._listed_metrics = [*self._layer._listed_metrics, *added]

    def __iadd__(self, metrics: Iterable[Any]) -> _OwnMetrics:  # type: ignore[override]
        self.extend(metrics)
        return self


def own_metrics(layer: Any) -> list[Any]:
    """Return the metrics that a layer holds: those set as attributes, and those appended to this list."""
    return _OwnMetrics(layer, tracked(layer, Measure))


def _replace(layer: Any, metrics: Iterable[Any] | None) -> None:
    """Replace the appended metrics by these; metrics set as attributes stay."""
    layer._listed_metrics = []
    attributes = {id(metric) for metric in own_metrics(layer)}
    layer._listed_metrics = [metric for metric in metrics or () if id(metric) not in attributes]


OWN_METRICS = property(own_metrics, _replace, doc="Keras's list of the layer's own metrics, to which code may append.")
