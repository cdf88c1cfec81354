"""Functions without a name in configs, as Keras 3 writes them: compiled code, which runs only with permission."""

from __future__ import annotations

import base64
import marshal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from polykeras.config import is_unsafe_deserialization_enabled

_allowed: ContextVar[bool] = ContextVar("polykeras_code_in_files", default=False)


@contextmanager
def code_allowed(allowed: bool) -> Iterator[None]:
    """Set whether configs may hold code within this context. The caller of `load_model` decides this, not the file."""
    token = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def is_code_allowed() -> bool:
    """Return whether the caller of `load_model` trusts the author of the file."""
    return _allowed.get()


def describe_lambda(function: FunctionType) -> dict[str, Any]:
    """Return the config of a function without a name.

    Raises:
        TypeError: if it refers to variables of the function around it, which no config can hold.
    """
    if function.__closure__:
        raise TypeError(
            f"A `lambda` that uses the variables {list(function.__code__.co_freevars)} of the enclosing function "
            "cannot be serialized. Write a `Layer` or a named function, and register it with "
            "`polykeras.saving.register_keras_serializable`."
        )
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    config = {"code": code, "defaults": function.__defaults__, "closure": None, "python": _version()}
    return {"class_name": "__lambda__", "config": config}


def lambda_of(config: Any) -> FunctionType:
    """Return the function of such a config, written by `describe_lambda` or by Keras.

    Its global names are limited to NumPy as `np` and `numpy`, polykeras as `polykeras` and `keras`, and `ops`.

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
    code = marshal.loads(base64.b64decode(config["code"]))
    if not isinstance(code, CodeType):
        raise ValueError("The file's code of a `lambda` is invalid.")
    defaults = config.get("defaults")
    library = sys.modules["polykeras"]
    scope = {"np": np, "numpy": np, "polykeras": library, "keras": library, "ops": library.ops}
    return FunctionType(code, scope, "<lambda>", tuple(defaults) if defaults else None)


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
