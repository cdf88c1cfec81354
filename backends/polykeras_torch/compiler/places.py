"""Where the storages of a recorded run lie in memory."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from polykeras_torch.private import StorageReference


class Places:
    """The ranges of addresses of storages, with a reference to each, so that no later one is taken for it."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int, Any]] = []

    def add(self, storage: Any, ours: bool) -> None:
        """Add a storage; `ours` says that the run made it. Others get an empty range: their memory may be shared."""
        place = storage.data_ptr()
        self._ranges.append((place, place + storage.nbytes() if ours else place, StorageReference(storage)))

    def hold(self, tensor: Tensor) -> bool:
        """Return whether the tensor's memory lies in the range of a storage that was added and still exists."""
        place = tensor.untyped_storage().data_ptr()
        return any(first <= place < last and not known.expired() for first, last, known in self._ranges)
