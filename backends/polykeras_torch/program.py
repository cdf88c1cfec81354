"""Makes one straight Python function of recorded operator calls: what a step costs then is torch's kernels alone.

What changes nothing that is returned is left out, what depends on no input is computed once, each tensor is let go of
after its last use. The calls run below autograd (nothing in them is to be differentiated again), which makes them
cheaper and leaves ordinary tensors as results.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from polykeras_torch.kernels import binding, binding_into, is_copy
from polykeras_torch.packing import Pack, with_packed_updates
from polykeras_torch.recorder import Node, Recorder, Slot
from polykeras_torch.rewriting import (
    needed,
    with_given_memory,
    with_numbers_as_tensors,
    with_reused_memory,
    without_constants,
    written_memory,
)


@dataclass(frozen=True, slots=True)
class Program:
    """Recorded calls as a function.

    Attributes:
        run: takes a sequence of tensors, laid out like the recorded inputs, and a tensor for each pack, followed by
            one for each result that is put into given memory; returns a list of the other results.
        packs: the inputs that are to lie side by side, each time in the tensor that is given for the pack.
    """

    run: Callable[[Sequence[Tensor], Sequence[Tensor]], list[Tensor]]
    packs: list[Pack]


def compile_program(
    recorder: Recorder,
    inputs: int,
    outputs: Sequence[Slot],
    donated: Collection[int] = (),
    packed: bool = False,
    placed: Sequence[Slot] = (),
) -> Program:
    """Return the recorded calls as a function.

    Args:
        recorder: has run.
        inputs: the number of its inputs; they have the first slots.
        outputs: the slots to return.
        donated: the numbers of the inputs whose memory may be used for results.
        packed: whether inputs may be asked to lie side by side.
        placed: the slots of further results, which are put into given memory.
    """
    seen = recorder.seen
    written = written_memory(recorder.nodes, seen)
    results = [*outputs, *placed]
    nodes = needed(recorder.nodes, seen, inputs, results, written)
    nodes = without_constants(nodes, seen, inputs, written)
    nodes = with_numbers_as_tensors(nodes, seen)
    nodes = with_reused_memory(nodes, seen, donated, results, inputs)
    nodes, packs = with_packed_updates(nodes, seen, outputs) if packed else (nodes, [])
    used = {slot.number for node in nodes for slot in (*node.reads(), *node.results())}
    free = max(used, default=0) + len(seen)  # inputs that nobody reads have numbers too
    memory = [Slot(free + i) for i in range(len(placed))]
    nodes = with_given_memory(nodes, seen, placed, memory)
    return Program(_Writer().function(nodes, inputs, outputs, [*(pack.slot for pack in packs), *memory]), packs)


class _Writer:
    """Writes the source of a program: a variable for each slot, a global for everything that is no literal."""

    def __init__(self) -> None:
        self._globals: dict[str, Any] = {}
        self._names: dict[Any, str] = {}

    def function(
        self, nodes: Sequence[Node], inputs: int, outputs: Sequence[Slot], others: Sequence[Slot]
    ) -> Callable[..., list[Tensor]]:
        """Return the function over inputs and other tensors that does the calls and returns the outputs."""
        last = {slot.number: place for place, node in enumerate(nodes) for slot in node.reads()}
        last |= {slot.number: len(nodes) for slot in outputs}
        lines = [f"    {', '.join(f't{i}' for i in range(inputs))}, = inputs"] if inputs else []
        lines += [f"    {', '.join(map(self._argument, others))}, = others"] if others else []
        for place, node in enumerate(nodes):
            lines.append(f"    {self._call(node)}")
            done = {slot.number for slot in node.reads() if last[slot.number] == place}
            done |= {slot.number for slot in node.results() if slot.number not in last}
            if done:
                lines.append(f"    del {', '.join(f't{i}' for i in sorted(done))}")
        lines.append(f"    return [{', '.join(self._argument(slot) for slot in outputs)}]")
        source = "def program(inputs, others):\n" + "\n".join(lines)
        exec(compile(source, "<recorded step>", "exec"), self._globals)
        return self._globals["program"]

    def _call(self, node: Node) -> str:
        if node.into is not None and is_copy(node.op):
            return f"{self._argument(node.results()[0])} = {self._argument(node.into)}"
        arguments = [self._argument(value) for value in node.args]
        arguments += [f"{name}={self._argument(value)}" for name, value in node.kwargs.items()]
        function = binding(node.op)
        into = binding_into(node.op) if node.into is not None else None
        if into is not None:
            function, name = into
            arguments.append(f"{name}={self._argument(node.into)}")
        call = f"{self._name(function, 'op')}({', '.join(arguments)})"
        written = {slot.number for slot in node.writes}
        names = [f"t{slot.number}" if slot is not None and slot.number not in written else "_" for slot in node.outputs]
        if not names or set(names) == {"_"}:
            return call
        return f"{names[0] if node.single else ', '.join(names) + ','} = {call}"

    def _argument(self, value: Any) -> str:
        if isinstance(value, Slot):
            return f"t{value.number}"
        if isinstance(value, (tuple, list)):
            return f"[{', '.join(map(self._argument, value))}]"
        if value is None or isinstance(value, (bool, int, str)):
            return repr(value)
        return self._name(value, "c")

    def _name(self, value: Any, letter: str) -> str:
        """Return the name of a global with this value."""
        key = (type(value), id(value) if isinstance(value, Tensor) else repr(value))
        if key not in self._names:
            self._names[key] = f"{letter}{len(self._names)}"
            self._globals[self._names[key]] = value
        return self._names[key]
