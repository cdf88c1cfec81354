"""The hooks of training."""

from polykeras.training.callbacks.base import Callback, CallbackList
from polykeras.training.callbacks.history import History

__all__ = ["Callback", "CallbackList", "History"]
