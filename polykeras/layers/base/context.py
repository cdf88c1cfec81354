"""The state that all calls within one model call share: training, masks, losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from polykeras import tree
from polykeras.backend import Backend, registry
from polykeras.backend.spec import Array
from polykeras.backend.symbolic import SYMBOLIC
from polykeras.common import masks, nested

if TYPE_CHECKING:
    from polykeras.layers.base.losses import LossesMixin


class CallContext:
    """The state of a call, from the start of the outermost layer's call to its end.

    Use it as `with CallContext(arguments) as context:`.

    Args:
        arguments: the arguments of the call, a tree; known masks of its tensors are copied to the context.

    Attributes:
        training: the value of `training` for layers that are not passed one.
        mode: the value if no layer was passed one: what native code set by `train()` or `eval()`, or None.
        masks: maps the id of a tensor to the tensor and its mask. The tensor is kept alive, so that its id stays
            unique. The mask is None if it was removed.
        lossy: the layers that added losses.
        path: the names of the layers being called, outermost first.
    """

    __slots__ = ("_token", "lossy", "masks", "mode", "path", "training")

    def __init__(self, arguments: Any) -> None:
        self.training: Any = None
        self.mode: bool | None = None
        self.masks: dict[int, tuple[Any, Any]] = {}
        self.lossy: list[LossesMixin] = []
        outer = _context.get()
        self.path: list[str] = list(outer.path) if outer is not None else []
        if masks.are_kept():
            for leaf in nested.flatten(arguments):
                if (mask := masks.kept(leaf)) is not None:
                    self.masks[id(leaf)] = (leaf, mask)
        masks.forget_boxes()

    def __enter__(self) -> CallContext:
        self._token = _context.set(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        _context.reset(self._token)

    def set_mask(self, tensor: Array, mask: Array | None) -> None:
        """Attach a mask to a tensor, or remove its mask if `mask` is None."""
        if mask is None and masks.kept(tensor) is None:
            self.masks.pop(id(tensor), None)
        else:
            self.masks[id(tensor)] = (tensor, mask)

    def passes_mask(self, tensor: Array, result: Array) -> Array:
        """Give `result` the mask of `tensor`, which it replaces, and return it."""
        mask = self.mask_of(tensor)
        if mask is not None:
            self.set_mask(result, mask)
        return result

    def mask_of(self, tensor: Array) -> Array | None:
        """Return the mask of a tensor, or None."""
        entry = self.masks.get(id(tensor))
        return entry[1] if entry else masks.kept(tensor)


_context: ContextVar[CallContext | None] = ContextVar("polykeras_call", default=None)


def current_context() -> CallContext | None:
    """Return the context of the active call, or None outside of calls."""
    return _context.get()


@contextmanager
def within(name: str) -> Iterator[None]:
    """Put a layer's name into the weight paths of layers that are built in this block."""
    context = _context.get()
    if context is None:
        with CallContext(()) as context:
            context.path.append(name)
            yield
    elif context.path and context.path[-1] == name:  # the layer is being called, so its name is already there
        yield
    else:
        context.path.append(name)
        try:
            yield
        finally:
            context.path.pop()


def set_masks(tensors: Sequence[Any], given: Any) -> None:
    """Attach masks to tensors, within a call.

    Args:
        tensors: the inputs of a model, as a flat sequence.
        given: one mask, or a tree of masks or None in the structure of the inputs.
    """
    context = _context.get()
    assert context is not None
    for tensor, mask in zip(tensors, tree.flatten(given), strict=True):
        if mask is not None:
            context.set_mask(tensor, mask)


def get_mask(tensor: Array) -> Array | None:
    """Return the mask of `tensor`, set by the layer that made it, or None."""
    context = _context.get()
    if context is not None:
        return context.mask_of(tensor)
    return masks.kept(tensor)


def set_mask(tensor: Array, mask: Array | None) -> None:
    """Attach a mask to a tensor, or remove its mask if `mask` is None."""
    context = _context.get()
    (masks.keep if context is None else context.set_mask)(tensor, mask)


# Keras's attribute of arrays. It looks the mask up, like all masks; nothing is stored on the array.
_attribute = property(get_mask, set_mask, doc="The mask that the layer which made this array gave it, or None.")


def _give_attribute(backend: Backend) -> None:
    for cls in backend.array_types():
        cls._keras_mask = _attribute  # type: ignore[attr-defined]


_give_attribute(SYMBOLIC)
registry.when_loaded(_give_attribute)
