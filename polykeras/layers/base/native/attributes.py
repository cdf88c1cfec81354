"""Layers and parameters of a framework that are set as attributes of a layer."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any
from weakref import WeakValueDictionary

from polykeras.backend import Backend, registry, value_lock
from polykeras.backend.native import NativeModules
from polykeras.common import nested, version_counter
from polykeras.layers.base.native.mixin import NativeMixin
from polykeras.variables import Variable
from polykeras.variables.native_parameters import bind_parameter, variable_of

_backends: dict[type, Backend] = {}
"""Of the backends that are loaded, by the types that they take as attributes."""


def _add_types(backend: Backend) -> None:
    if backend.native.modules is not None:
        _backends.update(dict.fromkeys(backend.native.modules.attribute_types, backend))


registry.when_loaded(_add_types)


def wrap_native(value: Any) -> Any:
    """Return what a layer stores in place of a value that is set as its attribute.

    That is a layer around a framework's module, a list or dict for a container of modules, and a variable for a
    parameter. Anything else is stored as it is.
    """
    for cls, backend in _backends.items():
        if isinstance(value, cls) and not isinstance(value, NativeMixin):
            assert backend.native.modules is not None
            return _wrap(value, backend, backend.native.modules)
    return value


def _wrap(value: Any, backend: Backend, modules: NativeModules) -> Any:
    value = modules.unpack_container(value)
    if isinstance(value, list):
        return _List(map(wrap_native, value))
    if isinstance(value, dict):
        return _Dict({name: wrap_native(part) for name, part in value.items()})
    if backend.is_tensor(value):
        return variable_around(value, backend)
    return wrapper_of(value) or getattr(import_module("polykeras.layers"), modules.wrapper_name)(value)


@nested.container
class _List(list[Any]):
    """A list that wraps what is put into it later too."""

    def append(self, part: Any) -> None:
        version_counter.bump()
        super().append(wrap_native(part))

    def extend(self, parts: Iterable[Any]) -> None:
        version_counter.bump()
        super().extend(map(wrap_native, parts))

    def __iadd__(self, parts: Iterable[Any]) -> Any:
        self.extend(parts)
        return self

    def insert(self, index: Any, part: Any) -> None:
        version_counter.bump()
        super().insert(index, wrap_native(part))

    def __setitem__(self, place: Any, part: Any) -> None:
        version_counter.bump()
        super().__setitem__(
            place, [wrap_native(each) for each in part] if isinstance(place, slice) else wrap_native(part)
        )


@nested.container
class _Dict(dict[str, Any]):
    """A dict that wraps what is put into it later too."""

    def __setitem__(self, name: str, part: Any) -> None:
        version_counter.bump()
        super().__setitem__(name, wrap_native(part))

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


_wrappers: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""By the identity of their modules. A module is one layer, under however many attributes."""


def note_wrapper(module: Any, layer: Any) -> None:
    """Note the layer that is put around a framework's module, and holds it.

    Args:
        module: of the framework.
        layer: has it as its `module`.
    """
    _wrappers[id(module)] = layer


def wrapper_of(module: Any) -> Any:
    """Return the layer that is around a framework's module already, or None."""
    layer = _wrappers.get(id(module))
    return layer if layer is not None and layer.module is module else None


def variable_around(array: Any, backend: Backend, trainable: bool = True, name: str | None = None) -> Variable:
    """Return the variable whose value a framework's object holds, and goes on holding. It is made if there is none.

    Args:
        array: the object.
        backend: of the framework.
        trainable: whether it is trained, for a new variable.
        name: of a new variable.
    """
    with value_lock.lock:
        known = variable_of(array)
        if known is not None:
            return known
        host = backend.to_numpy(array)
        variable = Variable(host, dtype=backend.dtype(array), trainable=trainable, name=name)
        return bind_parameter(variable, backend, array)
