"""The losses of `compile` for all outputs."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.common import nested
from polykeras.losses import Loss, as_loss
from polykeras.metrics import Mean, Metric
from polykeras.training.outputs import by_output, flat_like, flat_weights, name_outputs


def name_metrics(value: Any) -> bool:
    """Return whether names or functions are among what is given for numbers by output."""
    return any(isinstance(leaf, str) or callable(leaf) for leaf in nested.flatten(value))


class CompiledLoss:
    """The weighted sum of the losses of the outputs.

    Args:
        loss: one loss, or a list or dict of losses by output.
        loss_weights: a number for each output, also as a list or dict.

    Attributes:
        given: `loss` with `Loss` objects in place of names, classes and functions.
        output_names: the names of the outputs, if the model knows them.

    Raises:
        ValueError: a loss is unknown, or a weight is not a number.
    """

    def __init__(self, loss: Any, loss_weights: Any = None) -> None:
        if name_metrics(loss_weights):
            raise ValueError(
                f"compile: expected a number for each output as `loss_weights`; received {loss_weights!r}. Pass "
                "metrics as `metrics=`."
            )
        self._loss = loss
        self._loss_weights = loss_weights
        self._names: list[str] | None = None
        self._flat: list[Loss | None] = []
        self._trackers: list[Mean | None] = []
        self._structure: Any = None  # of the outputs, to check labels on the host
        self._shapes: list[tuple[int, ...]] = []
        # Look names up at once, so that `compile` refuses a misspelt one.
        self.given: Any = (
            nested.map_structure(as_loss, loss) if isinstance(loss, (list, tuple, dict)) else as_loss(loss)
        )
        self.output_names: list[str] | None = None

    @property
    def built(self) -> bool:
        """Whether the outputs are known."""
        return self._names is not None

    @property
    def metrics(self) -> list[Metric]:
        """The mean loss of each output, if there are several outputs."""
        return [tracker for tracker in self._trackers if tracker is not None]

    @property
    def losses(self) -> list[Loss]:
        """The losses of the outputs that have one."""
        return [loss for loss in self._flat if loss is not None]

    def _build(self, y_pred: Any) -> None:
        names = name_outputs(y_pred, self.output_names)
        self._structure = nested.map_structure(lambda _: 0, y_pred)
        self._flat = by_output(self.given, names, "loss")
        weights = [None] * len(names)
        if self._loss_weights is not None:
            weights = by_output(self._loss_weights, names, "loss_weights")
        self._weights = [1.0 if w is None else float(w) for w in weights]
        if not names:
            raise ValueError(
                f"The model returned nothing that a loss could compare; received {y_pred!r}. Does its `call` end with "
                "`return`?"
            )
        if not self.losses:
            raise ValueError(f"No output has a loss. The outputs are {names}; `loss` is {self._loss!r}.")
        several = len(names) > 1
        self._trackers = [
            Mean(name=f"{name}_loss") if several and loss is not None else None
            for name, loss in zip(names, self._flat, strict=True)
        ]
        self._names = names  # last, so that an error above is raised again by the next call

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, rows: Any = None) -> Any:
        """Return the total loss of a batch.

        Args:
            y_true: labels by output.
            y_pred: the outputs.
            sample_weight: weights by output, or one array for all outputs.
            rows: the number of samples that count, a float; all by default.

        Raises:
            ValueError: the labels do not fit. A note names the output and the loss.
        """
        if self._names is None:
            self._build(y_pred)
        assert self._names is not None
        outputs = nested.flatten(y_pred)
        self._shapes = [ops.shape(output) for output in outputs]
        labels = flat_like(y_true, y_pred, self._names, "y")
        weights = flat_weights(sample_weight, y_pred, self._names)
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
        """Let each loss check its labels on the host.

        Args:
            y_true: NumPy arrays by output.

        Returns:
            Whether they were checked. Before the first call, the outputs are unknown and nothing is checked.

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
