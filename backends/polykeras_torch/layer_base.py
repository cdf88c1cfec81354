"""The base that layers get on torch: they are modules, whose parameters are the variables of polykeras."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module


class _Computed:
    """An attribute that is computed for a layer, unless the layer has one of this name itself."""

    def __init__(self, get: Callable[[Any], Any]) -> None:
        self._get = get

    def __get__(self, layer: Any, cls: type) -> Any:
        return self if layer is None else self._get(layer)


def _as_modules(children: dict[str, Any]) -> dict[str, Module]:
    """Return modules by name. A dict becomes a module, because torch takes a name with dots for a path of modules."""
    found: dict[str, Module] = {}
    for name, child in children.items():
        if isinstance(child, dict):
            group = Module()
            for key, part in _as_modules(child).items():
                group.add_module(key, part)
            child = group
        found[name] = child
    return found


class TorchModule(Module):
    """The last base of all layers once this backend is loaded.

    Torch's own methods work on what a module holds. Here they look it up in the layer each time, because it changes,
    for instance when the layer is built. Methods that Python itself calls are those of other objects.
    """

    _parameters = _Computed(lambda layer: layer.native_tensors(True))  # type: ignore[assignment]
    _buffers = _Computed(lambda layer: layer.native_tensors(False))  # type: ignore[assignment]
    _modules = _Computed(lambda layer: _as_modules(layer.native_children()))  # type: ignore[assignment]
    training = _Computed(lambda layer: layer._mode is not False)  # type: ignore[assignment]

    __setattr__ = object.__setattr__  # type: ignore[assignment]
    __delattr__ = object.__delattr__  # type: ignore[assignment]
    __dir__ = object.__dir__  # type: ignore[assignment]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer."""
        return self(*args, **kwargs)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients that have gathered in the parameters."""
        self.native_zero_grad()  # type: ignore[operator]

    def train(self, mode: bool = True) -> Any:
        """Set what `training` is in calls that do not say it, of this layer and those in it."""
        for module in self.modules():
            if isinstance(module, TorchModule):
                module._mode = bool(mode)  # type: ignore[arg-type]
            else:
                module.training = bool(mode)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Freeze the layer, or let it be trained again: the same as setting `trainable`."""
        self.trainable = bool(requires_grad)
        return super().requires_grad_(requires_grad)

    def get_submodule(self, target: str) -> Any:
        """Return a module within this one by its name in `named_modules`."""
        found = dict(self.named_modules())
        if target not in found:
            raise AttributeError(f"There is no module {target!r}; there are {', '.join(found)}.")
        return found[target]

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        """Copy values into parameters and buffers; see `torch.nn.Module.load_state_dict`."""
        if assign:
            raise ValueError("load_state_dict(assign=True): the parameters of a layer are its own; they take values.")
        return super().load_state_dict(state_dict, strict)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        for tensor in [*self.parameters(recurse), *self.buffers(recurse)]:
            with torch.no_grad():
                moved = fn(tensor)
                if moved.dtype != tensor.dtype:
                    raise TypeError(
                        f"A weight of this layer is {tensor.dtype}, and was to become {moved.dtype}. Say it when the "
                        "layer is made, by `dtype=` or `polykeras.config.set_dtype_policy`."
                    )
                if tensor.grad is not None:
                    tensor.grad = fn(tensor.grad)
                tensor.data = moved
        return self

    def _no_hooks(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            "A layer of polykeras calls no hooks of torch. Put it into a `torch.nn.Sequential` and hang the hook there."
        )

    register_forward_hook = register_forward_pre_hook = _no_hooks
    register_full_backward_hook = register_full_backward_pre_hook = _no_hooks


# Whatever else torch sets on a new module, empty: hooks, for instance.
for _name, _value in vars(Module()).items():
    if _name not in vars(TorchModule):
        setattr(TorchModule, _name, MappingProxyType({}) if isinstance(_value, dict) else _value)
