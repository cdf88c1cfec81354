"""How a backend wants to be run. Code that runs steps and calls asks this policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from polykeras.backend.steps import State

BatchesRunner: TypeAlias = Callable[[State, Any, int], Any]


class CannotRunBatches(Exception):
    """Raised if a function cannot run over several batches at once; the message says why."""


def _one_by_one(fn: Callable[[State, Any], Any]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ExecutionPolicy:
    """How a backend wants to be run, as `Backend.execution`. The policy changes no result.

    The defaults suit a backend that runs Python code, one operation after the other. A property that depends on the
    current device or on a switch for fast paths is a function.

    Attributes:
        compiles: whether `compile` and `compile_steps` trace. If so, the Python code of a compiled function runs only
            once for each set of shapes.
        compiles_each_size: whether `compile_steps` compiles its steps again for another number of rows or indices.
        compiles_calls: whether repeated calls of a model outside of any step are worth compiling. This is so if an
            eager operation takes tens of microseconds, and compiled code can be differentiated like eager code.
        several_devices: whether the devices of one process can be workers of a run (`Job.devices`).
        lays_out: whether steps can run on arrays that `Backend.lay_out` cut over devices: those of this process if it
            can have several, or else one of each process.
        donates: whether compiled code uses the memory of donated arrays. If it fails, the arrays are lost.
        compile_batches: takes a pure function `(state, batch) -> outputs` over trees of arrays. Returns a function
            `run(state, batches, count) -> outputs` that runs it on several batches at once, or None if single calls
            are as good. Each leaf of `batches`, an array of this backend or NumPy, has the shape
            `(room, *shape of a batch)`. So have the outputs; only their first `count` entries mean something. Another
            count compiles nothing again. If `fn` would become slower, `run` raises `CannotRunBatches` before it does
            anything.
    """

    compiles: bool = False
    compiles_each_size: bool = False
    compiles_calls: bool = False
    several_devices: bool = False
    lays_out: bool = False
    donates: bool = False
    compile_batches: Callable[[Callable[[State, Any], Any]], BatchesRunner | None] = _one_by_one
