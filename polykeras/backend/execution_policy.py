"""How a backend wants to be run: what whoever runs steps and calls asks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from polykeras.backend.steps import State

BatchesRunner: TypeAlias = Callable[[State, Any, int], Any]


class CannotMap(Exception):
    """A function cannot run over several batches in one go; the message says why."""


def _one_by_one(fn: Callable[[State, Any], Any]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class ExecutionPolicy:
    """How a backend wants to be run, as `Backend.execution`. Nothing in it changes a number.

    The defaults are those of a backend that runs Python code, one operation after the other. What depends on the
    current device, or on a switch for fast paths, is a function.

    Attributes:
        compiles: whether `compile` and `compile_steps` trace. If so, Python code in a compiled function runs only once
            for a set of shapes.
        compiles_each_size: whether another number of rows or of indices makes `compile_steps` compile its steps anew.
        compiles_calls: whether calls of a model outside any step are worth compiling when they are repeated: where an
            eager operation takes tens of microseconds, and compiled code can be differentiated like eager code.
        donates: whether what is compiled uses the memory of donated arrays. If it fails, they are lost.
        compile_batches: takes a pure `(state, batch) -> outputs` over trees of arrays, and returns a function that runs
            it on several batches in one go, or None where single calls are as good. That function is
            `run(state, batches, count) -> outputs`. Each leaf of `batches`, of this backend or NumPy, is
            `(room, *shape of a batch)`. The outputs are so too, and mean something in the first `count` places. Another
            count compiles nothing anew. Where `fn` is of a kind that this makes slower, it raises `CannotMap` and has
            done nothing.
    """

    compiles: bool = False
    compiles_each_size: bool = False
    compiles_calls: bool = False
    donates: bool = False
    compile_batches: Callable[[Callable[[State, Any], Any]], BatchesRunner | None] = _one_by_one
