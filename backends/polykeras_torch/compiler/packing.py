"""Small tensors of an optimizer's state, side by side in memory for a run of steps.

torch's kernels of optimizers take lists of tensors and start their threads anew for each: 3 us a tensor, and twenty
small layers with Adam are 120. Over tensors that lie side by side the kernel runs as over one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from polykeras_torch.compiler.instructions import Instruction, Slot, TensorInfo
from polykeras_torch.compiler.kernels import is_copy
from polykeras_torch.private import FLATTEN, FUSED_ADAM, FUSED_SGD

# The arguments that are lists of state; beside them come lists of gradients and, of Adam, of counters.
_STATE = {FUSED_ADAM: (0, 2, 3, 4), FUSED_SGD: (0, 2)} if FLATTEN else {}
_GRADIENTS = 1
_COUNTERS = 5

_FEWEST = 8  # tensors from which on it pays: gathering their gradients costs as much as the threads of four
_SMALL = 2**14  # elements; of larger ones the arithmetic is what takes time
# Elements that the kernels give to vector instructions (a cache line of float32). They round what is left over in
# another way: numbers that fill such units are the same, wherever they lie.
_UNIT = 16


@dataclass(frozen=True, slots=True)
class Pack:
    """Inputs of a program that are to lie side by side.

    Attributes:
        inputs: their numbers.
        slot: what stands in the program for all of them together.
    """

    inputs: tuple[int, ...]
    slot: Slot


def with_packed_updates(
    instructions: Sequence[Instruction], tensors: Sequence[TensorInfo], outputs: Sequence[Slot]
) -> tuple[list[Instruction], list[Pack]]:
    """Return the calls with those of optimizers' kernels over packs, and the packs, which the program takes as well.

    Args:
        instructions: the calls, which have reused memory already.
        tensors: one for each slot.
        outputs: what is returned: the new values of the first inputs, in their order.
    """
    places = _updated_in_place(instructions, outputs)
    packs: list[Pack] = []
    result: list[Instruction] = []
    new = len(tensors)
    for instruction in instructions:
        lists = [
            instruction.args[i]
            for i in _STATE.get(instruction.op, ())
            if i < len(instruction.args) and instruction.args[i]
        ]
        chosen = _small(lists, places, tensors) if lists else []
        if len(chosen) < _FEWEST:
            result.append(instruction)
            continue
        args = list(instruction.args)
        for i, column in enumerate(args):
            if not isinstance(column, (list, tuple)) or not column:
                continue
            first = column[chosen[0]]
            if i != _COUNTERS:  # which are all the same
                first, new = Slot(new), new + 1
            picked = [column[j] for j in chosen]
            if i == _GRADIENTS:
                result.append(Instruction(FLATTEN, (picked,), {}, [first], True, [], False))
            elif i != _COUNTERS:
                packs.append(Pack(tuple(places[slot.number] for slot in picked), first))
            args[i] = [first, *(item for j, item in enumerate(column) if j not in chosen)]
        result.append(replace(instruction, args=tuple(args)))
    return result, packs


def _updated_in_place(instructions: Sequence[Instruction], outputs: Sequence[Slot]) -> dict[int, int]:
    """Return the slots that are the memory of an input and what is returned for it, with the number of the input."""
    returned = {slot.number: place for place, slot in enumerate(outputs)}
    found = {}
    for instruction in instructions:
        if is_copy(instruction.op) and instruction.into is not None:
            (slot,) = instruction.results()
            if returned.get(slot.number) == instruction.into.number:
                found[slot.number] = instruction.into.number
    return found


def _small(lists: Sequence[Sequence[Slot]], places: dict[int, int], tensors: Sequence[TensorInfo]) -> list[int]:
    """Return which tensors of the lists may be packed: those of the most frequent dtype."""
    by_dtype: dict[torch.dtype, list[int]] = {}
    for j, parts in enumerate(zip(*lists, strict=True)):
        tensor = tensors[parts[0].number]
        size = tensor.shape.numel()
        if 0 < size <= _SMALL and size % _UNIT == 0 and all(part.number in places for part in parts):
            by_dtype.setdefault(tensor.dtype, []).append(j)
    return max(by_dtype.values(), key=len, default=[])


def lay_side_by_side(state: list[Tensor], packs: Sequence[Pack]) -> list[Tensor]:
    """Exchange the tensors of packs in `state` for parts of one tensor a pack, and return those."""
    wholes = []
    for pack in packs:
        tensors = [state[i] for i in pack.inputs]
        whole = torch.cat([tensor.view(-1) for tensor in tensors])
        parts = whole.split([tensor.numel() for tensor in tensors])
        for i, part, tensor in zip(pack.inputs, parts, tensors, strict=True):
            state[i] = part.view(tensor.shape)
        wholes.append(whole)
    return wholes


def take_apart(state: list[Tensor], packs: Sequence[Pack]) -> None:
    """Give the tensors of packs in `state` memory of their own again."""
    for pack in packs:
        for i in pack.inputs:
            state[i] = state[i].clone()
