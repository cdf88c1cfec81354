"""The list of callbacks of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any

from polykeras import ops
from polykeras.common import nested
from polykeras.training.callbacks.base import HOOKS, Callback, watches_batches
from polykeras.training.callbacks.foreign import as_callback
from polykeras.training.callbacks.history import History
from polykeras.training.callbacks.progress import ProgbarLogger

if TYPE_CHECKING:
    from polykeras.models import Model


class CallbackList(Callback):
    """Calls the hooks of several callbacks, in order. It has all hooks of `Callback` itself.

    Args:
        callbacks: a list or tuple of callbacks, or one callback. One that is no `Callback` has hooks of the same names.
        add_history: add a `History` if there is none.
        add_progbar: add a `ProgbarLogger` if there is none.
        model: the model that is trained.
        **params: parameters of the run; see `Callback.params`.

    Raises:
        ValueError: an object in the list is not a callback.
    """

    def __init__(
        self,
        callbacks: Iterable[Callback] | Callback | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Model | None = None,
        **params: Any,
    ) -> None:
        super().__init__()
        given = [as_callback(callback) for callback in nested.flatten(callbacks)] if callbacks else []
        for wanted, kind in ((add_history, History), (add_progbar, ProgbarLogger)):
            if wanted and not any(isinstance(callback, kind) for callback in given):
                given.append(kind())
        self.callbacks = sorted(given, key=lambda callback: getattr(callback, "runs_last", False))
        self._stopping = [c for c in self.callbacks if type(c).next_stop is not Callback.next_stop]
        self.set_model(model)
        self.set_params(params)

    def set_model(self, model: Model | None) -> None:
        """Set the model of all callbacks. If there is a `History` among them, it becomes `model.history`."""
        if model is None:
            return
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)
            if isinstance(callback, History):
                model.history = callback

    def set_params(self, params: dict[str, Any]) -> None:
        """Set the parameters of all callbacks."""
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def watches(self, kind: str) -> bool:
        """Return whether any callback must see every single batch."""
        return any(watches_batches(callback, kind) for callback in self.callbacks)

    def next_stop(self, done: int) -> int | None:
        """Return the first step after which a callback wants control; None if none does. See `Callback.next_stop`."""
        stops = [callback.next_stop(done) for callback in self._stopping]
        return min((stop for stop in stops if stop is not None), default=None)

    def asked_to_end(self) -> bool:
        """Return whether this process was asked to end, and a callback waits with that."""
        return any(callback._asked_to_end() for callback in self.callbacks)

    def end_soon(self) -> None:
        """Let this process end as if it was asked to, after the next chunk of steps: another worker was."""
        for callback in self.callbacks:
            callback._end_soon()

    def enter(self, progress: Any) -> Any:
        """Let all callbacks take part in a run.

        Returns:
            The `SavedRun` of an earlier run that one of them has, or None.
        """
        runs = [callback._enter(progress) for callback in self.callbacks]
        saved = next((run for run in runs if run is not None), None)
        for callback in self.callbacks:
            if saved is not None or "resumed" in callback.params:
                callback.set_params({**callback.params, "resumed": saved is not None})
        return saved

    def on_train_resume(self, epoch: int, step: int) -> None:
        """Tell all callbacks that the run continues an earlier one."""
        for callback in self.callbacks:
            callback.on_train_resume(epoch, step)

    def leave(self) -> None:
        """The run is over."""
        for callback in self.callbacks:
            callback._leave()


def _plain(logs: dict[str, Any] | None) -> dict[str, Any]:
    """Return new logs, with Python numbers for scalars: a user's own loop passes tensors."""
    return {name: v if type(v) is float else _number(v) for name, v in logs.items()} if logs else {}


def _number(value: Any) -> Any:
    shape = getattr(value, "shape", () if isinstance(value, (int, float)) else None)
    return float(ops.convert_to_numpy(value)) if shape is not None and tuple(shape) == () else value


def _hook_of_all(name: str) -> Callable[..., None]:
    """Return the hook that calls those of all callbacks, with the arguments by place and by name as in Keras."""

    def of_batch(self: CallbackList, batch: int, logs: dict[str, Any] | None = None) -> None:
        logs = _plain(logs)
        for callback in self.callbacks:
            getattr(callback, name)(batch, logs=logs)

    def of_epoch(self: CallbackList, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = _plain(logs)
        for callback in self.callbacks:
            getattr(callback, name)(epoch, logs)

    def of_run(self: CallbackList, logs: dict[str, Any] | None = None) -> None:
        logs = _plain(logs)
        for callback in self.callbacks:
            getattr(callback, name)(logs)

    hook: Callable[..., None] = of_batch if "batch" in name else of_epoch if "epoch" in name else of_run
    return wraps(getattr(Callback, name))(hook)


for _hook in HOOKS - {"on_train_resume"}:
    setattr(CallbackList, _hook, _hook_of_all(_hook))
