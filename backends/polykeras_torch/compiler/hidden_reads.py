"""Accesses to the values or the memory of a tensor that do not appear as calls of operators."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_DATA: Any = Tensor.__dict__.get("data") or Tensor.data


class Watcher(Protocol):
    """An object that is told about such accesses."""

    def refuse(self, why: str) -> None:
        """Note that the current run must not be repeated."""
        ...

    def is_constant(self, tensor: Tensor) -> bool:
        """Return whether the values of a tensor are the same in each run."""
        ...

    def is_foreign(self, tensor: Tensor) -> bool:
        """Return whether a tensor came from outside."""
        ...

    def is_foreign_graph(self) -> bool:
        """Return whether tensors from outside took part that collect gradients."""
        ...


def _methods(*names: str) -> set[Any]:
    return {getattr(Tensor, name) for name in names if hasattr(Tensor, name)}


# fmt: off
_READS = _methods(
    "numpy", "tolist", "__array__", "__dlpack__", "__deepcopy__", "__reduce_ex__", "data_ptr", "untyped_storage",
    "storage", "_typed_storage", "share_memory_",
)
# fmt: on
_WRITES = _methods("apply_", "map_", "map2_") | {_DATA.__set__}
_HANGS_HOOKS = _methods("register_hook", "register_post_accumulate_grad_hook")
_CUTS = {torch.tensor_split, Tensor.tensor_split}
_LEAVES_GRADIENTS = {torch.autograd.backward, Tensor.backward}
_GRADIENT = {Tensor.grad.__get__}  # type: ignore[attr-defined]
_COPIES = {torch.tensor, Tensor.new_tensor}
_INDEXES = {Tensor.__getitem__, Tensor.__setitem__}
_COPIES_OF_NUMBERS = {torch.as_tensor, torch.asarray}  # they share the memory of arrays


class HiddenReads(TorchFunctionMode):
    """Tells a watcher about conversions to NumPy and lists, about addresses, and about code that autograd calls.

    Attributes:
        copies: whether a function is running that copies its argument into a new tensor.
        indexes: whether a function is running that makes tensors from numbers and lists, such as indices.
    """

    def __init__(self, watcher: Watcher) -> None:
        super().__init__()
        self._watcher = watcher
        self.copies = False
        self.indexes = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _COPIES or (func in _COPIES_OF_NUMBERS and isinstance(args[0], (int, float, list, tuple))):
            self.copies = True
            try:
                return func(*args, **kwargs)
            finally:
                self.copies = False
        if func in _INDEXES:
            self.indexes = True
            try:
                return func(*args, **kwargs)
            finally:
                self.indexes = False
        if (why := self._why_not(func, args, kwargs)) is not None:
            self._watcher.refuse(why)
        return func(*args, **kwargs)

    def _why_not(self, func: Any, args: Any, kwargs: Any) -> str | None:
        name = getattr(func, "__name__", str(func))
        if func in _READS and not self._watcher.is_constant(args[0]):
            return f"it reads the values of a tensor (`Tensor.{name}`)"
        if func in _WRITES:
            return f"it changes a tensor behind torch's back (`Tensor.{name}`)"
        if func in _CUTS and any(isinstance(x, Tensor) for x in (*args[1:], *kwargs.values())):
            return "it splits a tensor at indices from another tensor (`tensor_split`)"
        if func in _HANGS_HOOKS:
            return f"it registers a hook on a tensor (`Tensor.{name}`)"
        if func in _GRADIENT and self._watcher.is_foreign(args[0]):
            return "it reads the gradient of a tensor from outside (`Tensor.grad`)"
        if func in _LEAVES_GRADIENTS and self._watcher.is_foreign_graph():
            return "it leaves gradients in tensors that polykeras does not hold (`backward`)"
        return None
