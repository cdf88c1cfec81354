"""Losses: classes, and the functions behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from polykeras.backend.spec import Array
from polykeras.losses.crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from polykeras.losses.embedding import Circle, circle
from polykeras.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    SparseCategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
    sparse_categorical_focal_crossentropy,
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
from polykeras.losses.overlap import Dice, Tversky, dice, tversky
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
from polykeras.losses.sequence import CTC, ctc
from polykeras.saving.serialization import serialize_keras_object

# tf.keras's short names.
MSE = mse = mean_squared_error
MAE = mae = mean_absolute_error
MAPE = mape = mean_absolute_percentage_error
MSLE = msle = mean_squared_logarithmic_error
KLD = kld = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh


class Reduction:
    """tf.keras's names for the reductions of losses."""

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"

    @classmethod
    def all(cls) -> tuple[str, ...]:
        """Return the four reductions."""
        return (cls.AUTO, cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE)

    @classmethod
    def validate(cls, key: Any) -> None:
        """Raise ValueError unless `key` is one of the four reductions.

        Raises:
            ValueError: if it is anything else.
        """
        if key not in cls.all():
            raise ValueError(f"Unknown reduction {key!r}. Known: {', '.join(map(repr, cls.all()))}.")


def get(identifier: str | Loss | type[Loss] | Callable[..., Array] | Mapping[str, Any] | None) -> Any:
    """Return a loss from a name, a config, a class, a function or a loss. None is returned unchanged.

    Raises:
        ValueError: if the name is unknown (the message suggests the nearest one).
    """
    return LOSSES.get(identifier)


def serialize(loss: Any) -> Any:
    """Return the config of a loss, or the name of a loss function."""
    return serialize_keras_object(loss)


def deserialize(name: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the loss of a config or a name.

    Args:
        name: a result of `serialize`, or a name.
        custom_objects: further classes and functions that it may name.
    """
    return LOSSES.deserialize(name, custom_objects)


def as_loss(identifier: str | Loss | type[Loss] | Callable[..., Array] | Mapping[str, Any] | None) -> Loss | None:
    """Return a `Loss` object for an identifier. None is returned unchanged.

    A built-in function becomes its class, which knows the range of its labels. Any other function is wrapped.
    """
    found = get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    for cls in (LOSSES.find(name) for name in LOSSES.names()):
        if getattr(cls, "fn", None) is found:
            return cls()
    return LossFunctionWrapper(found)


__all__ = [
    "CTC",
    "KLD",
    "MAE",
    "MAPE",
    "MSE",
    "MSLE",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
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
    "Reduction",
    "SparseCategoricalCrossentropy",
    "SparseCategoricalFocalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "as_loss",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "deserialize",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "kld",
    "kullback_leibler_divergence",
    "log_cosh",
    "logcosh",
    "mae",
    "mape",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "mse",
    "msle",
    "poisson",
    "serialize",
    "sparse_categorical_crossentropy",
    "sparse_categorical_focal_crossentropy",
    "squared_hinge",
    "tversky",
]
