"""Optimizers, and learning-rate schedules in `schedules`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polykeras.optimizers import legacy, schedules
from polykeras.optimizers.adafactor import Adafactor
from polykeras.optimizers.adagrad import Adadelta, Adagrad
from polykeras.optimizers.adam import Adam, Adamax, AdamW, Nadam
from polykeras.optimizers.base import Optimizer, registry
from polykeras.optimizers.ftrl import Ftrl
from polykeras.optimizers.lamb import Lamb
from polykeras.optimizers.lion import Lion
from polykeras.optimizers.loss_scale import LossScaleOptimizer
from polykeras.optimizers.multi import MultiOptimizer, OptimizerMap
from polykeras.optimizers.muon import Muon
from polykeras.optimizers.rmsprop import RMSprop
from polykeras.optimizers.schedule_free import ScheduleFreeAdamW
from polykeras.optimizers.sgd import SGD
from polykeras.saving.serialization import serialize_keras_object


def get(identifier: str | Optimizer | type[Optimizer] | Mapping[str, Any]) -> Any:
    """Return an optimizer.

    Args:
        identifier: a name such as `"adam"`, a config, a class, an optimizer, or None, which is returned.

    Raises:
        ValueError: if the name is unknown, or the object is not an optimizer.
    """
    found = registry.get(identifier)
    if found is not None and not isinstance(found, Optimizer):
        raise ValueError(f"Expected an optimizer; received {identifier!r}.")
    return found


def serialize(optimizer: Optimizer) -> Any:
    """Return the config of an optimizer."""
    return serialize_keras_object(optimizer)


def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the optimizer of a config, without state.

    Args:
        config: a result of `serialize`, or a name.
        custom_objects: further classes and functions that it may name.
    """
    return registry.deserialize(config, custom_objects)


__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "LossScaleOptimizer",
    "MultiOptimizer",
    "Muon",
    "Nadam",
    "Optimizer",
    "OptimizerMap",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]
