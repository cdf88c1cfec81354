"""The import finder for Keras's modules, and the modules that it returns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import polykeras
from polykeras.as_keras.places import is_module, modules_within, public_names, sources_of
from polykeras.backend import registry
from polykeras.common.release import KERAS_RELEASE
from polykeras.saving.serialization import registry_of

TENSORFLOW = "tensorflow"
_LEGACY_COPY = f"{TENSORFLOW}.python.keras"  # of Keras 2, in TensorFlow's own folder
_PUBLIC = f"{TENSORFLOW}.keras"
# Where Keras is found. The first that fits counts. Keras 3 was Keras Core before its release.
_ROOTS = ("keras._tf_keras.keras", "keras.api", _LEGACY_COPY, _PUBLIC, "keras_core", "keras")

_OBJECTS = "ALL_OBJECTS_DICT"
"""What a family of functions or classes has in `keras.src`: all of them by name."""


def _within_keras(name: str) -> str | None:
    """Return a module's path within Keras (`"layers"` for `tensorflow.keras.layers`), or None for other modules."""
    for root in _ROOTS:
        if f"{name}.".startswith(f"{root}."):
            return name[len(root) + 1 :]
    return None


class KerasModule(ModuleType):
    """A module of Keras. Its names are looked up in modules of polykeras on first use."""

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return self._public_names()
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        path = f"{_within_keras(self.__name__)}.{name}".lstrip(".")
        for source in self._sources():
            value = getattr(source, name, None)
            if value is not None and not isinstance(value, ModuleType):
                setattr(self, name, value)
                return value
        family = path.removeprefix("src.").removesuffix(f".{_OBJECTS}")
        if name == _OBJECTS and (objects := registry_of(f"keras.{family}")) is not None:
            return objects.by_name()
        if is_module(path):
            return import_module(f"{self.__name__}.{name}")
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *self._public_names()})

    def _sources(self) -> list[ModuleType]:
        return [import_module(source) for source in sources_of(_within_keras(self.__name__) or "")]

    def _public_names(self) -> list[str]:
        names = {name for source in self._sources() for name in public_names(source)}
        names.update(modules_within(_within_keras(self.__name__) or ""))
        return sorted(name for name in names if hasattr(self, name))


class KerasFinder(MetaPathFinder, Loader):
    """Finds modules of Keras, and makes TensorFlow's `tf.keras` the same."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """Return the spec of a module of Keras, or None for other modules and those that Keras does not have."""
        if fullname == TENSORFLOW:
            return self._find_tensorflow(path, target)
        name = _within_keras(fullname)
        if name is None or not is_module(name):
            return None  # a module of ours has no place on the disk, so others find nothing below it
        if fullname.startswith(_LEGACY_COPY) and not _is_ours(_PUBLIC):
            return None  # TensorFlow is being imported, and takes some names of its own from there
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the empty module of a spec."""
        return KerasModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Set the version of Keras that the module follows."""
        if _within_keras(module.__name__) in ("", "src", "version", "src.version"):
            module.__dict__.update(__version__=KERAS_RELEASE, version=lambda: KERAS_RELEASE)
        if _within_keras(module.__name__) == "":
            module.__file__ = polykeras.__file__  # for code that looks up the folder of Keras

    def _find_tensorflow(self, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(TENSORFLOW, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                tensorflow_imported()

            spec.loader.exec_module = exec_module
        return spec


def _is_ours(name: str) -> bool:
    return isinstance(sys.modules.get(name), KerasModule)


def tensorflow_imported() -> None:
    """Put our modules in place of Keras's in TensorFlow, which is now imported. TensorFlow keeps what it took itself.

    A program that imports TensorFlow may use its tapes and datasets, as with Keras, whose default it is. So it becomes
    the backend, if nothing else names one.
    """
    registry.prefer(TENSORFLOW)
    registry.seed_again(TENSORFLOW)
    for name in [name for name in sys.modules if f"{name}.".startswith(f"{_LEGACY_COPY}.")]:
        del sys.modules[name]
    import_module(_PUBLIC)  # which sets `tf.keras` too
    import_module(_LEGACY_COPY)
