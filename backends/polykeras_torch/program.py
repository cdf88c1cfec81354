"""Makes one straight Python function of recorded operator calls: what a step costs then is torch's kernels alone.

What changes nothing that is returned is left out, what depends on no input is computed once, each tensor is let go of
after its last use. The calls run below autograd (nothing in them is to be differentiated again), which makes them
cheaper and leaves ordinary tensors as results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from polykeras_torch.recorder import Node, Recorder, Slot, storage_of

Program = Callable[[Sequence[Tensor]], list[Tensor]]


def compile_program(recorder: Recorder, inputs: int, outputs: Sequence[Slot]) -> Program:
    """Return the recorded calls as a function.

    Args:
        recorder: has run.
        inputs: the number of its inputs; they have the first slots.
        outputs: the slots to return.

    Returns:
        A function of a sequence of tensors, laid out like the recorded inputs, that returns a list.
    """
    nodes = _needed(recorder, inputs, outputs)
    nodes, constants = _folded(recorder, nodes, inputs)
    return _Writer(recorder.tensors, constants).function(nodes, inputs, outputs)


def _written(recorder: Recorder, nodes: Sequence[Node]) -> set[int]:
    """Return the storages that the calls change in place."""
    return {storage_of(recorder.tensors[slot.number]) for node in nodes for slot in node.writes}


def _needed(recorder: Recorder, inputs: int, outputs: Sequence[Slot]) -> list[Node]:
    """Return the calls on which the outputs depend, or that change an input.

    Where memory is changed in place, names say too little: whatever changes memory that is read later is needed.
    """
    storages = [storage_of(tensor) for tensor in recorder.tensors]
    written = _written(recorder, recorder.nodes)
    live: set[int] = set()
    live_memory = set(storages[:inputs])

    def need(slot: Slot) -> None:
        live.add(slot.number)
        if storages[slot.number] in written:
            live_memory.add(storages[slot.number])

    for slot in outputs:
        need(slot)
    kept = []
    for node in reversed(recorder.nodes):
        results = [slot for slot in node.outputs if slot is not None]
        changes = any(storages[slot.number] in live_memory for slot in node.writes)
        if changes or not results or any(slot.number in live for slot in results):
            kept.append(node)
            for slot in node.reads():
                need(slot)
    return kept[::-1]


def _folded(recorder: Recorder, nodes: Sequence[Node], inputs: int) -> tuple[list[Node], set[int]]:
    """Return the calls whose results vary, and the slots whose tensors are used as they were in the recorded run."""
    written = _written(recorder, nodes)
    made: set[int] = set(range(inputs))
    kept = []
    for node in nodes:
        results = [slot.number for slot in node.outputs if slot is not None]
        fixed = node.constant and not any(storage_of(recorder.tensors[i]) in written for i in results)
        if not fixed or node.writes or not results:
            kept.append(node)
            made.update(results)
    return kept, set(range(len(recorder.tensors))) - made


class _Writer:
    """Writes the source of a program: a variable for each slot, a global for everything that is no literal."""

    def __init__(self, tensors: Sequence[Tensor], constants: set[int]) -> None:
        self._tensors = tensors
        self._constants = constants
        self._globals: dict[str, Any] = {}
        self._names: dict[Any, str] = {}

    def function(self, nodes: Sequence[Node], inputs: int, outputs: Sequence[Slot]) -> Program:
        """Return the function over inputs that does the calls and returns the outputs."""
        last = self._last_uses(nodes, outputs)
        lines = [f"    {', '.join(f't{i}' for i in range(inputs))}, = inputs"] if inputs else []
        seen = set(range(inputs))
        for place, node in enumerate(nodes):
            lines.append(f"    {self._call(node)}")
            results = [slot.number for slot in node.outputs if slot is not None]
            done = {slot.number for slot in node.reads() if last.get(slot.number) == place} - self._constants
            done |= {i for i in results if i not in last}
            seen.update(results)
            if done:
                lines.append(f"    del {', '.join(f't{i}' for i in sorted(done))}")
        lines.append(f"    return [{', '.join(map(self._slot, outputs))}]")
        source = "def program(inputs):\n" + "\n".join(lines)
        exec(compile(source, "<recorded step>", "exec"), self._globals)
        return self._globals["program"]

    def _last_uses(self, nodes: Sequence[Node], outputs: Sequence[Slot]) -> dict[int, int]:
        last = {slot.number: place for place, node in enumerate(nodes) for slot in node.reads()}
        return last | dict.fromkeys((slot.number for slot in outputs), len(nodes))

    def _call(self, node: Node) -> str:
        arguments = [self._argument(value) for value in node.args]
        arguments += [f"{name}={self._argument(value)}" for name, value in node.kwargs.items()]
        call = f"{self._name(_callable(node.op), 'op')}({', '.join(arguments)})"
        written = {slot.number for slot in node.writes}
        names = [f"t{slot.number}" if slot is not None and slot.number not in written else "_" for slot in node.outputs]
        if not names or set(names) == {"_"}:
            return call
        return f"{names[0] if node.single else ', '.join(names) + ','} = {call}"

    def _argument(self, value: Any) -> str:
        if isinstance(value, Slot):
            return self._slot(value)
        if isinstance(value, (tuple, list)):
            return f"[{', '.join(map(self._argument, value))}]"
        if value is None or isinstance(value, (bool, int, str)):
            return repr(value)
        return self._name(value, "k")

    def _slot(self, slot: Slot) -> str:
        if slot.number in self._constants:
            return self._name(self._tensors[slot.number], "c")
        return f"t{slot.number}"

    def _name(self, value: Any, letter: str) -> str:
        """Return the name of a global with this value."""
        key = (type(value), id(value) if isinstance(value, Tensor) else repr(value))
        if key not in self._names:
            self._names[key] = f"{letter}{len(self._names)}"
            self._globals[self._names[key]] = value
        return self._names[key]


# torch's own bindings parse their arguments faster than those of the operator overloads, by 0.4 us a call. Those
# listed take the arguments of the overloads in the same order.
# fmt: off
_BOUND = {
    "abs", "add", "addmm", "argmax", "bitwise_and", "bitwise_or", "bitwise_xor", "bmm", "cat", "clone", "cos", "div",
    "eq", "exp", "expm1", "floor", "ge", "gt", "index_select", "le", "log", "log1p", "logical_and", "logical_not",
    "lt", "maximum", "minimum", "mm", "mul", "ne", "neg", "permute", "reciprocal", "relu", "rsqrt", "sigmoid", "sin",
    "sqrt", "squeeze", "stack", "sub", "t", "tanh", "transpose", "unsqueeze", "where",
}
# fmt: on
_METHODS = {"expand", "view"}


def _callable(op: Any) -> Callable[..., Any]:
    """Return the cheapest way to call an overload."""
    name = op._schema.name.removeprefix("aten::")
    if op.namespace == "aten" and name in _BOUND:
        return getattr(torch, name)
    if op.namespace == "aten" and name in _METHODS:
        return getattr(Tensor, name)
    return op._op
