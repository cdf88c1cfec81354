"""Where the storages of a recorded run lie in memory."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from polykeras_torch.private import StorageReference


class Places:
    """From where to where storages lay. While there is a reference to one, no other one gets the same number."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int, Any]] = []

    def add(self, storage: Any, ours: bool) -> None:
        """Add a storage; of one from outside no place, as others may share its memory."""
        place = storage.data_ptr()
        self._ranges.append((place, place + storage.nbytes() if ours else place, StorageReference(storage)))

    def hold(self, tensor: Tensor) -> bool:
        """Return whether a storage that was never added has memory of one that was, and still is there."""
        place = tensor.untyped_storage().data_ptr()
        return any(first <= place < last and not known.expired() for first, last, known in self._ranges)
