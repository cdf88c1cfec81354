"""The hooks of training, and the list that calls them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Callback:
    """Base class of objects that watch or steer training.

    Hooks are called with `logs`, a dict of floats. Overriding a hook of single batches makes `fit` run one step at a
    time, as then nothing may happen unseen; a callback whose batch hooks are content to be called once a chunk of steps
    sets `per_chunk = True`.

    Attributes:
        per_chunk: see above.
        model: the model that is trained.
        params: `{"verbose", "epochs", "steps"}`.
    """

    per_chunk: bool = False

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model that is trained."""
        return self._model

    def set_model(self, model: Any) -> None:
        """Tell which model is trained."""
        self._model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell the parameters of the run."""
        self.params = params

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called after the last epoch, with its logs."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after an epoch and its validation (`val_...` in the logs)."""

    def on_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The old name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The old name of `on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a training step."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a training step."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called before evaluation or validation."""

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called after evaluation or validation."""

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a step of evaluation."""

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a step of evaluation."""

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called before prediction."""

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called after prediction."""

    def on_predict_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a step of prediction."""

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a step of prediction; `logs["outputs"]` are the outputs."""


_BATCH_HOOKS = {
    "train": ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


def watches_batches(callback: Any, kind: str) -> bool:
    """Return whether a callback must be called for every single batch of a kind of run."""
    if callback.per_chunk:
        return False
    hooks = _BATCH_HOOKS[kind]
    return any(h in vars(callback) or getattr(type(callback), h) is not getattr(Callback, h) for h in hooks)


class CallbackList:
    """Calls the hooks of several callbacks, in order.

    Args:
        callbacks: the callbacks.
        model: the model that is trained.
        params: parameters of the run.
    """

    def __init__(self, callbacks: Iterable[Callback], model: Any, params: dict[str, Any]) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise ValueError(
                    f"callbacks must be Callback objects; received {callback!r} ({type(callback).__name__})."
                )
            callback.set_model(model)
            callback.set_params(params)

    def watches(self, kind: str) -> bool:
        """Return whether any callback must see every single batch."""
        return any(watches_batches(callback, kind) for callback in self.callbacks)

    def call(self, hook: str, *args: Any) -> None:
        """Call one hook of all callbacks."""
        for callback in self.callbacks:
            getattr(callback, hook)(*args)

    def batch_begin(self, kind: str, batch: int) -> None:
        """A step, or chunk of steps, of a `"train"`, `"test"` or `"predict"` run begins."""
        self.call(f"on_{kind}_batch_begin", batch, {})

    def batch_end(self, kind: str, batch: int, logs: dict[str, Any]) -> None:
        """A step, or chunk of steps, ended."""
        self.call(f"on_{kind}_batch_end", batch, logs)

    def epoch_begin(self, epoch: int) -> None:
        """An epoch begins."""
        self.call("on_epoch_begin", epoch, {})

    def epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """An epoch ended. Callbacks may add to the logs."""
        self.call("on_epoch_end", epoch, logs)

    def begin(self, kind: str) -> None:
        """A run begins."""
        self.call(f"on_{kind}_begin", {})

    def end(self, kind: str, logs: dict[str, Any]) -> None:
        """A run ended."""
        self.call(f"on_{kind}_end", logs)
