"""How a recorded operator is called: by the cheapest binding, and into existing memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from polykeras_torch.compiler.instructions import TensorInfo
from polykeras_torch.private import callable_of, schema_of

# torch's own bindings parse their arguments faster than the overloads of operators do. The listed bindings take the
# arguments of the overloads in the same order.
# fmt: off
_BOUND = {
    "abs", "add", "addmm", "argmax", "bitwise_and", "bitwise_or", "bitwise_xor", "bmm", "cat", "clone", "cos", "div",
    "eq", "exp", "expm1", "floor", "ge", "gt", "index_select", "le", "log", "log1p", "logical_and", "logical_not", "lt",
    "maximum", "minimum", "mm", "mul", "ne", "neg", "permute", "reciprocal", "relu", "rsqrt", "rsub", "sigmoid", "sin",
    "sqrt", "squeeze", "stack", "sub", "t", "tanh", "transpose", "unsqueeze", "where",
}
_METHODS = {"expand", "view"}

# Elementwise operators: each element of the result depends only on that element of the arguments. They take `out=`.
_POINTWISE = {
    "abs", "add", "bitwise_and", "bitwise_or", "bitwise_xor", "clamp", "cos", "div", "exp", "expm1", "floor", "log",
    "log1p", "maximum", "minimum", "mul", "neg", "reciprocal", "rsqrt", "sigmoid", "sin", "sqrt", "sub", "tanh",
    "where",
}
# Elementwise operators of gradients, for which torch has no bindings.
_POINTWISE_GRADIENTS = {"sigmoid_backward", "tanh_backward", "threshold_backward"}

# Operators between a tensor and a number.
_WITH_NUMBERS = {"add", "div", "eq", "ge", "gt", "le", "lt", "mul", "ne", "rsub", "sub"}
# fmt: on


_EXACT = (torch.float32, torch.float64, torch.int32, torch.int64)


def name_of(op: Any) -> str:
    """Return the name of one of torch's own overloads, "" for others."""
    namespace, _, name = schema_of(op).name.partition("::")
    return name if namespace == "aten" else ""


def _overload(op: Any) -> str:
    """Return the name of an overload within its operator."""
    return str(op).rpartition(".")[2]  # `aten.add.Tensor`


def binding(op: Any) -> Callable[..., Any]:
    """Return the cheapest way to call an overload."""
    name = name_of(op)
    if name in _BOUND:
        return getattr(torch, name)
    return getattr(Tensor, name) if name in _METHODS else callable_of(op)


def binding_into(op: Any) -> tuple[Callable[..., Any], str] | None:
    """Return a form of an overload that writes its result into a given tensor, and the name of that argument.

    Return None if there is no such form, or if elements of the result depend on other elements. Then the result must
    not take the memory of an argument.
    """
    name = name_of(op)
    if _overload(op) == "Scalar_Tensor":  # a number comes first: some bindings (`bitwise_and`) take no `out`
        return None
    if name in _POINTWISE and _overload(op) not in ("Scalar_mode", "Tensor_mode"):
        return getattr(torch, name), "out"
    if name in _POINTWISE_GRADIENTS:
        return callable_of(getattr(torch.ops.aten, name).grad_input), "grad_input"
    return None


def is_copy(op: Any) -> bool:
    """Return whether an overload gives the same values in new memory."""
    return op is torch.ops.aten.clone.default


def number_as_tensor(op: Any, tensor: TensorInfo, number: Any) -> Tensor | None:
    """Return the number argument of an overload as a tensor, since torch would otherwise make one in each call.

    Return None if the result might differ.
    """
    if name_of(op) not in _WITH_NUMBERS or type(number) not in (int, float) or tensor.dtype not in _EXACT:
        return None
    if not tensor.dtype.is_floating_point:
        info = torch.iinfo(tensor.dtype)
        if type(number) is float or name_of(op) == "div" or not info.min <= number <= info.max:
            return None
    return torch.tensor(number, dtype=tensor.dtype, device=tensor.device)
