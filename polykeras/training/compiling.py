"""Compiling a model: its optimizer, losses and metrics, which are also saved as plain data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from polykeras import config, optimizers
from polykeras.backend import registry
from polykeras.common.arguments import positive_int
from polykeras.common.default_property import default_property
from polykeras.common.legacy_arguments import takes_legacy_arguments, takes_legacy_order
from polykeras.common.traits import overrides
from polykeras.dtype_policies import DTypePolicy
from polykeras.layers.base.own_metrics import own_metrics
from polykeras.layers.base.tracking import tracked
from polykeras.metrics import Mean, Metric
from polykeras.optimizers import Optimizer
from polykeras.random import SeedGenerator
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object
from polykeras.training.compiled_loss import CompiledLoss, name_metrics
from polykeras.training.compiled_metrics import CompiledMetrics
from polykeras.training.diagnosis import warn_of_wrong_activation
from polykeras.training.logs import list_order
from polykeras.training.steps.cache import StepCache
from polykeras.variables import Variable, unique

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer

_FUNCTIONS = ("train_function", "test_function", "predict_function")


class Compiled:
    """A model that can be compiled: the base of a trainer.

    Attributes:
        train_function: see `make_train_function`; None before it is called.
        test_function: see `make_test_function`.
        predict_function: see `make_predict_function`.
    """

    _may_have_native_state = False  # whether a step of the user may keep state in objects of a framework

    # Defined by the other base classes of a model.
    name: str
    dtype_policy: DTypePolicy
    losses: list[Any]
    variables: list[Variable]
    trainable_variables: list[Variable]
    non_trainable_variables: list[Variable]
    metrics_variables: list[Variable]
    __call__: Callable[..., Any]
    _flatten_layers: Callable[[], list[Layer]]
    _forget_losses: Callable[[], None]
    _input_check: Callable[[], Callable[[Any], None] | None]
    _last_layers: Callable[[], list[Any]]

    train_function: Callable[[Iterable[Any]], Any] | None
    test_function: Callable[[Iterable[Any]], Any] | None
    predict_function: Callable[[Iterable[Any]], Any] | None

    def __init__(self) -> None:
        self.optimizer: Any = None  # an `Optimizer` once compiled; `Any`, so that steps need no check
        self.stop_training = self.stop_evaluating = self.stop_predicting = False
        self.history: Any = None
        self.run_eagerly = False
        self.steps_per_execution: int | str = "auto"
        self.compiled = False
        self._compiled_loss: CompiledLoss | None = None
        self._compiled_metrics: CompiledMetrics | None = None
        self._loss_tracker: Mean | None = None
        self._steps = StepCache()
        self._forget_functions()
        self._compile_arguments: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the compiled steps, which belong to one model. Copies and pickles compile their own."""
        state: Any = super().__getstate__()
        return state | {"_steps": StepCache(), **dict.fromkeys(_FUNCTIONS)}

    def _forget_functions(self) -> None:
        self.train_function = self.test_function = self.predict_function = None

    @takes_legacy_arguments
    @takes_legacy_order(
        "optimizer loss metrics loss_weights weighted_metrics run_eagerly",
        2,
        name_metrics,
        "compile: the third argument was `metrics` in Keras 2 and is `loss_weights` today; pass names.",
    )
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int | str = "auto",
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Set how the model is trained.

        Args:
            optimizer: a name or an optimizer.
            loss: a name, a `Loss`, its class, or a function `(y_true, y_pred)`; or a list or dict of them by output.
            loss_weights: a list or dict with the weight of the loss of each output.
            metrics: a list of names, `Metric`s, their classes or functions; or a dict or list of such lists by output.
                `"accuracy"` stands for the binary, categorical or sparse accuracy, depending on the shapes of labels
                and outputs.
            weighted_metrics: as `metrics`, with sample and class weights applied.
            run_eagerly: run steps as plain Python, to debug them.
            steps_per_execution: the number of steps that run in one call; `"auto"` chooses it by their time.
            jit_compile: accepted for Keras code. Steps are always compiled if the backend compiles.
            auto_scale_loss: put the optimizer of a `mixed_float16` model into a `LossScaleOptimizer`.

        Raises:
            TypeError: a class of a loss or metric that needs arguments.
            ValueError: an unknown name (the nearest one is suggested).

        Warns:
            UserWarning: a cross-entropy expects probabilities and gets the output of a Dense layer without activation.
        """
        self.optimizer = optimizers.get(optimizer)
        scaled = auto_scale_loss and self.dtype_policy.name == "mixed_float16"
        if scaled and not isinstance(self.optimizer, optimizers.LossScaleOptimizer | None):
            self.optimizer = optimizers.LossScaleOptimizer(self.optimizer)
        names = getattr(self, "output_names", None)
        self._compiled_loss = None if loss is None else CompiledLoss(loss, loss_weights, names)
        self._compiled_metrics = None
        if metrics is not None or weighted_metrics is not None:
            self._compiled_metrics = CompiledMetrics(metrics, weighted_metrics, names, self._compiled_loss)
        self._loss_tracker = Mean(name="loss")
        self.run_eagerly = run_eagerly
        if steps_per_execution != "auto":
            positive_int(steps_per_execution, "steps_per_execution")
        self.steps_per_execution = steps_per_execution
        self.jit_compile = jit_compile
        self.stop_training = False
        self.compiled = True
        self._steps = StepCache()
        self._forget_functions()
        self._compile_arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
            "auto_scale_loss": auto_scale_loss,
        }
        vars(self).pop("loss", None)  # what a user's class stored there
        warn_of_wrong_activation(self)

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return the arguments of `compile` as plain data; None if it was not called.

        Warns:
            UserWarning: an argument cannot be described, and is left out: a function without a name, say, that uses a
                model of the function around it.
        """
        if not self.compiled:
            return None
        told = dict(self._compile_arguments, optimizer=self.optimizer)
        del told["auto_scale_loss"]  # the optimizer is wrapped already
        if told["steps_per_execution"] == "auto":  # Keras does not know this value
            del told["steps_per_execution"]
        described = {}
        for name, value in told.items():
            try:
                described[name] = serialize_keras_object(value)
            except (TypeError, NotImplementedError) as error:
                warnings.warn(
                    f"{self.name!r}: the `{name}` of `compile` is left out of its config, and of files: {error} After "
                    f"loading, pass it again: `model.compile(model.optimizer, {name}=...)`, with the other arguments.",
                    stacklevel=2,
                )
        return described

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` returned, here or in Keras.

        A class that overrides `compile` must override this method too. Otherwise, call `compile` after loading.

        Args:
            config: the arguments of `compile` as plain data.

        Warns:
            UserWarning: the class overrides `compile` but not this method. The model is not compiled.
        """
        if overrides(self, "compile"):
            warnings.warn(
                f"{type(self).__name__} has its own `compile` and was not compiled: call `compile`, or give the class "
                "`get_compile_config` and `compile_from_config`.",
                stacklevel=2,
            )
            return
        told = deserialize_keras_object(config)
        if told.get("steps_per_execution") == 1:  # Keras's default; ours is "auto"
            del told["steps_per_execution"]
        self.compile(**told)

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"You must call `compile()` before `{method}()`. The model {self.name!r} is not compiled: call "
                "`model.compile(optimizer=..., loss=...)` first."
            )

    @default_property
    def loss(self) -> Any:
        """The loss as given to `compile`."""
        return self._compile_arguments.get("loss")

    # ---- optimizers, metrics and their variables ---------------------------------------------------------------

    @property
    def distribute_strategy(self) -> Any:
        """The `tf.distribute` strategy of the current scope, for callbacks and other code written for TensorFlow."""
        return registry.current().native.distribute_strategy()

    @property
    def metrics(self) -> list[Metric]:
        """The loss, the metrics of `compile` as one, the losses of several outputs, and those in attributes.

        These are attributes of the model and of its layers, not of models within it, which are trained by themselves.
        """
        found = [part for part in (self._loss_tracker, self._compiled_metrics) if part is not None]
        if self._compiled_loss is not None:
            found += self._compiled_loss.metrics
        for layer in self._flatten_layers():
            if layer is self or not isinstance(layer, Compiled):
                found += own_metrics(layer)
        return unique(found)

    def _metrics_in_logs(self) -> dict[str, Metric]:
        """Return the metrics, those of `compile` one by one, by their names in logs."""
        found: dict[str, Metric] = {}
        for metric in self.metrics:
            found |= metric.by_name if isinstance(metric, CompiledMetrics) else {metric.name: metric}
        return found

    @property
    def metrics_names(self) -> list[str]:
        """The names of the values in the lists that `evaluate` and `train_on_batch` return."""
        return list_order(self._metrics_in_logs(), self.metrics)

    def _losses_and_metrics(self) -> list[Any]:
        """Return the losses and metrics that `compile` was given."""
        losses = self._compiled_loss.losses if self._compiled_loss is not None else []
        metrics = self._compiled_metrics.metrics if self._compiled_metrics is not None else []
        return [*losses, *metrics]

    def reset_metrics(self) -> None:
        """Reset all metrics."""
        for metric in self.metrics:
            metric.reset_state()

    def _optimizers(self) -> list[Optimizer]:
        """Return the optimizers of the model and of models in it. A step of the user may have several."""
        models = [layer for layer in self._flatten_layers() if isinstance(layer, Compiled)]
        return unique(optimizer for model in models for optimizer in tracked(model, Optimizer))

    def _all_variables(self) -> list[Variable]:
        """Return all variables that a step may read or change."""
        found = [*self.variables, *self.metrics_variables]
        for optimizer in self._optimizers():
            found += optimizer.variables
        return unique(found)

    def _fingerprint(self) -> tuple[Any, ...]:
        """Return what a compiled step depends on and may change after `compile`: frozen layers, schedules, ..."""
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
        for optimizer in self._optimizers():
            parts += [optimizer, getattr(optimizer, "_learning_rate", None)]
        return tuple(parts)
