"""PyTorch's idiom: parameters of ours in which gradients gather, and modules of torch as layers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from threading import get_ident
from typing import Any
from weakref import WeakMethod, ref

import torch
from torch import Tensor, nn
from torch.nn import Module, Parameter
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from polykeras.backend.native import Native
from polykeras_torch.compiler.recorder import refuse_recording
from polykeras_torch.native_module import TorchModule
from polykeras_torch.private import version_of


class TorchNative(Native):
    """Leaves are `torch.nn.Parameter`s, and layers `torch.nn.Module`s."""

    layer_base = TorchModule
    parts = (Module, Parameter)
    wrapper = "TorchModuleWrapper"
    steps = True

    # ---- leaves ------------------------------------------------------------------------------------------------

    def leaf(self, value: Tensor, trainable: bool) -> Tensor:
        # The tensor itself, where it can be one: code that got it earlier may have given it to an optimizer.
        if type(value) is not Tensor or not value.is_leaf or value.is_inference():
            value = value.detach().clone()
        if trainable and value.is_floating_point():
            value.requires_grad_()
            value.__class__ = Parameter  # type: ignore[assignment]
        return value

    def note_lent(self, value: Tensor, make_leaf: Callable[[Any], None]) -> None:
        key = id(value)
        _lent[key] = ref(value, lambda _: _lent.pop(key, None)), WeakMethod(make_leaf)

    def fill(self, leaf: Tensor, value: Tensor) -> None:
        with torch.no_grad():
            leaf.copy_(value)

    def train(self, leaf: Tensor, trainable: bool) -> None:
        if leaf.is_floating_point():
            leaf.requires_grad_(trainable)

    def can_track(self) -> bool:
        return torch.is_grad_enabled()

    def step_leaf(self, value: Tensor, before: Tensor | None) -> Tensor:
        leaf = value.detach().requires_grad_()
        leaf._of_a_step = True  # type: ignore[attr-defined]
        if before is not None and before.grad is not None:
            leaf.grad = before.grad
        return leaf

    def forget_gradient(self, leaf: Tensor) -> None:
        leaf.grad = None

    def changes(self, leaf: Tensor) -> int:
        return version_of(leaf)

    # ---- steps -------------------------------------------------------------------------------------------------

    def lacks_leaves(self, error: Exception) -> bool:
        # What `backward` and `torch.autograd.grad` say of a loss that was computed of plain tensors.
        return "does not require grad" in str(error)

    def plainly(self, step: Callable[[], Any], why: str) -> Any:
        refuse_recording(why)
        with _before_updates(_check_held):
            return step()

    def watched(self, step: Callable[[], Any], refuse: Callable[[], None]) -> Any:
        with _before_updates(lambda _: refuse()):
            return step()

    # ---- modules -----------------------------------------------------------------------------------------------

    def opened(self, part: Any) -> Any:
        if isinstance(part, nn.ModuleList):
            return list(part)
        return dict(part.items()) if isinstance(part, nn.ModuleDict) else part

    def held(self, module: Module) -> dict[str, Tensor]:
        if any(map(is_lazy, [*module.parameters(), *module.buffers()])):
            raise ValueError(
                f"{type(module).__name__} has parameters whose shapes are not known yet: call it on data once before "
                "it becomes a part of a layer."
            )
        found = _tensors_of(module)
        first = _first_names(found)
        return {name: tensor for name, tensor in found.items() if first[name] == name}

    def trained(self, module: Module) -> set[str]:
        return {name for name, parameter in module.named_parameters() if parameter.requires_grad}

    def kept(self, module: Module) -> set[str]:
        return set(module.state_dict())

    def packed(self, module: Module) -> bytes:
        buffer = io.BytesIO()
        torch.save(module, buffer)
        return buffer.getvalue()

    def unpacked(self, data: bytes) -> Module:
        return torch.load(io.BytesIO(data), weights_only=False)

    def within(self, module: Module) -> list[Any]:
        return [part for part in module.modules() if isinstance(part, TorchModule)]

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
            # Modules change buffers in place: these get copies. A buffer that is assigned is found after the call.
            buffers = {name: values[name] for name in _buffers_of(module) if name in values}
            copies = {name: value.clone() for name, value in buffers.items()}
            own, names = {**values, **copies}, _first_names(_tensors_of(module))
            given = {f"module.{name}": own[first] for name, first in names.items() if first in own}
            # Torch itself would look for tied ones in layers of ours too, which have no parameters in a function.
            call = partial(torch.func.functional_call, tie_weights=False)
            outputs, after = call(_WithBuffers(module), given, tuple(args), dict(kwargs))
            # Kernels of batch norm change theirs without a word.
            moves = any(part.training for part in module.modules())
        changed = {
            name: after[name]
            for name, copy in copies.items()
            if moves or after[name] is not copy or version_of(copy) > 0
        }
        return outputs, changed


_lent: dict[int, tuple[ref[Tensor], WeakMethod[Any]]] = {}
"""Values of variables that somebody got, by identity, and the methods by which variables keep them."""


def _for_optimizers(add_param_group: Any) -> Any:
    """Return `Optimizer.add_param_group` such that a variable whose value it is given keeps it: as its parameter."""

    @wraps(add_param_group)
    def method(self: Optimizer, param_group: dict[str, Any]) -> None:
        add_param_group(self, param_group)
        for tensor in self.param_groups[-1]["params"]:
            lent = _lent.get(id(tensor))
            make_leaf = lent[1]() if lent is not None and lent[0]() is tensor else None
            if make_leaf is not None:
                make_leaf(tensor)

    return method


Optimizer.add_param_group = _for_optimizers(Optimizer.add_param_group)  # type: ignore[method-assign]


@contextmanager
def _before_updates(tell: Callable[[Optimizer], None]) -> Iterator[None]:
    """Tell of optimizers that are about to change something in this thread; torch's hook is one of the process."""
    thread = get_ident()

    def hook(optimizer: Optimizer, *_: Any) -> None:
        if get_ident() == thread:
            tell(optimizer)

    handle = register_optimizer_step_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _check_held(optimizer: Optimizer) -> None:
    """Refuse an optimizer that would train nothing: one that was made of values that a step has replaced.

    Raises:
        RuntimeError: it holds a tensor that is no variable's.
    """
    held = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    if any(map(_is_lost, held)):
        raise RuntimeError(
            f"{type(optimizer).__name__} holds tensors that were values of variables once and are no more: it would "
            "train nothing. Make it of `model.parameters()`, which stay what they are, instead of "
            "`[v.value for v in model.trainable_variables]`."
        )


def _is_lost(tensor: Tensor) -> bool:
    plain = not tensor.requires_grad and tensor.grad is None and not isinstance(tensor, Parameter)
    return plain or getattr(tensor, "_of_a_step", False)


def _members(module: Module, of: Callable[[Module], Iterable[tuple[str, Tensor]]]) -> dict[str, Tensor]:
    """Return what parts of a module have, by name, without our layers in it, which know their variables."""
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
    """Return for each name of a tensor the first one of the same tensor, which may be tied."""
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
    """Let a module train or not; afterwards it says what it said before, which steps that were recorded hold it to."""
    before = [(part, part.training) for part in module.modules() if not isinstance(part, TorchModule)]
    if training is not None:
        for part, _ in before:
            part.training = training
    try:
        yield
    finally:
        for part, mode in before:
            part.training = mode
