"""What native code asks of a layer: its parameters and the layers in it.

A framework may have a class of layers of its own (`NativeModules.base_class`). When its backend is loaded, that class
becomes the last base of all layers. They are instances of it from then on, as in Keras on that framework. What is
defined here or in a subclass comes before what the base defines. Without that backend layers have no such base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from polykeras.backend import Backend, registry
from polykeras.backend.symbolic import NeedsValues
from polykeras.common import version_counter
from polykeras.common.checkpointable import contained
from polykeras.variables import Variable, is_functional
from polykeras.variables.native_parameters import parameter_of, parameters_of, restartable_step


class _Bottom:
    """A base without any framework: Python exchanges only the bases of classes that have one besides `object`."""


class NativeBase(_Bottom):
    """The last base of all layers, to which the classes of frameworks are added as bases."""


class NativeMixin(NativeBase):
    """What a layer tells native code of itself, under the names of its attributes."""

    name: str
    trainable: bool
    _mode: bool | None = None  # what `train()` and `eval()` of native code set last
    trainable_variables: list[Variable]
    _own_variables: Callable[[], list[Variable]]
    _untracked: Any

    def native_children(self) -> dict[str, Any]:
        """Return the layers in this one by the names of their attributes.

        Returns:
            Layers. For a list or dict it is a dict of these, by place or key.
        """
        found: dict[str, Any] = {}
        seen: set[int] = set()
        # What a graph is made of comes first, under the name by which users know it.
        for name in sorted(vars(self), key=lambda name: name != "_layers"):
            part = None if name in self._untracked else _layers_in(vars(self)[name], seen)
            if part is not None:
                found[_free(name.lstrip("_"), found)] = part
        return found

    def native_tensors(self, trainable: bool) -> dict[str, Any]:
        """Return the framework's objects that hold this layer's own weights.

        Those of a frozen layer are the same as before. No gradients gather in them.

        Args:
            trainable: whether the parameters are asked for, or the other weights (buffers).

        Returns:
            The objects, by the names of the variables.

        Raises:
            RuntimeError: within a function that is compiled or differentiated here.
        """
        backend = self._native_backend()
        if (step := restartable_step.get()) is not None:
            step.restart_eagerly()
        elif is_functional():
            raise RuntimeError(
                f"Layer {self.name!r}: parameters outlive the function that is compiled or differentiated here. Ask "
                "for them outside of it."
            )
        parameters_of(backend).requested = True
        found: dict[str, Any] = {}
        for variable in self._own_variables():
            if variable.made_trainable is trainable:  # freezing makes no buffer of a parameter
                found[_free(variable.name, found)] = parameter_of(variable, backend)
        return found

    def native_zero_grad(self) -> None:
        """Drop the gradients that have gathered, as native code does when it begins a step."""
        backend = registry.current()
        if not backend.holds_values:
            return
        parameters = parameters_of(self._native_backend())
        if (step := restartable_step.get()) is not None:
            step.clear_gradients(self.trainable_variables)
        elif not is_functional():
            parameters.requested = True
            for variable in self.trainable_variables:
                parameters.clear_gradient(parameter_of(variable, backend))

    @contextmanager
    def native_training_call(self) -> Iterator[None]:
        """Let variables that are read in a call in training mode, outside of steps, gather gradients.

        Neutral code has no use for such a call by itself. The first step of a loop of native code may begin with it and
        go on with `loss.backward()`, before anything was asked for.
        """
        parameters = registry.current().native.parameters
        if parameters is None or is_functional():
            yield
            return
        parameters.calls += 1
        try:
            yield
        finally:
            parameters.calls -= 1

    def _native_backend(self) -> Backend:
        """Return the current backend, of a framework with layers of its own.

        Raises:
            NeedsValues: layers run on shapes alone.
            RuntimeError: it is another one.
        """
        backend = registry.current()
        if not backend.holds_values:
            raise NeedsValues("Native code asks for parameters.")
        if backend.native.modules is None:
            raise RuntimeError(
                f"Layer {self.name!r}: parameters, their gradients and states by name are for code in the idiom of "
                f"another framework; the current backend is {backend.name}. Choose its backend with "
                "`polykeras.set_backend`, or use `weights`, `value_and_grad` and `save_weights`, which all have."
            )
        return backend


def _layers_in(value: Any, seen: set[int]) -> Any:
    """Return a layer that was not seen before, or a dict of those in a container, or None."""
    if isinstance(value, NativeMixin):
        if id(value) in seen:
            return None
        seen.add(id(value))
        return value
    if isinstance(value, (list, tuple)):
        parts: Any = ((str(i), part) for i, part in enumerate(contained(value)))
    elif isinstance(value, dict):
        parts = ((str(key).replace(".", "_"), part) for key, part in value.items())
    else:
        return None
    found = {name: layer for name, part in parts if (layer := _layers_in(part, seen)) is not None}
    return found or None


def _free(name: str, taken: dict[str, Any]) -> str:
    """Return a name, with a number at its end if it is taken."""
    numbered, number = name, 0
    while numbered in taken:
        number += 1
        numbered = f"{name}_{number}"
    return numbered


def own_names(cls: type) -> set[str]:
    """Return the names that a class of layers gives its objects, without those of a framework's base."""
    classes = cls.__mro__[: cls.__mro__.index(NativeBase)]
    return {name for part in classes for name in vars(part)}


def _add_base(backend: Backend) -> None:
    modules = backend.native.modules
    if modules is not None and modules.base_class not in NativeBase.__mro__:
        NativeBase.__bases__ = (modules.base_class, *NativeBase.__bases__)
        version_counter.bump()


registry.when_loaded(_add_base)
