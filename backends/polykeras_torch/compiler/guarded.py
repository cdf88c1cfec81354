"""Inputs of a recorded run that get their values back, should the run fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from polykeras_torch.compiler.operators import is_plain, written
from polykeras_torch.private import schema_of, storage_of


class Guarded:
    """Tensors of which those that a run changes are copied before.

    Args:
        tensors: no two of them share memory.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._unchanged = {storage_of(tensor): tensor for tensor in tensors}
        self._before: list[tuple[Tensor, Tensor]] = []  # those that are changed, with a copy from before

    def keep(self, func: Any, args: Any, kwargs: Any) -> None:
        """Copy those that the call of an operator is going to change."""
        if not self._unchanged or not schema_of(func).is_mutable:
            return
        for tensor in written(func, args, kwargs):
            if is_plain(tensor) and (given := self._unchanged.pop(storage_of(tensor), None)) is not None:
                self._before.append((given, given.clone()))

    def restore(self) -> None:
        """Give each tensor that was changed the value that it had before the run."""
        with torch.no_grad():
            for tensor, before in self._before:
                tensor.copy_(before)
