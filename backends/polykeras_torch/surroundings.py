"""What a recorded function used that is not among its arguments: modules of torch, and torch's random numbers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import chain
from operator import is_
from typing import Any

import numpy as np
import torch
from torch.nn import Module
from torch.nn.modules.module import register_module_forward_pre_hook

from polykeras.draws import OurThreads
from polykeras_torch.private import HOOKS_OF_ALL_MODULES

_CONTAINERS = (dict, list, set, tuple)


class Modules:
    """The modules that are called, with the ones that they hold, and all that is set on them.

    Within the context it sees the calls of this thread. Afterwards it knows whether anything is another object than it
    was: a flag, a number, a parameter, a hook, an entry of a list or dict that is an attribute.
    """

    def __init__(self) -> None:
        self._holders: dict[int, tuple[Any, list[Any]]] = {}  # what modules hold, and what was in it, by identity
        self._empty: list[Any] = []  # those in which there is nothing: most
        self._views: list[Any] = []  # of the others
        self._known: Any = None
        self._hooked = False
        self._handle: Any = None
        self._thread = threading.get_ident()

    def __enter__(self) -> Modules:
        self._handle = register_module_forward_pre_hook(self._called)
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._handle.remove()

    def _called(self, module: Module, _: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        for part in module.modules():
            if id(part.__dict__) not in self._holders:
                self._add(part.__dict__)

    def _add(self, attributes: dict[str, Any]) -> None:
        self._hooked = self._hooked or any(
            value for name, value in attributes.items() if name.endswith("_hooks") and isinstance(value, dict)
        )
        for holder in (attributes, *(x for x in attributes.values() if isinstance(x, _CONTAINERS) and len(x) < 1000)):
            if id(holder) not in self._holders:
                self._holders[id(holder)] = holder, list(_view(holder))

    def why_not(self) -> str | None:
        """Return why what ran may not be repeated, because of modules. It is called outside the context."""
        if not self._holders:
            return None
        if self._hooked or _are_hooked():
            return "a module of torch has hooks, which are called in each run"
        for holder, before in self._holders.values():
            if not _are_same(list(_view(holder)), before):
                return "a module of torch got another attribute while it ran, as it would in each run"
        self._empty = [holder for holder, before in self._holders.values() if not before]
        self._views = [_view(holder) for holder, before in self._holders.values() if before]
        self._known = _objects_in(self._views)
        self._holders.clear()
        return None

    def hold(self) -> bool:
        """Return whether all modules are as they were after the run."""
        if not self._views:
            return True
        return not (_are_hooked() or any(self._empty)) and _objects_in(self._views).tobytes() == self._known.tobytes()


def _view(holder: Any) -> Any:
    return holder.values() if isinstance(holder, dict) else holder


def _objects_in(views: Sequence[Any]) -> np.ndarray:
    """Return what is in containers, one after the other. The bytes of the array are the identities."""
    return np.fromiter(chain.from_iterable(views), dtype=object)


def _are_hooked() -> bool:
    """Return whether all modules have hooks, but for those of recordings that other threads make."""
    hooks = chain.from_iterable(hooks.values() for hooks in HOOKS_OF_ALL_MODULES) if any(HOOKS_OF_ALL_MODULES) else ()
    return any(getattr(hook, "__func__", None) is not Modules._called for hook in list(hooks))


def _are_same(some: Sequence[Any], others: Sequence[Any]) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))


class Generator:
    """torch's generator for the CPU, as the draws that a recording sees leave it.

    Other threads may draw from it too, which counts as drawn out of sight; but for threads of ours, see `draws`.
    """

    def __init__(self) -> None:
        self.drew()

    def drew(self) -> None:
        """Note that a draw was seen."""
        self._threads = OurThreads()
        self._state = torch.get_rng_state()

    def was_touched(self) -> bool:
        """Return whether it was seeded, or gave numbers, without a draw that was seen."""
        return not torch.equal(self._state, torch.get_rng_state()) and not self._threads.have_run()
