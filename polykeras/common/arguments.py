"""Checks of arguments that many classes take, and calls of user functions with the arguments that they accept."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


def one_of(value: Any, known: Collection[Any], what: str) -> Any:
    """Return `value` if it is one of the known words.

    Args:
        value: what the user passed.
        known: the allowed words.
        what: the owner and the name of the argument, for the message.

    Raises:
        ValueError: if it is anything else.
    """
    if value not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}; received {value!r}.")
    return value


def python_numbers(value: Any) -> Any:
    """Return NumPy's arrays and numbers, also those in lists and tuples, as lists and numbers of Python."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return type(value)([python_numbers(v) for v in value]) if type(value) in (list, tuple) else value


def tensor_on_host(x: Any) -> np.ndarray:
    """Return a tensor of PyTorch as a NumPy array, also one with a gradient or on a GPU; bfloat16 becomes float32."""
    try:
        return x.numpy()  # `force`, for gradients and other devices, takes three times as long
    except (RuntimeError, TypeError):
        pass
    try:
        return x.numpy(force=True)
    except TypeError:  # a dtype that NumPy lacks
        return x.float().numpy(force=True)


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def positive_int(value: Any, name: str, owner: Any = None) -> int:
    """Return `value` if it is a positive int.

    Args:
        value: what the user passed.
        name: the name of the argument.
        owner: the object that takes the argument, for the message.

    Raises:
        ValueError: if it is anything else.
    """
    if not _is_int(value) or value <= 0:
        where = f"{type(owner).__name__}: " if owner is not None else ""
        raise ValueError(f"{where}`{name}` must be a positive int; received {value!r} ({type(value).__name__}).")
    return int(value)


def int_tuple(value: Any, n: int, name: str, owner: Any = None, minimum: int = 1) -> tuple[int, ...]:
    """Return one int for each of `n` axes, from a single int or a sequence of ints.

    Raises:
        ValueError: if there are not `n` of them, or one is not an int of at least `minimum`.
    """
    given = python_numbers(value)
    values = (given,) * n if _is_int(given) else given
    good = isinstance(values, (list, tuple)) and len(values) == n
    if not good or not all(_is_int(v) and v >= minimum for v in values):
        where = f"{type(owner).__name__}: " if owner is not None else ""
        raise ValueError(f"{where}`{name}` must be an int or {n} ints, each at least {minimum}; received {value!r}.")
    return tuple(int(v) for v in values)


def shape_tuple(shape: int | Iterable[Any]) -> tuple[Any, ...]:
    """Return the sizes of a shape; an int is the size of its only axis, as in NumPy.

    Objects that convert to an int, such as the elements of a framework's shape, are accepted too, and None stays None.
    """
    sizes = shape if isinstance(shape, Iterable) else (shape,)
    return tuple([n if isinstance(n, int) or not hasattr(type(n), "__index__") else n.__index__() for n in sizes])


def rate(value: Any, name: str, owner: Any = None) -> float:
    """Return `value` if it is a number in [0, 1], such as a dropout rate.

    Raises:
        ValueError: if it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
        where = f"{type(owner).__name__}: " if owner is not None else ""
        raise ValueError(f"{where}`{name}` must be a number between 0 and 1; received {value!r}.")
    return float(value)


def not_negative(value: Any, name: str, owner: Any = None) -> float:
    """Return `value` as a float if it is a number of 0 or more; a bool is none.

    Raises:
        ValueError: if it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)) or not value >= 0:
        where = f"{type(owner).__name__}: " if owner is not None else ""
        raise ValueError(f"{where}`{name}` must be a number of 0 or more; received {value!r}.")
    return float(value)


def call_with_taken(function: Callable[..., Any], offered: Mapping[str, Any], also_called: Mapping[str, str]) -> Any:
    """Call a user's function with those of the offered arguments that it accepts.

    Args:
        function: may take any of the offered arguments by name. Required parameters with other names, and `*args`, get
            the remaining arguments in order. `**kwargs` gets everything that remains.
        offered: the arguments by name, in order.
        also_called: alternative names, each with the name in `offered`.

    Returns:
        The result of the function.
    """
    parameters = inspect.signature(function).parameters.values()
    names = {p.name: also_called.get(p.name, p.name) for p in parameters}
    left = [name for name in offered if name not in names.values()]
    takes_names = any(p.kind is p.VAR_KEYWORD for p in parameters)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    skipped = False
    for p in parameters:
        if p.kind is p.VAR_KEYWORD:
            kwargs |= {name: offered[name] for name in left}
        elif p.kind is p.VAR_POSITIONAL:
            if not takes_names and not skipped:
                args += [offered[name] for name in left]
                left = []
        elif names[p.name] in offered or (p.default is p.empty and left):
            value = offered[names[p.name] if names[p.name] in offered else left.pop(0)]
            if p.kind is p.KEYWORD_ONLY or skipped:
                kwargs[p.name] = value
            else:
                args.append(value)
        else:
            skipped = True
    return function(*args, **kwargs)
