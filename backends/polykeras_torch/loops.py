"""Long loops in eager code: their body is recorded in one of its turns, and its recording repeated in the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor

from polykeras import fast
from polykeras.backend.families.control import Control
from polykeras.backend.scopes import Scope, is_functional
from polykeras.common import nested, reads
from polykeras_torch.compiler.global_state import global_state
from polykeras_torch.compiler.operators import is_plain
from polykeras_torch.compiler.recorder import refuse_recording
from polykeras_torch.compiler.replay import Recording, contiguous, is_watched, record, signature

LONG = 32  # turns. Recording a body takes as long as about ten turns, and a repeated turn half as long or less
MOST = 256  # objects that a body may reach outside of polykeras
PATIENCE = 16  # turns in plain Python of a loop of which nobody says how long it is


def repeated(
    backend: Control, body: Callable[..., Any], values: Sequence[Any], limit: int | None
) -> Callable[..., Any]:
    """Return the body of a loop in a faster form, or as it is where that would not pay or is not possible.

    Args:
        backend: this one.
        body: takes and returns the values that the loop carries.
        values: the first ones.
        limit: the number of turns at most, where it is known.
    """
    if is_functional() or torch.is_inference_mode_enabled() or not fast.enabled("recorded-loops"):
        return body
    leaves = nested.flatten(values)
    if (limit is not None and limit < LONG) or not all(isinstance(x, Tensor) and is_plain(x) for x in leaves):
        return body
    return _RepeatedBody(backend, body, PATIENCE if limit is None else 1)


class _RepeatedBody:
    """The body of a loop: some turns as plain Python, one to learn which variables it uses, one that is recorded.

    A body that does more than compute goes on as plain Python: one that sets attributes, or changes what it reads from
    outside, such as a counter or a list.

    Args:
        backend: this one.
        body: what the user gave.
        patience: the number of turns as plain Python.
    """

    def __init__(self, backend: Control, body: Callable[..., Any], patience: int) -> None:
        self._backend, self._body, self._patience = backend, body, patience
        self._variables: list[Any] | None = None  # those that the body uses, once they are known
        self._written: list[Any] = []
        self._recording: Recording | None = None
        self._key: Any = None
        self._reads = reads.Reads()
        self._turn = self._wait

    def __call__(self, *values: Any) -> Any:
        """Return what the body returns."""
        return self._turn(values)

    def _plain(self, values: Sequence[Any]) -> Any:
        return self._body(*values)

    def _wait(self, values: Sequence[Any]) -> Any:
        self._patience -= 1
        if self._patience < 0:
            return self._learn(values)
        return self._body(*values)

    def _learn(self, values: Sequence[Any]) -> Any:
        """Run a turn, and note which variables it uses."""
        self._turn = self._plain  # unless the turn ends well
        before = _state(self._body)
        with reads.noted([self._body]) as trace, Scope(closed=True) as scope:
            result = self._body(*values)
        self._variables = list(scope.missing.values())
        self._assign(*scope.updates())
        pure = not trace.written and all(read.is_same() for read in trace.read.values())
        if pure and before is not None and before == _state(self._body) and not self._reads.add(trace):
            self._turn = self._record
        return result

    def _record(self, values: Sequence[Any]) -> Any:
        self._turn = self._plain
        tensors, definition = self._tensors(values)
        if is_watched(tensors) or not all(map(is_plain, tensors)):
            return self._body(*values)
        self._key = definition, signature(tensors), global_state()
        (written, result), recording = record(
            lambda tensors: self._flat(tensors, definition), contiguous(tensors), warns=False
        )
        self._assign(self._written, written)
        if isinstance(recording, Recording):
            fast.explain("the body of a loop on torch", "recorded", "it is repeated in each turn")
            self._recording, self._turn = recording, self._repeat
        return result

    def _flat(self, tensors: Sequence[Tensor], definition: Any) -> Any:
        """Run the body on tensors, the values of variables first; return the values that it assigns, and its result."""
        variables = self._variables or []
        count = len(variables)
        with Scope(variables, tensors[:count], closed=True) as scope:
            result = self._body(*nested.unflatten(definition, tensors[count:]))
        if scope.missing:
            refuse_recording("it uses other variables in each turn")
        self._written, written = scope.updates()
        return written, result

    def _repeat(self, values: Sequence[Any]) -> Any:
        tensors, definition = self._tensors(values)
        recording = self._recording
        same = not is_watched(tensors) and self._key == (definition, signature(tensors), global_state())
        if recording is None or not (same and self._reads.are_same() and recording.is_valid()):
            self._turn = self._plain
            return self._body(*values)
        written, result = recording(contiguous(tensors))
        self._assign(self._written, written)
        return result

    def _tensors(self, values: Sequence[Any]) -> tuple[list[Tensor], Any]:
        leaves, definition = nested.flatten_with_def(tuple(values))
        return [*(variable.shared_value(self._backend) for variable in self._variables or []), *leaves], definition

    def _assign(self, variables: Sequence[Any], values: Sequence[Tensor]) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _state(body: Callable[..., Any]) -> list[Any] | None:
    """Return what a function reaches in closures and in attributes of objects that are none of polykeras's.

    Returns:
        Numbers and strings by value, other things by identity; None where something has a hidden state (iterators), or
        there is too much.
    """
    found: list[Any] = []
    seen: dict[int, Any] = {}  # the things themselves, so that no other one gets their identity
    todo: list[Any] = [body]
    while todo:
        thing = todo.pop()
        found.append((type(thing), thing) if reads.is_plain(thing) else id(thing))
        if reads.is_plain(thing) or id(thing) in seen:
            continue
        seen[id(thing)] = thing
        if isinstance(thing, Iterator) or len(seen) > MOST:
            return None
        todo += _parts(thing)
    return found


def _parts(thing: Any) -> Sequence[Any]:
    """Return what an object holds that may change while a function runs that reaches it."""
    if isinstance(thing, FunctionType):
        return thing.__closure__ or ()
    if isinstance(thing, CellType):
        try:
            return (thing.cell_contents,)
        except ValueError:  # not assigned yet
            return ()
    if isinstance(thing, MethodType):
        return thing.__func__, thing.__self__
    if isinstance(thing, partial):
        return thing.func, *thing.args, *thing.keywords.values()
    if isinstance(thing, (list, tuple, set, frozenset)):
        return list(thing)
    if isinstance(thing, dict):
        return list(thing.values())
    # A trace notes the attributes of polykeras's objects.
    if isinstance(thing, (type, ModuleType, reads.Watched, Tensor)):
        return ()
    return list(getattr(thing, "__dict__", {}).values())
