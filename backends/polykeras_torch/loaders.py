"""Batches of a `DataLoader` that reads in this process, without the loader's own bookkeeping.

Samples are drawn, fetched and collated as the loader does it, with the same random numbers in the same order. But NumPy
arrays stay NumPy arrays, and rows of tensors are taken at once, whereas the loader takes them one by one and stacks
them. For a small model, the loader's bookkeeping takes longer than a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch.utils import data

_MAP_PIPE: tuple[type, ...] = (data.MapDataPipe,) if hasattr(data, "MapDataPipe") else ()
# Dtypes of arrays that become tensors unchanged. Torch converts or refuses the others.
_DTYPES = frozenset(map(np.dtype, ("?", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c8", "c16")))


def batches_of(source: Any) -> Iterator[Any]:
    """Return an iterator over the batches of a loader, as NumPy arrays or tensors; if necessary, the loader's own.

    Raises:
        TypeError: if the source is not an iterable.
    """
    if not _reads_here(source):
        return iter(source)
    indices = iter(source.sampler if source.batch_sampler is None else source.batch_sampler)
    # A loader draws a seed for its workers even if it has none. Later draws must stay the same.
    torch.empty((), dtype=torch.int64).random_(generator=source.generator)
    return map(_fetch_of(source), indices)


def _reads_here(source: Any) -> bool:
    """Return whether a loader fetches by index, in the thread that asks for a batch."""
    if type(source) is not data.DataLoader or source.num_workers or source.pin_memory or source.timeout:
        return False
    return not isinstance(source.dataset, (data.IterableDataset, *_MAP_PIPE))


def _fetch_of(loader: data.DataLoader[Any]) -> Callable[[Any], Any]:
    """Return a function that makes a batch from the indices of a sampler."""
    dataset: Any = loader.dataset
    collate: Any = loader.collate_fn

    def alone(index: Any) -> Any:
        batch = dataset[index]
        return list(batch) if collate is data.default_convert and _stays(batch) else collate(batch)

    def stacked(indices: Any) -> Any:
        rows = _rows(dataset, indices) if collate is data.default_collate else None
        if rows is not None:
            return rows
        several = getattr(dataset, "__getitems__", None)
        return collate(several(indices) if several else [dataset[i] for i in indices])

    return alone if loader.batch_sampler is None else stacked


def _stays(batch: Any) -> bool:
    """Return whether a batch is a tuple, which torch would make a list, of arrays that need not become tensors."""
    if type(batch) is not tuple or not all(type(part) is np.ndarray for part in batch):
        return False
    return all(part.dtype in _DTYPES and part.flags.c_contiguous for part in batch)


def _rows(dataset: Any, indices: Any) -> list[np.ndarray] | None:
    """Return the rows of a `TensorDataset`, or of a subset of one, taken at once; None to leave it to the loader.

    Everything is looked up again for each batch, as in the loader, since a data set may change while it is read. NumPy
    takes the rows, since torch would use threads of its own beside those of the step.
    """
    parts = []
    while type(dataset) is data.Subset:
        parts.append(dataset.indices)
        dataset = dataset.dataset
    if type(dataset) is not data.TensorDataset or type(indices) is not list:
        return None
    for places in parts:
        indices = [places[i] for i in indices]
    if set(map(type, indices)) != {int}:
        return None
    if min(indices) < 0 or not all(type(tensor) is torch.Tensor and tensor.data_ptr() for tensor in dataset.tensors):
        return None  # a tensor of zeros may have no memory
    # NumPy cannot represent bfloat16, gradients, nested or sparse tensors; or rows may be out of range.
    with suppress(BufferError, RuntimeError, TypeError, IndexError):
        arrays = [np.from_dlpack(tensor) for tensor in dataset.tensors]  # pyright: ignore[reportArgumentType]
        first, stop = indices[0], indices[0] + len(indices)
        if indices == list(range(first, stop)) and all(stop <= len(array) for array in arrays):
            return [array[first:stop] for array in arrays]  # slices, without a copy
        rows = np.array(indices)
        return [array.take(rows, 0) for array in arrays]
    return None
