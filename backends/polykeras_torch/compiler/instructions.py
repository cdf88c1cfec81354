"""The parts of a recording: calls of operators, and numbered tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Slot:
    """A numbered tensor of the recorded function."""

    number: int


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """The properties of a tensor, which itself may no longer exist.

    Attributes:
        dtype: its dtype.
        shape: its shape.
        device: its device.
        memory: the number of its storage.
        row_major: whether its elements lie in row-major order.
        whole: whether it covers its whole storage.
        value: the tensor itself if it depends on no input and can be kept: a constant, or a tensor from outside.
    """

    dtype: torch.dtype
    shape: torch.Size
    device: torch.device
    memory: int
    row_major: bool
    whole: bool
    value: Tensor | None


@dataclass(slots=True)
class Instruction:
    """One operator call.

    Attributes:
        op: the called overload.
        args: the positional arguments; tensors are `Slot`s.
        kwargs: the keyword arguments, in the same form.
        outputs: the slots of the results; None for a result that is not a tensor.
        single: whether it returns a single result instead of a sequence.
        writes: the slots of the arguments that it changes in place.
        constant: whether its arguments do not depend on the inputs, and it always returns the same.
        into: the argument whose memory takes the result; None for new memory.
        steady: whether it is constant except for tensors from outside, whose values others may change between runs.
    """

    op: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: list[Slot | None]
    single: bool
    writes: list[Slot]
    constant: bool
    into: Slot | None = None
    steady: bool = False

    def results(self) -> list[Slot]:
        """Return the slots among the results."""
        return [slot for slot in self.outputs if slot is not None]

    def reads(self) -> list[Slot]:
        """Return the slots among the arguments."""
        found: list[Slot] = []
        replace((self.args, self.kwargs), found.append, Slot)
        return found


def replace(value: Any, change: Callable[[Any], Any], kind: type) -> Any:
    """Return nested arguments with `change(leaf)` in place of each leaf of the type `kind`."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)([replace(item, change, kind) for item in value])
    if isinstance(value, dict):
        return {name: replace(item, change, kind) for name, item in value.items()}
    return value
