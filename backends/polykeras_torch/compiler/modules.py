"""The torch modules that a recorded function uses."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import chain
from operator import is_
from typing import Any

import numpy as np
from torch.jit import ScriptModule
from torch.nn import Module

from polykeras_torch.layer_base import TorchModule
from polykeras_torch.private import HOOKS_OF_ALL_MODULES

_CONTAINERS = (dict, list, set, tuple)
_USES = ("forward", "training")  # reading one of these counts as using the module, and each call does

_watching: dict[int, Modules] = {}  # by thread
_lock = threading.Lock()


class Modules:
    """The torch modules that a run uses, with their submodules and all of their attributes.

    Within the context, it sees what this thread uses: modules that are called, whose `forward` is called, or whose
    `training` flag is read. For this, `torch.nn.Module` temporarily gets a `__getattribute__`. Afterwards it can tell
    whether any attribute has become another object: a flag, a number, a parameter, a hook, or an item of a list or dict
    that is an attribute.
    """

    def __init__(self) -> None:
        self._holders: dict[int, tuple[Any, list[Any]]] = {}  # containers of modules and their items, by identity
        self._empty: list[Any] = []  # empty containers, which are the majority
        self._views: list[Any] = []  # views of the others
        self._known: Any = None
        self._hooked = False
        self._why: str | None = None

    def __enter__(self) -> Modules:
        with _lock:
            _watching[threading.get_ident()] = self
            Module.__getattribute__ = _getattribute
        return self

    def __exit__(self, *exc_info: Any) -> None:
        with _lock:
            del _watching[threading.get_ident()]
            if not _watching:
                del Module.__getattribute__

    def use(self, module: Module) -> None:
        """Note that a module is used. Never raises."""
        try:
            if id(module.__dict__) not in self._holders and not isinstance(module, TorchModule):
                for part in module.modules():
                    if isinstance(part, TorchModule):  # polykeras itself notices its changes
                        continue
                    self._add(part.__dict__)
                    if isinstance(part, ScriptModule):
                        self._why = "a module is a TorchScript module, whose attributes are hidden (`torch.jit`)"
        except Exception as error:
            self._why = f"a module of torch could not be followed ({type(error).__name__}: {error})"

    def _add(self, attributes: dict[str, Any]) -> None:
        self._hooked = self._hooked or any(
            value for name, value in attributes.items() if name.endswith("_hooks") and isinstance(value, dict)
        )
        for holder in (attributes, *(x for x in attributes.values() if isinstance(x, _CONTAINERS) and len(x) < 1000)):
            if id(holder) not in self._holders:
                self._holders[id(holder)] = holder, list(_view(holder))

    def why_not(self) -> str | None:
        """Return why the run may not be repeated because of its modules, or None. Call it after the context."""
        if self._why is not None:
            return self._why
        if not self._holders:
            return None
        if self._hooked or any(HOOKS_OF_ALL_MODULES):
            return "a module of torch has hooks, which are called in each run"
        for holder, before in self._holders.values():
            if not _are_same(list(_view(holder)), before):
                return "a module of torch got another attribute while it ran, as it would in each run"
        self._empty = [holder for holder, before in self._holders.values() if not before]
        self._views = [_view(holder) for holder, before in self._holders.values() if before]
        self._known = _objects_in(self._views)
        self._holders.clear()
        return None

    def is_valid(self) -> bool:
        """Return whether all modules are unchanged since the run."""
        if not self._views:
            return True
        return (
            not (any(HOOKS_OF_ALL_MODULES) or any(self._empty))
            and _objects_in(self._views).tobytes() == self._known.tobytes()
        )


def _view(holder: Any) -> Any:
    return holder.values() if isinstance(holder, dict) else holder


def _objects_in(views: Sequence[Any]) -> np.ndarray:
    """Return the items of containers, one after another. The bytes of the array are their identities."""
    return np.fromiter(chain.from_iterable(views), dtype=object)


def _getattribute(module: Module, name: str) -> Any:
    if name in _USES and (modules := _watching.get(threading.get_ident())) is not None:
        modules.use(module)
    return object.__getattribute__(module, name)


def _are_same(some: Sequence[Any], others: Sequence[Any]) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))
