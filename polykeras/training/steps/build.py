"""Building what a step needs before it is traced: variables of layers, metrics and the optimizer, from shapes alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras.backend.shared_draws import Draws, recorded_draws
from polykeras.backend.symbolic import cannot_run_on_shapes
from polykeras.common import nested
from polykeras.common.traits import overrides
from polykeras.graph.inference import infer_outputs
from polykeras.graph.tensor import KerasTensor
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.training.steps.with_state import StateStep

if TYPE_CHECKING:
    from polykeras.training.step_methods import StepMethods


def build(model: StepMethods, kind: str, code: Callable[[Any], Any], batch: Any) -> bool:
    """Make the variables that a step needs: run it once on shapes alone.

    Args:
        model: the model whose step it is.
        kind: `"train"`, `"test"` or `"predict"`.
        code: that of the step; takes a batch.
        batch: a batch, whose values are not read.

    Returns:
        Whether the step runs on shapes alone.
    """
    if kind != "predict" and overrides(model, f"{kind}_step"):
        _build_metrics(model, batch)
    built = runs_on_shapes(model, _building(code), batch)
    if built and kind == "train" and model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return built


def _build_metrics(model: StepMethods, batch: Any) -> None:
    """Build the metrics of `compile`: a user's own step may ask for them before anything else does."""
    metrics = model._compiled_metrics
    x, y, _ = unpack_x_y_sample_weight(batch)
    if metrics is None or metrics.built or y is None:
        return

    def build(x: Any, y: Any) -> None:
        metrics.build(y, model(x, training=False))

    try:
        infer_outputs(build, symbolic((x, y)), {})
    except Exception:  # a model without a `call`; if something else is wrong, its steps raise it
        pass
    finally:
        model._forget_losses()


def runs_on_shapes(model: StepMethods, code: Callable[[Any], Any], batch: Any) -> bool:
    """Run a step on shapes alone.

    Args:
        model: the model whose step it is.
        code: that of the step; takes a batch.
        batch: a batch, whose values are not read.

    Returns:
        Whether that was possible. It is not if the step holds native code.

    Raises:
        Exception: what the code raises.
    """
    try:
        infer_outputs(code, (symbolic(batch),), {}, native=False)
    except Exception as error:
        # A user's step or layer holds a framework's native code. What it needs is made when it is traced. It does not
        # run on the framework's arrays without values here: it may ask for their memory and crash, or keep such an
        # array in an object of its own, as a gradient or the state of an optimizer.
        if not cannot_run_on_shapes(error):
            raise
        return False
    finally:
        model._forget_losses()
    return True


def draws_of(model: StepMethods, code: Callable[[Any], Any], batch: Any) -> Draws:
    """Return the random numbers that a step draws: run it on shapes alone, for two numbers of samples.

    Args:
        model: the model whose step it is.
        code: that of the step; takes a batch, and runs on shapes.
        batch: a batch, whose values are not read.
    """
    function = _building(code)
    rows = len(nested.flatten(batch)[0])
    shapes = []
    for times in (1, 2):
        tensors = nested.map_structure(lambda x, n=times: KerasTensor((n * len(x), *x.shape[1:]), x.dtype), batch)
        try:
            with recorded_draws() as found:
                infer_outputs(function, (tensors,), {}, native=False)
        except Exception:  # the model takes batches of one size alone
            return Draws()
        finally:
            model._forget_losses()
        shapes.append(found)
    return Draws.compared(*shapes, rows=(rows, 2 * rows))


def _building(code: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what makes the variables of a step: its code, or a function of its own."""
    return code.build if isinstance(code, StateStep) else code


def symbolic(batch: Any) -> Any:
    """Return the shapes and dtypes of a batch, as a tree of `KerasTensor`s."""
    return nested.map_structure(lambda leaf: KerasTensor(leaf.shape, leaf.dtype), batch)
