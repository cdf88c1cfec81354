"""Arguments of layers of Keras 2, translated to Keras 3: initializers, activations, dtypes, code."""

from __future__ import annotations

import base64
import binascii
import dis
from collections.abc import Mapping
from types import CodeType
from typing import Any

from polykeras.saving import lambdas
from polykeras.saving.custom_objects import find_custom, find_exactly
from polykeras.saving.legacy.layout import Context
from polykeras.saving.serialization import deserialize_keras_object

# Keras 3 gave the name to another function; see `polykeras.activations.hard_sigmoid_of_keras_2`.
RENAMED_ACTIVATIONS = {"hard_sigmoid": "hard_sigmoid_of_keras_2"}

_MODULES = {
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
}
_BEGINNINGS = {"RESUME", "COPY_FREE_VARS", "MAKE_CELL"}


def plain(value: Any) -> Any:
    """Return a value without the wrappers that Keras 2's JSON encoders made of tuples, shapes and arrays."""
    if isinstance(value, list):
        return [plain(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("class_name") in ("TensorShape", "__tuple__") and "items" in value:
        return plain(value["items"])
    if value.get("type") in ("ndarray", "float32", "float64", "int64", "int32") and set(value) == {"type", "value"}:
        return plain(value["value"])
    return {key: plain(part) for key, part in value.items()}


def translate_argument(key: str, value: Any, context: Context) -> Any:
    """Return the translated value of an argument of a layer, chosen by the argument's name."""
    kind = key.rpartition("_")[2]
    if kind in _MODULES:
        return _with_module(value, _MODULES[kind])
    if key == "dtype":
        return _dtype(value, context)
    if kind == "activation":
        return _activation(value)
    return value


def _with_module(value: Any, module: str) -> Any:
    """Return the config of an initializer, a regularizer or a constraint, with its module added."""
    if not isinstance(value, Mapping) or "class_name" not in value:
        return value
    inner = value.get("config") or {}
    name = _without_package(value["class_name"])
    if isinstance(inner, Mapping) and isinstance(name, str) and find_exactly(name) is None:
        inner = {key: part for key, part in inner.items() if key not in ("dtype", "partition_info")}
    return {"module": module, "class_name": name, "config": inner}


def _without_package(name: Any) -> Any:
    """Return one of Keras's own names without its package; some were written as `Custom>Adam`."""
    if isinstance(name, str) and find_exactly(name) is None:
        return name.removeprefix("Custom>").removeprefix("keras>")
    return name


def _dtype(value: Any, context: Context) -> Any:
    """Return a dtype or the name of a policy."""
    if not isinstance(value, Mapping):
        return value
    inner = value.get("config")
    name = inner.get("name") if isinstance(inner, Mapping) else None
    if not isinstance(name, str):
        raise context.refuse(f"the dtype policy {value!r} has no name.")
    return None if name == "infer" else name.strip("_")


def _activation(value: Any) -> Any:
    if isinstance(value, str) and find_exactly(value) is None:
        return RENAMED_ACTIVATIONS.get(value, value)
    return value


# ---- functions -----------------------------------------------------------------------------------------------------


def translate_lambda(config: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return the arguments of a Lambda layer, with functions in place of their names or code.

    Code that cannot run is replaced by an object that the user passes under the name of the layer.

    Raises:
        SavedFileError: if a function is not known, its code is not allowed, or cannot run here.
    """
    # Shapes are found by running the function, so what the file says about them, perhaps in code, is not needed.
    dropped = ("output_shape", "output_shape_type", "output_shape_module", "module", "mask_module")
    kept = {key: value for key, value in config.items() if key not in dropped}
    kinds = {key: kept.pop(f"{key}_type", None) for key in ("function", "mask")}
    given = find_exactly(str(kept.get("name")))
    if given is not None:
        kept["function"] = given
    for key, kind in kinds.items():
        kept[key] = _function(kept.get(key), kind, context.within(key))
    return kept


def _function(value: Any, kind: str | None, context: Context) -> Any:
    if value is None or callable(value):
        return value
    if isinstance(value, str):
        found = find_custom(value)
        if found is None:
            raise context.refuse(
                f"names the function {value!r}, which is not in the file. Pass it: custom_objects={{{value!r}: ...}}."
            )
        return found
    if isinstance(value, Mapping) and value.get("class_name") == "__lambda__":
        inner = value.get("config")
        value = [inner.get(key) for key in ("code", "defaults", "closure")] if isinstance(inner, Mapping) else value
    if isinstance(value, list) and 1 <= len(value) <= 3 and isinstance(value[0], str):
        return _of_code(*value, *[None] * (3 - len(value)), context=context)
    raise context.refuse(f"must be the name of a function, or code; received the kind {kind!r}.")


def _of_code(code: str, defaults: Any, closure: Any, *, context: Context) -> Any:
    """Return the function of code in a file, if code is allowed and was written by this version of Python."""
    try:
        data = base64.b64decode(code.encode("ascii"), validate=False)
    except (UnicodeEncodeError, binascii.Error):  # the first versions wrote plain bytes
        data = code.encode("raw_unicode_escape")
    config = {"code": base64.b64encode(data).decode("ascii"), "defaults": defaults, "closure": closure}
    foreign = (
        "the code was not made by this version of Python, and cannot run here. Pass the function in custom_objects, "
        "under the name of the layer."
    )
    try:
        function = lambdas.lambda_of(config, deserialize_keras_object)
    except (EOFError, MemoryError, TypeError) as error:
        raise context.refuse(foreign) from error
    except ValueError as error:
        raise context.refuse(foreign if lambdas.is_code_allowed() else str(error)) from error
    if not _runs_here(function.__code__):
        raise context.refuse(foreign)
    return function


def _runs_here(code: CodeType) -> bool:
    """Return whether compiled code looks like that of this Python. Files do not say, and other code may crash."""
    try:
        names = [instruction.opname for instruction in dis.get_instructions(code)]
    except Exception:  # a disassembler may raise anything for foreign bytes
        return False
    known = not any(name.startswith("<") or name == "CACHE" for name in names)
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return known and bool(names) and names[0] in _BEGINNINGS and "RESUME" in names and all(map(_runs_here, inner))
