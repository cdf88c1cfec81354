"""What a recording is made of: the calls of operators, and the tensors in them by number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Slot:
    """A tensor of the recorded function, by number."""

    number: int


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What is kept of a tensor, which itself may be gone.

    Attributes:
        dtype: of its elements.
        shape: its shape.
        device: where it lay.
        memory: the number of its storage.
        row_major: whether its elements lie in row-major order.
        whole: whether it takes the whole of its storage.
        value: the tensor itself, if it depends on no input and can be held: a constant, or one from outside.
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
        op: the overload that was called.
        args: its positional arguments; tensors are `Slot`s.
        kwargs: its keyword arguments, in the same way.
        outputs: the slots of its results; None for a result that is no tensor.
        single: whether it returns its one result itself instead of a sequence.
        writes: those of its arguments' slots that it changes in place.
        constant: whether nothing in its arguments depends on the inputs, and it always gives the same.
        into: the argument whose memory is to take the result; None for new memory.
        steady: whether it is so but for tensors from outside, whose values others may change between two runs.
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
    """Return nested arguments with `change(leaf)` in place of each leaf of a kind."""
    if isinstance(value, kind):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)([replace(item, change, kind) for item in value])
    if isinstance(value, dict):
        return {name: replace(item, change, kind) for name, item in value.items()}
    return value
