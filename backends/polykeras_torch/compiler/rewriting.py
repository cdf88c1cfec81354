"""Rewrites of a list of recorded calls before it becomes a program: the same values with less work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace as replaced
from typing import Any

import torch
from torch import Tensor

from polykeras_torch.compiler.instructions import Instruction, Slot, TensorInfo, replace
from polykeras_torch.compiler.kernels import binding_into, is_copy, number_as_tensor
from polykeras_torch.compiler.operators import draws

aten: Any = torch.ops.aten
_SUM = aten.sum.dim_IntList
_VIEW = aten.view.default
_WORTHWHILE = 1024  # elements; from this size on, the memory of a result is worth reusing


def written_memory(instructions: Sequence[Instruction], tensors: Sequence[TensorInfo]) -> set[int]:
    """Return the storages that calls change in place, so that their contents differ after the run."""
    return {tensors[slot.number].memory for instruction in instructions for slot in instruction.writes}


def needed(
    instructions: Sequence[Instruction],
    tensors: Sequence[TensorInfo],
    inputs: int,
    outputs: Sequence[Slot],
    written: Collection[int],
) -> list[Instruction]:
    """Return the calls that the outputs depend on, or that change an input.

    If memory is changed in place, slots are not enough: each call that changes memory that is read later is needed. So
    are random numbers, because they advance a generator.
    """
    storages = [tensor.memory for tensor in tensors]
    live: set[int] = set()
    live_memory = set(storages[:inputs])

    def need(slot: Slot) -> None:
        live.add(slot.number)
        if storages[slot.number] in written:
            live_memory.add(storages[slot.number])

    for slot in outputs:
        need(slot)
    kept = []
    for instruction in reversed(instructions):
        results = instruction.results()
        changes = any(storages[slot.number] in live_memory for slot in instruction.writes)
        if changes or not results or draws(instruction.op) or any(slot.number in live for slot in results):
            kept.append(instruction)
            for slot in instruction.reads():
                need(slot)
    return kept[::-1]


def without_constants(
    instructions: Sequence[Instruction], tensors: Sequence[TensorInfo], inputs: int, written: Collection[int]
) -> list[Instruction]:
    """Return the calls with varying results. The results of the others become tensors in their arguments."""
    made = set(range(inputs))

    def value(slot: Slot) -> Slot | Tensor:
        found = slot if slot.number in made else tensors[slot.number].value
        if found is None:
            raise AssertionError(f"a recorded call reads {slot}, which is neither a result nor a constant")
        return found

    kept = []
    for instruction in instructions:
        results = instruction.results()
        fixed = instruction.constant and not any(tensors[slot.number].memory in written for slot in results)
        if fixed and results and not instruction.writes:
            continue
        args, kwargs = replace((instruction.args, instruction.kwargs), value, Slot)
        kept.append(replaced(instruction, args=args, kwargs=kwargs))
        made.update(slot.number for slot in results)
    return kept


def with_sums_in_shape(
    instructions: Sequence[Instruction], tensors: Sequence[TensorInfo], outputs: Collection[Slot]
) -> list[Instruction]:
    """Return the calls, with sums that drop axes at once. Autograd keeps the axes and drops them with a view."""
    reads = Counter(slot for instruction in instructions for slot in instruction.reads())
    reads.update(outputs)
    sums = {
        instruction.outputs[0]: instruction
        for instruction in instructions
        if instruction.op is _SUM and instruction.args[2:] == (True,) and not instruction.kwargs
    }
    kept = []
    for instruction in instructions:
        found = sums.get(instruction.args[0]) if instruction.op is _VIEW and reads[instruction.args[0]] == 1 else None
        if found is not None and tuple(instruction.args[1]) == _without(
            tensors[instruction.args[0].number].shape, found.args[1]
        ):
            found.args, found.outputs = found.args[:2], instruction.outputs
        else:
            kept.append(instruction)
    return kept


def _without(shape: Sequence[int], axes: Sequence[int] | None) -> tuple[int, ...]:
    left = {axis % len(shape) for axis in axes} if axes else set(range(len(shape)))
    return tuple(size for axis, size in enumerate(shape) if axis not in left)


def with_numbers_as_tensors(instructions: Sequence[Instruction], tensors: Sequence[TensorInfo]) -> list[Instruction]:
    """Return the calls with numbers turned into tensors once, since torch would make one in each call."""
    for instruction in instructions:
        if len(instruction.args) == 2 and not instruction.kwargs and isinstance(instruction.args[0], Slot):
            number = number_as_tensor(instruction.op, tensors[instruction.args[0].number], instruction.args[1])
            if number is not None:
                instruction.args = (instruction.args[0], number)
    return list(instructions)


def with_reused_memory(
    instructions: Sequence[Instruction],
    tensors: Sequence[TensorInfo],
    donated: Collection[int],
    outputs: Sequence[Slot],
    inputs: int,
) -> list[Instruction]:
    """Let results take the memory of arguments that are not read again; then copies of these are not needed.

    For large elementwise arithmetic on a CPU, new memory is the largest cost.

    Args:
        instructions: the calls.
        tensors: one for each slot.
        donated: the indices of the inputs whose memory may be used.
        outputs: the results of the program.
        inputs: the number of inputs.
    """
    storages = [tensor.memory for tensor in tensors]
    owner = {storage: storage for storage in storages}  # from storages of the run to those of the program
    last = {
        storages[slot.number]: place for place, instruction in enumerate(instructions) for slot in instruction.reads()
    }
    last |= {storages[i]: len(instructions) for i in range(inputs) if i not in donated}
    last |= {storages[slot.number]: len(instructions) for slot in outputs}
    # A result that depends on tensors from outside may be a view of one, and is computed once for several steps.
    last |= {
        storages[slot.number]: len(instructions)
        for instruction in instructions
        if instruction.steady
        for slot in instruction.results()
    }
    for place, instruction in enumerate(instructions):
        copies = is_copy(instruction.op)
        if (
            (binding_into(instruction.op) is None and not copies)
            or instruction.writes
            or len(instruction.results()) != 1
        ):
            continue
        (result,) = instruction.results()
        reads = instruction.reads()
        for slot in reads:
            memory = owner[storages[slot.number]]
            alone = all(other == slot or owner[storages[other.number]] != memory for other in reads)
            worthwhile = copies or tensors[result.number].shape.numel() >= _WORTHWHILE
            if alone and worthwhile and last[memory] == place and _fits(tensors[result.number], tensors[slot.number]):
                instruction.into = slot
                owner[storages[result.number]] = memory
                last[memory] = last.get(storages[result.number], place)
                break
    return list(instructions)


def without_lasting(
    instructions: Sequence[Instruction], tensors: Sequence[TensorInfo], state: Sequence[Slot], written: Collection[int]
) -> tuple[list[Instruction], list[Instruction]]:
    """Return the calls that a loop makes once, before it starts, and the calls of each step.

    A view of an array that is updated in place, such as a transposed matrix, is the same in each step. So is a result
    that depends only on tensors from outside.

    Args:
        instructions: the calls, after `with_reused_memory`.
        tensors: one for each slot.
        state: the slots of the new state; the old state is the first inputs.
        written: the storages that recorded calls change in place.
    """
    taken = {
        instruction.results()[0].number: instruction.into.number
        for instruction in instructions
        if instruction.into is not None
    }

    def slot_of(number: int) -> int:
        while number in taken:
            number = taken[number]
        return number

    lasting = {i for i, slot in enumerate(state) if slot_of(slot.number) == i}
    before, rest = [], []
    steady: set[int] = set()
    for instruction in instructions:
        reads, results = instruction.reads(), instruction.results()
        fixed = instruction.steady and bool(results) and not instruction.writes and instruction.into is None
        fixed = fixed and all(slot.number in steady for slot in reads)
        if fixed and not any(tensors[slot.number].memory in written for slot in results):
            steady.update(slot.number for slot in results)
            before.append(instruction)
            continue
        views = len(reads) == len(results) == 1 and not instruction.writes and instruction.into is None
        if (
            views
            and reads[0].number in lasting
            and tensors[results[0].number].memory == tensors[reads[0].number].memory
        ):
            lasting.add(results[0].number)
            before.append(instruction)
        else:
            rest.append(instruction)
    return before, rest


def _fits(result: TensorInfo, memory: TensorInfo) -> bool:
    """Return whether a result can take the whole memory of another tensor."""
    same = result.dtype == memory.dtype and result.shape == memory.shape
    return same and all(tensor.row_major and tensor.whole for tensor in (result, memory))
