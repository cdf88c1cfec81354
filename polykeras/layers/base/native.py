"""Layers and native code: what native code sees of a layer, and a framework's layers as attributes.

A framework may have its own base class for layers (`Native.layer_base`). When its backend is loaded, this class becomes
the last base of all our layers. From then on they are instances of it, as in Keras on that framework; what our classes
define takes precedence. Until the backend is loaded, layers have none of this.
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
    """A base that does not depend on a framework: Python can only exchange the bases of a class that has one."""


class NativeBase(_Bottom):
    """The last base of all layers; it receives the base classes of frameworks."""


class NativeMixin(NativeBase):
    """What a layer shows to native code, under the names of its attributes."""

    name: str
    trainable: bool
    _mode: bool | None = None  # the last setting by `train()` or `eval()` in native code
    trainable_variables: list[Variable]
    _own_variables: Callable[[], list[Variable]]
    _untracked: Any

    def native_children(self) -> dict[str, Any]:
        """Return the layers within this one, by their names in native code: the attributes' names, nested for lists.

        Returns:
            Layers, and for lists and dicts of layers a dict of them, by index or key.
        """
        found: dict[str, Any] = {}
        seen: set[int] = set()
        # The layers of a graph come first, under the name that users know.
        for name in sorted(vars(self), key=lambda name: name != "_layers"):
            part = None if name in self._untracked else _layers_in(vars(self)[name], seen)
            if part is not None:
                found[_free(name.lstrip("_"), found)] = part
        return found

    def native_leaves(self, trainable: bool) -> dict[str, Any]:
        """Return this layer's own weights as native objects, by name: those that are trained, or the others.

        A frozen layer has the same weights as before, but no gradients accumulate in them.

        Raises:
            RuntimeError: the call is made inside a function that is compiled or differentiated by polykeras.
        """
        backend = self._native_backend()
        if (step := asked_step.get()) is not None:
            step.ask_for_objects()
        elif is_functional():
            raise RuntimeError(
                f"Layer {self.name!r}: parameters outlive the function that is compiled or differentiated here. Ask "
                "for them outside of the function."
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
        """Drop accumulated gradients, as native code does at the start of a step."""
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
        """Return the current backend, whose framework must have its own base class for layers.

        Raises:
            NeedsValues: layers are running on shapes alone.
            RuntimeError: the framework has no such base class.
        """
        backend = registry.current()
        if not backend.holds_values:
            raise NeedsValues("Native code asks for parameters.")
        if backend.native.layer_base is None:
            raise RuntimeError(
                f"Layer {self.name!r}: parameters, their gradients and state dicts are for native code of another "
                f"framework; the current backend is {backend.name}. Choose that framework's backend with "
                "`polykeras.set_backend`, or use `weights`, `value_and_grad` and `save_weights` on any backend."
            )
        return backend

    def _tell_leaves(self) -> None:
        """Tell native code that this layer was frozen or unfrozen."""
        for variable in self._own_variables():
            if variable._leaf is not None:
                variable._leaf.train(variable.trainable and self.trainable)


def _layers_in(value: Any, seen: set[int]) -> Any:
    """Return a layer that was not seen before, a dict of the layers in a container, or None."""
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
    """Return `name`, with a number appended if it is taken."""
    numbered, number = name, 0
    while numbered in taken:
        number += 1
        numbered = f"{name}_{number}"
    return numbered


def own_names(cls: type) -> set[str]:
    """Return all names that a class of layers defines for its instances, without those of a framework's base class."""
    classes = cls.__mro__[: cls.__mro__.index(NativeBase)]
    return {name for part in classes for name in vars(part)}


# ---- layers of a framework as attributes -----------------------------------------------------------------------------

_parts: dict[type, Backend] = {}  # by type, the loaded backend that it belongs to


def _join(backend: Backend) -> None:
    base = backend.native.layer_base
    if base is not None and base not in NativeBase.__mro__:
        NativeBase.__bases__ = (base, *NativeBase.__bases__)
        version_counter.bump()
    _parts.update(dict.fromkeys(backend.native.parts, backend))


registry.when_loaded(_join)


def adopted(value: Any) -> Any:
    """Convert a value that is set as an attribute of a layer, if it belongs to a framework.

    A framework's layer is wrapped in one of ours, a container of layers becomes a list or dict, and a parameter becomes
    a variable. All other values are returned as they are.
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
    """A list that also converts values that are added later."""

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
    """A dict that also converts values that are added later."""

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


# A framework's object has one layer or variable around it, however many attributes hold it.
_wrappers: WeakValueDictionary[int, Any] = WeakValueDictionary()


def note_wrapper(part: Any, layer: Any) -> None:
    """Remember the layer that wraps a framework's layer."""
    _wrappers[id(part)] = layer


def wrapper_of(part: Any) -> Any:
    """Return the layer that already wraps a framework's layer, or None."""
    layer = _wrappers.get(id(part))
    return layer if layer is not None and layer.module is part else None


def variable_around(held: Any, backend: Backend, trainable: bool = True, name: str | None = None) -> Variable:
    """Return the variable whose value a framework's object holds; make one if there is none yet."""
    with in_turn():
        known = known_by(held)
        if known is not None:
            return known
        host = backend.to_numpy(held)
        variable = Variable(host, dtype=backend.dtype(held), trainable=trainable, name=name)
        return hold_in(variable, backend, held)
