"""One step of a model on one backend, as the trainer runs it: compiled or not, checked or not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras.backend.execution_policy import CannotRunBatches
from polykeras.training.steps.sizes import StepSizes
from polykeras.variables import Variable

if TYPE_CHECKING:
    from polykeras.training.steps.plan import StepPlan


class Step(ABC):
    """One step of a model on one backend.

    Args:
        code: the step as plain Python: takes a batch, returns logs or predictions.
        plan: what it was made from.
        compiles: whether the code is traced, and does not run each time.

    Attributes:
        code: as given.
        plan: as given.
        compiles: as given.
        sizes: what the step learned of the sizes of batches and data.
        list_orders: the order of the values in returned lists, by the names of the logs, as far as it was asked for.
    """

    def __init__(self, code: Callable[[Any], Any], plan: StepPlan, compiles: bool) -> None:
        self.code = code
        self.plan = plan
        self.compiles = compiles
        self.list_orders: dict[tuple[str, ...], list[str]] = {}
        self._backend = plan.backend
        self.sizes = StepSizes(compiles and plan.backend.execution.compiles_each_size)

    @property
    @abstractmethod
    def variables(self) -> list[Variable]:
        """The state that the step is known to use so far."""

    def begin_pass(self, done: int = 0) -> None:  # noqa: B027
        """Begin a pass over the data, or continue one after `done` steps: checks count them for messages."""

    def place_data(self, data: Any) -> Any:
        """Return arrays for `run_rows`, on the devices where the step wants them.

        Args:
            data: a tree of arrays.
        """
        return data

    @abstractmethod
    def run_rows(self, data: Any, indices: Any, start: int, stop: int) -> Any:
        """Run consecutive steps over rows of arrays.

        Args:
            data: a tree of arrays on the device.
            indices: the rows of each step's batch, ints `(steps, batch)`.
            start: the first step.
            stop: the step after the last one.

        Returns:
            The logs of the last step.
        """

    @abstractmethod
    def run_batch(self, batch: Any) -> Any:
        """Run one step on a batch of host arrays; return its logs or predictions."""

    def can_run_batches(self) -> bool:
        """Return whether `run_batches` is worth a try: whether one program runs several batches at once."""
        return False

    def run_batches(self, batches: Any, count: int) -> Any:
        """Run a step that changes nothing on each of several batches at once.

        Args:
            batches: a tree of arrays `(room, *shape of a batch)`.
            count: how many batches to run, the first ones.

        Returns:
            The outputs, a tree of arrays `(room, ...)`.

        Raises:
            CannotRunBatches: the batches must run one by one, now and later.
        """
        raise CannotRunBatches("nothing is compiled")

    def program(self, batch: Any, stage: str) -> str | None:
        """Return the program of `run_batch` as text. Changes no variable.

        Args:
            batch: a tree of host arrays. Their values are not used.
            stage: `"traced"` or `"compiled"`; see `Backend.compile`.

        Returns:
            The text, or None where the step runs as plain Python.
        """
        return None
