"""Who is measured: the names that tables print, and the colours of pictures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Competitor:
    """One of those who are measured.

    Attributes:
        words: what tables and legends say.
        color: of bars and lines.
        marker: of the places on a line.
    """

    words: str
    color: str
    marker: str


OURS = "polykeras"
COMPETITORS = {
    OURS: Competitor("polykeras", "#1b1b1b", "o"),
    "keras": Competitor("Keras 3", "#3b6fb6", "s"),
    "native": Competitor("by hand", "#e08a2c", "^"),
    "plain": Competitor("without fast paths", "#5a9e6f", "D"),  # polykeras with POLYKERAS_FAST=0
}
PEERS = tuple(who for who in COMPETITORS if who != OURS)
ALL = (OURS, "keras", "native")
FRAMEWORKS = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}
