"""Where a run of `fit` is, and where an earlier one was."""

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
    """A place between two steps, or between two epochs.

    Attributes:
        first_epoch: the number of the run's first epoch.
        epoch: the number of the epoch.
        step: how many of its steps are done; 0 where it has not begun.
        logs: those of the last chunk of the epoch, or of the epoch before where this one has not begun.
        validations: how many are done.
    """

    first_epoch: int
    epoch: int
    step: int = 0
    logs: dict[str, Any] = field(default_factory=dict)
    validations: int = 0


class Progress:
    """Where a run of `fit` is. The loop tells; a callback that keeps it may write it down between any two steps.

    Args:
        model: what is trained.
        callbacks: whose states belong to the run.
        source: the data.
        validation: the data of the validation, or None.
        initial_epoch: the number of the first epoch.

    Attributes:
        position: where it is.
        watched: whether somebody keeps it; what costs anything is noted only then.
        step: what runs a step, once there is one.
        resumed: whether it goes on with an earlier run.
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
        self._at_begin: Any = None  # the random state as the data were begun
        self._at_epoch: Any = None  # and as their current pass was
        self._is_begun = False  # whether the pass of the next epoch is begun already

    # ---- what the loop tells -----------------------------------------------------------------------------------

    def begin(self, callback_list: CallbackList, epochs: int) -> None:
        """Begin a run, or go on with an earlier one that a callback knows.

        Args:
            callback_list: the callbacks.
            epochs: the epoch at which this run is to end.

        Raises:
            ValueError: the earlier run cannot go on with these arguments, or this model.
        """
        kept = callback_list.join(self)
        if kept is None:
            callback_list.begin("train")
            return
        self.check(kept, epochs)
        callback_list.begin("train")
        self.resume(kept, epochs)
        callback_list.call("on_train_resume", self.position.epoch, self.position.step)

    def epoch_begun(self) -> None:
        """An epoch has begun, and nothing of its data is read yet; or only as a run that goes on began to."""
        self.position.logs = {}
        begun, self._is_begun = self._is_begun, False
        if self.watched and not begun and isinstance(self.source, StreamSource):
            self._at_epoch = seeds.global_state()
            self._at_begin = self._at_begin or self._at_epoch

    def begun(self) -> tuple[dict[str, Any], int]:
        """Return the logs and the number of the steps of the epoch that are done already."""
        return self.position.logs, self.position.step

    def chunk_done(self, step: int, logs: dict[str, Any]) -> None:
        """So many steps of the epoch are done."""
        self.position.step, self.position.logs = step, logs

    def validation_done(self) -> None:
        """A validation is done."""
        self.position.validations += 1

    def epoch_done(self, logs: dict[str, Any]) -> None:
        """An epoch is done, but for what callbacks do at its end."""
        self.position.epoch, self.position.step, self.position.logs = self.position.epoch + 1, 0, logs

    def is_over(self) -> bool:
        """Return whether an earlier run had stopped before its last epoch."""
        return self.resumed and self.position.step == 0 and self.model.stop_training

    # ---- writing it down ---------------------------------------------------------------------------------------

    def kept(self) -> SavedRun:
        """Return all of the run's state, on the host."""
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

    # ---- going on ----------------------------------------------------------------------------------------------

    def check(self, kept: SavedRun, epochs: int) -> None:
        """Refuse to go on with other arguments where that cannot be, before anything is changed.

        Args:
            kept: of the earlier run.
            epochs: the epoch at which this one is to end.

        Raises:
            ValueError: the earlier run is further than this one is to go, begins later, or was cut within an epoch of
                other steps.
        """
        before = Position(**kept.run["position"])
        where = f"{kept.folder} holds a run that was cut in epoch {before.epoch + 1}, after {before.step} of its steps"
        away = f"Or remove {kept.folder} to begin anew."
        if before.epoch > epochs or (before.epoch == epochs and before.step):
            raise ValueError(f"{where}; epochs={epochs} is less than that. Pass more epochs. {away}")
        if self.position.first_epoch > before.epoch:
            raise ValueError(
                f"{where}; initial_epoch={self.position.first_epoch} lies after that. Pass the `initial_epoch` that "
                f"the run had: {before.first_epoch}. {away}"
            )
        facts, then = self.source.facts(), kept.run["facts"]
        changed = [f"{name}={then.get(name)!r}, now {now!r}" for name, now in facts.items() if then.get(name) != now]
        if changed and before.step:
            raise ValueError(f"{where}, with {'; '.join(changed)}. An epoch ends as it began: pass the same. {away}")
        if changed:
            warnings.warn(f"{where}, with {'; '.join(changed)}. It goes on with the new ones.", stacklevel=4)

    def resume(self, kept: SavedRun, epochs: int) -> None:
        """Put the state of an earlier run back, and the data to where it was.

        Args:
            kept: its state.
            epochs: the epoch at which this run is to end.

        Raises:
            ValueError: the model, its optimizer or the data are not those of the earlier run; the model is unchanged.
        """
        run = kept.run
        self.position = Position(**run["position"])
        self._at_begin, self._at_epoch = run["at_begin"], run["at_epoch"]
        if isinstance(self.validation, StreamSource):
            self.validation.seek(self.position.validations, 0)
        trains = not run["stop_training"] and self.position.epoch < epochs
        if trains:
            self._seek(run)
        seeds.set_process_state(run["process"])  # from which a pass that begins takes its order
        first = self.source.first_batch()
        with self.source.orders.lock:  # what is fetched ahead waits with further orders
            process = seeds.process_state() if trains else run["process"]
            self.step = prepare(self.model, "train", first)
            restore_state(kept, self.model, self.step, first, self.callbacks)
            seeds.set_process_state(process)
        if not trains or not isinstance(self.source, StreamSource):
            seeds.set_global_state(run["globals"])
        self.model.stop_training = run["stop_training"]
        self.resumed = True

    def _seek(self, run: dict[str, Any]) -> None:
        """Bring the training data to the position; random numbers of a stream go on from where that ends."""
        position, source = self.position, self.source
        if not isinstance(source, StreamSource):
            source.orders.repeat(run["orders"] if position.step else ())
            return
        within = position.step > 0

        def before_epoch() -> None:
            source.orders.repeat(run["orders"] if within else ())
            seeds.set_global_state(run["at_epoch" if within else "globals"])

        if source.goes_on:
            source.orders.repeat(run["orders"])
            if run["at_begin"] is not None:
                seeds.set_global_state(run["at_begin"])
        source.seek(position.epoch - position.first_epoch, position.step, before_epoch)
        if source.goes_on and not within:
            seeds.set_global_state(run["globals"])
        if not within:
            self._at_epoch, self._is_begun = run["globals"], True
