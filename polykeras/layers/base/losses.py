"""The losses that a layer adds to those of training."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any

from polykeras.common import nested
from polykeras.layers.base.context import current_context
from polykeras.variables import Variable, note_losses


class LossesMixin:
    """The losses of a layer: terms that its last call added, and penalties of its weights."""

    _losses: dict[int, list[Any]]
    """The terms that the last call added, by thread."""
    _lossy: dict[int, list[LossesMixin]]
    """The layers within that added terms in the last call, by thread."""
    _flatten_layers: Callable[..., Any]

    if TYPE_CHECKING:

        @property
        def trainable_weights(self) -> list[Variable]:
            """See `StateMixin`."""
            raise NotImplementedError

    def add_loss(self, loss: Any) -> None:
        """Add one or more scalar terms, computed in `call`, to the loss of training."""
        context, thread, terms = current_context(), get_ident(), nested.flatten(loss)
        if context is not None and self not in context.lossy:
            context.lossy.append(self)
            self._losses[thread] = []  # drops the terms of an earlier call
        self._losses.setdefault(thread, []).extend(terms)
        note_losses(terms)

    def _added_losses(self) -> list[Any]:
        """Return the terms that the last call in this thread added; other threads may call the same layer meanwhile."""
        return self._losses.get(get_ident(), [])

    def _forget_losses(self) -> None:
        thread = get_ident()
        for layer in self._lossy.pop(thread, ()):
            layer._losses.pop(thread, None)

    @property
    def losses(self) -> list[Any]:
        """The scalar terms that the last call added by `add_loss`, and the penalties of weight regularizers."""
        terms = [term for layer in self._flatten_layers() for term in layer._added_losses()]
        return terms + [v.regularizer(v.value) for v in self.trainable_weights if v.regularizer is not None]
