"""Models: functional, sequential and subclassed ones."""

from polykeras.layers.core.input_layer import Input
from polykeras.models.cloning import clone_model, model_from_json
from polykeras.models.functional import Functional
from polykeras.models.model import Model
from polykeras.models.sequential import Sequential
from polykeras.saving.model_files import load_model, save_model

__all__ = [
    "Functional",
    "Input",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
