"""The settings of a process: one record, read once from the config file and the environment.

`polykeras.config` has the functions that read and set them. The file is `$POLYKERAS_HOME/polykeras.json` (default
`~/.polykeras/polykeras.json`); it need not exist, and is never written by the library.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

ImageDataFormat = Literal["channels_last", "channels_first"]

FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(slots=True)
class Settings:
    """All settings, with their defaults."""

    backend: str | None = None
    floatx: str = "float32"
    epsilon: float = 1e-7
    image_data_format: ImageDataFormat = "channels_last"
    check_data: bool = True
    nan_guard: bool = False
    verify: int = 0
    seed: int | None = None
    """The start of polykeras's random numbers if a process does not call `set_random_seed`. None: a random start."""
    interactive_logging: bool = True
    traceback_filtering: bool = True
    flash_attention: bool | None = None
    unsafe_deserialization: bool = False
    max_epochs: int | None = None
    max_steps_per_epoch: int | None = None


IN_FILE = ("backend", "floatx", "epsilon", "image_data_format", "check_data", "nan_guard", "verify", "seed")
"""The settings that a config file may give."""


def config_path() -> Path:
    """Return the path of the config file. The environment variable `POLYKERAS_HOME` sets its folder."""
    home = os.environ.get("POLYKERAS_HOME")
    return (Path(home) if home else Path.home() / ".polykeras") / "polykeras.json"


def check(key: str, value: Any, where: str) -> None:
    """Raise a ValueError that begins with `where` if a setting cannot have a value."""
    allowed: dict[str, tuple[Any, ...]] = {
        "floatx": FLOATS,
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
        ValueError: if the file is not JSON, not an object, or holds an unknown key or a bad value. The message
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
            "Fix that line, or delete the file to use the defaults."
        ) from None
    if not isinstance(data, dict):
        raise ValueError(f"The config file {path} must hold one JSON object; received {type(data).__name__}.")
    for key, value in data.items():
        line = 1 + text[: text.find(json.dumps(key))].count("\n")
        where = f"The config file {path}, line {line}"
        if key not in IN_FILE:
            raise ValueError(f"{where}: unknown key {key!r}. Known keys: {', '.join(IN_FILE)}.")
        check(key, value, where)
    return Settings(**data)


@cache
def settings() -> Settings:
    """Return the settings of the process. The first call reads the config file and the environment."""
    found = read_config(config_path())
    text = os.environ.get("POLYKERAS_VERIFY", "").strip()
    if text:
        number = int(text) if text.isdecimal() else text
        check("verify", number, "The environment variable POLYKERAS_VERIFY")
        found.verify = int(number)
    found.max_epochs, found.max_steps_per_epoch = _limit("KERAS_MAX_EPOCHS"), _limit("KERAS_MAX_STEPS_PER_EPOCH")
    return found


def _limit(variable: str) -> int | None:
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() and int(text) else None
