"""The position of a run of `fit`, and resuming an earlier run."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polykeras import seeds
from polykeras.training.data.sources import Source
from polykeras.training.data.streams import StreamSource
from polykeras.training.resuming.state import SavedRun, restore_state, saved_run
from polykeras.training.steps.prepare import prepare

if TYPE_CHECKING:
    from polykeras.training.callbacks.callback_list import CallbackList


@dataclass
class Position:
    """A position between two steps or between two epochs.

    Attributes:
        first_epoch: the number of the first epoch of the run.
        epoch: the number of the current epoch.
        step: the number of its steps that are done; 0 before it begins.
        logs: those of the last chunk of the epoch; before it begins, those of the epoch before.
        validations: the number of validations that are done.
    """

    first_epoch: int
    epoch: int
    step: int = 0
    logs: dict[str, Any] = field(default_factory=dict, repr=False)
    validations: int = 0


class Progress:
    """The progress of a run of `fit`. The loop updates it; a callback may save it between any two steps.

    Args:
        model: the model that is trained.
        callbacks: their states belong to the run.
        source: the data.
        validation: the data of the validation, or None.
        initial_epoch: the number of the first epoch.

    Attributes:
        position: the current position.
        watched: whether a callback saves the progress. Only then is anything noted that costs time.
        step: the compiled step; None before it is made.
        resumed: whether the run continues an earlier one.
    """

    def __init__(
        self, model: Any, callbacks: list[Any], source: Source, validation: Source | None, initial_epoch: int
    ) -> None:
        self.model = model
        self.callbacks = callbacks
        self.source = source
        self.validation = validation
        self.position = Position(initial_epoch, initial_epoch)
        self.watched = False
        self.step: Any = None
        self.resumed = False
        self._at_begin: Any = None  # the random state before the first pass over the data
        self._at_epoch: Any = None  # the random state before the current pass
        self._is_begun = False  # whether the pass of the next epoch has begun

    # ---- called by the loop ------------------------------------------------------------------------------------

    def begin(self, callback_list: CallbackList, epochs: int) -> None:
        """Begin a run, or resume an earlier one that a callback has saved.

        Args:
            callback_list: the callbacks.
            epochs: the epoch at which this run is to end.

        Raises:
            ValueError: the earlier run cannot be resumed with these arguments or this model.
        """
        saved = callback_list.enter(self)
        if saved is None:
            callback_list.on_train_begin({})
            return
        self.check(saved, epochs)
        callback_list.on_train_begin({})
        self.resume(saved, epochs)
        callback_list.on_train_resume(self.position.epoch, self.position.step)

    def epoch_begun(self) -> None:
        """An epoch has begun. Nothing of its data is read yet, except by `resume`."""
        self.position.logs = {}
        begun, self._is_begun = self._is_begun, False
        if self.watched and not begun and isinstance(self.source, StreamSource):
            self._at_epoch = seeds.global_state()
            self._at_begin = self._at_begin or self._at_epoch

    def chunk_done(self, step: int, logs: dict[str, Any]) -> None:
        """A chunk is done.

        Args:
            step: the number of steps of the epoch that are done.
            logs: those of the last step.
        """
        self.position.step, self.position.logs = step, logs

    def validation_done(self) -> None:
        """A validation is done."""
        self.position.validations += 1

    def epoch_done(self, logs: dict[str, Any]) -> None:
        """An epoch is done. The hooks for its end have not been called yet."""
        self.position.epoch, self.position.step, self.position.logs = self.position.epoch + 1, 0, logs

    def is_over(self) -> bool:
        """Return whether the run continues one that had already stopped training."""
        return self.resumed and self.position.step == 0 and self.model.stop_training

    # ---- saving ------------------------------------------------------------------------------------------------

    def saved(self) -> SavedRun:
        """Return the whole state of the run, on the host."""
        with self.source.orders.lock:
            orders = list(self.source.orders.drawn)
            process = seeds.process_state()
        run = {
            "position": vars(self.position),
            "facts": self.source.facts(),
            "orders": orders,
            "process": process,
            "globals": seeds.global_state(),
            "at_begin": self._at_begin,
            "at_epoch": self._at_epoch,
            "stop_training": self.model.stop_training,
        }
        return saved_run(self.model, self.step, self.callbacks, run)

    # ---- resuming ----------------------------------------------------------------------------------------------

    def check(self, saved: SavedRun, epochs: int) -> None:
        """Check that this run can continue an earlier one, before anything changes.

        Args:
            saved: the state of the earlier run.
            epochs: the epoch at which this run is to end.

        Raises:
            ValueError: the earlier run is past `epochs` or before `initial_epoch`; or it ended within an epoch and the
                data now have other steps.
        """
        before = Position(**saved.run["position"])
        where = f"{saved.folder} holds a run that ended in epoch {before.epoch + 1}, after {before.step} of its steps"
        away = f"Or remove {saved.folder} to start again."
        if before.epoch > epochs or (before.epoch == epochs and before.step):
            raise ValueError(f"{where}; epochs={epochs} is less than that. Pass more epochs. {away}")
        if self.position.first_epoch > before.epoch:
            raise ValueError(
                f"{where}; initial_epoch={self.position.first_epoch} lies after that. Pass the `initial_epoch` of "
                f"that run: {before.first_epoch}. {away}"
            )
        facts, then = self.source.facts(), saved.run["facts"]
        changed = [f"{name}={then.get(name)!r}, now {now!r}" for name, now in facts.items() if then.get(name) != now]
        if changed and before.step:
            raise ValueError(f"{where}, with {'; '.join(changed)}. Within an epoch, pass the same values. {away}")
        if changed:
            warnings.warn(f"{where}, with {'; '.join(changed)}. The new values are used.", stacklevel=4)

    def resume(self, saved: SavedRun, epochs: int) -> None:
        """Restore the state of an earlier run, and move the data to its position.

        Args:
            saved: the state of the earlier run.
            epochs: the epoch at which this run is to end.

        Raises:
            ValueError: the model, its optimizer or the data are not those of the earlier run. The model is unchanged.
        """
        run = saved.run
        self.position = Position(**run["position"])
        self._at_begin, self._at_epoch = run["at_begin"], run["at_epoch"]
        if isinstance(self.validation, StreamSource):
            for _ in range(self.position.validations):
                self.validation.reset()
                self.validation.seek(1, 0)
        trains = not run["stop_training"] and self.position.epoch < epochs
        if trains:
            self._seek(run)
        seeds.set_process_state(run["process"])  # a pass that begins takes its order from it
        first = self.source.first_batch()
        with self.source.orders.lock:  # the reading thread draws no order meanwhile
            process = seeds.process_state() if trains else run["process"]
            self.step = prepare(self.model, "train", first)
            restore_state(saved, self.model, self.step, first, self.callbacks)
            seeds.set_process_state(process)
        if not trains or not isinstance(self.source, StreamSource):
            seeds.set_global_state(run["globals"])
        self.model.stop_training = run["stop_training"]
        self.resumed = True

    def _seek(self, run: dict[str, Any]) -> None:
        """Move the training data to the position. The random numbers of a stream continue from there."""
        position, source = self.position, self.source
        epochs, within = position.epoch - position.first_epoch, position.step > 0
        if not isinstance(source, StreamSource):
            source.seek(epochs, within, run["orders"])
            return

        def before_epoch() -> None:
            source.orders.repeat(run["orders"] if within else ())
            seeds.set_global_state(run["at_epoch" if within else "globals"])

        if source.goes_on:
            source.orders.repeat(run["orders"])
            if run["at_begin"] is not None:
                seeds.set_global_state(run["at_begin"])
        source.seek(epochs, position.step, before_epoch)
        if source.goes_on and not within:
            seeds.set_global_state(run["globals"])
        if not within:
            self._at_epoch, self._is_begun = run["globals"], True
