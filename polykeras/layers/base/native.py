"""Layers among those of a framework: what native code calls of a layer, and layers of the framework as attributes.

A framework with a class of layers of its own may say so (`Native.layer_base`). When its backend is loaded that class
becomes the last base of all layers: they are instances of it from then on, as in Keras on that framework, and what is
defined here or in a subclass comes before what it defines. Without that backend nothing of it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any
from weakref import WeakValueDictionary

from polykeras.backend import Backend, registry
from polykeras.backend.native_location import in_turn
from polykeras.backend.symbolic import NeedsValues
from polykeras.common import version_counter
from polykeras.common.checkpointable import contained
from polykeras.variables import Variable, is_functional
from polykeras.variables.leaves import asked_step, hold_in, known_by, leaf_of


class _Bottom:
    """The base that is there without any framework: Python exchanges the bases of classes that have one."""


class NativeBase(_Bottom):
    """The last base of all layers, which takes the bases that frameworks say."""


class NativeMixin(NativeBase):
    """What a layer tells native code of itself, by its attributes' names."""

    name: str
    trainable: bool
    _mode: bool | None = None  # what `train()` and `eval()` of native code said last
    trainable_variables: list[Variable]
    _own_variables: Callable[[], list[Variable]]
    _untracked: Any

    def native_children(self) -> dict[str, Any]:
        """Return the layers within this one by the names that native code gets: attributes, with those in lists nested.

        Returns:
            Layers, and dicts of such, by place or key, for lists and dicts.
        """
        found: dict[str, Any] = {}
        seen: set[int] = set()
        # What a graph is made of comes first, under the name by which users know it.
        for name in sorted(vars(self), key=lambda name: name != "_layers"):
            part = None if name in self._untracked else _layers_in(vars(self)[name], seen)
            if part is not None:
                found[_free(name.lstrip("_"), found)] = part
        return found

    def native_leaves(self, trainable: bool) -> dict[str, Any]:
        """Return what native code knows this layer's own weights by: those that are trained, or the others.

        A layer that is frozen has the same weights as before, in which no gradients gather.

        Raises:
            RuntimeError: within a function that is compiled or differentiated here.
        """
        backend = self._native_backend()
        if (step := asked_step.get()) is not None:
            step.ask_for_objects()
        elif is_functional():
            raise RuntimeError(
                f"Layer {self.name!r}: parameters outlive the function that is compiled or differentiated here. Ask "
                "for them outside of it."
            )
        backend.native.asked = True
        found: dict[str, Any] = {}
        for variable in self._own_variables():
            if variable.trainable is trainable:
                held = leaf_of(variable, backend, self.trainable)
                variable._leaf.train(trainable and self.trainable)  # type: ignore[union-attr]
                found[_free(variable.name, found)] = held
        return found

    def native_zero_grad(self) -> None:
        """Drop the gradients that have gathered: what native code begins a step with."""
        backend = registry.current()
        if not backend.holds_values:
            return
        self._native_backend()
        if (step := asked_step.get()) is not None:
            step.forget_gradients(self.trainable_variables)
        elif not is_functional():
            backend.native.asked = True
            for variable in self.trainable_variables:
                backend.native.forget_gradient(leaf_of(variable, backend))

    def _native_backend(self) -> Backend:
        """Return the current backend, of a framework with layers of its own.

        Raises:
            NeedsValues: layers run on shapes alone.
            RuntimeError: it is another one.
        """
        backend = registry.current()
        if not backend.holds_values:
            raise NeedsValues("Native code asks for parameters.")
        if backend.native.layer_base is None:
            raise RuntimeError(
                f"Layer {self.name!r}: parameters, their gradients and states by name are for code in the idiom of "
                f"another framework; the current backend is {backend.name}. Choose its backend with "
                "`polykeras.set_backend`, or use `weights`, `value_and_grad` and `save_weights`, which all have."
            )
        return backend

    def _tell_leaves(self) -> None:
        """Tell native code that this layer was frozen, or is no more."""
        for variable in self._own_variables():
            if variable._leaf is not None:
                variable._leaf.train(variable.trainable and self.trainable)


