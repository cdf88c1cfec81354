"""Modules of torch in layers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Module, Parameter
from torch.nn.parameter import is_lazy

from polykeras.backend.native import NativeModules
from polykeras_torch.layer_base import TorchModule
from polykeras_torch.private import version_of


class TorchModules(NativeModules):
    """Layers are modules (`TorchModule`), and modules become layers (`TorchModuleWrapper`)."""

    base_class = TorchModule
    attribute_types = (Module, Parameter)
    wrapper_name = "TorchModuleWrapper"

    def unpack_container(self, part: Any) -> Any:
        if isinstance(part, nn.ModuleList):
            return list(part)
        return dict(part.items()) if isinstance(part, nn.ModuleDict) else part

    def get_arrays(self, module: Module) -> dict[str, Tensor]:
        if any(map(is_lazy, [*module.parameters(), *module.buffers()])):
            raise ValueError(
                f"{type(module).__name__} has parameters whose shapes are not known yet: call it on data once before "
                "it becomes a part of a layer."
            )
        found = _tensors_of(module)
        first = _first_names(found)
        return {name: tensor for name, tensor in found.items() if first[name] == name}

    def get_trainable_names(self, module: Module) -> set[str]:
        return {name for name, parameter in module.named_parameters() if parameter.requires_grad}

    def get_saved_names(self, module: Module) -> set[str]:
        return set(module.state_dict())

    def find_layers(self, module: Module) -> list[Any]:
        return [part for part in module.modules() if isinstance(part, TorchModule)]

    def serialize(self, module: Module) -> bytes:
        buffer = io.BytesIO()
        torch.save(module, buffer)
        return buffer.getvalue()

    def deserialize(self, data: bytes) -> Module:
        return torch.load(io.BytesIO(data), weights_only=False)

    def call(
        self,
        module: Module,
        values: Mapping[str, Tensor] | None,
        training: bool | None,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> tuple[Any, dict[str, Tensor]]:
        with _mode(module, training):
            if values is None:
                return module(*args, **kwargs), {}
            # Modules change buffers in place, so they get copies. A buffer that is assigned is found after the call.
            buffers = {name: values[name] for name in _buffers_of(module) if name in values}
            copies = {name: value.clone() for name, value in buffers.items()}
            own, names = {**values, **copies}, _first_names(_tensors_of(module))
            given = {f"module.{name}": own[first] for name, first in names.items() if first in own}
            # Torch itself would look for tied ones in layers of ours too, which have no parameters in a function.
            call = partial(torch.func.functional_call, tie_weights=False)
            outputs, after = call(_WithBuffers(module), given, tuple(args), dict(kwargs))
            # The kernels of batch norm change buffers without a new version.
            moves = any(part.training for part in module.modules())
        changed = {
            name: after[name]
            for name, copy in copies.items()
            if moves or after[name] is not copy or version_of(copy) > 0
        }
        return outputs, changed


def _members(module: Module, of: Callable[[Module], Iterable[tuple[str, Tensor]]]) -> dict[str, Tensor]:
    """Return what the parts of a module have, by name, but for layers of ours in it: these know their variables."""
    return {
        f"{path}.{name}" if path else name: tensor
        for path, part in module.named_modules()
        if not isinstance(part, TorchModule)
        for name, tensor in of(part)
    }


def _buffers_of(module: Module) -> dict[str, Tensor]:
    return _members(module, lambda part: part.named_buffers(recurse=False))


def _tensors_of(module: Module) -> dict[str, Tensor]:
    """Return the parameters and buffers of a module by all of their names."""
    return _members(module, lambda part: (*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)))


def _first_names(found: dict[str, Tensor]) -> dict[str, str]:
    """Return the first name of each tensor by all of its names: tied tensors have several."""
    first = {id(tensor): name for name, tensor in reversed(found.items())}
    return {name: first[id(tensor)] for name, tensor in found.items()}


class _WithBuffers(Module):
    """A module that returns its buffers too, as they are at the end of a call."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Tensor]]:
        outputs = self.module(*args, **kwargs)
        return outputs, _buffers_of(self.module)


@contextmanager
def _mode(module: Module, training: bool | None) -> Iterator[None]:
    """Set whether a module trains. Afterwards it has its mode of before, as recorded steps expect."""
    before = [(part, part.training) for part in module.modules() if not isinstance(part, TorchModule)]
    if training is not None:
        for part, _ in before:
            part.training = training
    try:
        yield
    finally:
        for part, mode in before:
            part.training = mode
