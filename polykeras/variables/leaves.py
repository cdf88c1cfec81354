"""Leaves: objects of a framework in which native code finds the values of variables, and their gradients.

A variable has none until native code asks. From then on the leaf holds the value whenever the variable is on
that framework, so that what either changes the other one sees; it stays the same object for good, also where the
variable goes to another backend and comes back, since native optimizers know parameters by identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakValueDictionary

from polykeras.backend.native_location import NativeLocation, in_turn, other_framework

if TYPE_CHECKING:
    from polykeras.backend import Backend
    from polykeras.variables.variable import Variable


KEPT = 2
"""What `Variable._lent` is where somebody relies on an array's numbers: no leaf is made of it, which may change."""


class AskedStep:
    """A step that is told when native code in it asks for leaves."""

    def forget_gradients(self, variables: Sequence[Variable]) -> None:
        """Drop the gradients of variables; they are to be leaves in the step."""
        raise NotImplementedError

    def ask_for_objects(self) -> NoReturn:
        """Tell that native code asks for leaves that it may keep."""
        raise NotImplementedError


asked_step: ContextVar[AskedStep | None] = ContextVar("polykeras_asked_step", default=None)
"""The step that runs in this thread; None for none."""


class Leaf:
    """What native code knows a variable by.

    Args:
        backend: of the framework.
        held: the framework's object.
        trainable: whether gradients gather in it.
    """

    __slots__ = ("_left", "backend", "held", "trainable")

    def __init__(self, backend: Backend, held: Any, trainable: bool) -> None:
        self.backend = backend
        self.held = held
        self.trainable = trainable
        self._left: int | None = None  # how often it was changed when the value went elsewhere

    def leave(self) -> None:
        """Note that the value goes elsewhere."""
        if self._left is None:
            self._left = self.backend.native.changes(self.held)

    def filled(self, value: Any) -> Any:
        """Return the object, after it took new values.

        Raises:
            RuntimeError: native code changed it while the value was elsewhere.
        """
        left, self._left = self._left, None
        if left is not None and left != self.backend.native.changes(self.held):
            raise RuntimeError(
                f"A parameter of shape {tuple(self.held.shape)} was changed in place while its variable's value was on "
                f"another backend: one of the two is lost. Run the model on {self.backend.name} first (or read "
                "`model.parameters()`), then change it. What is read from now on is the variable's value."
            )
        if value is not self.held:
            self.backend.native.fill(self.held, value)
        return self.held

    def train(self, trainable: bool) -> None:
        """Say whether gradients gather in it, where that is another answer than before: native code may say so too."""
        if trainable is not self.trainable:
            self.trainable = trainable
            self.backend.native.train(self.held, trainable)


def leaf_of(variable: Variable, backend: Backend, trainable: bool = True) -> Any:
    """Return the object of a framework that holds a variable's value from now on, which moves there.

    Args:
        variable: of any location.
        backend: of the framework.
        trainable: False where the layer that holds the variable is frozen.
    """
    with in_turn():  # two threads that look first at once get one leaf
        return _leaf_of(variable, backend, trainable)


def _leaf_of(variable: Variable, backend: Backend, trainable: bool) -> Any:
    leaf = variable._leaf
    if isinstance(variable._location[0], NativeLocation):
        raise other_framework(variable, variable._location[0].name, backend.name)
    if leaf is None or leaf.backend is not backend:
        value = variable._stored(backend)
        held = backend.native.leaf(backend.place(value) if variable._lent is KEPT else value, variable.trainable)
        variable._leaf = Leaf(backend, held, variable.trainable)
        _by_held[id(held)] = variable
        variable._leaf.train(trainable and variable.trainable)
        variable._location = (backend, held)
    else:
        variable._stored(backend)  # from where it was meanwhile
    return variable._leaf.held  # type: ignore[union-attr]


def hold_in(variable: Variable, backend: Backend, held: Any) -> Variable:
    """Return a variable, of which an object of a framework that exists already becomes the leaf, and holds the value.

    Args:
        variable: of the same shape and dtype.
        backend: of the framework.
        held: its object.
    """
    variable._leaf = Leaf(backend, held, variable.trainable)
    _by_held[id(held)] = variable
    variable._location = (backend, held)
    variable._lent = True
    return variable


_by_held: WeakValueDictionary[int, Variable] = WeakValueDictionary()


def known_by(held: Any) -> Variable | None:
    """Return the variable whose leaf an object of a framework is; None for none."""
    variable = _by_held.get(id(held))
    return variable if variable is not None and variable._leaf is not None and variable._leaf.held is held else None
