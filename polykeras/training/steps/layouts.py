"""Steps of a model whose variables are cut over devices.

A step is code over a whole batch. If its arrays lie on several devices, the framework cuts the work up, and the numbers
are those of one device. So nothing in a step changes but where arrays lie: variables and data before it, and new values
of variables after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from polykeras.backend import Backend
from polykeras.backend.job import WorkerLost
from polykeras.backend.spec import Array
from polykeras.common import nested
from polykeras.distribution import placing
from polykeras.distribution.meshes import TensorLayout
from polykeras.distribution.strategies import Distribution, distribution
from polykeras.variables import Variable, read_state, write_state

if TYPE_CHECKING:
    from polykeras.training.steps.plan import StepPlan

_ADVICE = (
    "ModelParallel: the arrays of this step are cut over devices. If the framework cannot run an operation on them, "
    "let its layer have whole inputs: layout_map['<path of the layer before it>/output'] = (). Or use DataParallel, "
    "which has all weights on each device. If it tells of a connection, another worker ended: its own output says why."
)


def distribution_of_weights(backend: Backend) -> Distribution | None:
    """Return the current distribution if it cuts the variables of a model over several devices; None otherwise.

    Raises:
        NotImplementedError: the backend cannot train so.
    """
    current = distribution()
    if current is None or not current.cuts_weights:
        return None
    current.connect(backend)
    return current


def laid_out(code: Callable[[Any], Any], plan: StepPlan) -> Callable[[Any], Any]:
    """Return code that computes on the devices of the plan, and leaves variables there. All devices have its results.

    Args:
        code: takes a batch.
        plan: that of the step. For one device, the code stays as it is.
    """
    layouts = plan.layouts
    if layouts is None:
        return code
    variables = plan.variables if plan.changes else []

    def run(batch: Any) -> Any:
        layouts.place(variables)  # else a loop over steps may keep them where its compiler likes
        try:
            result = code(nested.map_structure(layouts.rows, batch))
        except (RuntimeError, AssertionError) as error:  # what frameworks raise then
            if not isinstance(error, WorkerLost):
                error.add_note(_ADVICE)
            raise
        layouts.place(variables)
        return nested.map_structure(layouts.result, result)

    return run


class StepLayouts:
    """Where the arrays of a step lie.

    Args:
        distribution: the layouts of variables and data.
        backend: where the step runs.
    """

    def __init__(self, distribution: Distribution, backend: Backend) -> None:
        self._distribution, self._backend = distribution, backend
        self._known: dict[int, tuple[Variable, TensorLayout]] = {}

    def lay_out(self, variable: Variable) -> None:
        """Put the value of a variable on the devices, unless it is there.

        Raises:
            ValueError: its layout does not fit its shape.
        """
        variable.lay_out(self._backend, lambda value: self._placed(variable, value))

    def place(self, variables: Sequence[Variable]) -> None:
        """Put values that a step has now on the devices. Raises: as `lay_out`."""
        values = read_state(variables, self._backend)
        write_state(variables, [self._placed(*pair) for pair in zip(variables, values, strict=True)], self._backend)

    def whole(self, x: Array) -> Array:
        """Return an array that all devices have."""
        return placing.laid_out(self._backend, x, TensorLayout((), self._distribution.device_mesh))

    def _layout(self, variable: Variable) -> TensorLayout:
        if id(variable) not in self._known:
            self._known[id(variable)] = variable, self._distribution.get_variable_layout(variable)
        return self._known[id(variable)][1]

    def _placed(self, variable: Variable, value: Array) -> Array:
        layout = self._layout(variable)
        try:
            return placing.laid_out(self._backend, value, layout)
        except ValueError as error:
            raise ValueError(
                f"ModelParallel: expected a layout that cuts the variable {variable.path!r} of shape {variable.shape} "
                f"evenly; received {layout.axes} on {layout.device_mesh}. Change its layout in the LayoutMap. ({error})"
            ) from error

    def result(self, x: Any) -> Any:
        """Return an array that all devices have; anything else as it is."""
        return self.whole(x) if isinstance(x, self._backend.array_types()) else x

    def rows(self, x: Array) -> Array:
        """Return a batch cut over the axis of the devices that is for batches; whole if that is not possible."""
        shape, parts = self._backend.shape(x), self._distribution.num_model_replicas
        if not shape or shape[0] % parts:
            return x
        return placing.laid_out(self._backend, x, self._distribution.get_data_layout(shape))
