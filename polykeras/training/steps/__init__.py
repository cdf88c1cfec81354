"""A model's steps: code over variables becomes a compiled step, which is kept, and runs over rows of arrays."""

from polykeras.training.steps.compiled import CompiledStep, shapes_of
from polykeras.training.steps.eager import EagerStep

__all__ = ["CompiledStep", "EagerStep", "shapes_of"]
