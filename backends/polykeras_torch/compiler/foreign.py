"""Foreign tensors: those from outside that a recorded function uses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from polykeras_torch.private import owners_of, storage_of

_LAYOUT: tuple[Callable[[Tensor], Any], ...] = (
    Tensor.data_ptr,
    Tensor.is_contiguous,
    attrgetter("shape"),
    attrgetter("dtype"),
    attrgetter("requires_grad"),
)


class ForeignTensors:
    """The foreign tensors that a recorder has met: those whose memory it did not see being made.

    Attributes:
        storages: their storages, which must not be changed.
        collects: whether some of them collect gradients.
    """

    def __init__(self) -> None:
        self.storages: set[int] = set()
        self.collects = False
        self._tensors: dict[int, Tensor] = {}  # by identity, since several may share memory
        self._indices: set[int] = set()  # storages of indices, which torch may have made from a number

    def add(self, tensor: Tensor, storage: int, is_index: bool) -> None:
        """Add a tensor with new memory."""
        self.storages.add(storage)
        if is_index:
            self._indices.add(storage)
        self.collects = self.collects or tensor.requires_grad
        self.see(tensor, storage)

    def see(self, tensor: Tensor, storage: int) -> None:
        """Add a tensor that may be another one with known memory."""
        if storage in self.storages:
            self._tensors[id(tensor)] = tensor

    def tensors(self) -> list[Tensor]:
        """Return all of them."""
        return list(self._tensors.values())

    def was_made_here(self, values: Sequence[Tensor | None]) -> bool:
        """Return whether some of them were made within the run, unseen: then nobody else holds them.

        Args:
            values: the tensors that the recording itself holds, once each.
        """
        unknown: dict[int, list[Tensor]] = {}
        for tensor in self._held_by_nobody(values):
            if storage_of(tensor) not in self._indices:
                unknown.setdefault(storage_of(tensor), []).append(tensor)
        return any(map(_is_made_here, unknown.values()))

    def _held_by_nobody(self, values: Sequence[Tensor | None]) -> list[Tensor]:
        seen = set(map(id, values))
        counts = zip(self._tensors.values(), _references(self._tensors), strict=True)
        # Tensors that the recording holds have two more references: one in `values`, one in the list it was made from.
        return [x for x, count in counts if count <= _ALONE + (2 if id(x) in seen else 0)]


def _references(tensors: dict[int, Tensor]) -> list[int]:
    return [sys.getrefcount(x) for x in tensors.values()]


def _count_alone() -> int:
    """Return the reference count of a tensor that only the dict holds, which differs between releases of Python."""
    return _references({0: torch.empty(0)})[0]


_ALONE = _count_alone()


def _is_made_here(tensors: Sequence[Tensor]) -> bool:
    """Return whether tensors that a recording did not see being made were made within the run.

    Then they may depend on the arguments. Such memory belongs to torch, and holds only these tensors.

    Args:
        tensors: the tensors of one storage that only the recording holds.
    """
    storage = tensors[0].untyped_storage()
    owners = owners_of(storage) - 1  # `storage` itself is one owner
    return storage.resizable() and storage.nbytes() > 0 and owners <= len(tensors)


class ForeignMemory:
    """The memory of the foreign tensors of a recording, which reads them again in each run while it stays in place.

    Args:
        tensors: the tensors.
    """

    def __init__(self, tensors: Collection[Tensor]) -> None:
        self._held = list(tensors)
        self._strided = [x for x in self._held if not x.is_contiguous()]  # for all others, the shape suffices
        self._known = self._now()

    def _now(self) -> list[list[Any]]:
        layout = [list(map(get, self._held)) for get in _LAYOUT]
        return [*layout, list(map(Tensor.stride, self._strided))] if self._strided else layout

    def is_valid(self) -> bool:
        """Return whether their memory is still in place: nothing assigned `.data`, resized one or moved a module."""
        return not self._held or self._now() == self._known
