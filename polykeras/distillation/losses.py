"""Distances between the outputs of a student and a teacher."""

from __future__ import annotations

from typing import Any

from polykeras import ops, tree  # not `nested`: None stands for an output that is not compared
from polykeras.backend.spec import Array
from polykeras.layers.base.layer import LAYERS
from polykeras.losses import KLDivergence, as_loss
from polykeras.saving.configurable import Configurable


class DistillationLoss(Configurable):
    """Base class of distances between a teacher and a student. A subclass writes `compute_loss`.

    Attributes:
        teacher_layer_name: the teacher's layer whose outputs are compared; None for the model's outputs.
        student_layer_name: the student's layer, likewise.
    """

    _module_in_configs = "keras.distillation"
    teacher_layer_name: str | None = None
    student_layer_name: str | None = None

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Array:
        """Return the distance of a batch, a scalar.

        Args:
            teacher_outputs: an array, or a structure of them.
            student_outputs: the student's outputs, in the same structure.
            **kwargs: further arguments of subclasses.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement `compute_loss`.")

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Raise `ValueError` if the outputs have different structures.

        Args:
            teacher_outputs: an array, or a structure of them.
            student_outputs: an array, or a structure of them.

        Raises:
            ValueError: if their structures differ.
        """
        tree.assert_same_structure(teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Raise `ValueError` if the models lack a layer that is compared.

        Args:
            teacher: the teacher.
            student: the student.

        Raises:
            ValueError: if a model lacks a layer that is compared, or has no symbolic inputs.
        """
        for role, model, name in (
            ("teacher", teacher, self.teacher_layer_name),
            ("student", student, self.student_layer_name),
        ):
            if name is None:
                continue
            if getattr(model, "inputs", None) is None:
                raise ValueError(
                    f"{type(self).__name__}: outputs of a layer of the {role} need a functional or sequential model "
                    f"that is built; {model.name!r} ({type(model).__name__}) has no symbolic inputs. Compare the "
                    "models' own outputs: pass no names of layers."
                )
            try:
                model.get_layer(name)
            except ValueError as error:
                raise ValueError(f"{type(self).__name__}: in the {role}: {error}") from None


class _ByOutput(DistillationLoss):
    """A sum of losses, one for each output."""

    def _set_loss(self, loss: Any) -> None:
        self.loss = tree.map_structure(as_loss, loss) if tree.is_nested(loss) else as_loss(loss)
        if all(part is None for part in tree.flatten(self.loss)):
            raise ValueError(f"{type(self).__name__}: at least one `loss` must not be None; received {loss!r}.")

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Raise `ValueError` if the outputs, or the losses, have different structures."""
        super().validate_outputs(teacher_outputs, student_outputs)
        try:
            tree.map_structure(lambda *_: None, self.loss, teacher_outputs)
        except ValueError as error:
            raise ValueError(f"{type(self).__name__}: `loss` must have the structure of the outputs: {error}") from None

    def _one(self, loss: Any, teacher: Any, student: Any) -> Any:
        return ops.mean(loss(teacher, student))

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Array:
        """Return the sum of the outputs' distances. The teacher's outputs are used as labels."""

        def one(loss: Any, teacher: Any, student: Any) -> Any:
            return None if loss is None else self._one(loss, teacher, student)

        losses = tree.map_structure(one, self.loss, teacher_outputs, student_outputs)
        return sum(loss for loss in tree.flatten(losses) if loss is not None)


@LAYERS.register()
class FeatureDistillation(_ByOutput):
    """The distance between the outputs of a layer of the teacher and a layer of the student.

    Source: Romero et al., "FitNets: Hints for Thin Deep Nets", 2015.

    Args:
        loss: a name, a `Loss` or a function; or a structure of them, like that of the outputs, with None for outputs
            that are not compared.
        teacher_layer_name: the teacher's layer; None for the model's own outputs.
        student_layer_name: the student's layer.

    Raises:
        ValueError: if a loss is unknown, or there is none.
    """

    def __init__(
        self, loss: Any = "mse", teacher_layer_name: str | None = None, student_layer_name: str | None = None
    ) -> None:
        self._set_loss(loss)
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name


@LAYERS.register()
class LogitsDistillation(_ByOutput):
    """The distance between the logits of two models, divided by a temperature.

    The loss `KLDivergence` compares their softmax, and is multiplied by the square of the temperature, which keeps the
    size of gradients: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015.

    Args:
        temperature: above 0; high values make the probabilities of the classes more similar.
        loss: see `FeatureDistillation`.

    Raises:
        ValueError: if the loss is unknown or missing, or the temperature is out of range.
    """

    def __init__(self, temperature: float = 3.0, loss: Any = "kl_divergence") -> None:
        if not isinstance(temperature, (int, float)) or temperature <= 0:
            raise ValueError(f"LogitsDistillation: `temperature` must be a number above 0; received {temperature!r}.")
        self.temperature = temperature
        self._set_loss(loss)

    def _one(self, loss: Any, teacher: Any, student: Any) -> Any:
        teacher, student = teacher / self.temperature, student / self.temperature
        if isinstance(loss, KLDivergence):
            return super()._one(loss, ops.softmax(teacher), ops.softmax(student)) * self.temperature**2
        return super()._one(loss, teacher, student)
