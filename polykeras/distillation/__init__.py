"""Small models that learn from large ones: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015."""

from polykeras.distillation.distiller import Distiller
from polykeras.distillation.losses import DistillationLoss, FeatureDistillation, LogitsDistillation

__all__ = ["DistillationLoss", "Distiller", "FeatureDistillation", "LogitsDistillation"]
