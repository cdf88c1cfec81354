"""Callbacks of a user's that are no subclass of `Callback`, but have hooks of its names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polykeras.training.callbacks.base import HOOKS, Callback

if TYPE_CHECKING:
    from polykeras.models import Model


class ForeignCallback(Callback):
    """Calls the hooks that another object has.

    Args:
        callback: the object.

    Raises:
        ValueError: it has no hooks.
    """

    def __init__(self, callback: Any) -> None:
        super().__init__()
        hooks = {name: getattr(callback, name) for name in HOOKS if hasattr(callback, name)}
        if not hooks or isinstance(callback, type):
            raise ValueError(
                f"callbacks must be Callback objects; received {callback!r} ({type(callback).__name__}). An object of "
                "another class needs hooks such as `on_epoch_end`."
            )
        self.callback = callback
        vars(self).update(hooks)  # where `watches_batches` looks for hooks of single batches

    def set_model(self, model: Model) -> None:
        """Set the model, here and there."""
        super().set_model(model)
        if hasattr(self.callback, "set_model"):
            self.callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Set the parameters of the run, here and there."""
        super().set_params(params)
        if hasattr(self.callback, "set_params"):
            self.callback.set_params(params)


def as_callback(callback: Any) -> Callback:
    """Return what a user gave as a callback.

    Args:
        callback: a `Callback`, or an object that has some of its hooks.

    Raises:
        ValueError: it has none.
    """
    return callback if isinstance(callback, Callback) else ForeignCallback(callback)
