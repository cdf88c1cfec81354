"""The metrics of `compile` for all outputs."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

from polykeras import metrics
from polykeras.common import nested
from polykeras.metrics import MeanMetricWrapper, Metric
from polykeras.training.compiled_loss import CompiledLoss
from polykeras.training.outputs import by_output, flat_like, flat_weights, form_of_labels, known_names, name_outputs
from polykeras.variables import Variable, unique

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
        return _BY_SHAPE[lowered][form_of_labels(y_true, y_pred)](name=identifier)
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


def each(metrics: Iterable[Metric]) -> list[Metric]:
    """Return the metrics of a model, those of `compile` one by one."""
    return [m for metric in metrics for m in (metric.metrics if isinstance(metric, CompiledMetrics) else [metric])]


class CompiledMetrics(Metric):
    """The metrics of all outputs, as one metric whose result is a dict.

    Args:
        metrics: a list of names, metrics or functions; or a list or dict of such lists by output.
        weighted_metrics: further metrics, to which sample weights are applied.
        output_names: the names of the outputs, if the model knows them.
        loss: the losses of the model; labels may be those of the outputs with a loss alone.

    Attributes:
        by_name: the metrics by their names in logs, which begin with the name of the output if there are several.
    """

    passes_on: ClassVar[bool] = True
    # A metric belongs to the model from the first batch on; `by_name` names those of `_rows`, and changes with them.
    _untracked = ("_init_arguments", "_specs", "by_name")

    def __init__(
        self,
        metrics: Any,
        weighted_metrics: Any = None,
        output_names: list[str] | None = None,
        loss: CompiledLoss | None = None,
    ) -> None:
        super().__init__(name="compile_metrics")
        check_names(metrics)
        check_names(weighted_metrics)
        self._specs = (metrics, weighted_metrics)
        self._output_names, self._loss = output_names, loss
        self._names: list[str] | None = None
        self._rows: list[tuple[int, Metric, bool]] = []
        self.by_name: dict[str, Metric] = {}

    @property
    def built(self) -> bool:
        """Whether the outputs are known and the metrics are made."""
        return self._names is not None

    @property
    def metrics(self) -> list[Metric]:
        """All metrics."""
        return [metric for _, metric, _ in self._rows]

    @property
    def variables(self) -> list[Variable]:
        """The state of all metrics."""
        return unique(variable for metric in self.metrics for variable in metric.variables)

    @staticmethod
    def _lists(spec: Any, names: list[str], what: str, y_pred: Any) -> list[list[Any]]:
        if spec is None or (isinstance(spec, (list, tuple, dict)) and not spec):
            return [[] for _ in names]
        if len(names) == 1:
            return [nested.flatten(spec)]
        if not isinstance(spec, (list, tuple, dict)):
            spec = [spec]
        flat = isinstance(spec, (list, tuple)) and not any(isinstance(e, (list, tuple)) for e in spec)
        if flat and len(spec) != len(names):
            raise ValueError(
                f"`{what}` is a flat list of {len(spec)}; the model has {len(names)} outputs {names}. Pass a list "
                "or dict with one list for each output."
            )
        entries = by_output(spec, names, what, y_pred)
        return [[] if e is None else list(e) if isinstance(e, (list, tuple)) else [e] for e in entries]

    def _build(self, labels: list[Any], y_pred: Any, names: list[str]) -> None:
        outputs = nested.flatten(y_pred)
        known = known_names(y_pred, self._output_names) if len(outputs) > 1 else None
        used: Counter[str] = Counter()
        for spec, what, weighted in zip(self._specs, ("metrics", "weighted_metrics"), (False, True), strict=True):
            for i, entries in enumerate(self._lists(spec, names, what, y_pred)):
                prefix = f"{known[i]}_" if known else ""
                for entry in entries:
                    if labels[i] is None:
                        raise ValueError(f"The output {names[i]!r} has metrics but no labels.")
                    metric = resolve(entry, labels[i], outputs[i])
                    if metric is None:
                        continue
                    name = f"{prefix}{metric.name}"
                    if weighted and used[name]:
                        name = f"{prefix}weighted_{metric.name}"
                    used[name] += 1  # equal names would overwrite each other in the logs
                    self.by_name[name if used[name] == 1 else f"{name}_{used[name] - 1}"] = metric
                    self._rows.append((i, metric, weighted))

    def _labels(self, y_true: Any, y_pred: Any, names: list[str]) -> list[Any]:
        if self._loss is not None:
            return self._loss.labels(y_true, y_pred, names)
        return flat_like(y_true, y_pred, names, "y")

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Make the metrics, if they are not made yet.

        Args:
            y_true: labels by output, for their shapes.
            y_pred: the outputs, for their shapes.
        """
        if self._names is None:
            names = name_outputs(y_pred, self._output_names)
            self._rows, self.by_name = [], {}  # what a call that raised has left
            self._build(self._labels(y_true, y_pred, names), y_pred, names)
            self._names = names

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update all metrics with a batch.

        Args:
            y_true: labels by output.
            y_pred: the outputs.
            sample_weight: weights by output, or one array for all outputs. Only weighted metrics use them.
        """
        self.build(y_true, y_pred)
        assert self._names is not None
        labels, outputs = self._labels(y_true, y_pred, self._names), nested.flatten(y_pred)
        weights = flat_weights(sample_weight, y_pred, self._names)
        for i, metric, weighted in self._rows:
            metric.update_state(labels[i], outputs[i], sample_weight=weights[i] if weighted else None)

    def reset_state(self) -> None:
        """Reset all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """Return the values of all metrics by their names in logs."""
        return {name: metric.result() for name, metric in self.by_name.items()}
