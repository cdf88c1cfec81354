"""Values of variables as `torch.nn.Parameter`s."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakMethod, ref

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from polykeras.backend.native import NativeParameters
from polykeras_torch.private import version_of


class TorchParameters(NativeParameters):
    """Parameters are tensors that require grad."""

    def make(self, value: Tensor, trainable: bool) -> Tensor:
        # The tensor itself, where it can be one: code that got it earlier may have given it to an optimizer.
        if type(value) is not Tensor or not value.is_leaf or value.is_inference():
            value = value.detach().clone()
        if trainable and value.is_floating_point():
            value.requires_grad_()
            value.__class__ = Parameter  # type: ignore[assignment]
        return value

    def track_value(self, value: Tensor, make_parameter: Callable[[Any], None]) -> None:
        key = id(value)
        _tracked[key] = ref(value, lambda _: _tracked.pop(key, None)), WeakMethod(make_parameter)

    def copy_into(self, parameter: Tensor, value: Tensor) -> None:
        with torch.no_grad():
            parameter.copy_(value)

    def set_trainable(self, parameter: Tensor, trainable: bool) -> None:
        if parameter.is_floating_point():
            parameter.requires_grad_(trainable)

    def clear_gradient(self, parameter: Tensor) -> None:
        parameter.grad = None

    def version(self, parameter: Tensor) -> int:
        return version_of(parameter)

    def is_grad_enabled(self) -> bool:
        return torch.is_grad_enabled()


# ---- values that optimizers are made of ------------------------------------------------------------------------------

_tracked: dict[int, tuple[ref[Tensor], WeakMethod[Any]]] = {}
"""Values of variables that were given out, by identity, with the methods that make them parameters."""


def _for_optimizers(add_param_group: Any) -> Any:
    """Return `Optimizer.add_param_group` such that the value of a variable becomes the variable's parameter."""

    @wraps(add_param_group)
    def method(self: Optimizer, param_group: dict[str, Any]) -> None:
        add_param_group(self, param_group)
        for tensor in self.param_groups[-1]["params"]:
            tracked = _tracked.get(id(tensor))
            make_parameter = tracked[1]() if tracked is not None and tracked[0]() is tensor else None
            if make_parameter is not None:
                make_parameter(tensor)

    return method


Optimizer.add_param_group = _for_optimizers(Optimizer.add_param_group)  # type: ignore[method-assign]
