"""The metrics of `compile` for all outputs."""

from __future__ import annotations

import inspect
from typing import Any

from polykeras import metrics, ops
from polykeras.common import nested
from polykeras.metrics import MeanMetricWrapper, Metric
from polykeras.training.outputs import by_output, flat_like, flat_weights, name_outputs

_ACCURACY = {
    "binary": metrics.BinaryAccuracy,
    "sparse": metrics.SparseCategoricalAccuracy,
    "categorical": metrics.CategoricalAccuracy,
}
_CROSSENTROPY = {
    "binary": metrics.BinaryCrossentropy,
    "sparse": metrics.SparseCategoricalCrossentropy,
    "categorical": metrics.CategoricalCrossentropy,
}
_BY_SHAPE: dict[str | None, Any] = {
    "accuracy": _ACCURACY,
    "acc": _ACCURACY,
    "crossentropy": _CROSSENTROPY,
    "ce": _CROSSENTROPY,
}


def _flavour(y_true: Any, y_pred: Any) -> str:
    """Return the form of accuracy or cross-entropy for labels and outputs: "binary", "sparse" or "categorical"."""
    true_shape, pred_shape = ops.shape(y_true), ops.shape(y_pred)
    if not pred_shape or pred_shape[-1] == 1 or len(pred_shape) == 1:
        return "binary"
    if len(true_shape) < len(pred_shape) or true_shape[-1] == 1:
        return "sparse"
    return "categorical"


def resolve(identifier: Any, y_true: Any, y_pred: Any) -> Metric | None:
    """Return a metric for an entry of `compile(metrics=...)`.

    Args:
        identifier: a name, a metric, its class, a config or a function; None stays None. `"accuracy"` and
            `"crossentropy"` stand for the binary, sparse or categorical form, depending on the shapes.
        y_true: the labels of the output.
        y_pred: the output.
    """
    if identifier is None or isinstance(identifier, Metric):
        return identifier
    lowered = identifier.lower() if isinstance(identifier, str) else None
    if lowered in _BY_SHAPE:
        return _BY_SHAPE[lowered][_flavour(y_true, y_pred)](name=identifier)
    found = metrics.get(identifier)
    if isinstance(found, Metric):
        if isinstance(identifier, str):
            found.name = identifier
        return found
    return MeanMetricWrapper(found, name=identifier if isinstance(identifier, str) else None)


def check_names(spec: Any) -> None:
    """Refuse a misspelt metric, and a class that needs arguments, in `compile` already.

    Raises:
        TypeError: a class cannot be called without arguments.
        ValueError: an unknown name; the nearest one is suggested.
    """
    for leaf in nested.flatten(spec):
        if inspect.isclass(leaf) or (isinstance(leaf, str) and leaf.lower() not in _BY_SHAPE):
            metrics.get(leaf)


class CompiledMetrics:
    """The metrics of all outputs.

    Args:
        metrics: a list of names, metrics or functions; or a list or dict of such lists by output.
        weighted_metrics: further metrics, to which sample weights are applied.
    """

    def __init__(self, metrics: Any, weighted_metrics: Any = None) -> None:
        check_names(metrics)
        check_names(weighted_metrics)
        self._specs = (metrics, weighted_metrics)
        self._names: list[str] | None = None
        self._rows: list[tuple[int, Metric, bool]] = []
        self.output_names: list[str] | None = None

    @property
    def built(self) -> bool:
        """Whether the outputs are known and the metrics are made."""
        return self._names is not None

    @property
    def metrics(self) -> list[Metric]:
        """All metrics."""
        return [metric for _, metric, _ in self._rows]

    @staticmethod
    def _lists(spec: Any, names: list[str], what: str) -> list[list[Any]]:
        if spec is None:
            return [[] for _ in names]
        if not isinstance(spec, (list, tuple, dict)):
            spec = [spec]
        if len(names) == 1 and isinstance(spec, (list, tuple)):
            entries: list[Any] = [spec[0] if len(spec) == 1 and isinstance(spec[0], (list, tuple)) else spec]
        elif isinstance(spec, (list, tuple)) and not any(isinstance(e, (list, tuple)) for e in spec):
            if len(spec) != len(names):
                raise ValueError(
                    f"`{what}` is a flat list of {len(spec)}; the model has {len(names)} outputs {names}. Pass a list "
                    "or dict with one list for each output."
                )
            entries = list(spec)
        else:
            entries = by_output(spec, names, what)
        return [[] if e is None else list(e) if isinstance(e, (list, tuple)) else [e] for e in entries]

    def _build(self, y_true: list[Any], y_pred: Any) -> None:
        assert self._names is not None
        outputs = nested.flatten(y_pred)
        several = len(outputs) > 1
        used: set[str] = set()
        for spec, what, weighted in zip(self._specs, ("metrics", "weighted_metrics"), (False, True), strict=True):
            for i, entries in enumerate(self._lists(spec, self._names, what)):
                for entry in entries:
                    if y_true[i] is None:
                        raise ValueError(f"The output {self._names[i]!r} has metrics but no labels.")
                    metric = resolve(entry, y_true[i], outputs[i])
                    if metric is None:
                        continue
                    if several and not metric.name.startswith(f"{self._names[i]}_"):
                        metric.name = f"{self._names[i]}_{metric.name}"
                    if metric.name in used and weighted:
                        metric.name = f"weighted_{metric.name}"
                    base, number = metric.name, 0
                    while metric.name in used:  # equal names would overwrite each other in the logs
                        number += 1
                        metric.name = f"{base}_{number}"
                    used.add(metric.name)
                    self._rows.append((i, metric, weighted))

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Make the metrics, if they are not made yet.

        Args:
            y_true: labels by output, for their shapes.
            y_pred: the outputs, for their shapes.
        """
        if self._names is None:
            self._names = name_outputs(y_pred, self.output_names)
            self._build(flat_like(y_true, y_pred, self._names, "y"), y_pred)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update all metrics with a batch.

        Args:
            y_true: labels by output.
            y_pred: the outputs.
            sample_weight: weights by output, or one array for all outputs. Only weighted metrics use them.
        """
        self.build(y_true, y_pred)
        assert self._names is not None
        labels, outputs = flat_like(y_true, y_pred, self._names, "y"), nested.flatten(y_pred)
        weights = flat_weights(sample_weight, y_pred, self._names)
        for i, metric, weighted in self._rows:
            metric.update_state(labels[i], outputs[i], sample_weight=weights[i] if weighted else None)
