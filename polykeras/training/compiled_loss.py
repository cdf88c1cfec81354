"""The losses of `compile` for all outputs."""

from __future__ import annotations

from typing import Any

from polykeras import ops
from polykeras.common import nested
from polykeras.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    SparseCategoricalCrossentropy,
    as_loss,
)
from polykeras.metrics import Mean, Metric
from polykeras.training.outputs import (
    by_output,
    flat_like,
    flat_weights,
    form_of_labels,
    given_order,
    name_losses,
    name_outputs,
)

_BY_SHAPE = ("crossentropy", "ce")
_CROSSENTROPY: dict[str, Any] = {
    "binary": BinaryCrossentropy,
    "sparse": SparseCategoricalCrossentropy,
    "categorical": CategoricalCrossentropy,
}


def _resolve(identifier: Any) -> Loss | str | None:
    """Return a loss, which has the name that was given; a name that stands for several losses stays, as does None."""
    if not isinstance(identifier, str):
        return as_loss(identifier)
    if identifier.lower() in _BY_SHAPE:
        return identifier
    loss = as_loss(identifier)
    if loss is not None:
        loss.name = identifier
    return loss


def name_metrics(value: Any) -> bool:
    """Return whether names or functions are among what is given for numbers by output."""
    return any(isinstance(leaf, str) or callable(leaf) for leaf in nested.flatten(value))


class CompiledLoss:
    """The weighted sum of the losses of the outputs.

    Args:
        loss: one loss, or a list or dict of losses by output.
        loss_weights: a number for each output, also as a list or dict.
        output_names: the names of the outputs, if the model knows them.

    Attributes:
        given: `loss` with `Loss` objects in place of names, classes and functions, except for names that stand for
            several losses.
        output_names: as given.

    Raises:
        ValueError: a loss is unknown, or a weight is not a number.
    """

    def __init__(self, loss: Any, loss_weights: Any = None, output_names: list[str] | None = None) -> None:
        if name_metrics(loss_weights):
            raise ValueError(
                f"compile: expected a number for each output as `loss_weights`; received {loss_weights!r}. Pass "
                "metrics as `metrics=`."
            )
        self._loss = loss
        self._loss_weights = loss_weights
        self._names: list[str] | None = None
        self._flat: list[Any] = []  # the loss of each output, or None
        self._trackers: list[Mean | None] = []
        self._order: list[int] = []  # of the outputs, in returned lists
        self._structure: Any = None  # of the outputs, to check labels on the host
        self._shapes: list[tuple[int, ...]] = []
        # Look names up at once, so that `compile` refuses a misspelt one.
        self.given: Any = (
            nested.map_structure(_resolve, loss) if isinstance(loss, (list, tuple, dict)) else _resolve(loss)
        )
        self.output_names = output_names

    @property
    def built(self) -> bool:
        """Whether the outputs are known."""
        return self._names is not None

    @property
    def metrics(self) -> list[Metric]:
        """The mean loss of each output, if several outputs have one, in the order in which they were given."""
        return [tracker for i in self._order if (tracker := self._trackers[i]) is not None]

    @property
    def losses(self) -> list[Loss]:
        """The losses of the outputs that have one."""
        return [loss for loss in self._flat if loss is not None]

    def labels(self, y_true: Any, y_pred: Any, names: list[str]) -> list[Any]:
        """Return the labels of each output; None for missing ones.

        Args:
            y_true: labels by output, or those of the outputs that have a loss.
            y_pred: the outputs.
            names: the names of the outputs.

        Raises:
            ValueError: the labels do not fit the outputs, or an output with a loss has none.
        """
        labels = flat_like(y_true, y_pred, names, "y", self._flat)
        for name, loss, label in zip(names, self._flat, labels):  # noqa: B905  no losses are known before the first call
            if loss is not None and label is None:
                raise ValueError(
                    f"The output {name!r} has the loss {getattr(loss, 'name', loss)!r} but no labels. The outputs are "
                    f"{names}."
                )
        return labels

    def _build(self, y_true: Any, y_pred: Any) -> None:
        names = name_outputs(y_pred, self.output_names)
        self._structure = nested.map_structure(lambda _: 0, y_pred)
        self._flat = by_output(self.given, names, "loss", y_pred)
        weights = by_output(self._loss_weights, names, "loss_weights", y_pred)
        self._weights = [1.0 if w is None else float(w) for w in weights]
        if not names:
            raise ValueError(
                f"The model returned nothing that a loss could compare; received {y_pred!r}. Does its `call` end with "
                "`return`?"
            )
        if not self.losses:
            raise ValueError(f"No output has a loss. The outputs are {names}; `loss` is {self._loss!r}.")
        labels, outputs = self.labels(y_true, y_pred, names), nested.flatten(y_pred)
        self._flat = [
            _CROSSENTROPY[form_of_labels(label, output)](name=loss) if isinstance(loss, str) else loss
            for loss, label, output in zip(self._flat, labels, outputs, strict=True)
        ]
        several = len(self.losses) > 1
        logged = name_losses(y_pred, self.output_names, self._flat)
        self._trackers = [
            Mean(name=f"{name}_loss") if several and loss is not None else None
            for name, loss in zip(logged, self._flat, strict=True)
        ]
        one_for_all = not isinstance(self.given, (list, tuple, dict))
        self._order = given_order(y_pred if one_for_all and self.output_names is None else self.given, y_pred)
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
            self._build(y_true, y_pred)
        assert self._names is not None
        outputs = nested.flatten(y_pred)
        self._shapes = [ops.shape(output) for output in outputs]
        labels = self.labels(y_true, y_pred, self._names)
        weights = flat_weights(sample_weight, y_pred, self._names)
        total: Any = None
        parts = zip(self._names, self._flat, self._weights, self._trackers, labels, outputs, weights, strict=True)
        for name, loss, scale, tracker, label, output, weight in parts:
            if loss is None:
                continue
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
        labels = self.labels(y_true, self._structure, self._names)
        for name, loss, label, shape in zip(self._names, self._flat, labels, self._shapes, strict=True):
            if loss is not None:
                loss.check_labels(label, shape, name)
        return True
