"""The metrics that a layer keeps as attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from polykeras.layers.base.tracking import tracked


@runtime_checkable
class _Measures(Protocol):
    """What a metric has. Metrics are built on layers, which only look for theirs."""

    variables: Any

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Take in a batch."""

    def result(self) -> Any:
        """Return the value."""


class OwnMetrics(list[Any]):
    """Keras's list of a layer's own metrics, to which libraries append: what they do the layer keeps.

    Args:
        layer: keeps what is appended, among its attributes.
        metrics: those that it has.
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
        vars(self._layer).setdefault("_metrics", []).extend(added)

    def __iadd__(self, metrics: Iterable[Any]) -> OwnMetrics:  # type: ignore[override]
        self.extend(metrics)
        return self


def metrics_of(layer: Any) -> list[Any]:
    """Return the metrics among a layer's attributes."""
    return list(tracked(layer, _Measures))


def own_metrics(layer: Any) -> OwnMetrics:
    """Return the metrics among a layer's attributes; what is appended becomes one of them."""
    return OwnMetrics(layer, metrics_of(layer))


def set_own_metrics(layer: Any, metrics: Iterable[Any] | None) -> None:
    """Keep metrics that are not attributes of a layer beside those that are."""
    vars(layer)["_metrics"] = []
    attributes = {id(metric) for metric in metrics_of(layer)}
    vars(layer)["_metrics"] = [metric for metric in metrics or () if id(metric) not in attributes]