def _layers_in(value: Any, seen: set[int]) -> Any:
    """Return a layer that was not seen before, or the dict of those in a container; None for neither."""
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
    """Return a name, with a number behind it where it is taken."""
    numbered, number = name, 0
    while numbered in taken:
        number += 1
        numbered = f"{name}_{number}"
    return numbered


def own_names(cls: type) -> set[str]:
    """Return the names of all that a class of layers gives its objects, without what a framework's base gives them."""
    classes = cls.__mro__[: cls.__mro__.index(NativeBase)]
    return {name for part in classes for name in vars(part)}


# ---- layers of a framework as attributes -----------------------------------------------------------------------------

_parts: dict[type, Backend] = {}  # by type, of the backends that are loaded


def _join(backend: Backend) -> None:
    base = backend.native.layer_base
    if base is not None and base not in NativeBase.__mro__:
        NativeBase.__bases__ = (base, *NativeBase.__bases__)
        version_counter.bump()
    _parts.update(dict.fromkeys(backend.native.parts, backend))


registry.when_loaded(_join)


def adopted(value: Any) -> Any:
    """Return what a layer takes in place of a value that is set as its attribute.

    That is a layer of ours around one of a framework, a list or dict for a container of those, and a variable for a
    parameter; anything else as it is.
    """
    for kind, backend in _parts.items():
        if isinstance(value, kind) and not isinstance(value, NativeMixin):
            return _taken(backend.native.opened(value), backend)
    return value


def _taken(value: Any, backend: Backend) -> Any:
    if isinstance(value, list):
        return _List(map(adopted, value))
    if isinstance(value, dict):
        return _Dict({name: adopted(part) for name, part in value.items()})
    if backend.is_tensor(value):
        return variable_around(value, backend)
    return wrapper_of(value) or getattr(import_module("polykeras.layers"), backend.native.wrapper)(value)


class _List(list[Any]):
    """A list that takes in what is put into it later too."""

    def append(self, part: Any) -> None:
        version_counter.bump()
        super().append(adopted(part))

    def extend(self, parts: Iterable[Any]) -> None:
        version_counter.bump()
        super().extend(map(adopted, parts))

    def __iadd__(self, parts: Iterable[Any]) -> Any:
        self.extend(parts)
        return self

    def insert(self, index: Any, part: Any) -> None:
        version_counter.bump()
        super().insert(index, adopted(part))

    def __setitem__(self, place: Any, part: Any) -> None:
        version_counter.bump()
        super().__setitem__(place, [adopted(each) for each in part] if isinstance(place, slice) else adopted(part))


class _Dict(dict[str, Any]):
    """A dict that takes in what is put into it later too."""

    def __setitem__(self, name: str, part: Any) -> None:
        version_counter.bump()
        super().__setitem__(name, adopted(part))

    def update(self, *parts: Any, **named: Any) -> None:
        for name, part in dict(*parts, **named).items():
            self[name] = part

    def __ior__(self, parts: Any) -> Any:
        self.update(parts)
        return self

    def setdefault(self, name: str, part: Any = None) -> Any:
        if name not in self:
            self[name] = part
        return self[name]


# One part is one layer and one variable, under however many attributes.
_wrappers: WeakValueDictionary[int, Any] = WeakValueDictionary()


def note_wrapper(part: Any, layer: Any) -> None:
    """Note the layer that is around a framework's one, and holds it."""
    _wrappers[id(part)] = layer


def wrapper_of(part: Any) -> Any:
    """Return the layer that is around a framework's one already; None for none."""
    layer = _wrappers.get(id(part))
    return layer if layer is not None and layer.module is part else None


def variable_around(held: Any, backend: Backend, trainable: bool = True, name: str | None = None) -> Variable:
    """Return a variable whose value a framework's object holds, and goes on holding: the one that there is, or anew."""
    with in_turn():
        known = known_by(held)
        if known is not None:
            return known
        host = backend.to_numpy(held)
        variable = Variable(host, dtype=backend.dtype(held), trainable=trainable, name=name)
        return hold_in(variable, backend, held)
