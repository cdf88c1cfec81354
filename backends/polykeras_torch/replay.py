"""Recording a function of a list of tensors, and repeating it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch  # pyright: ignore[reportAttributeAccessIssue]  (no stub)

from polykeras import tree
from polykeras_torch.program import compile_program
from polykeras_torch.recorder import Recorder, Slot, storage_of

Recorded = Callable[[Sequence[Tensor]], Any]


def signature(tensors: Sequence[Tensor]) -> tuple[Hashable, ...]:
    """Return what a recording is good for: dtypes, shapes and devices."""
    return tuple([(x.dtype, x.shape, x.device) for x in tensors])


def contiguous(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors in row-major order, for which everything is recorded."""
    return [x.contiguous() for x in tensors]


def is_watched(tensors: Sequence[Tensor]) -> bool:
    """Return whether somebody else looks on: an outer recording, autograd, `torch.func`, or another mode of torch."""
    return (
        torch._C._len_torch_dispatch_stack() > 0
        or _functorch.peek_interpreter_stack() is not None
        or any(x.requires_grad for x in tensors)
    )


def record(fn: Callable[[Sequence[Tensor]], Any], tensors: Sequence[Tensor]) -> tuple[Any, Recorded]:
    """Run a function, and return its result and a faster form of the function.

    Args:
        fn: a pure function of a list of tensors that returns a tree.
        tensors: row-major.

    Returns:
        The result, and a function of tensors of the same shapes and dtypes. It is `fn` itself where the run cannot be
        repeated, which a warning tells.
    """
    with Recorder(_apart(tensors)) as recorder:
        result = fn(recorder.tensors[: len(tensors)])
        leaves, definition = tree.flatten_with_def(result)
        leaves = _ownable(leaves, recorder)
        outputs = {i: recorder.slot(leaf) for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
    result = tree.unflatten(definition, leaves)
    if recorder.refused:
        warnings.warn(
            f"On torch a function that was to be compiled runs as plain Python, more slowly: {recorder.refused}. Write "
            "it with polykeras.ops over polykeras variables to have it compiled.",
            RuntimeWarning,
            stacklevel=2,
        )
        return result, fn
    return result, _repeat(recorder, len(tensors), leaves, outputs, definition)


def _repeat(
    recorder: Recorder, inputs: int, leaves: Sequence[Any], outputs: dict[int, Slot], definition: Any
) -> Recorded:
    program = compile_program(recorder, inputs, list(outputs.values()))
    places = list(outputs)
    template = [None if i in outputs else leaf for i, leaf in enumerate(leaves)]
    all_tensors = len(places) == len(template)

    def repeat(tensors: Sequence[Tensor]) -> Any:
        with torch._C._AutoDispatchBelowAutograd():
            results = program(tensors)
        if not all_tensors:
            filled = list(template)
            for place, value in zip(places, results, strict=True):
                filled[place] = value
            results = filled
        return tree.unflatten(definition, results)

    return repeat


def _apart(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors, each in memory that no other one of them uses: by their memory the recorder knows them."""
    seen: set[int] = set()
    result = []
    for tensor in tensors:
        tensor = tensor.clone() if storage_of(tensor) in seen else tensor
        seen.add(storage_of(tensor))
        result.append(tensor)
    return result


def _ownable(leaves: Sequence[Any], recorder: Recorder) -> list[Any]:
    """Return results that callers may own: row-major, no two in the same memory, none in that of a constant."""
    seen: set[int] = set()
    result = []
    for leaf in leaves:
        if isinstance(leaf, Tensor):
            if leaf.requires_grad:
                recorder.refuse("its result is to be differentiated by torch itself")
            else:
                leaf = leaf.contiguous()
                whole = leaf.untyped_storage().nbytes() == leaf.nbytes
                if storage_of(leaf) in seen or recorder.is_constant(leaf) or not whole:
                    leaf = recorder.copy(leaf)
                seen.add(storage_of(leaf))
        result.append(leaf)
    return result
