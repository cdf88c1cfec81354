"""Objects of a framework that hold variables of its own, as parts of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from polykeras.backend.native.location import NativeLocation


@dataclass(frozen=True)
class VariableAdapter:
    """How a framework's variables (`tf.Variable`), and what holds some (`tf.Module`), become parts of layers.

    Attributes:
        location: that of the variables of polykeras which stand for them.
        types: the classes of such objects.
        get_variables: returns the framework's variables in such an object, as they are now.
        describe: returns the name, the shape, the dtype, and whether it is trainable, of a framework's variable.
        find_bound: returns the `polykeras.Variable` that stands for a framework's variable, or None.
        bind: called once for each framework's variable, with the `polykeras.Variable` that stands for it from then on,
            and two functions. The first one returns the value that a scope has for it, or None. The second one returns
            whether a scope is open.
    """

    location: NativeLocation
    types: tuple[type, ...]
    get_variables: Callable[[Any], Iterable[Any]]
    describe: Callable[[Any], tuple[str, tuple[int, ...], str, bool]]
    find_bound: Callable[[Any], Any]
    bind: Callable[[Any, Any, Callable[[Any], Any], Callable[[], bool]], None]
