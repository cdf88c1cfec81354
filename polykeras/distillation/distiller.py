"""A model that trains a student with a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.distillation.losses import DistillationLoss
from polykeras.layers.base.layer import LAYERS
from polykeras.metrics import Mean
from polykeras.models import Model, Sequential
from polykeras.saving.serialization import deserialize_keras_object

_LAST = "final_output"  # the key of a model's own outputs, besides those of layers


@LAYERS.register()
class Distiller(Model):
    """A model that trains a student on labels, and on the outputs of a teacher.

    The loss is `student_loss_weight` times the student's own loss (with sample weights and the losses of layers), plus
    `1 - student_loss_weight` times the weighted sum of the distances from the teacher.

    Args:
        teacher: a trained model; it is frozen.
        student: a model with the same inputs and outputs as the teacher.
        distillation_losses: a distillation loss, or a list of them.
        distillation_loss_weights: a weight for each loss; by default 1.
        student_loss_weight: the weight of the student's loss, from 0 to 1.
        name: the name of the model.
        **kwargs: see `Model`.

    Attributes:
        teacher: the teacher.
        student: the student, an independent model after training.

    Raises:
        ValueError: if the models or losses do not fit together, or a weight is out of range.

    Example:
        >>> from polykeras import Sequential, distillation, layers
        >>> teacher, student = (Sequential([layers.Input((4,)), layers.Dense(n), layers.Dense(3)]) for n in (64, 8))
        >>> distiller = distillation.Distiller(teacher, student, distillation.LogitsDistillation(temperature=2.0))
        >>> distiller.compile("adam", loss="mse")
        >>> _ = distiller.fit([[1, 2, 3, 4]], [[1, 0, 0]], verbose=0)
    """

    _module_in_configs = "keras.distillation"
    _untracked = (*Model._untracked, "_teacher_features", "_student_features")  # they share the layers

    def __init__(
        self,
        teacher: Model,
        student: Model,
        distillation_losses: DistillationLoss | Sequence[DistillationLoss],
        distillation_loss_weights: Sequence[float] | None = None,
        student_loss_weight: float = 0.5,
        name: str | None = "distiller",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        _check_models(teacher, student)
        if not isinstance(student_loss_weight, (int, float)) or not 0 <= student_loss_weight <= 1:
            raise ValueError(f"Distiller: `student_loss_weight` must be from 0 to 1; received {student_loss_weight!r}.")
        if distillation_losses is None:
            raise ValueError("Distiller: `distillation_losses` must be a distillation loss or a list; received None.")
        several = isinstance(distillation_losses, (list, tuple))
        losses: list[Any] = list(distillation_losses) if several else [distillation_losses]
        weights = (
            distillation_loss_weights if several and distillation_loss_weights is not None else [1.0] * len(losses)
        )
        if len(weights) != len(losses):
            raise ValueError(
                f"Distiller: `distillation_loss_weights` needs a number for each of {len(losses)} losses; received "
                f"{len(weights)}."
            )
        for loss in losses:
            loss.validate_model_compatibility(teacher, student)
        teacher.trainable = False
        self.teacher, self.student = teacher, student
        self.distillation_losses, self.distillation_loss_weights = losses, list(weights)
        self.student_loss_weight = student_loss_weight
        self._teacher_features = _features(teacher, [loss.teacher_layer_name for loss in losses])
        self._student_features = _features(student, [loss.student_layer_name for loss in losses])
        self.student_loss_tracker = Mean(name="student_loss")
        self.distillation_loss_tracker = Mean(name="distillation_loss")
        self.total_loss_tracker = Mean(name="total_loss")

    def compile(self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **kwargs: Any) -> None:
        """Configure the training of the student; arguments are as for `Model.compile`.

        Raises:
            ValueError: if there is no loss for the student.
        """
        if loss is None:
            raise ValueError("Distiller.compile: `loss` is the student's loss for the labels; received None.")
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with the result of `get_compile_config`."""
        self.compile(**deserialize_keras_object(config))

    def call(self, inputs: Any, training: Any = None, **kwargs: Any) -> Any:
        """Return the student's outputs.

        Args:
            inputs: the inputs of the student.
            training: whether the student is being trained.
            **kwargs: further arguments of the student.
        """
        return self.student(inputs, training=training, **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Array:
        """Return the weighted sum of the student's loss and the distances from the teacher."""
        if y_pred is None:
            y_pred = self(x, training=training)
        own, distance = ops.zeros(()), ops.zeros(())
        if self.student_loss_weight > 0 and y is not None:
            own = super().compute_loss(x, y, y_pred, sample_weight, training)
        if self.student_loss_weight < 1:
            distance = self._distance(x, y_pred, training)
        total = self.student_loss_weight * own + (1 - self.student_loss_weight) * distance
        self.student_loss_tracker.update_state(own)
        self.distillation_loss_tracker.update_state(distance)
        self.total_loss_tracker.update_state(total)
        return total

    def _distance(self, x: Any, y_pred: Any, training: bool) -> Any:
        """Return the weighted sum of the distillation losses."""
        teacher = self.teacher if self._teacher_features is None else self._teacher_features
        taught = teacher(x, training=False)
        taught = taught if self._teacher_features is not None else {_LAST: taught}
        learnt = {} if self._student_features is None else self._student_features(x, training=training)
        learnt = {**learnt, _LAST: y_pred}
        total = ops.zeros(())
        for loss, weight in zip(self.distillation_losses, self.distillation_loss_weights, strict=True):
            pair = taught[loss.teacher_layer_name or _LAST], learnt[loss.student_layer_name or _LAST]
            loss.validate_outputs(*pair)
            value = loss.compute_loss(*pair)
            if ops.ndim(value):
                raise ValueError(
                    f"Distiller: {type(loss).__name__}.compute_loss must return a scalar; received the shape "
                    f"{ops.shape(value)}."
                )
            total = total + weight * value
        return total


def _check_models(teacher: Any, student: Any) -> None:
    for role, model in (("teacher", teacher), ("student", student)):
        if not isinstance(model, Model):
            raise ValueError(f"Distiller: the {role} must be a Model; received {type(model).__name__}.")
    for what in ("inputs", "outputs"):
        ends = [getattr(model, what, None) for model in (teacher, student)]
        if None in ends:
            continue  # a model without a graph has no shapes before a call
        ours, theirs = ([(tuple(end.shape), end.dtype) for end in flat or ()] for flat in ends)
        if len(ours) != len(theirs) or not all(map(_agree, ours, theirs)):
            raise ValueError(
                f"Distiller: teacher and student must have the same {what}; received the shapes and dtypes {ours} of "
                f"the teacher and {theirs} of the student."
            )


def _agree(one: Any, other: Any) -> bool:
    (shape, dtype), (shape2, dtype2) = one, other
    if dtype != dtype2 or len(shape) != len(shape2):
        return False
    return all(a == b or None in (a, b) for a, b in zip(shape, shape2, strict=True))


def _features(model: Model, names: Sequence[str | None]) -> Model | None:
    """Return a model of the outputs of some layers and the model's own, by name; None for no layers."""
    layers = {name: model.get_layer(name).output for name in names if name is not None}
    if not layers:
        return None
    last = model.layers[-1].output if isinstance(model, Sequential) else model.output
    return Model(model.inputs, {_LAST: last, **layers}, name=f"{model.name}_features")
