"""Ops in the configs of functional models, in the form of Keras 3: a class for each op, with its fixed arguments.

Keras tells the arguments of an op apart: arrays are inputs of the graph, all others belong to the operation. Which are
which follows from the contract's declaration of the op, with the exceptions below (Keras 3.15).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

from polykeras import ops
from polykeras.backend import Backend
from polykeras.ops import linalg, nn

_PREFIX = "keras.src.ops."
_CORE = ("cast", "saturate_cast", "scatter", "scatter_update", "slice", "slice_update", "stop_gradient", "unstack")
_MATH = (
    *("top_k", "in_top_k", "logsumexp", "extract_sequences", "rsqrt", "erf", "erfc", "erfinv", "logdet"),
    *("fft", "fft2", "ifft2", "rfft", "irfft", "stft", "istft", "view_as_complex", "view_as_real"),
)
_NUMPY = ("cross", "dot", "einsum", "kron", "matmul", "outer", "tensordot", "trace", "vdot", "inner", "slogdet")
_CAPITALS = {
    **{name: name.upper() for name in ("svd", "fft", "fft2", "ifft2", "rfft", "irfft", "stft", "istft", "psnr")},
    "ctc_loss": "CTCLoss",
    "ctc_decode": "CTCDecode",
}
_INPUTS = {
    "arange": ("start", "stop", "step"),
    "array": ("x",),
    "bincount": ("x",),
    "clip": ("x",),
    "full": ("fill_value",),
    "get_item": ("x", "key"),
    "isclose": ("x1", "x2", "rtol", "atol"),
    "pad": ("x", "constant_values"),
    "select": ("condlist", "choicelist", "default"),
    "trapezoid": ("y",),
    "dot_product_attention": ("query", "key", "value", "bias", "mask", "scale"),
    **dict.fromkeys(("percentile", "quantile", "nanpercentile", "nanquantile"), ("x", "q")),
}
"""The arguments that are inputs in Keras, where the declaration of the op says something else."""


def _class_name(op: str) -> str:
    return _CAPITALS.get(op) or "".join(part.capitalize() for part in op.split("_"))


def _module(op: str) -> str:
    if op in _MATH:
        return f"{_PREFIX}math"
    if op in _CORE:
        return f"{_PREFIX}core"
    if op in nn.__all__:
        return f"{_PREFIX}nn"
    return f"{_PREFIX}linalg" if op in linalg.__all__ and op not in _NUMPY else f"{_PREFIX}numpy"


@cache
def _inputs(op: str) -> tuple[str, ...] | None:
    """Return the names of an op's arguments that are inputs of the graph, in their order; None where it has no form."""
    if op in _INPUTS:
        return _INPUTS[op]
    spec = getattr(getattr(Backend, op, None), "__op__", None)
    if spec is None:
        return None
    arrays = {*spec.arrays, *spec.others}
    return tuple(name for name in inspect.signature(getattr(ops, op)).parameters if name in arrays)


def to_keras(op: str, name: str, args: list[Any], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the entry of an op in a model's config, or None where Keras has no form for it.

    Args:
        op: its name in `polykeras.ops`.
        name: of this use of it.
        args: its arguments, as plain data.
        kwargs: its arguments by name, as plain data.
    """
    inputs = _inputs(op)
    if inputs is None:
        return None
    parameters = inspect.signature(getattr(ops, op)).parameters
    bound = inspect.signature(getattr(ops, op)).bind(*args, **kwargs).arguments
    given: list[Any] = []
    last = max((i for i, key in enumerate(inputs) if key in bound), default=-1)
    for key in inputs[: last + 1]:
        if key in bound and parameters[key].kind is inspect.Parameter.VAR_POSITIONAL:
            given += bound[key]
        else:
            given.append(bound[key] if key in bound else parameters[key].default)
    fixed = {key: value for key, value in bound.items() if key not in inputs}
    return {
        "module": _module(op),
        "class_name": _class_name(op),
        "config": {**fixed, "name": name},
        "registered_name": _class_name(op),
        "name": name,
        "inbound_nodes": [{"args": given, "kwargs": {}}],
    }


@cache
def _by_class() -> dict[tuple[str, str], str]:
    return {(_module(op), _class_name(op)): op for op in dir(ops) if _inputs(op) is not None}


def from_keras(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an entry of a model's config in our form: an op of Keras as a use of ours; all else as it is.

    Raises:
        ValueError: it is an op that polykeras has not.
    """
    module = str(entry.get("module") or "")
    if not module.startswith(_PREFIX):
        return entry
    op = _by_class().get((module, str(entry.get("class_name"))))
    if op is None:
        raise ValueError(f"There is no op {entry.get('class_name')!r} of {module!r} in polykeras.")
    fixed = {key: value for key, value in entry["config"].items() if key not in ("name", "dtype") or _takes(op, key)}
    name = entry.get("name") or entry["config"].get("name")
    fixed.pop("name", None)
    nodes = [_node(op, node, fixed) for node in entry["inbound_nodes"]]
    config = {"op": op, "name": name}
    made = {"module": "polykeras.graph", "class_name": "OpOperation", "config": config, "name": name}
    return {**made, "inbound_nodes": nodes}


def _takes(op: str, key: str) -> bool:
    return key == "dtype" and key in inspect.signature(getattr(ops, op)).parameters


def _node(op: str, node: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(getattr(ops, op)).parameters
    inputs = list(_inputs(op) or ())
    args, named = list(node["args"]), node["kwargs"]
    if any(parameters[key].kind is inspect.Parameter.VAR_POSITIONAL for key in inputs):
        if named:
            raise ValueError(
                f"The config gives {op!r} inputs by the names {sorted(named)}; all of its inputs have none."
            )
        before = [fixed[key] for key in parameters if key in fixed and parameters[key].kind is not _KEYWORD_ONLY]
        rest = {key: value for key, value in fixed.items() if parameters[key].kind is _KEYWORD_ONLY}
        return {"args": [*before, *args], "kwargs": rest}
    if op == "get_item" and len(args) == 2 and isinstance(args[1], list):
        args[1] = {"class_name": "__tuple__", "config": args[1]}  # JSON knows lists only; an index list is an array
    if len(args) > len(inputs):
        raise ValueError(f"The config gives {op!r} {len(args)} inputs; it takes {len(inputs)}: {', '.join(inputs)}.")
    return {"args": [], "kwargs": {**dict(zip(inputs, args, strict=False)), **named, **fixed}}


_KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY
