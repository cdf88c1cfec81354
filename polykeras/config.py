"""Global settings: `floatx`, `epsilon`, the image layout, whether data are checked, what is shown, limits of training.

They are kept in `polykeras.common.settings`, which reads the config file and the environment
the first time that one is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polykeras.common import version_counter
from polykeras.common.lazy import lazy_names
from polykeras.common.settings import ImageDataFormat, Settings, check, config_path, read_config, settings

if TYPE_CHECKING:
    from polykeras.backend import backend as backend
    from polykeras.backend import set_backend as set_backend
    from polykeras.dtype_policies import dtype_policy as dtype_policy
    from polykeras.dtype_policies import set_dtype_policy as set_dtype_policy

# Keras's names for what is settled in higher layers of the code.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "backend": "polykeras.backend",
        "set_backend": "polykeras.backend",
        "dtype_policy": "polykeras.dtype_policies",
        "set_dtype_policy": "polykeras.dtype_policies",
    },
)

__all__ = [
    "ImageDataFormat",
    "Settings",
    "backend",
    "check_data",
    "config_path",
    "defaults",
    "disable_flash_attention",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "dtype_policy",
    "enable_flash_attention",
    "enable_interactive_logging",
    "enable_traceback_filtering",
    "enable_unsafe_deserialization",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_flash_attention_enabled",
    "is_interactive_logging_enabled",
    "is_nnx_enabled",
    "is_traceback_filtering_enabled",
    "is_unsafe_deserialization_enabled",
    "max_epochs",
    "max_steps_per_epoch",
    "nan_guard",
    "read_config",
    "set_backend",
    "set_check_data",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_max_epochs",
    "set_max_steps_per_epoch",
    "set_nan_guard",
    "set_verify",
    "settings",
    "standardize_data_format",
    "verify",
]


def defaults() -> tuple[str, float, str]:
    """Return the settings that code reads while it computes, and that what is compiled depends on."""
    now = settings()
    return now.floatx, now.epsilon, now.image_data_format


def floatx() -> str:
    """Return the default float dtype, e.g. `"float32"`."""
    return settings().floatx


def set_floatx(value: str) -> None:
    """Set the default float dtype.

    Args:
        value: `"float16"`, `"bfloat16"`, `"float32"` or `"float64"`.

    Raises:
        ValueError: for any other value.
    """
    check("floatx", value, "set_floatx")
    settings().floatx = value
    version_counter.bump()


def epsilon() -> float:
    """Return the small number that guards divisions and logarithms."""
    return settings().epsilon


def set_epsilon(value: float) -> None:
    """Set the number returned by `epsilon`.

    Args:
        value: a positive number.

    Raises:
        ValueError: if it is not positive.
    """
    check("epsilon", value, "set_epsilon")
    settings().epsilon = value
    version_counter.bump()


def image_data_format() -> ImageDataFormat:
    """Return the default image layout, `"channels_last"` or `"channels_first"`."""
    return settings().image_data_format


def set_image_data_format(data_format: ImageDataFormat) -> None:
    """Set the default image layout.

    Args:
        data_format: `"channels_last"` or `"channels_first"`.

    Raises:
        ValueError: for any other value.
    """
    check("image_data_format", data_format, "set_image_data_format")
    settings().image_data_format = data_format
    version_counter.bump()


def check_data() -> bool:
    """Return whether `fit` refuses data that contain nan."""
    return settings().check_data


def set_check_data(value: bool) -> None:
    """Set whether `fit` refuses data that contain nan: False for models that expect such values.

    Args:
        value: True or False.

    Raises:
        ValueError: for any other value.
    """
    check("check_data", value, "set_check_data")
    settings().check_data = value


def nan_guard() -> bool:
    """Return whether training looks for the first number that is not finite."""
    return settings().nan_guard


def set_nan_guard(value: bool) -> None:
    """Set whether `fit` and `train_on_batch` stop at the first step that leaves a number behind that is not finite.

    They then say which layer, gradient or variable it is, and leave the model as it was before that step. Training
    takes a little longer; off, it costs nothing.

    Args:
        value: True or False.

    Raises:
        ValueError: for any other value.
    """
    check("nan_guard", value, "set_nan_guard")
    settings().nan_guard = value
    version_counter.bump()


def verify() -> int:
    """Return how often compiled steps are held against their plain form: each so many chunks of them; 0 for never."""
    return settings().verify


def set_verify(value: int) -> None:
    """Set how often compiled steps are held against their plain form; the variable `POLYKERAS_VERIFY` sets it too.

    Each so many chunks of steps of `fit`, `evaluate`, `predict` and the forms for one batch are also run as plain
    Python on the same backend, from the same state. A difference beyond rounding is an error, which names the step,
    what differs and by how much. Such a chunk takes longer than with `run_eagerly=True`; off, it costs nothing.

    Args:
        value: 1 for each chunk, 100 for each hundredth one; 0 for none.

    Raises:
        ValueError: for anything else.
    """
    check("verify", value, "set_verify")
    settings().verify = value
    version_counter.bump()


def standardize_data_format(data_format: str | None) -> ImageDataFormat:
    """Return `data_format`, or the default layout where it is None; refuse anything else."""
    if data_format is None:
        return image_data_format()
    check("image_data_format", data_format, "data_format")
    return data_format  # type: ignore[return-value]


# ---- what is shown, what files may do, limits of training ----------------------------------------------------------


def enable_interactive_logging() -> None:
    """Print progress and messages to standard output, as at first."""
    settings().interactive_logging = True


def disable_interactive_logging() -> None:
    """Send progress and messages to the logger `polykeras` instead of standard output, for servers."""
    settings().interactive_logging = False


def is_interactive_logging_enabled() -> bool:
    """Return whether progress and messages go to standard output."""
    return settings().interactive_logging


def enable_traceback_filtering() -> None:
    """Kept for Keras code: tracebacks are shown as they are."""
    settings().traceback_filtering = True


def disable_traceback_filtering() -> None:
    """Kept for Keras code: tracebacks are shown as they are."""
    settings().traceback_filtering = False


def is_traceback_filtering_enabled() -> bool:
    """Return what was chosen; tracebacks are shown as they are."""
    return settings().traceback_filtering


def enable_flash_attention() -> None:
    """Leave it to the backend again whether attention holds all its weights at once.

    Layers of attention ask when they are made; `flash_attention=True` or `False` of one of them says otherwise. The
    result is the same.
    """
    settings().flash_attention = None


def disable_flash_attention() -> None:
    """Let layers of attention that are made from now on hold all their weights at once."""
    settings().flash_attention = False


def is_flash_attention_enabled() -> bool | None:
    """Return False where `disable_flash_attention` was called, else None, which leaves it to the backend."""
    return settings().flash_attention


def is_nnx_enabled() -> bool:
    """Return False: variables are not Flax's."""
    return False


def enable_unsafe_deserialization() -> None:
    """Let files of models run code of `lambda`s, as `load_model(..., safe_mode=False)` does for one file."""
    settings().unsafe_deserialization = True


def is_unsafe_deserialization_enabled() -> bool:
    """Return whether files of models may run code."""
    return settings().unsafe_deserialization


def max_epochs() -> int | None:
    """Return the number of epochs to which `fit` is limited, None for any."""
    return settings().max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Limit `fit` to a number of epochs, to try out a script; None for any. `KERAS_MAX_EPOCHS` does so too."""
    settings().max_epochs = max_epochs


def max_steps_per_epoch() -> int | None:
    """Return the number of batches to which an epoch is limited, None for any."""
    return settings().max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Limit epochs, evaluations and predictions to a number of batches, to try out a script; None for any.

    The variable `KERAS_MAX_STEPS_PER_EPOCH` does so too.
    """
    settings().max_steps_per_epoch = max_steps_per_epoch
