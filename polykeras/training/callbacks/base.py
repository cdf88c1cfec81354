"""The base class of callbacks: the hooks of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from polykeras.training.callbacks.attributes import encodable_attributes, set_attributes

if TYPE_CHECKING:
    from polykeras.models import Model


class Callback:
    """Base class of objects that watch or steer training.

    Hooks are called with `logs`, a dict of floats: those for batches by name (`logs=logs`), the others by place. If a
    callback overrides a hook for batches, `fit` runs one step at a time, so that the callback sees every batch. With
    `per_chunk = True` the hooks for batches are called once per chunk of steps instead; `next_stop` says where chunks
    have to end.

    With `BackupAndRestore`, the state of a callback is part of the run: see `get_state`.

    Attributes:
        per_chunk: see above.
        runs_last: call this callback after the others, whatever its place in the list.
        first_worker_only: whether one of several workers has it, the first: a callback that writes files.
        model: the model that is trained.
        params: `{"verbose", "epochs", "steps"}`; also `"resumed": True` if the run continues an earlier one.
    """

    per_chunk: bool = False
    runs_last: bool = False
    first_worker_only: bool = False
    _given: tuple[tuple[Any, ...], dict[str, Any]] = (), {}

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        instance = super().__new__(cls)
        vars(instance)["_given"] = (args, kwargs)
        return instance

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model that is trained."""
        return self._model

    def set_model(self, model: Model) -> None:
        """Set the model that is trained."""
        self._model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Set the parameters of the run."""
        self.params = params

    # ---- resumed runs ------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return the state of this callback, for a run that continues in another process.

        By default this is all attributes that are plain data or NumPy arrays, also in lists, dicts and so on. Settings
        are left out: an attribute that still equals the argument of its name (with or without a leading `_`) is as the
        new run sets it.

        Returns:
            Plain data and arrays.
        """
        return encodable_attributes(self, self._given)

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over the state that `get_state` returned in an earlier run. Called after `on_train_begin`.

        Existing lists and dicts are filled in place, so that other owners of them see the contents too.

        Args:
            state: plain data and arrays.
        """
        set_attributes(self, state)

    def on_train_resume(self, epoch: int, step: int) -> None:
        """Called when a run continues an earlier one, after the state was restored.

        Args:
            epoch: the epoch in which the earlier run ended, counted from 0. `on_epoch_begin` is called only if `step`
                is 0.
            step: how many steps of this epoch are done.
        """

    def next_stop(self, done: int) -> int | None:
        """Return the step of the epoch after which a chunk of training steps has to end; None if it does not matter.

        Args:
            done: how many steps of the epoch are done.
        """
        return None

    def _enter(self, progress: Any) -> Any:
        """Take part in a run of `fit`, which tells `progress` where it is. Return the `SavedRun` of an earlier one."""

    def _leave(self) -> None:
        """The run of `fit` is over, normally or by an error."""

    def _asked_to_end(self) -> bool:
        """Return whether this process was asked to end, and this callback waits with that."""
        return False

    def _end_soon(self) -> None:
        """All workers end after the next chunk of steps."""

    # ---- hooks -------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called after the last epoch, with its logs."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before an epoch.

        Args:
            epoch: counted from 0.
            logs: empty; kept for Keras code.
        """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after an epoch and its validation.

        Args:
            epoch: counted from 0.
            logs: the loss and the metrics of the epoch by name; those of the validation as `val_...`.
        """

    def on_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The legacy name of `on_train_batch_begin`. Arguments are as there."""

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The legacy name of `on_train_batch_end`. Arguments are as there."""

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a training step.

        Args:
            batch: the step, counted from 0.
            logs: empty; kept for Keras code.
        """
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a training step.

        Args:
            batch: the step, counted from 0.
            logs: the loss and the metrics so far, by name.
        """
        self.on_batch_end(batch, logs=logs)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called before evaluation or validation."""

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called after evaluation or validation."""

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a step of evaluation.

        Args:
            batch: the step, counted from 0.
            logs: empty; kept for Keras code.
        """

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a step of evaluation.

        Args:
            batch: the step, counted from 0.
            logs: the loss and the metrics so far, by name.
        """

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called before prediction."""

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called after prediction."""

    def on_predict_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a step of prediction.

        Args:
            batch: the step, counted from 0.
            logs: empty; kept for Keras code.
        """

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a step of prediction.

        Args:
            batch: the step, counted from 0.
            logs: `"outputs"`: the outputs of the step.
        """


HOOKS = frozenset(name for name in vars(Callback) if name.startswith("on_"))

_BATCH_HOOKS = {
    "train": ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


def watches_batches(callback: Any, kind: str) -> bool:
    """Return whether a callback must be called for every single batch.

    Args:
        callback: the callback.
        kind: of the run, `"train"`, `"test"` or `"predict"`.
    """
    if callback.per_chunk:
        return False
    hooks = _BATCH_HOOKS[kind]
    return any(h in vars(callback) or getattr(type(callback), h) is not getattr(Callback, h) for h in hooks)
