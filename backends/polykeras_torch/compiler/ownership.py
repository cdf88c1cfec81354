"""Ownership of memory: results that callers may keep, and arguments that native code may change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from polykeras_torch.compiler.operators import is_plain
from polykeras_torch.compiler.recorder import Recorder
from polykeras_torch.private import storage_of, version_of


def own(leaves: Sequence[Any], taken: set[int], recorder: Recorder | None = None) -> list[Any]:
    """Return results that callers may keep: row-major, without shared memory, and not in memory of others.

    Args:
        leaves: the results.
        taken: the storages of others.
        recorder: the active recorder; then no result is in the memory of a constant either.
    """
    taken = set(taken)
    result = []
    for leaf in leaves:
        if isinstance(leaf, Tensor) and is_plain(leaf):
            leaf = leaf.contiguous()
            shared = storage_of(leaf) in taken or leaf.untyped_storage().nbytes() != leaf.nbytes
            if shared or (recorder is not None and not recorder.is_variable(leaf)):
                leaf = leaf.clone() if recorder is None else recorder.copy(leaf)
            taken.add(storage_of(leaf))
        result.append(leaf)
    return result


def memory(leaves: Sequence[Any]) -> set[int]:
    """Return the storages of all tensors among leaves."""
    return {storage_of(leaf) for leaf in leaves if isinstance(leaf, Tensor) and is_plain(leaf)}


def written_to(copies: Sequence[Tensor], places: Sequence[int]) -> list[int]:
    """Return the indices of fresh copies that were changed in place. In inference mode, changes are not counted."""
    return [i for i in places if copies[i].is_inference() or version_of(copies[i]) > 0]


def with_copies(tensors: Sequence[Tensor], places: Sequence[int]) -> Sequence[Tensor]:
    """Return the tensors, with those at `places` copied."""
    if not places:
        return tensors
    result = list(tensors)
    for i in places:
        result[i] = result[i].clone()
    return result
