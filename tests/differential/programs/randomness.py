"""Random choices within a rule of programs, each as likely as the others.

Hypothesis's own way of drawing looks for short examples: a quarter of all calls of programs took the first rule, the first
model and the first of each list, and numbers that stand in loaded modules came more often than others.
"""

from __future__ import annotations

from typing import Any

from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

UNIFORM = "polykeras-uniform"
"""The name of this way, for `settings(backend=...)`: Hypothesis repeats and mutates nothing then, but shrinks as always."""


class Uniform(HypothesisProvider):
    """Draws as Hypothesis does, but for constants."""

    def _maybe_draw_constant(self, *args: Any, **kwargs: Any) -> None:
        return None


assert hasattr(HypothesisProvider, "_maybe_draw_constant")  # else drawing has changed
AVAILABLE_PROVIDERS[UNIFORM] = f"{Uniform.__module__}.{Uniform.__name__}"
