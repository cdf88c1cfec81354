"""Settings of Keras that a process turns on and off; they are public as `polykeras.config`'s."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = [
    "disable_flash_attention",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "enable_flash_attention",
    "enable_interactive_logging",
    "enable_traceback_filtering",
    "enable_unsafe_deserialization",
    "is_flash_attention_enabled",
    "is_interactive_logging_enabled",
    "is_nnx_enabled",
    "is_traceback_filtering_enabled",
    "max_epochs",
    "max_steps_per_epoch",
    "set_max_epochs",
    "set_max_steps_per_epoch",
]


def _number(name: str) -> int | None:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() and int(text) else None


@dataclass(slots=True)
class Switches:
    """The settings, as they are in a new process."""

    interactive_logging: bool = True
    traceback_filtering: bool = True
    flash_attention: bool | None = None
    unsafe_deserialization: bool = False
    max_epochs: int | None = None
    max_steps_per_epoch: int | None = None


_now = Switches(max_epochs=_number("KERAS_MAX_EPOCHS"), max_steps_per_epoch=_number("KERAS_MAX_STEPS_PER_EPOCH"))


def enable_interactive_logging() -> None:
    """Print progress and messages to standard output, as at first."""
    _now.interactive_logging = True


def disable_interactive_logging() -> None:
    """Send progress and messages to the logger `polykeras` instead of standard output, for servers."""
    _now.interactive_logging = False


def is_interactive_logging_enabled() -> bool:
    """Return whether progress and messages go to standard output."""
    return _now.interactive_logging


def enable_traceback_filtering() -> None:
    """Kept for Keras code: tracebacks are shown as they are."""
    _now.traceback_filtering = True


def disable_traceback_filtering() -> None:
    """Kept for Keras code: tracebacks are shown as they are."""
    _now.traceback_filtering = False


def is_traceback_filtering_enabled() -> bool:
    """Return what was chosen; tracebacks are shown as they are."""
    return _now.traceback_filtering


def enable_flash_attention() -> None:
    """Kept for Keras code: a backend chooses the kernel of attention itself; the result is the same."""
    _now.flash_attention = True


def disable_flash_attention() -> None:
    """Kept for Keras code: a backend chooses the kernel of attention itself; the result is the same."""
    _now.flash_attention = False


def is_flash_attention_enabled() -> bool | None:
    """Return what was chosen, None where nothing was; a backend chooses the kernel itself."""
    return _now.flash_attention


def is_nnx_enabled() -> bool:
    """Return False: variables are not Flax's."""
    return False


def enable_unsafe_deserialization() -> None:
    """Let files of models run code of `lambda`s, as `load_model(..., safe_mode=False)` does for one file."""
    _now.unsafe_deserialization = True


def is_unsafe_deserialization_enabled() -> bool:
    """Return whether files of models may run code."""
    return _now.unsafe_deserialization


def max_epochs() -> int | None:
    """Return the number of epochs to which `fit` is limited, None for any."""
    return _now.max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit `fit` to a number of epochs, to try out a script; None for any. `KERAS_MAX_EPOCHS` does so too."""
    _now.max_epochs = max_epochs


def max_steps_per_epoch() -> int | None:
    """Return the number of batches to which an epoch is limited, None for any."""
    return _now.max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit epochs, evaluations and predictions to a number of batches, to try out a script; None for any.

    The variable `KERAS_MAX_STEPS_PER_EPOCH` does so too.
    """
    _now.max_steps_per_epoch = max_steps_per_epoch
