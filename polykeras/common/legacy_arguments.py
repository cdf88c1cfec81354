"""Arguments of our methods under the names and in the orders of Keras 1 and 2."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from polykeras.common.naming import did_you_mean

F = TypeVar("F", bound=Callable[..., Any])


def takes_legacy_arguments(method: F) -> F:
    """Return a method of ours that takes arguments of Keras 1 and 2 too: those of `legacy.method_arguments`."""
    parameters = inspect.signature(method).parameters
    known = frozenset(parameters)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    @functools.wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not known.issuperset(kwargs):
            translate = import_module("polykeras.legacy.method_arguments").translate
            args, kwargs = translate(method, self, args, kwargs)
            unknown = [name for name in kwargs if name not in known]
            if unknown and not takes_any:
                title = f"{type(self).__name__}.{method.__name__}".removesuffix(".__init__")
                near = did_you_mean(unknown[0], [*parameters][1:])
                raise TypeError(f"{title}() got an unexpected keyword argument {unknown[0]!r}.{near}")
        return method(self, *args, **kwargs)

    return wrapper  # type: ignore[return-value]


def takes_legacy_order(names: str, place: int, is_meant: Callable[[Any], bool], warning: str = "") -> Callable[[F], F]:
    """Return a decorator for a method that takes arguments by place in Keras 2's order too.

    Args:
        names: of the arguments in that order, with spaces.
        place: of the argument that shows which order is meant.
        is_meant: says of this argument whether it is Keras 2's.
        warning: of deprecation, where they are.
    """
    order = names.split()

    def decorate(method: F) -> F:
        @functools.wraps(method)
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
            if len(args) <= place or not is_meant(args[place]):
                return method(self, *args, **kwargs)
            if warning:
                warnings.warn(warning, DeprecationWarning, stacklevel=3)
            return method(self, **dict(zip(order, args, strict=False)), **kwargs)

        return wrapper  # type: ignore[return-value]

    return decorate
