"""What the calls of one model have in common: training or not, masks, losses."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from polykeras import tree

if TYPE_CHECKING:
    from polykeras.layers.layer import Layer


class CallContext:
    """Lives from the outermost call of a layer to its end.

    Attributes:
        training: what `training` is in layers that are not told.
        masks: by the id of a tensor, the tensor (kept alive, so that the id stays its own) and its mask.
        losses: what layers added with `add_loss`, with the layer.
        path: names of the layers being called, the outermost first.
    """

    __slots__ = ("losses", "masks", "path", "training")

    def __init__(self) -> None:
        self.training: Any = None
        self.masks: dict[int, tuple[Any, Any]] = {}
        self.losses: list[tuple[Layer, Any]] = []
        self.path: list[str] = []

    def set_mask(self, tensor: Any, mask: Any) -> None:
        """Attach a mask to a tensor, or take it off where `mask` is None."""
        if mask is None:
            self.masks.pop(id(tensor), None)
        else:
            self.masks[id(tensor)] = (tensor, mask)

    def passes_mask(self, tensor: Any, result: Any) -> Any:
        """Return `result`, which stands for `tensor` and gets its mask."""
        mask = self.mask_of(tensor)
        if mask is not None:
            self.set_mask(result, mask)
        return result

    def mask_of(self, tensor: Any) -> Any:
        """Return the mask of a tensor, or None."""
        entry = self.masks.get(id(tensor))
        return entry[1] if entry else _kept.get(id(tensor), (None, None))[1]


_context: ContextVar[CallContext | None] = ContextVar("polykeras_call", default=None)

# Masks of the results of outermost calls, so that layers called one by one, outside a model, pass them on too. An
# entry goes when its tensor goes.
_kept: dict[int, tuple[Any, Any]] = {}

# Arrays that cannot be referenced weakly (autograd's boxes): their masks are kept until the thread's next outermost
# call.
_until_next = threading.local()


def current_context() -> CallContext | None:
    """Return the context of the call being made, or None outside any."""
    return _context.get()


@contextmanager
def enter_context() -> Iterator[CallContext]:
    """Make a new outermost context."""
    context = CallContext()
    for tensor in _until_next.__dict__.pop("tensors", ()):
        _kept.pop(id(tensor), None)
    token = _context.set(context)
    try:
        yield context
    finally:
        _context.reset(token)


def keep_mask(tensor: Any, mask: Any) -> None:
    """Remember a mask beyond the outermost call, as long as its tensor lives."""
    key = id(tensor)
    try:
        reference = weakref.ref(tensor, lambda _: _kept.pop(key, None))
    except TypeError:
        reference = tensor
        _until_next.__dict__.setdefault("tensors", []).append(tensor)
    _kept[key] = (reference, mask)


def take_kept_masks(context: CallContext, arguments: Any) -> None:
    """Give a context the remembered masks of the tensors in a tree of arguments."""
    if _kept:
        for leaf in tree.flatten(arguments):
            entry = _kept.get(id(leaf))
            if entry is not None:
                context.set_mask(leaf, entry[1])


def set_masks(tensors: Sequence[Any], masks: Any) -> None:
    """Attach masks to tensors, within a call.

    Args:
        tensors: the inputs of a model, flat.
        masks: one mask, or a list or dict of them (or None) in the structure of the inputs.
    """
    context = _context.get()
    assert context is not None
    if isinstance(masks, Mapping):
        masks = [masks[key] for key in sorted(masks)]
    elif not isinstance(masks, (list, tuple)):
        masks = [masks]
    for tensor, mask in zip(tensors, masks, strict=True):
        if mask is not None:
            context.set_mask(tensor, mask)


def get_mask(tensor: Any) -> Any:
    """Return the mask that the layer which made `tensor` gave it, or None."""
    context = _context.get()
    if context is not None:
        return context.mask_of(tensor)
    return _kept.get(id(tensor), (None, None))[1]
