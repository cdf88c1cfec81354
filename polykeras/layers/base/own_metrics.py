"""The metrics that a layer keeps as attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Measures(Protocol):
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
        self.extend([metric])

    def extend(self, metrics: Iterable[Any]) -> None:
        added = list(metrics)
        super().extend(added)
        vars(self._layer).setdefault("_metrics", []).extend(added)

    def __iadd__(self, metrics: Iterable[Any]) -> OwnMetrics:  # type: ignore[override]
        self.extend(metrics)
        return self
