"""Losses: classes, and the functions behind them."""

from __future__ import annotations

from typing import Any

from polykeras.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from polykeras.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
)
from polykeras.losses.hinge import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from polykeras.losses.loss import LOSSES, FunctionLoss, Loss, LossFunctionWrapper
from polykeras.losses.regression import (
    CosineSimilarity,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    cosine_similarity,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
)
from polykeras.saving.serialization import serialize_keras_object


def get(identifier: Any) -> Any:
    """Return a loss from a name, a config, a class, a function or a loss; None stays None.

    Raises:
        ValueError: an unknown name (the nearest one is suggested).
    """
    return LOSSES.get(identifier)


def serialize(loss: Any) -> Any:
    """Return the config of a loss, or the name of a loss function."""
    return serialize_keras_object(loss)


def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """Return the loss of a config or a name."""
    return LOSSES.deserialize(config, custom_objects)


def as_loss(identifier: Any) -> Loss | None:
    """Return a `Loss` object from what users may write for one; None stays None.

    A built-in function becomes the class of it, which knows its labels' range; another one is wrapped.
    """
    found = get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    for cls in (LOSSES.find(name) for name in LOSSES.names()):
        if getattr(cls, "function", None) is found:
            return cls()
    return LossFunctionWrapper(found)


__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "FunctionLoss",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "as_loss",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "cosine_similarity",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
]
