"""Who is measured: the names that tables print, and the colours of the picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Competitor:
    """One of those who are measured: what tables say, and the colour of its bars."""

    words: str
    color: str


OURS = "polykeras"
COMPETITORS = {
    OURS: Competitor("polykeras", "#1b1b1b"),
    "keras": Competitor("Keras 3", "#3b6fb6"),
    "tuned": Competitor("Keras 3 tuned", "#9bbce0"),  # the best of its defaults and of `TUNED`
    "native": Competitor("by hand", "#e08a2c"),
}
PEERS = tuple(who for who in COMPETITORS if who != OURS)
FRAMEWORKS = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}

STEPS = {"steps_per_execution": 32}
XLA = {"jit_compile": True}
TUNED = {
    "jax": {"32 steps": STEPS},  # compiles by default; without, each operation is a call of its own
    "tensorflow": {"32 steps": STEPS, "XLA": XLA, "32 steps, XLA": STEPS | XLA},
    "torch": {"torch.compile": XLA},  # Keras takes one step at a time there
}
"""Arguments of `compile` by which users of Keras may make it faster, by framework and name."""
