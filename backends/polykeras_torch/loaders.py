"""Batches of a `DataLoader` that reads in this process, without the loader's own bookkeeping.

Samples are drawn, fetched and put together as the loader does it, with the same random numbers in the same order; but
what is NumPy's stays NumPy's, and the rows of tensors are taken at once, where the loader takes them one by one and
stacks them. A step of a small model takes less time than any of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils import data

_MAP_PIPE: tuple[type, ...] = (data.MapDataPipe,) if hasattr(data, "MapDataPipe") else ()


def iterate(source: Any) -> Iterator[Any]:
    """Return an iterator over the batches of a loader; the loader's own where only that will do.

    Raises:
        TypeError: the source is no iterable.
    """
    if type(source) is not data.DataLoader or source.num_workers or source.pin_memory:
        return iter(source)
    if isinstance(source.dataset, (data.IterableDataset, *_MAP_PIPE)):
        return iter(source)
    indices = iter(source.sampler if source.batch_sampler is None else source.batch_sampler)
    # A loader draws a seed for its workers, whether it has any or not: what is drawn after it must stay the same.
    torch.empty((), dtype=torch.int64).random_(generator=source.generator)
    return map(_fetch_of(source), indices)


def _fetch_of(loader: data.DataLoader[Any]) -> Callable[[Any], Any]:
    """Return what makes a batch of the indices that a sampler gives."""
    dataset: Any = loader.dataset
    collate: Any = loader.collate_fn
    several = getattr(dataset, "__getitems__", None)

    def stacked(indices: Any) -> Any:
        return collate(several(indices) if several else [dataset[i] for i in indices])

    if loader.batch_sampler is None:
        return _converted(dataset) if collate is data.default_convert else lambda index: collate(dataset[index])
    rows_at = _rows_of(dataset) if collate is data.default_collate else None
    if rows_at is None:
        return stacked

    def taken(indices: Any) -> Any:
        rows = _rows(indices, len(dataset))
        return stacked(indices) if rows is None else rows_at(rows)

    return taken


def _rows(indices: Any, count: int) -> slice | np.ndarray | None:
    """Return a list of whole numbers as what takes these of `count` rows, a slice of some in turn; None for others."""
    if type(indices) is not list or not indices:
        return None
    first, last = indices[0], indices[-1]
    in_turn = type(first) is type(last) is int and first >= 0 and last < count and last - first == len(indices) - 1
    if in_turn and indices == list(range(first, last + 1)):
        return slice(first, last + 1)
    rows = np.asarray(indices)
    return rows if _are_indices(rows) else None


def _converted(dataset: Any) -> Callable[[Any], Any]:
    """Return what fetches a batch that a data set has ready, in the container that torch would put it into."""

    def fetch(index: Any) -> Any:
        batch = dataset[index]
        if type(batch) is tuple and all(type(part) is np.ndarray for part in batch):
            return list(batch)
        return data.default_convert(batch)

    return fetch


def _rows_of(dataset: Any) -> Callable[[slice | np.ndarray], list[np.ndarray]] | None:
    """Return what takes rows of a `TensorDataset`, or of a part of one, at once; None for other data."""
    places = None
    if type(dataset) is data.Subset:
        places = np.asarray(dataset.indices)
        dataset = dataset.dataset
        if not _are_indices(places):
            return None
    if type(dataset) is not data.TensorDataset or not all(map(_is_plain, dataset.tensors)):
        return None
    arrays = [tensor.numpy() for tensor in dataset.tensors]
    return lambda rows: [array[rows if places is None else places[rows]] for array in arrays]


def _are_indices(array: np.ndarray) -> bool:
    return array.ndim == 1 and array.dtype.kind == "i"


def _is_plain(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is memory that NumPy can read as it is."""
    if type(tensor) is not torch.Tensor or tensor.requires_grad or tensor.is_conj() or tensor.is_neg():
        return False
    return tensor.device.type == "cpu" and tensor.layout == torch.strided and tensor.dtype != torch.bfloat16
