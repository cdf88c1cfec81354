"""What the calls of one model have in common: training or not, masks, losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from polykeras.backend import Backend, registry
from polykeras.backend.spec import Array
from polykeras.backend.symbolic import SYMBOLIC
from polykeras.common import masks, nested

if TYPE_CHECKING:
    from polykeras.layers.base.state import StateMixin


class CallContext:
    """Lives from the outermost call of a layer to its end: `with CallContext(arguments) as context:`.

    Args:
        arguments: a tree, of which the tensors have their remembered masks.

    Attributes:
        training: what `training` is in layers that are not told.
        mode: what it is where nobody was told: what native code said by `train()` or `eval()`, or None.
        masks: by the id of a tensor, the tensor (kept alive, so that the id stays its own) and its mask; None where
            one that it had was taken off.
        lossy: the layers that added losses.
        path: names of the layers being called, the outermost first.
    """

    __slots__ = ("_token", "lossy", "masks", "mode", "path", "training")

    def __init__(self, arguments: Any) -> None:
        self.training: Any = None
        self.mode: bool | None = None
        self.masks: dict[int, tuple[Any, Any]] = {}
        self.lossy: list[StateMixin] = []
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
        """Attach a mask to a tensor, or take it off where `mask` is None."""
        if mask is None and masks.kept(tensor) is None:
            self.masks.pop(id(tensor), None)
        else:
            self.masks[id(tensor)] = (tensor, mask)

    def passes_mask(self, tensor: Array, result: Array) -> Array:
        """Return `result`, which stands for `tensor` and gets its mask."""
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
    """Return the context of the call being made, or None outside any."""
    return _context.get()


@contextmanager
def within(name: str) -> Iterator[None]:
    """Put a layer's name before those of the layers that are built meanwhile, in the paths of their weights."""
    context = _context.get()
    if context is None:
        with CallContext(()) as context:
            context.path.append(name)
            yield
    elif context.path and context.path[-1] == name:  # it is being called
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
        tensors: the inputs of a model, flat.
        given: one mask, or a tree of them (or None) in the structure of the inputs.
    """
    context = _context.get()
    assert context is not None
    for tensor, mask in zip(tensors, _flat_masks(given), strict=True):
        if mask is not None:
            context.set_mask(tensor, mask)


def _flat_masks(given: Any) -> list[Any]:
    """Return the leaves of a tree of masks; None, which is none of a tree's elsewhere, is one."""
    if isinstance(given, Mapping):
        given = [given[key] for key in sorted(given)]
    if isinstance(given, (list, tuple)):
        return [mask for part in given for mask in _flat_masks(part)]
    return [given]


def get_mask(tensor: Array) -> Array | None:
    """Return the mask that the layer which made `tensor` gave it, or None."""
    context = _context.get()
    if context is not None:
        return context.mask_of(tensor)
    return masks.kept(tensor)


def set_mask(tensor: Array, mask: Array | None) -> None:
    """Give a tensor a mask, or take it off where `mask` is None."""
    context = _context.get()
    (masks.keep if context is None else context.set_mask)(tensor, mask)


# Keras's attribute of arrays. It is looked up as all masks are: no array holds anything.
_attribute = property(get_mask, set_mask, doc="The mask that the layer which made this array gave it, or None.")


def _give_attribute(backend: Backend) -> None:
    for cls in backend.array_types():
        cls._keras_mask = _attribute  # type: ignore[attr-defined]


_give_attribute(SYMBOLIC)
registry.when_loaded(_give_attribute)
