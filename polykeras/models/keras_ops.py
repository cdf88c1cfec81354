"""Ops in the configs of functional models, in the form of Keras 3: a class for each op, with its fixed arguments.

Keras distinguishes the arguments of an op: arrays are inputs of the graph, and all others belong to the operation. The
contract's declaration of the op says which is which, with the exceptions below (Keras 3.15).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from polykeras import ops
from polykeras.backend import Backend
from polykeras.graph.operation import find_op
from polykeras.saving.keras_operations import CLASSES, OPS, class_of

_INPUTS = {
    "arange": ("start", "stop", "step"),
    "array": ("x",),
    "bincount": ("x",),
    "clip": ("x",),
    "convert_to_tensor": ("x",),
    "full": ("fill_value",),
    "get_item": ("x", "key"),
    "isclose": ("x1", "x2", "rtol", "atol"),
    "pad": ("x", "constant_values"),
    "select": ("condlist", "choicelist", "default"),
    "slice": ("inputs", "start_indices"),
    "trapezoid": ("y",),
    "dot_product_attention": ("query", "key", "value", "bias", "mask", "scale"),
    **dict.fromkeys(("percentile", "quantile", "nanpercentile", "nanquantile"), ("x", "q")),
}
"""The arguments that are inputs in Keras, if the declaration of the op says something else."""

_IMAGE_INPUTS = {
    "affine_transform": ("images", "transform"),
    "map_coordinates": ("inputs", "coordinates"),
    "perspective_transform": ("images", "start_points", "end_points"),
    "scale_and_translate": ("images", "output_shape", "scale", "translation"),
    "ssim": ("image1", "image2"),
}
"""The inputs of image ops that take more than images."""

_LACKS = {"layer_normalization": {"rms_scaling": False}}
"""Arguments of Keras's operations that our ops lack, with default values that change nothing."""

_NEWER = {"amax": ("initial",), "amin": ("initial",), "top_k": ("is_stable",)}
"""Arguments that Keras's operations lack in `KERAS_RELEASE`."""

_OTHER_FORMS = ("rearrange",)
"""Ops whose fixed arguments Keras passes together with the inputs."""


@cache
def signature_of(op: str) -> inspect.Signature:
    """Return the signature of an op."""
    return inspect.signature(find_op(op))


@cache
def _inputs(op: str) -> tuple[str, ...] | None:
    """Return the names of an op's arguments that are inputs of the graph, in order; None if they are unknown."""
    if op in _INPUTS:
        return _INPUTS[op]
    if op.startswith("image."):
        return _IMAGE_INPUTS.get(op.removeprefix("image."), tuple(signature_of(op).parameters)[:1])
    spec = getattr(getattr(Backend, op, None), "__op__", None)
    if spec is None:
        return None
    arrays = set(spec.converted)
    return tuple(name for name in signature_of(op).parameters if name in arrays)


def to_keras(op: str, name: str, calls: Sequence[tuple[list[Any], Mapping[str, Any]]]) -> dict[str, Any] | None:
    """Return the entry of an op in a model's config, or None if Keras lacks the op or an argument that is given.

    Args:
        op: the name of the op in `polykeras.ops`.
        name: the name of the operation.
        calls: the positional and keyword arguments of each call, as plain data; calls differ only in tensors.
    """
    inputs, cls = _inputs(op), class_of(op)
    if inputs is None or cls is None or op in _OTHER_FORMS:
        return None
    signature = signature_of(op)
    bound = [signature.bind(*args, **kwargs).arguments for args, kwargs in calls]
    fixed = {key: value for key, value in bound[0].items() if key not in inputs}
    for key in set(_NEWER.get(op, ())) & set(fixed):
        if fixed.pop(key) != signature.parameters[key].default:
            return None
    return {
        "module": CLASSES[cls],
        "class_name": cls,
        "config": {**fixed, "name": name},
        "registered_name": cls,
        "name": name,
        "inbound_nodes": [{"args": _given(signature, inputs, arguments), "kwargs": {}} for arguments in bound],
    }


def _given(signature: inspect.Signature, inputs: Sequence[str], bound: Mapping[str, Any]) -> list[Any]:
    """Return all inputs of a call without names, because Keras infers shapes from all of them."""
    given: list[Any] = []
    for key in inputs:
        parameter = signature.parameters[key]
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            given += bound.get(key, ())
        else:
            given.append(bound.get(key, parameter.default))
    return given


@cache
def _by_class() -> dict[str, str]:
    names = [*dir(ops), *(f"image.{name}" for name in ops.image.__all__)]
    known = [op for op in reversed(names) if _inputs(op) is not None and op not in _OTHER_FORMS]
    # Older files of polykeras contain classes that Keras lacks.
    return {"".join(part.capitalize() for part in op.split("_")): op for op in known if "." not in op} | {
        cls: op for op in known if (cls := class_of(op))
    }


def from_keras(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Convert an entry of a model's config to our form: an op of Keras becomes an `OpOperation`, others are kept.

    Raises:
        ValueError: polykeras lacks the op.
    """
    module = str(entry.get("module") or "")
    if not module.startswith(OPS):
        return entry
    op = _by_class().get(str(entry.get("class_name")))
    if op is None:
        raise ValueError(f"There is no op {entry.get('class_name')!r} of {module!r} in polykeras.")
    lacks = _LACKS.get(op, {})
    fixed = {key: v for key, v in entry["config"].items() if _takes(op, key) or key not in lacks or v != lacks[key]}
    name = entry.get("name") or entry["config"].get("name")
    fixed.pop("name", None)
    nodes = [_node(op, node, fixed) for node in entry["inbound_nodes"]]
    config = {"op": op, "name": name}
    made = {"module": "polykeras.graph", "class_name": "OpOperation", "config": config, "name": name}
    return {**made, "inbound_nodes": nodes}


def _takes(op: str, key: str) -> bool:
    return key in signature_of(op).parameters


def _node(op: str, node: Mapping[str, Any], fixed: Mapping[str, Any]) -> dict[str, Any]:
    parameters = signature_of(op).parameters
    inputs = list(_inputs(op) or ())
    args, named = list(node["args"]), node["kwargs"]
    if any(parameters[key].kind is inspect.Parameter.VAR_POSITIONAL for key in inputs):
        if named:
            raise ValueError(
                f"The config passes inputs of {op!r} by the names {sorted(named)}; its inputs have no names."
            )
        before = [fixed[key] for key in parameters if key in fixed and parameters[key].kind is not _KEYWORD_ONLY]
        rest = {key: value for key, value in fixed.items() if parameters[key].kind is _KEYWORD_ONLY}
        return {"args": [*before, *args], "kwargs": rest}
    if op == "get_item" and len(args) == 2 and isinstance(args[1], list):
        args[1] = {"class_name": "__tuple__", "config": args[1]}  # a list in JSON; an index list would be an array
    if len(args) > len(inputs):
        raise ValueError(f"The config passes {op!r} {len(args)} inputs; it takes {len(inputs)}: {', '.join(inputs)}.")
    return {"args": [], "kwargs": {**dict(zip(inputs, args, strict=False)), **named, **fixed}}


_KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY
