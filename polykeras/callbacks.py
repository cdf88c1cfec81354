"""Objects that watch or steer training."""

from polykeras.training.callbacks import *  # noqa: F403
from polykeras.training.callbacks import __all__ as __all__
