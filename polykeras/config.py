"""Global settings: the config file, `floatx`, `epsilon`, the image layout, whether data are checked, the seed.

Settings are read once, from `$POLYKERAS_HOME/polykeras.json` (default `~/.polykeras/polykeras.json`) when the
file exists. It is never written by the library.
"""

# ruff: noqa: F403

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from polykeras import changes
from polykeras.lazy import lazy_names
from polykeras.switches import *

if TYPE_CHECKING:
    from polykeras.backend import backend as backend
    from polykeras.backend import set_backend as set_backend
    from polykeras.dtype_policies import dtype_policy as dtype_policy
    from polykeras.dtype_policies import set_dtype_policy as set_dtype_policy

# Keras's names for what is settled on higher floors.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "backend": "polykeras.backend",
        "set_backend": "polykeras.backend",
        "dtype_policy": "polykeras.dtype_policies",
        "set_dtype_policy": "polykeras.dtype_policies",
    },
)

ImageDataFormat = Literal["channels_last", "channels_first"]

_FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(slots=True)
class Settings:
    """The values a config file may set, with their defaults."""

    backend: str | None = None
    floatx: str = "float32"
    epsilon: float = 1e-7
    image_data_format: ImageDataFormat = "channels_last"
    check_data: bool = True
    nan_guard: bool = False
    verify: int = 0
    seed: int | None = None
    """Where polykeras' random numbers begin in a process that does not call `set_random_seed`; None: anywhere."""


def config_path() -> Path:
    """Return the place of the config file, which the variable `POLYKERAS_HOME` moves."""
    home = os.environ.get("POLYKERAS_HOME")
    return (Path(home) if home else Path.home() / ".polykeras") / "polykeras.json"


def _check(key: str, value: Any, where: str) -> None:
    allowed: dict[str, tuple[Any, ...]] = {
        "floatx": _FLOATS,
        "image_data_format": ("channels_last", "channels_first"),
    }
    if key in allowed and value not in allowed[key]:
        raise ValueError(f"{where}: `{key}` must be one of {', '.join(allowed[key])}; received {value!r}.")
    if key == "epsilon" and not (isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0):
        raise ValueError(f"{where}: `epsilon` must be a positive number; received {value!r}.")
    if key in ("check_data", "nan_guard") and not isinstance(value, bool):
        raise ValueError(f"{where}: `{key}` must be true or false; received {value!r}.")
    if key == "verify" and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ValueError(f"{where}: `verify` must be an int, 0 or greater; received {value!r}.")
    if key == "seed" and (isinstance(value, bool) or not isinstance(value, (int, type(None)))):
        raise ValueError(f"{where}: `seed` must be an int or null; received {value!r}.")
    if key == "backend" and not isinstance(value, (str, type(None))):
        raise ValueError(f"{where}: `backend` must be a backend's name; received {value!r}.")


def read_config(path: Path) -> Settings:
    """Read one config file.

    Args:
        path: the JSON file. A missing file gives the defaults.

    Returns:
        The settings, with defaults for absent keys.

    Raises:
        ValueError: the file is not JSON, not an object, or holds an unknown key or a bad value. The message
            names the file and, where JSON itself is broken, the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"The config file {path} is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}. "
            "Mend that line, or delete the file to use the defaults."
        ) from None
    if not isinstance(data, dict):
        raise ValueError(f"The config file {path} must hold one JSON object; received {type(data).__name__}.")
    known = [field.name for field in fields(Settings)]
    for key, value in data.items():
        line = 1 + text[: text.find(json.dumps(key))].count("\n")
        where = f"The config file {path}, line {line}"
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}. Known keys: {', '.join(known)}.")
        _check(key, value, where)
    return Settings(**data)


@cache
def settings() -> Settings:
    """Return the process-wide settings, reading the config file, and `POLYKERAS_VERIFY`, the first time."""
    found = read_config(config_path())
    text = os.environ.get("POLYKERAS_VERIFY", "").strip()
    if text:
        number = int(text) if text.isdecimal() else text
        _check("verify", number, "The environment variable POLYKERAS_VERIFY")
        found.verify = int(number)
    return found


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
    _check("floatx", value, "set_floatx")
    settings().floatx = value
    changes.note()


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
    _check("epsilon", value, "set_epsilon")
    settings().epsilon = value
    changes.note()


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
    _check("image_data_format", data_format, "set_image_data_format")
    settings().image_data_format = data_format
    changes.note()


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
    _check("check_data", value, "set_check_data")
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
    _check("nan_guard", value, "set_nan_guard")
    settings().nan_guard = value
    changes.note()


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
    _check("verify", value, "set_verify")
    settings().verify = value
    changes.note()


def standardize_data_format(data_format: str | None) -> ImageDataFormat:
    """Return `data_format`, or the default layout where it is None; refuse anything else."""
    if data_format is None:
        return image_data_format()
    _check("image_data_format", data_format, "data_format")
    return data_format  # type: ignore[return-value]
