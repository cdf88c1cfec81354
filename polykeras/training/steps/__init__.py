"""Steps: code over variables becomes a compiled step, which the model keeps and runs over rows of arrays."""

from polykeras.training.steps.compiled import CompiledStep
from polykeras.training.steps.eager import EagerStep
from polykeras.training.steps.plan import StepPlan
from polykeras.training.steps.step import Step

__all__ = ["CompiledStep", "EagerStep", "Step", "StepPlan"]
