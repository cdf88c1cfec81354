"""Functions without a name in configs, as Keras 3 writes them: compiled code, which runs only with permission."""

from __future__ import annotations

import base64
import marshal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CellType, CodeType, FunctionType
from typing import Any

import numpy as np

from polykeras.common import nested
from polykeras.common.checkpointable import Checkpointable
from polykeras.config import is_unsafe_deserialization_enabled
from polykeras.variables import Variable

_PARTS = ("code", "defaults", "closure")
_allowed: ContextVar[bool | None] = ContextVar("polykeras_code_in_files", default=None)


@contextmanager
def code_allowed(allowed: bool | None) -> Iterator[None]:
    """Set whether configs may hold code within this context. The caller of `load_model` decides this, not the file.

    Args:
        allowed: whether they may; None if nobody has decided it, which refuses code but no files.
    """
    token = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def is_code_allowed() -> bool:
    """Return whether the caller of `load_model` trusts the author of the file."""
    return bool(_allowed.get())


def is_code_decided() -> bool:
    """Return whether a caller further out, such as `load_model`, has said whether configs may hold code."""
    return _allowed.get() is not None


def is_code_refused() -> bool:
    """Return whether a config is being read whose author is not trusted."""
    return _allowed.get() is False and not is_unsafe_deserialization_enabled()


def describe_lambda(function: FunctionType, within: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the config of a function without a name.

    Args:
        function: the function.
        within: describes its defaults, and the variables of the function around it that it uses.

    Raises:
        TypeError: if such a variable is neither plain data nor an object without state.
    """
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    parts = code, within(function.__defaults__), tuple(_described(*cell, within) for cell in cells) or None
    # Keras reads a `Lambda` layer by the three keys, and other functions by "value".
    config = dict(zip(_PARTS, parts, strict=True)) | {"python": _version(), "value": parts}
    return {"class_name": "__lambda__", "config": config}


def _described(name: str, cell: CellType, within: Callable[[Any], Any]) -> Any:
    try:
        value = cell.cell_contents
        if not any(isinstance(part, (Checkpointable, Variable)) for part in nested.flatten(value)):
            return within(value)
        reason = f"a copy of {type(value).__name__} would have a state of its own."
    except (TypeError, ValueError, NotImplementedError) as error:
        reason = str(error)
    raise TypeError(
        f"A `lambda` uses the variable {name!r} of the enclosing function, which cannot be serialized: {reason} Write "
        "a `Layer` or a named function, and register it with `polykeras.saving.register_keras_serializable`."
    )


def lambda_of(config: Any, within: Callable[[Any], Any]) -> FunctionType:
    """Return the function of such a config, written by `describe_lambda` or by Keras.

    Its global names are limited to NumPy as `np` and `numpy`, polykeras as `polykeras` and `keras`, and `ops`.

    Args:
        config: the config.
        within: reads its defaults, and the variables that it uses of the function around it.

    Raises:
        ValueError: if code is not allowed, or was written by another version of Python.
    """
    if not (_allowed.get() or is_unsafe_deserialization_enabled()):
        raise ValueError(
            "The file holds the code of a `lambda`, which could do anything, so it is not run. If you trust the author "
            "of the file, pass `safe_mode=False`."
        )
    if config.get("python", _version()) != _version():
        raise ValueError(f"The code was made by Python {config['python']}; this is {_version()}, which cannot run it.")
    parts = config["value"] if "value" in config else [config.get(part) for part in _PARTS]
    code = marshal.loads(base64.b64decode(parts[0]))
    if not isinstance(code, CodeType):
        raise ValueError("The file's code of a `lambda` is invalid.")
    defaults, closure = (None if part is None else tuple(map(within, part)) for part in parts[1:])
    library = sys.modules["polykeras"]
    scope = {"np": np, "numpy": np, "polykeras": library, "keras": library, "ops": library.ops}
    return FunctionType(code, scope, "<lambda>", defaults, closure and tuple(map(CellType, closure)))


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
