"""Inputs of a recorded run that get their values back if the run fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from polykeras_torch.compiler.operators import is_plain, written
from polykeras_torch.private import schema_of, storage_of


class Guarded:
    """Tensors that are copied before a run changes them.

    Args:
        tensors: no two of them share memory.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._unchanged = {storage_of(tensor): tensor for tensor in tensors}
        self._before: list[tuple[Tensor, Tensor]] = []  # the changed tensors, each with its earlier copy

    def keep(self, func: Any, args: Any, kwargs: Any) -> None:
        """Copy the tensors that a call of an operator is about to change."""
        if not self._unchanged or not schema_of(func).is_mutable:
            return
        for tensor in written(func, args, kwargs):
            if is_plain(tensor) and (given := self._unchanged.pop(storage_of(tensor), None)) is not None:
                self._before.append((given, given.clone()))

    def restore(self) -> None:
        """Restore the earlier value of each tensor that was changed."""
        with torch.no_grad():
            for tensor, before in self._before:
                tensor.copy_(before)
