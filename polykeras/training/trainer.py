"""What a step of training is, and how a model is told: `compile`, `train_step`, `compute_loss`, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras import optimizers
from polykeras.autodiff import value_and_grad
from polykeras.backend import registry
from polykeras.common import nested
from polykeras.common.arguments import call_with_taken, positive_int, takes_old_arguments
from polykeras.dtype_policies import DTypePolicy
from polykeras.layers.base.own_metrics import own_metrics
from polykeras.metrics import Mean, Metric
from polykeras.training import padding
from polykeras.training.compile_config import CompileConfig
from polykeras.training.compiled_loss import CompiledLoss
from polykeras.training.compiled_metrics import CompiledMetrics
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.training.loops import Loops
from polykeras.training.older import OldCompiledLoss, or_metrics_third
from polykeras.training.prepared_steps import PreparedSteps
from polykeras.training.state_steps import also_with_state
from polykeras.training.stateless import Stateless
from polykeras.training.step_cache import StepCache
from polykeras.training.step_functions import FUNCTIONS, StepFunctions
from polykeras.variables import Scope, Variable

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer


class Trainer(CompileConfig, PreparedSteps, Loops, StepFunctions, Stateless):
    """The training half of a model."""

    _may_have_native_state = False  # whether a step of the user's may keep a state in objects of a framework

    # What the other half, a layer, gives.
    name: str
    dtype_policy: DTypePolicy
    losses: list[Any]
    variables: list[Variable]
    trainable_variables: list[Variable]
    non_trainable_variables: list[Variable]
    __call__: Callable[..., Any]
    _flatten_layers: Callable[[], list[Layer]]
    _forget_losses: Callable[[], None]

    def __init__(self) -> None:
        self.optimizer: Any = None  # an `Optimizer` once compiled: not a union, so that steps need not ask
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
        """Copies, shallow ones too, and pickles are compiled anew: steps belong to one model."""
        state: Any = super().__getstate__()
        return state | {"_steps": StepCache(), **dict.fromkeys(FUNCTIONS)}

    # ---- compile -----------------------------------------------------------------------------------------------

    @takes_old_arguments
    @or_metrics_third
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
        """Say how the model is trained.

        Args:
            optimizer: a name or an optimizer.
            loss: a name, a `Loss` or a function `(y_true, y_pred)`; a list or dict of them by output.
            loss_weights: the weight of each output's loss, a list or dict.
            metrics: names, `Metric`s or functions; a list, or a dict or list of lists by output. `"accuracy"` picks
                the binary, categorical or sparse one by the shapes of labels and outputs.
            weighted_metrics: as `metrics`, with sample and class weights applied.
            run_eagerly: run steps as plain Python, to debug them.
            steps_per_execution: how many steps run without the host; `"auto"` chooses by their time.
            jit_compile: accepted for Keras code. Steps are always compiled where the backend compiles.
            auto_scale_loss: put the optimizer of a `mixed_float16` model into a `LossScaleOptimizer`.

        Raises:
            ValueError: an unknown name (the nearest one is suggested).
        """
        self.optimizer = optimizers.get(optimizer)
        scaled = auto_scale_loss and self.dtype_policy.name == "mixed_float16"
        if scaled and not isinstance(self.optimizer, optimizers.LossScaleOptimizer | None):
            self.optimizer = optimizers.LossScaleOptimizer(self.optimizer)
        self._compiled_loss = None if loss is None else CompiledLoss(loss, loss_weights)
        self._compiled_metrics = (
            CompiledMetrics(metrics, weighted_metrics) if metrics is not None or weighted_metrics is not None else None
        )
        for compiled in (self._compiled_loss, self._compiled_metrics):
            if compiled is not None:
                compiled.output_names = getattr(self, "output_names", None)
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

    @property
    def metrics(self) -> list[Metric]:
        """All metrics: the loss, those of `compile`, and those that layers or a user's own step hold."""
        found: list[Metric] = []
        if self._loss_tracker is not None:
            found.append(self._loss_tracker)
        if self._compiled_loss is not None:
            found += self._compiled_loss.metrics
        if self._compiled_metrics is not None:
            found += self._compiled_metrics.metrics
        for layer in self._flatten_layers():
            found += own_metrics(layer)
        return list({id(metric): metric for metric in found}.values())

    @property
    def metrics_names(self) -> list[str]:
        """The names under which metrics appear in logs."""
        return [metric.name for metric in self.metrics]

    @property
    def metrics_variables(self) -> list[Variable]:
        """The state of all metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def reset_metrics(self) -> None:
        """Begin all metrics again."""
        for metric in self.metrics:
            metric.reset_state()

    # ---- what a user's own model overrides ---------------------------------------------------------------------

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the scalar that training minimises: the compiled loss, and what layers added.

        Args:
            x: the inputs.
            y: the labels.
            y_pred: the model's outputs for `x`.
            sample_weight: weights of the samples.
            training: whether this is a training step.

        Raises:
            ValueError: there is nothing to minimise.
        """
        terms = []
        if self._compiled_loss is not None and y is not None:
            terms.append(self._compiled_loss(y, y_pred, sample_weight, self._plan and self._plan.rows))
        terms += self._terms_of_layers()
        if not terms:
            if training:
                raise ValueError(
                    f"Model {self.name!r} has no loss to minimise: pass `loss=` to compile and y to fit, call "
                    "`add_loss` in a layer, or override `compute_loss`."
                )
            return 0.0
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """Return what `compute_loss` gives; one of a user's takes what it wants: older Keras had no `training`."""
        offered = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight, "training": training}
        return call_with_taken(self.compute_loss, offered, {"y_true": "y"})

    def _terms_of_layers(self) -> list[Any]:
        """What layers and regularizers add; the same as `losses`, without a search for them each time."""
        plan = self._plan
        if plan is None:
            return self.losses
        terms = [term for layer in plan.layers for term in layer._added_losses()]
        return terms + [v.regularizer(v.value) for v in plan.trainable if v.regularizer is not None]

    @property
    def compiled_loss(self) -> OldCompiledLoss:
        """The loss of `compile` as a function of labels and outputs that notes its value, for Keras 2's own steps."""
        return OldCompiledLoss(self._compiled_loss, self._track_loss)

    @property
    def compiled_metrics(self) -> CompiledMetrics:
        """The metrics of `compile`, for Keras 2's own steps; `compute_metrics` updates them and gives their values."""
        return self._compiled_metrics or CompiledMetrics(None)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the compiled metrics with a batch and return the values of all."""
        if self._compiled_metrics is not None and y is not None:
            self._compiled_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the values of all metrics by name."""
        results: dict[str, Any] = {}
        for metric in self._plan.metrics if self._plan else self.metrics:
            value = metric.result()
            results.update(value if isinstance(value, dict) else {metric.name: value})
        return results

    @also_with_state("train")
    def train_step(self, data: Any) -> dict[str, Any]:
        """Do one step of training on a batch: what `fit` repeats.

        Override it to train in your own way. It is plain code over variables, written with `polykeras.ops` and
        `polykeras.value_and_grad`, and runs compiled on every backend.

        Args:
            data: a batch: `(x, y)`, `(x, y, sample_weight)` where there are weights of samples or classes, or `x`
                where there are inputs alone; of a stream, what it gave. `unpack_x_y_sample_weight` takes all of them.

        Returns:
            Scalars by name, for the logs. A dict among them is taken for the scalars in it.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        variables = self._variables_to_train(x)

        def loss_and_outputs() -> tuple[Any, Any]:
            y_pred = self._marked(self(x, training=True))
            loss = self._loss_of(x, y, y_pred, sample_weight, training=True)
            return (loss if self.optimizer is None else self.optimizer.scale_loss(loss)), (loss, y_pred)

        (_, (loss, y_pred)), gradients = value_and_grad(loss_and_outputs, variables, has_aux=True)()
        self._track_loss(loss, x)
        if variables:
            assert self.optimizer is not None
            self.optimizer.apply(gradients, variables)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    _plain_train_step = train_step  # which a user's class may override

    @also_with_state("test")
    def test_step(self, data: Any) -> dict[str, Any]:
        """Do one step of evaluation on a batch; see `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._marked(self(x, training=False))
        self._track_loss(self._loss_of(x, y, y_pred, sample_weight, training=False), x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    @also_with_state("predict")
    def predict_step(self, data: Any) -> Any:
        """Return the outputs for a batch; see `train_step`."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, training=False)

    def _track_loss(self, loss: Any, x: Any) -> None:
        if self._loss_tracker is not None:
            rows = self._plan and self._plan.rows
            if rows is None:
                leaves = nested.flatten(x)
                rows = (registry.current().shape(leaves[0])[0] if leaves else 1) * 1.0
            self._loss_tracker.update_state(loss, sample_weight=rows)

    def _marked(self, y_pred: Any) -> Any:
        """Return outputs, of which those of filling rows are masked; refuse where layers added a loss of all rows."""
        if self._plan is not None and self._plan.valid is not None:
            if any(layer._added_losses() for layer in self._plan.layers):
                raise ValueError("What layers add to the loss cannot be masked row by row.")
            padding.mark(y_pred, self._plan.valid)
        return y_pred

    def _variables_to_train(self, x: Any) -> list[Variable]:
        if self._plan is not None:
            return self._plan.trainable
        if not all(layer.built for layer in self._flatten_layers()):
            with Scope():  # native code, which shapes alone could not build: what this call changes is dropped
                self(x, training=False)
            self._forget_losses()
        return self.trainable_variables
