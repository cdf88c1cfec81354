"""What a list of recorded calls becomes before it is written as a program: the same values with less work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace as replaced
from typing import Any

import torch
from torch import Tensor

from polykeras_torch.compiler.kernels import COPY_INTO, binding_into, is_copy, number_as_tensor
from polykeras_torch.compiler.nodes import Node, Seen, Slot, replace
from polykeras_torch.compiler.operators import draws

aten: Any = torch.ops.aten
_SUM = aten.sum.dim_IntList
_VIEW = aten.view.default
LINE = 64  # bytes of a cache line, with which torch's memory begins
_WORTHWHILE = 1024  # elements from which on the memory of a result is worth sparing


def written_memory(nodes: Sequence[Node], seen: Sequence[Seen]) -> set[int]:
    """Return the storages that calls change in place: what is there after the run is not what was there before."""
    return {seen[slot.number].memory for node in nodes for slot in node.writes}


def needed(
    nodes: Sequence[Node], seen: Sequence[Seen], inputs: int, outputs: Sequence[Slot], written: Collection[int]
) -> list[Node]:
    """Return the calls on which the outputs depend, or that change an input.

    Where memory is changed in place, names say too little: whatever changes memory that is read later is needed. So are
    random numbers: a generator gives others after them.
    """
    storages = [tensor.memory for tensor in seen]
    live: set[int] = set()
    live_memory = set(storages[:inputs])

    def need(slot: Slot) -> None:
        live.add(slot.number)
        if storages[slot.number] in written:
            live_memory.add(storages[slot.number])

    for slot in outputs:
        need(slot)
    kept = []
    for node in reversed(nodes):
        results = node.results()
        changes = any(storages[slot.number] in live_memory for slot in node.writes)
        if changes or not results or draws(node.op) or any(slot.number in live for slot in results):
            kept.append(node)
            for slot in node.reads():
                need(slot)
    return kept[::-1]


def without_constants(nodes: Sequence[Node], seen: Sequence[Seen], inputs: int, written: Collection[int]) -> list[Node]:
    """Return the calls whose results vary; those of the others stand in their arguments as tensors."""
    made = set(range(inputs))

    def value(slot: Slot) -> Slot | Tensor:
        found = slot if slot.number in made else seen[slot.number].value
        if found is None:
            raise AssertionError(f"a recorded call reads {slot}, which nothing makes and which is no constant")
        return found

    kept = []
    for node in nodes:
        results = node.results()
        fixed = node.constant and not any(seen[slot.number].memory in written for slot in results)
        if fixed and results and not node.writes:
            continue
        args, kwargs = replace((node.args, node.kwargs), value, Slot)
        kept.append(replaced(node, args=args, kwargs=kwargs))
        made.update(slot.number for slot in results)
    return kept


def with_sums_in_shape(nodes: Sequence[Node], seen: Sequence[Seen], outputs: Collection[Slot]) -> list[Node]:
    """Return the calls with sums that leave out axes at once: autograd keeps them, for a view to leave them out."""
    reads = Counter(slot for node in nodes for slot in node.reads())
    reads.update(outputs)
    sums = {node.outputs[0]: node for node in nodes if node.op is _SUM and node.args[2:] == (True,) and not node.kwargs}
    kept = []
    for node in nodes:
        found = sums.get(node.args[0]) if node.op is _VIEW and reads[node.args[0]] == 1 else None
        if found is not None and tuple(node.args[1]) == _without(seen[node.args[0].number].shape, found.args[1]):
            found.args, found.outputs = found.args[:2], node.outputs
        else:
            kept.append(node)
    return kept


def _without(shape: Sequence[int], axes: Sequence[int] | None) -> tuple[int, ...]:
    left = {axis % len(shape) for axis in axes} if axes else set(range(len(shape)))
    return tuple(size for axis, size in enumerate(shape) if axis not in left)


def with_numbers_as_tensors(nodes: Sequence[Node], seen: Sequence[Seen]) -> list[Node]:
    """Return the calls with numbers made tensors once, where torch would make them in each call."""
    for node in nodes:
        if len(node.args) == 2 and not node.kwargs and isinstance(node.args[0], Slot):
            number = number_as_tensor(node.op, seen[node.args[0].number], node.args[1])
            if number is not None:
                node.args = (node.args[0], number)
    return list(nodes)


def with_reused_memory(
    nodes: Sequence[Node], seen: Sequence[Seen], donated: Collection[int], outputs: Sequence[Slot], inputs: int
) -> list[Node]:
    """Let results take the memory of arguments that are not read again; a copy of one then need not be made.

    What large elementwise arithmetic costs on a CPU is new memory above all: Adam's rule on 670,000 parameters took 4.5
    ms so and 0.6 ms in place.

    Args:
        nodes: the calls.
        seen: the tensor of each slot.
        donated: the numbers of the inputs whose memory may be used.
        outputs: what is returned.
        inputs: how many inputs there are.
    """
    storages = [tensor.memory for tensor in seen]
    owner = {storage: storage for storage in storages}  # whose memory a storage of the recorded run has in the program
    last = {storages[slot.number]: place for place, node in enumerate(nodes) for slot in node.reads()}
    last |= {storages[i]: len(nodes) for i in range(inputs) if i not in donated}
    last |= {storages[slot.number]: len(nodes) for slot in outputs}
    # What is computed of tensors from outside may be a view of one, and is computed once for several steps.
    last |= {storages[slot.number]: len(nodes) for node in nodes if node.steady for slot in node.results()}
    for place, node in enumerate(nodes):
        copies = is_copy(node.op)
        if (binding_into(node.op) is None and not copies) or node.writes or len(node.results()) != 1:
            continue
        (result,) = node.results()
        reads = node.reads()
        for slot in reads:
            memory = owner[storages[slot.number]]
            alone = all(other == slot or owner[storages[other.number]] != memory for other in reads)
            worthwhile = copies or seen[result.number].shape.numel() >= _WORTHWHILE
            if alone and worthwhile and last[memory] == place and _fits(seen[result.number], seen[slot.number]):
                node.into = slot
                owner[storages[result.number]] = memory
                last[memory] = last.get(storages[result.number], place)
                break
    return list(nodes)


def with_given_memory(
    nodes: Sequence[Node], seen: Sequence[Seen], results: Sequence[Slot], memory: Sequence[Slot]
) -> list[Node]:
    """Let results take memory that the program is given; those that cannot are copied there.

    Args:
        nodes: the calls, which have reused memory already.
        seen: the tensor of each slot.
        results: what is returned in given memory.
        memory: the slots of that, of the same shapes and dtypes, row-major.
    """
    makers = {node.outputs[0]: node for node in nodes if len(node.outputs) == 1 and not node.writes}
    copies = []
    for result, room in zip(results, memory, strict=True):
        tensor, maker = seen[result.number], makers.pop(result, None)  # at its second place there is a copy
        # A product may round in another way where what it reads begins elsewhere.
        lines = tensor.shape.numel() * tensor.dtype.itemsize % LINE == 0
        if maker is not None and binding_into(maker.op) and lines and tensor.row_major and tensor.whole:
            maker.into = room
        else:
            copies.append(Node(COPY_INTO, (room, result), {}, [None], True, [room], False))
    return [*nodes, *copies]


def without_lasting(
    nodes: Sequence[Node], seen: Sequence[Seen], state: Sequence[Slot], written: Collection[int]
) -> tuple[list[Node], list[Node]]:
    """Return the calls that a loop does once, before it, and those of each step.

    A view of an array that is updated in place, such as a transposed matrix, is the same in each step, and so is what
    is computed of tensors from outside.

    Args:
        nodes: the calls, which have reused memory already.
        seen: the tensor of each slot.
        state: the slots of the new state, whose old one is the first inputs.
        written: the storages that recorded calls change in place.
    """
    taken = {node.results()[0].number: node.into.number for node in nodes if node.into is not None}

    def home(number: int) -> int:
        while number in taken:
            number = taken[number]
        return number

    lasting = {i for i, slot in enumerate(state) if home(slot.number) == i}
    before, rest = [], []
    steady: set[int] = set()
    for node in nodes:
        reads, results = node.reads(), node.results()
        fixed = node.steady and bool(results) and not node.writes and node.into is None
        fixed = fixed and all(slot.number in steady for slot in reads)
        if fixed and not any(seen[slot.number].memory in written for slot in results):
            steady.update(slot.number for slot in results)
            before.append(node)
            continue
        views = len(reads) == len(results) == 1 and not node.writes and node.into is None
        if views and reads[0].number in lasting and seen[results[0].number].memory == seen[reads[0].number].memory:
            lasting.add(results[0].number)
            before.append(node)
        else:
            rest.append(node)
    return before, rest


def _fits(result: Seen, memory: Seen) -> bool:
    """Return whether a result can take the whole memory of another tensor."""
    same = result.dtype == memory.dtype and result.shape == memory.shape
    return same and all(tensor.row_major and tensor.whole for tensor in (result, memory))
