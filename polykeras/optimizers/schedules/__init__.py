"""Learning rates as functions of the step."""

from polykeras.optimizers.schedules.base import LearningRateSchedule, deserialize, serialize
from polykeras.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from polykeras.optimizers.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]
