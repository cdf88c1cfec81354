"""Where we differ from Keras 3 and stay so, each with the proof. Strict: an entry that covers nothing fails the run."""

from __future__ import annotations

from known_differences.from_keras.entry import FromKeras
from known_differences.from_keras.layers import EXCHANGED, LAYERS
from known_differences.from_keras.models import FITTING, MODELS, TRAINING
from known_differences.from_keras.objects import LOSSES, METRICS, OBJECTS, OPTIMIZERS
from known_differences.from_keras.ops import OPS
from known_differences.from_keras.programs import PROGRAMS

FROM_KERAS: tuple[FromKeras, ...] = (
    *OPS,
    *LOSSES,
    *METRICS,
    *OPTIMIZERS,
    *LAYERS,
    *OBJECTS,
    *MODELS,
    *TRAINING,
    *FITTING,
    *PROGRAMS,
    *EXCHANGED,
)


def of(subject: str) -> list[FromKeras]:
    """Return the entries about one subject."""
    return [entry for entry in FROM_KERAS if subject in entry.subjects.split()]
