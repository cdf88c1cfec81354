"""How the steps of a model become compiled steps."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import config
from polykeras.backend import Backend, registry
from polykeras.backend.symbolic import cannot_run_on_shapes
from polykeras.common import logits, nested
from polykeras.common.naming import are_ours
from polykeras.graph.inference import infer_outputs
from polykeras.graph.tensor import KerasTensor
from polykeras.layers.base.tracking import tracked
from polykeras.metrics import Metric
from polykeras.optimizers import Optimizer
from polykeras.random import SeedGenerator
from polykeras.training import padding
from polykeras.training.compiled_metrics import CompiledMetrics
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.training.nan_guard import guarded
from polykeras.training.native_steps import native_step
from polykeras.training.state_steps import StateStep, takes_state
from polykeras.training.step_cache import StepCache
from polykeras.training.steps import CompiledStep, EagerStep, shapes_of
from polykeras.training.verification import VerifiedStep
from polykeras.training.wrapped_step import ResettingStep
from polykeras.variables import Variable, unique

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer


@dataclass(frozen=True, slots=True)
class Plan:
    """What the default steps need to know of the model, looked up before they run."""

    model: Any
    trainable: list[Variable]
    metrics: list[Metric]
    layers: list[Any]
    valid: Any = None  # which rows of the batch count, bool `(batch,)`; None for all
    rows: Any = None  # how many, a float scalar


# Of the step that runs in this thread: another one may predict with the same model at the same time.
_running: ContextVar[Plan | None] = ContextVar("polykeras_running_plan", default=None)


class PreparedSteps:
    """Compiles `train_step`, `test_step` and `predict_step` of a class, anew where what they depend on has changed."""

    variables: list[Variable]
    trainable_variables: list[Variable]
    metrics: list[Metric]
    metrics_variables: list[Variable]
    name: str
    optimizer: Any
    run_eagerly: bool
    _flatten_layers: Callable[[], list[Layer]]
    _forget_losses: Callable[[], None]
    get_metrics_result: Callable[[], dict[str, Any]]
    reset_metrics: Callable[[], None]
    _compiled_metrics: CompiledMetrics | None
    _steps: StepCache

    @property
    def _plan(self) -> Plan | None:
        """What is known of the step of this model that runs; None where none does, or nothing is known."""
        running = _running.get()
        return running if running is not None and running.model is self else None

    def _optimizers(self) -> list[Optimizer]:
        """The optimizers of the model and of models in it: a user's own step may have several."""
        models = [layer for layer in self._flatten_layers() if isinstance(layer, PreparedSteps)]
        found = [optimizer for model in models for optimizer in tracked(model, Optimizer)]
        return list({id(optimizer): optimizer for optimizer in found}.values())

    def _all_variables(self) -> list[Variable]:
        """Everything a step may read or change."""
        found = [*self.variables, *self.metrics_variables]
        for optimizer in self._optimizers():
            found += optimizer.variables
        return unique(found)

    def _fingerprint(self) -> tuple[Any, ...]:
        """What a compiled step depends on and may change after `compile`: frozen or exchanged layers, schedules."""
        parts: list[Any] = [config.nan_guard(), config.verify(), *config.defaults()]
        for layer in self._flatten_layers():
            held = (*layer._own_weights, *vars(layer).values())
            parts += [
                layer,
                layer.trainable,
                layer.dtype_policy.name,
                *(v for v in held if isinstance(v, Variable) and not v.trainable),
            ]
            parts += tracked(layer, (SeedGenerator, Metric))
            if isinstance(layer, PreparedSteps):
                for optimizer in tracked(layer, Optimizer):
                    parts += [optimizer, getattr(optimizer, "_learning_rate", None)]
        return tuple(parts)

    def _prepare(self, kind: str, batch: Any, resets: bool = False) -> CompiledStep:
        """Return a step function of this model, compiled for the current backend; build what is not built yet.

        Args:
            kind: "train", "test" or "predict".
            batch: one, whose values are not read.
            resets: whether the step begins metrics anew.
        """
        backend = registry.current()
        key = f"{kind}, from new metrics" if resets else kind
        return self._steps.get(key, backend, self._fingerprint, lambda: self._make_step(kind, batch, backend, resets))

    def _neutral_step(self, kind: str, backend: Backend) -> Callable[[Any], Any]:
        """Return a step of this model as code over variables that takes a batch, in whatever form it was written."""
        step: Callable[..., Any] = getattr(self, f"{kind}_step")
        return StateStep(self, kind, step) if takes_state(step, backend) else step

    def _make_step(self, kind: str, batch: Any, backend: Backend, resets: bool) -> CompiledStep:
        step = self._neutral_step(kind, backend)
        if kind != "predict" and not are_ours(self, f"{kind}_step"):
            self._build_metrics(batch)
        built = self._build_by(step.build if isinstance(step, StateStep) else step, batch)
        if built and kind == "train" and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        step = native_step(step, self, kind, backend)
        plan = Plan(self, self.trainable_variables, self.metrics, self._flatten_layers()) if built else None
        if kind == "train" and plan and not plan.trainable and are_ours(self, "train_step"):
            warnings.warn(
                f"The model {self.name!r} does not have any trainable weights: its steps change none. What is "
                "trainable counts as it is now, not as it was at `compile`: set it before each training.",
                stacklevel=2,
            )
        # In the compiled step a reset costs nothing. A user's own is called each time: it may do more than assign.
        resets_inside = resets and built and are_ours(self, "reset_metrics")
        resets_inside = resets_inside and all(are_ours(metric, "reset_state") for metric in self.metrics)

        def planned(batch: Any) -> Any:
            data, numbers = batch if isinstance(batch, padding.Filled) else (batch, None)
            current = plan
            if current is not None and numbers is not None:
                valid = padding.valid_rows(numbers)
                current = replace(current, valid=valid, rows=padding.count(valid))
            token = _running.set(current)
            try:
                if resets_inside:
                    self.reset_metrics()
                with logits.remembered():
                    result = step(data)
            finally:
                _running.reset(token)
                self._forget_losses()
            return result if kind == "predict" else _flat_logs(kind, result)

        cls = EagerStep if self.run_eagerly else CompiledStep
        # What a prediction uses beside weights is found by tracing: each argument of a compiled call takes its time.
        state = self.variables if kind == "predict" else self._all_variables()
        made = cls(planned, state, backend, donate=kind != "predict")
        if config.verify() and backend.is_compiled() and not self.run_eagerly:
            made = VerifiedStep(made, self, backend, kind, config.verify())
        if kind == "train" and config.nan_guard():
            made = guarded(made, self, backend)
        return ResettingStep(made, self, backend) if resets and not resets_inside else made

    def _fills(self, kind: str, step: CompiledStep, batch: Any) -> bool:
        """Return whether the last batch of an epoch may be filled up to the size of the one given, of host arrays."""
        key = shapes_of(batch)
        fills = step.fills.get(key)
        if fills is None:
            filled = padding.Filled(batch, np.zeros(len(nested.flatten(batch)[0]), np.int32))
            fits = padding.why_not(self, kind) is None and padding.fits(step.step, filled)
            fills = step.fills.put(key, fits)
        self._forget_losses()
        return fills

    def _build_metrics(self, batch: Any) -> None:
        """Make the metrics of `compile`: a step of a user's may ask for them before anything else does."""
        metrics = self._compiled_metrics
        x, y, _ = unpack_x_y_sample_weight(batch)
        if metrics is None or metrics.built or y is None:
            return

        def build(x: Any, y: Any) -> None:
            metrics.build(y, self(x, training=False))  # type: ignore[operator]

        try:
            infer_outputs(build, _symbolic((x, y)), {})
        except Exception:  # a model that is nothing but its steps; what is wrong otherwise they tell themselves
            pass
        finally:
            self._forget_losses()

    def _build_by(self, step: Callable[[Any], Any], batch: Any) -> bool:
        """Make the variables that a step needs by running it once on shapes alone; return whether that was possible."""
        try:
            infer_outputs(step, (_symbolic(batch),), {}, native=False)
        except Exception as error:
            # Native code of a framework in a user's step or layer. What it needs is made when it is traced. It is not
            # run on that framework's arrays without values where there are others: it may look for memory, and crash,
            # or keep such an array in an object of its own, as a gradient or the state of an optimizer.
            if not cannot_run_on_shapes(error):
                raise
            return False
        finally:
            self._forget_losses()
        return True


def _symbolic(batch: Any) -> Any:
    return nested.map_structure(lambda leaf: KerasTensor(leaf.shape, leaf.dtype), batch)


def _flat_logs(kind: str, logs: Any) -> dict[str, Any]:
    """Return the logs of a step without dicts in dicts, whose items take the place of their dict.

    Raises:
        TypeError: there is no dict, or a log in it is None.
    """
    if not isinstance(logs, dict):
        raise TypeError(f"{kind}_step must return scalars by name, a dict, for the logs; received {logs!r}.")
    flat: dict[str, Any] = {}
    for name, value in logs.items():
        if value is None:
            raise TypeError(f"{kind}_step must return scalars for the logs; {name!r} is None. Leave it out.")
        flat |= _flat_logs(kind, value) if isinstance(value, dict) else {name: value}
    return flat
