"""The hooks of training, and the list that calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from polykeras.training.callbacks.attributes import plain_attributes, set_attributes

if TYPE_CHECKING:
    from polykeras.models import Model


class Callback:
    """Base class of objects that watch or steer training.

    Hooks are called with `logs`, a dict of floats. Overriding a hook of single batches makes `fit` run one step at a
    time, as then nothing may happen unseen; a callback whose batch hooks are content to be called once a chunk of steps
    sets `per_chunk = True`, and says in `next_stop` where chunks have to end.

    With a `BackupAndRestore`, what a callback remembers is part of the run: see `get_state`.

    Attributes:
        per_chunk: see above.
        runs_last: whether it is called after the others, whatever its place among them.
        model: the model that is trained.
        params: `{"verbose", "epochs", "steps"}`; and `"resumed": True` where a run goes on that was cut.
    """

    per_chunk: bool = False
    runs_last: bool = False
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
        """Tell which model is trained."""
        self._model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Tell the parameters of the run."""
        self.params = params

    # ---- runs that go on ---------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return what a run that goes on in another process has to know of this callback.

        By default, all attributes that are plain data or NumPy arrays, also in lists, dicts and so on; but for those
        that still are what `__init__` was given for the argument of their name (with or without a `_` before it): these
        are as the new run says.

        Returns:
            Plain data and arrays.
        """
        return plain_attributes(self, self._given)

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` returned in an earlier run; called after `on_train_begin`.

        Lists and dicts that are attributes already get their contents, so that whoever shares them sees them too.
        """
        set_attributes(self, state)

    def on_train_resume(self, epoch: int, step: int) -> None:
        """Called where a run goes on, once the state is back.

        Args:
            epoch: the epoch that was cut, counted from 0; `on_epoch_begin` is called only where `step` is 0.
            step: how many of its steps are done.
        """

    def next_stop(self, done: int) -> int | None:
        """Return the step of the epoch after which a chunk of training steps has to end; None for any.

        Args:
            done: how many steps of the epoch are done.
        """
        return None

    def _join(self, progress: Any) -> Any:
        """Take part in a run of `fit`: its progress is known from now on. Return what an earlier run left, or None."""

    def _leave(self) -> None:
        """The run of `fit` is over, in whatever way."""

    # ---- hooks -------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called after the last epoch, with its logs."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before an epoch, counted from 0.

        Args:
            epoch: counted from 0.
            logs: empty; kept for Keras code.
        """

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after an epoch and its validation (`val_...` in the logs).

        Args:
            epoch: counted from 0.
            logs: the means of the epoch by name; those of the validation as `val_...`.
        """

    def on_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The legacy name of `on_train_batch_begin`.

        Args:
            batch: see there.
            logs: see there.
        """

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The legacy name of `on_train_batch_end`.

        Args:
            batch: see there.
            logs: see there.
        """

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a training step.

        Args:
            batch: the step, counted from 0.
            logs: empty; kept for Keras code.
        """
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a training step.

        Args:
            batch: the step, counted from 0.
            logs: the loss and the metrics so far, by name.
        """
        self.on_batch_end(batch, logs)

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
        """Called after a step of prediction; `logs["outputs"]` are the outputs.

        Args:
            batch: the step, counted from 0.
            logs: `"outputs"`, those of the step.
        """


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
