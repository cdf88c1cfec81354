"""Parameters of variables: a framework's objects in which native code finds values, and their gradients.

A variable has none until native code asks for one. From then on its parameter holds the value whenever the variable is
on that framework, so that each of the two sees what changes the other. The parameter stays the same object for good,
also while the variable is on another backend, since native optimizers know parameters by identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakValueDictionary

from polykeras.backend import value_lock
from polykeras.backend.native import NativeLocation, NativeParameters
from polykeras.backend.native.location import two_frameworks_error
from polykeras.variables.sharing import FROZEN, SHARED

if TYPE_CHECKING:
    from polykeras.backend import Backend
    from polykeras.variables.variable import Variable


class RestartableStep:
    """A user's step that begins anew in another way when native code in it needs that."""

    def clear_gradients(self, variables: Sequence[Variable]) -> None:
        """Drop the gradients of variables, whose values must be parameters in the step."""
        raise NotImplementedError

    def restart_eagerly(self) -> NoReturn:
        """Begin anew as plain Python: native code asks for parameters that outlive the step."""
        raise NotImplementedError


restartable_step: ContextVar[RestartableStep | None] = ContextVar("polykeras_restartable_step", default=None)
"""The one that runs in this thread; None for none."""


class NativeParameter:
    """The parameter of a variable.

    Args:
        backend: of the framework.
        array: the framework's object.
        trainable: whether gradients gather in it.
    """

    __slots__ = ("_hooks", "_version", "array", "backend", "trainable")

    def __init__(self, backend: Backend, array: Any, trainable: bool) -> None:
        self.backend = backend
        self.array = array
        self.trainable = trainable
        self._hooks = parameters_of(backend)
        self._version: int | None = None  # of the array when the value went elsewhere; None while it is here

    def leave(self) -> None:
        """Note that the value goes elsewhere."""
        if self._version is None:
            self._version = self._hooks.version(self.array)

    def take_back(self, value: Any) -> Any:
        """Return the framework's object, after it took the variable's new value.

        Raises:
            RuntimeError: native code changed the object while the value was elsewhere.
        """
        version, self._version = self._version, None
        if version is not None and version != self._hooks.version(self.array):
            raise RuntimeError(
                f"A parameter of shape {tuple(self.array.shape)} was changed in place while its variable's value was "
                f"on another backend: one of the two is lost. Run the model on {self.backend.name} first (or read "
                "`model.parameters()`), then change it. What is read from now on is the variable's value."
            )
        if value is not self.array:
            self._hooks.copy_into(self.array, value)
        return self.array

    def set_trainable(self, trainable: bool) -> None:
        """Set whether gradients gather. Without a change nothing is done, since native code may have set it too."""
        if trainable is not self.trainable:
            self.trainable = trainable
            self._hooks.set_trainable(self.array, trainable)


def parameters_of(backend: Backend) -> NativeParameters:
    """Return how a backend makes and changes parameters, which it must know."""
    assert backend.native.parameters is not None
    return backend.native.parameters


def parameter_of(variable: Variable, backend: Backend) -> Any:
    """Return the framework's object that holds a variable's value from now on. The value moves there.

    Args:
        variable: of any location.
        backend: of the framework.

    Raises:
        RuntimeError: an object of another framework stores the variable.
    """
    with value_lock.lock:  # two threads that ask first at once get one parameter
        return _parameter_of(variable, backend)


def _parameter_of(variable: Variable, backend: Backend) -> Any:
    parameter = variable.native_parameter
    if isinstance(variable._place_and_value[0], NativeLocation):
        raise two_frameworks_error(variable, variable._place_and_value[0].name, backend.name)
    if parameter is None or parameter.backend is not backend:
        value = variable.stored_value(backend)
        own = backend.place(value) if variable._sharing is FROZEN else value
        return _bind(variable, backend, parameters_of(backend).make(own, variable.trainable)).array
    variable.stored_value(backend)  # which moves it there from where it was meanwhile
    return parameter.array


def bind_parameter(variable: Variable, backend: Backend, array: Any) -> Variable:
    """Make an object of a framework that exists already a variable's parameter, which holds its value.

    Args:
        variable: of the same shape and dtype.
        backend: of the framework.
        array: its object.

    Returns:
        The variable.
    """
    _bind(variable, backend, array)
    variable._sharing = SHARED
    return variable


def _bind(variable: Variable, backend: Backend, array: Any) -> NativeParameter:
    parameter = variable.native_parameter = NativeParameter(backend, array, variable.trainable)
    _variables[id(array)] = variable
    variable._place_and_value = (backend, array)
    return parameter


_variables: WeakValueDictionary[int, Variable] = WeakValueDictionary()
"""By the identity of what is their parameter."""


def variable_of(array: Any) -> Variable | None:
    """Return the variable whose parameter an object of a framework is, or None."""
    variable = _variables.get(id(array))
    if variable is None or variable.native_parameter is None or variable.native_parameter.array is not array:
        return None
    return variable
