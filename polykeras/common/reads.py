"""What Python code reads beside arrays and variables while it is traced: numbers in attributes, closures and globals.

A trace keeps such a value. So a step notes what its traces read, and is traced anew when that has changed. What a step
changes itself, such as a counter, is left out: each trace would make itself stale.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from types import CodeType, FunctionType, MethodType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from polykeras.common import version_counter
from polykeras.common.naming import is_ours
from polykeras.common.process_switch import ProcessSwitch

PLAIN = {bool, int, float, str, type(None)}  # types of attributes that hold nothing
FEW = 32  # entries of a list or dict: longer ones are compared as objects
MISSING = object()  # in place of the value of an attribute that is not there

_active: ContextVar[Trace | None] = ContextVar("polykeras_trace", default=None)
_noted: set[tuple[str, bool]] = set()  # names of attributes that a trace read, and whether they were missing


class _Same:
    """Holds an object, and is equal only if it is the same object."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __hash__(self) -> int:
        return id(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._value is other._value


def is_plain(value: Any) -> bool:
    """Return whether a value is a number, a string, a flag or None."""
    return type(value) in PLAIN or isinstance(value, np.generic)


def _key(value: Any, depth: int = 1) -> Hashable:
    """Return a key: plain values by type and value, short lists, tuples and dicts by entries, others as objects."""
    if is_plain(value):  # nan is itself here, and -0.0 is not 0.0
        return type(value), (value if value == value else "nan") if value else str(value)
    if not isinstance(value, (list, tuple, dict)) or len(value) > FEW or not depth:
        return _Same(value)
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return type(value), tuple((_key(place, 0), _key(entry, depth - 1)) for place, entry in items)


class Watched:
    """Base of the objects whose attributes a step may read: layers, losses, metrics, optimizers, schedules, ...

    Attributes:
        _untracked: names of attributes that no step depends on.
    """

    _untracked: ClassVar[tuple[str, ...]] = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        instance = super().__new__(cls)
        if (trace := _active.get()) is not None:
            trace.made[id(instance)] = instance
        return instance

    def __setattr__(self, name: str, value: Any) -> None:
        if (trace := _active.get()) is not None:
            trace.written.add((id(self), name))
        before = self.__dict__.get(name, MISSING)
        super().__setattr__(name, value)
        if (name, before is MISSING) in _noted and _key(self.__dict__.get(name, MISSING)) != _key(before):
            version_counter.bump_settings()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        version_counter.bump_settings()


def _getattribute(part: Watched, name: str) -> Any:
    value: Any = MISSING
    try:
        value = super(Watched, part).__getattribute__(name)
    finally:  # that an attribute is missing is noted too
        if not name.startswith("__") and (trace := _active.get()) is not None:
            trace.note(part, name, value)
    return value


# While there are traces, `Watched` has a `__getattribute__`.
_watching = ProcessSwitch(
    lambda: setattr(Watched, "__getattribute__", _getattribute), lambda _: delattr(Watched, "__getattribute__")
)


class _Read(NamedTuple):
    """A value that was read: its owner, its name, how to read it, its key then, and whether a change is announced."""

    owner: Any
    name: str
    get: Callable[[Any, str], Any]
    was: Hashable
    announced: bool  # by a version

    def is_same(self) -> bool:
        return _key(self.get(self.owner, self.name)) == self.was

    def __str__(self) -> str:
        if isinstance(self.owner, FunctionType):
            return f"`{self.name}`, which `{self.owner.__qualname__}` takes from outside,"
        name = getattr(self.owner, "name", None)
        return f"The attribute `{self.name}` of {type(self.owner).__name__}" + (f" {name!r}" if name else "")


class Trace:
    """What one trace reads and writes.

    Attributes:
        read: what was read, by the identity of what holds it and the name.
        written: what was written, by the same.
        made: the objects that the trace makes. It reads them anew each time.
    """

    def __init__(self) -> None:
        self.read: dict[tuple[int, str], _Read] = {}
        self.written: set[tuple[int, str]] = set()
        self.made: dict[int, Any] = {}
        self._functions: set[FunctionType] = set()

    def note(self, owner: Any, name: str, value: Any) -> None:
        """Note that an attribute was read."""
        if callable(value):
            self.look_into(value)
        cls = type(owner)
        if isinstance(of_class := getattr(cls, name, None), property):
            self.look_into(of_class.fget)
        if (id(owner), name) in self.written or id(owner) in self.made or name in cls._untracked:
            return
        if value is not _held(owner, name) or (
            name.startswith("_") and not is_plain(value) and _is_internal(cls, name)
        ):
            return
        own = name in vars(owner)
        _noted.add((name, not own))
        announced = not isinstance(value, (list, dict)) and (own or not _is_of_users_class(cls, name))
        self._add(id(owner), owner, name, _held, announced)

    def look_into(self, function: Any) -> None:
        """Note what a user's function reads from outside: the cells of its closure, and globals of its module."""
        while isinstance(function, partial):
            function = function.func
        if isinstance(function, MethodType):  # the methods that `super()` finds, too
            bound, owner = function.__func__, function.__self__
            name = getattr(bound, "__name__", "")
            classes = (owner if isinstance(owner, type) else type(owner)).__mro__
            others = [vars(cls)[name] for cls in classes if name in vars(cls)]
            found = [bound, *(getattr(each, "__func__", each) for each in others)]  # within a `classmethod`
        else:
            found = [function if isinstance(function, FunctionType) else getattr(type(function), "__call__", None)]  # noqa: B004
        for each in found:
            if isinstance(each, FunctionType) and each not in self._functions and _is_users(each):
                self._functions.add(each)
                self._look_outside(each)

    def _look_outside(self, function: FunctionType) -> None:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._add_outside(id(cell), function, name, partial(_content, cell))
        space = function.__globals__
        for name in _globals_in(function.__code__) & space.keys():
            self._add_outside(id(space), function, name, partial(_global, space))

    def _add_outside(self, place: int, function: FunctionType, name: str, get: Any) -> None:
        value = get(function, name)
        if is_plain(value) or isinstance(value, (list, tuple, dict)):
            self._add(place, function, name, get, False)
        elif isinstance(value, (FunctionType, partial)):
            self.look_into(value)
            self._add(place, function, name, get, False)  # it may be another function later

    def _add(self, place: int, owner: Any, name: str, get: Any, announced: bool) -> None:
        if (place, name) not in self.read:
            self.read[place, name] = _Read(owner, name, get, _key(get(owner, name)), announced)


@contextmanager
def noted(functions: Sequence[Any]) -> Iterator[Trace]:
    """Note what code reads and writes in this context.

    Args:
        functions: what it calls, beside the methods and functions that it finds among attributes.

    Yields:
        What was noted.
    """
    trace = Trace()
    for function in functions:
        trace.look_into(function)
    with _watching:
        token = _active.set(trace)
        try:
            yield trace
        finally:
            _active.reset(token)


class Reads:
    """What the Python code of a step read in all of its traces, as it was. Several threads may trace and ask."""

    def __init__(self) -> None:
        self._announced: dict[tuple[int, str], _Read] = {}
        self._unannounced: dict[tuple[int, str], _Read] = {}
        self._as_of = 0  # the last change of an attribute after which all was as it was read

    def add(self, trace: Trace) -> list[str]:
        """Add what a trace read, but for what it wrote. Return the numbers that it changed itself, for messages."""
        changed: list[str] = []
        kept: dict[tuple[int, str], _Read] = {}
        for place, read in trace.read.items():
            now = read.get(read.owner, read.name)
            same = _key(now) == read.was
            # A change within a list is seen by no `__setattr__`.
            sees_writes = read.get is _held and not isinstance(now, (list, dict))
            if place not in trace.written and (sees_writes or same):
                kept[place] = read  # also if another thread has changed it meanwhile
            elif not same and _is_number(read.was) and _is_number(_key(now)):
                changed.append(str(read))
        self._merge(kept)
        return changed

    def _merge(self, found: dict[tuple[int, str], _Read]) -> None:
        with _watching.lock:
            known = self._announced | self._unannounced
            for place, read in found.items():  # of two traces that read other values, the outdated one counts
                if place in known and read.is_same():
                    found[place] = known[place]
            self._announced = self._announced | {p: r for p, r in found.items() if r.announced}
            self._unannounced = self._unannounced | {p: r for p, r in found.items() if not r.announced}
            self._as_of = 0  # what was added is not compared yet

    def are_same(self) -> bool:
        """Return whether all is as it was read."""
        if self._unannounced and not all(read.is_same() for read in self._unannounced.values()):
            return False
        now = version_counter.version_with_settings()
        if now != self._as_of:
            if not all(read.is_same() for read in self._announced.values()):
                return False
            self._as_of = now
        return True

    def changed(self) -> list[str]:
        """Return what is no longer as it was read, for messages."""
        return [str(read) for read in (*self._announced.values(), *self._unannounced.values()) if not read.is_same()]


def _held(owner: Any, name: str) -> Any:
    own = object.__getattribute__(owner, "__dict__")
    return own[name] if name in own else getattr(type(owner), name, MISSING)


def _content(cell: Any, *_: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _global(space: dict[str, Any], _: Any, name: str) -> Any:
    return space.get(name)


def _is_number(key: Any) -> bool:
    return isinstance(key, tuple) and issubclass(key[0], (int, float, np.number)) and key[0] is not bool


def _is_internal(cls: type, name: str) -> bool:
    """Return whether our own classes keep a private attribute between calls."""
    return is_ours(cls) or name in getattr(cls, "_unwalked", frozenset)()


def _is_of_users_class(cls: type, name: str) -> bool:
    return any(name in vars(base) for base in cls.__mro__ if not is_ours(base) and base is not object)


def _is_users(function: FunctionType) -> bool:
    package = function.__globals__.get("__name__", "").partition(".")[0]  # `__module__` is what `wraps` copies
    installed = "site-packages" in function.__code__.co_filename
    return not installed and package not in sys.stdlib_module_names and package != "polykeras"


@cache
def _globals_in(code: CodeType) -> frozenset[str]:
    names = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return frozenset(names).union(*(_globals_in(part) for part in code.co_consts if isinstance(part, CodeType)))
