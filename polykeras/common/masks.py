"""Masks of arrays that layers made, remembered for as long as the arrays live."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polykeras.backend.spec import Array


_kept: dict[int, tuple[Any, Any]] = {}

# Arrays that cannot be referenced weakly (autograd's boxes): their masks are kept until `forget_boxes`.
_boxes = threading.local()


def keep(array: Array, mask: Array) -> None:
    """Remember the mask of an array. If `mask` is None, forget the current one."""
    key = id(array)
    if mask is None:
        _kept.pop(key, None)
        return
    try:
        # The dict is bound as a default: at the end of a process, an array may outlive this module's names.
        reference = weakref.ref(array, lambda _, kept=_kept: kept.pop(key, None))
    except TypeError:
        reference = array
        _boxes.__dict__.setdefault("arrays", []).append(array)
    _kept[key] = (reference, mask)


def kept(array: Array) -> Array | None:
    """Return the mask of an array, or None."""
    return _kept[id(array)][1] if id(array) in _kept else None


def forget_boxes() -> None:
    """Forget this thread's arrays that cannot be referenced weakly."""
    for array in _boxes.__dict__.pop("arrays", ()):
        _kept.pop(id(array), None)


def are_kept() -> bool:
    """Return whether any mask is remembered: a quick check before many arrays are looked up."""
    return bool(_kept)
