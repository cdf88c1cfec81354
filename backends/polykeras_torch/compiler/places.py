"""The addresses of the storages of a recorded run."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from polykeras_torch.private import StorageReference


class Places:
    """Address ranges of storages, each with a reference, so that no later storage is mistaken for one of them."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int, Any]] = []

    def add(self, storage: Any, ours: bool) -> None:
        """Add a storage. If the run did not make it (`ours`), its range is empty, since its memory may be shared."""
        place = storage.data_ptr()
        self._ranges.append((place, place + storage.nbytes() if ours else place, StorageReference(storage)))

    def contains(self, tensor: Tensor) -> bool:
        """Return whether the tensor's memory lies in the range of an added storage that still exists."""
        place = tensor.untyped_storage().data_ptr()
        return any(first <= place < last and not known.expired() for first, last, known in self._ranges)
