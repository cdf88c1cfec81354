"""Makes one straight Python function of recorded operator calls, so that a step costs only torch's kernels.

Calls that change no result are left out, calls that depend on no input are computed once, and each tensor is released
after its last use. The calls run below autograd, since they are not differentiated again. This makes them cheaper, and
their results are ordinary tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from polykeras import fast
from polykeras_torch.compiler.instructions import Instruction, Slot, TensorInfo
from polykeras_torch.compiler.kernels import binding, binding_into, is_copy, name_of
from polykeras_torch.compiler.recorder import Recorder
from polykeras_torch.compiler.rewriting import (
    needed,
    with_numbers_as_tensors,
    with_reused_memory,
    with_sums_in_shape,
    without_constants,
    without_lasting,
    written_memory,
)

Program: TypeAlias = Callable[[Sequence[Tensor]], list[Tensor]]
"""Recorded calls as a function: takes tensors in the layout of the recorded inputs, and returns a list of results."""

Repetition: TypeAlias = Callable[[list[Tensor], Iterable[Sequence[Tensor]]], list[Tensor]]
"""Recorded calls as a loop, for inputs that begin with a state. Between two steps there is nothing but a `for`.

It takes the state, as a list that it empties, and an iterator over the other inputs of each step. It returns the new
state.
"""


# Constants of these types are equal if they print the same. Others are compared by identity.
_PRINTED = (float, complex, torch.dtype, torch.device, torch.layout, torch.memory_format)


def compile_program(recorder: Recorder, inputs: int, outputs: Sequence[Slot], donated: Collection[int] = ()) -> Program:
    """Return the recorded calls as a function.

    Args:
        recorder: the recorder, after its run.
        inputs: the number of its inputs; they have the first slots.
        outputs: the slots to return.
        donated: the indices of the inputs whose memory may be used for results.
    """
    instructions = _simplified(recorder, inputs, outputs, donated)
    return _Writer().function(instructions, inputs, outputs)


def compile_repetition(recorder: Recorder, inputs: int, state: Sequence[Slot]) -> Repetition:
    """Return the recorded calls as a loop.

    Args:
        recorder: the recorder, after its run.
        inputs: the number of its inputs; they have the first slots.
        state: the slots of the new state, which becomes the first inputs of the next step; its memory may be used.
    """
    tensors = recorder.tensors
    instructions = _simplified(recorder, inputs, state, range(len(state)))
    before, instructions = without_lasting(instructions, tensors, state, written_memory(recorder.instructions, tensors))
    return _Writer().loop(before, instructions, inputs, state)


def text_of(stage: str, recorder: Recorder, inputs: int, outputs: Sequence[Slot], donated: Collection[int] = ()) -> str:
    """Return recorded calls as text, in the form of a Python function.

    Args:
        stage: "traced" for the calls as they were recorded, "compiled" for the source of `compile_program`'s result.
        recorder: the recorder, after its run.
        inputs: the number of its inputs.
        outputs: the slots to return.
        donated: the indices of the inputs whose memory may be used for results.
    """
    traced = stage == "traced"
    instructions = recorder.instructions if traced else _simplified(recorder, inputs, outputs, donated)
    return _Writer().text(instructions, recorder.tensors, inputs, outputs, frees=not traced)


def _simplified(
    recorder: Recorder, inputs: int, results: Sequence[Slot], donated: Collection[int]
) -> list[Instruction]:
    """Return the calls that are needed for the results, rewritten to reuse memory."""
    tensors = recorder.tensors
    written = written_memory(recorder.instructions, tensors)
    instructions = needed(recorder.instructions, tensors, inputs, results, written)
    instructions = without_constants(instructions, tensors, inputs, written)
    instructions = with_sums_in_shape(instructions, tensors, results)
    instructions = with_numbers_as_tensors(instructions, tensors)
    if not fast.enabled("in-place-results"):
        return instructions
    return with_reused_memory(instructions, tensors, donated, results, inputs)


class _Writer:
    """Writes the source of a program, with a variable for each slot and a global for each value without a literal."""

    def __init__(self) -> None:
        self._globals: dict[str, Any] = {}
        self._names: dict[Any, str] = {}

    def function(
        self, instructions: Sequence[Instruction], inputs: int, outputs: Sequence[Slot]
    ) -> Callable[..., list[Tensor]]:
        """Return the function over inputs that does the calls and returns the outputs."""
        calls = self._calls(instructions, {slot.number for slot in outputs})
        return self._compiled("inputs", self._around(calls, inputs, outputs))

    def text(
        self,
        instructions: Sequence[Instruction],
        tensors: Sequence[TensorInfo],
        inputs: int,
        outputs: Sequence[Slot],
        frees: bool,
    ) -> str:
        """Return the source of that function, below comments that explain the constants.

        `frees` says whether it releases tensors.
        """
        kept = outputs if frees else map(Slot, range(len(tensors)))
        source = _source(
            "inputs", self._around(self._calls(instructions, {slot.number for slot in kept}), inputs, outputs)
        )
        made = {slot.number for instruction in instructions for slot in instruction.results()}
        read = {slot.number for instruction in instructions for slot in instruction.reads()}
        values = {f"t{i}": tensors[i].value for i in sorted(read - made - set(range(inputs)))}
        values |= {name: value for name, value in self._globals.items() if not callable(value)}
        return "\n".join([*(f"# {name} = {_shown(value)}" for name, value in values.items()), source])

    def _around(self, calls: list[str], inputs: int, outputs: Sequence[Slot]) -> list[str]:
        return [*self._taken(range(inputs), "inputs"), *calls, f"return {self._argument(outputs)}"]

    def loop(
        self,
        before: Sequence[Instruction],
        instructions: Sequence[Instruction],
        inputs: int,
        state: Sequence[Slot],
    ) -> Callable[..., list[Tensor]]:
        """Return the function that makes some calls once, and others for each step; see `Repetition`."""
        size = len(state)
        batch = self._names_of(range(size, inputs))
        new = self._names_of(slot.number for slot in state)
        lasting = [slot for instruction in before for slot in instruction.results()]
        body = self._calls(instructions, {slot.number for slot in (*state, *lasting)})
        body += [f"{self._names_of(range(size))} = {new}"] if size else []
        spare = {slot.number for slot in state} - set(range(size))
        body += [f"del {self._names_of(spare)}"] if spare else []
        lines = [*self._taken(range(size), "state"), "state.clear()"]
        lines += [self._call(instruction) for instruction in before]
        lines += [f"for ({batch}) in batches:", *(f"    {line}" for line in body or ["pass"])]
        lines.append(f"return [{self._names_of(range(size))}]")
        return self._compiled("state, batches", lines)

    def _compiled(self, parameters: str, lines: Sequence[str]) -> Callable[..., list[Tensor]]:
        exec(compile(_source(parameters, lines), "<recorded step>", "exec"), self._globals)
        return self._globals["program"]

    def _taken(self, numbers: Collection[int], name: str) -> list[str]:
        return [f"{self._names_of(numbers)} = {name}"] if numbers else []

    @staticmethod
    def _names_of(numbers: Iterable[int]) -> str:
        return "".join(f"t{number}, " for number in numbers)

    def _calls(self, instructions: Sequence[Instruction], needed_later: Collection[int]) -> list[str]:
        """Return the lines of the calls; tensors that are not needed later are released after their last use."""
        last = {slot.number: place for place, instruction in enumerate(instructions) for slot in instruction.reads()}
        last |= dict.fromkeys(needed_later, len(instructions))
        lines = []
        for place, instruction in enumerate(instructions):
            lines.append(self._call(instruction))
            done = {slot.number for slot in instruction.reads() if last[slot.number] == place}
            done |= {slot.number for slot in instruction.results() if slot.number not in last}
            if done:
                lines.append(f"del {', '.join(f't{i}' for i in sorted(done))}")
        return lines

    def _call(self, instruction: Instruction) -> str:
        if instruction.into is not None and is_copy(instruction.op):
            return f"{self._argument(instruction.results()[0])} = {self._argument(instruction.into)}"
        arguments = [self._argument(value) for value in instruction.args]
        arguments += [f"{name}={self._argument(value)}" for name, value in instruction.kwargs.items()]
        function = binding(instruction.op)
        into = binding_into(instruction.op) if instruction.into is not None else None
        if into is not None:
            function, name = into
            arguments.append(f"{name}={self._argument(instruction.into)}")
        call = f"{self._name(function, name_of(instruction.op) or 'op')}({', '.join(arguments)})"
        written = {slot.number for slot in instruction.writes}
        names = [
            f"t{slot.number}" if slot is not None and slot.number not in written else "_"
            for slot in instruction.outputs
        ]
        if not names or set(names) == {"_"}:
            return call
        return f"{names[0] if instruction.single else ', '.join(names) + ','} = {call}"

    def _argument(self, value: Any) -> str:
        if isinstance(value, Slot):
            return f"t{value.number}"
        if isinstance(value, (tuple, list)):
            return f"[{', '.join(map(self._argument, value))}]"
        if value is None or isinstance(value, (bool, int, str)):
            return repr(value)
        return self._name(value, "c")

    def _name(self, value: Any, stem: str) -> str:
        """Return the name of a global with this value, made from a stem and a number."""
        key = (type(value), repr(value) if isinstance(value, _PRINTED) else id(value))
        if key not in self._names:
            self._names[key] = f"{stem}_{len(self._names)}"
            self._globals[self._names[key]] = value
        return self._names[key]


def _source(parameters: str, lines: Sequence[str]) -> str:
    return f"def program({parameters}):\n" + "\n".join(f"    {line}" for line in lines)


def _shown(value: Any) -> str:
    """Return a constant as text; a larger tensor is only described."""
    if isinstance(value, Tensor) and value.numel() > 1:
        return f"constant of {value.dtype}, {tuple(value.shape)}"
    return repr(value)
