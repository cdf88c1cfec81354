"""The losses of `compile`, over all outputs."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.common import nested
from polykeras.losses import Loss, as_loss
from polykeras.metrics import Mean, Metric
from polykeras.training.outputs import by_output, flat_like, name_outputs


def name_metrics(value: Any) -> bool:
    """Return whether names or functions are among what is given for numbers by output."""
    return any(isinstance(leaf, str) or callable(leaf) for leaf in nested.flatten(value))


class CompiledLoss:
    """The weighted sum of the outputs' losses.

    Args:
        loss: one loss, or a list or dict of them by output.
        loss_weights: a number an output, in the same way.

    Raises:
        ValueError: a loss is not known, or a weight is no number.
    """

    def __init__(self, loss: Any, loss_weights: Any = None) -> None:
        if name_metrics(loss_weights):
            raise ValueError(
                f"compile: expected a number an output as `loss_weights`; received {loss_weights!r}. Metrics are given "
                "as `metrics=`."
            )
        self._loss = loss
        self._loss_weights = loss_weights
        self._names: list[str] | None = None
        self._flat: list[Loss | None] = []
        self._trackers: list[Mean | None] = []
        self._structure: Any = None  # of the outputs, for labels that are checked on the host
        self._shapes: list[tuple[int, ...]] = []
        # Names are looked up at once, so that a misspelt one is refused by `compile`.
        self._losses: Any = (
            nested.map_structure(as_loss, loss) if isinstance(loss, (list, tuple, dict)) else as_loss(loss)
        )
        self.output_names: list[str] | None = None

    @property
    def built(self) -> bool:
        """Whether the outputs are known."""
        return self._names is not None

    @property
    def metrics(self) -> list[Metric]:
        """One mean an output, where there are several."""
        return [tracker for tracker in self._trackers if tracker is not None]

    @property
    def losses(self) -> list[Loss]:
        """The losses of those outputs that have one."""
        return [loss for loss in self._flat if loss is not None]

    def _build(self, y_pred: Any) -> None:
        names = name_outputs(y_pred, self.output_names)
        self._structure = nested.map_structure(lambda _: 0, y_pred)
        self._flat = by_output(self._losses, names, "loss")
        weights = [None] * len(names)
        if self._loss_weights is not None:
            weights = by_output(self._loss_weights, names, "loss_weights")
        self._weights = [1.0 if w is None else float(w) for w in weights]
        if sum(loss is not None for loss in self._flat) == 0:
            raise ValueError(f"No output has a loss. The outputs are {names}; `loss` is {self._loss!r}.")
        several = len(names) > 1
        self._trackers = [
            Mean(name=f"{name}_loss") if several and loss is not None else None
            for name, loss in zip(names, self._flat, strict=True)
        ]
        self._names = names  # last: what fails above is told again by the next call

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, rows: Any = None) -> Any:
        """Return the total loss of a batch.

        Args:
            y_true: labels by output.
            y_pred: the outputs.
            sample_weight: weights by output, or one array for all.
            rows: how many samples count, a float; all by default.

        Raises:
            ValueError: labels that do not fit; the note says which output and which loss.
        """
        if self._names is None:
            self._build(y_pred)
        assert self._names is not None
        outputs = nested.flatten(y_pred)
        self._shapes = [ops.shape(output) for output in outputs]
        labels = flat_like(y_true, y_pred, self._names, "y")
        if nested.is_nested(sample_weight):
            weights = flat_like(sample_weight, y_pred, self._names, "sample_weight")
        else:
            weights = [sample_weight] * len(outputs)
        total: Any = None
        parts = zip(self._names, self._flat, self._weights, self._trackers, labels, outputs, weights, strict=True)
        for name, loss, scale, tracker, label, output, weight in parts:
            if loss is None:
                continue
            if label is None:
                raise ValueError(
                    f"The output {name!r} has the loss {loss.name!r} but no labels. The outputs are {self._names}."
                )
            try:
                value = loss(label, output, weight)
            except ValueError as error:
                error.add_note(
                    f"While computing the loss {loss.name!r} of the output {name!r} (labels of shape "
                    f"{ops.shape(label)}, output of shape {ops.shape(output)})."
                )
                raise
            if tracker is not None:
                tracker.update_state(value, sample_weight=ops.shape(output)[0] * 1.0 if rows is None else rows)
            value = value if scale == 1.0 else value * scale
            total = value if total is None else total + value
        return total

    def check_labels(self, y_true: Any) -> bool:
        """Let each loss look at the labels on the host.

        Args:
            y_true: NumPy arrays by output.

        Returns:
            Whether they were looked at: before a first call the outputs are not known.

        Raises:
            ValueError: a label is out of range.
        """
        if self._names is None or not self._shapes:
            return False
        labels = flat_like(y_true, self._structure, self._names, "y")
        for name, loss, label, shape in zip(self._names, self._flat, labels, self._shapes, strict=True):
            if loss is not None and label is not None:
                loss.check_labels(label, shape, name)
        return True
