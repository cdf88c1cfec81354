"""The base of learning-rate schedules: pure functions of the step, which are compiled into the training step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.config import floatx
from polykeras.saving.configurable import Configurable
from polykeras.saving.serialization import Registry, serialize_keras_object

registry: Registry[LearningRateSchedule] = Registry("learning-rate schedule", "keras.optimizers.schedules")


def scalar_dtype() -> str:
    """Return the dtype of learning rates and other scalars of an update: at least float32."""
    return "float64" if floatx() == "float64" else "float32"


class LearningRateSchedule(Configurable):
    """Base of schedules: a function from the step to a learning rate."""

    def __call__(self, step: ArrayLike) -> Array:
        """Return the learning rate.

        Args:
            step: the number of updates so far: an int or an int32 scalar. Inside a training step it is traced, so
                compute with `polykeras.ops`.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement `__call__(step)`.")


def positive(owner: LearningRateSchedule, name: str, value: float) -> float:
    """Return `value` if it is greater than 0.

    Raises:
        ValueError: if it is not.
    """
    if not value > 0:
        raise ValueError(f"{type(owner).__name__}: `{name}` must be positive; received {value!r}.")
    return value


def as_float(step: ArrayLike) -> Array:
    """Return a step as a scalar of `scalar_dtype()`."""
    return ops.cast(step, scalar_dtype())


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """Return the config of a schedule."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(
    config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> LearningRateSchedule:
    """Return the schedule of a config.

    Args:
        config: a result of `serialize`.
        custom_objects: further classes and functions that it may name.
    """
    return registry.deserialize(config, custom_objects)
