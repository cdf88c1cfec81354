"""What a step of a model does, and what a user's model may override: `train_step`, `compute_loss`, ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from polykeras import ops
from polykeras.autodiff import value_and_grad
from polykeras.backend import registry
from polykeras.backend.handles import convert
from polykeras.collectives import workers
from polykeras.common import nested
from polykeras.common.arguments import call_with_taken
from polykeras.common.naming import is_ours
from polykeras.common.traits import overrides
from polykeras.pending_sums import added_up, send
from polykeras.training import padding
from polykeras.training.compiled_metrics import CompiledMetrics
from polykeras.training.data.unpack import unpack_x_y_sample_weight
from polykeras.training.legacy_loss import LegacyCompiledLoss
from polykeras.training.state_tree import assign_tree, state_tree
from polykeras.training.step_functions import StepFunctions
from polykeras.training.steps.context import step_context
from polykeras.training.steps.with_state import also_with_state
from polykeras.variables import Scope, Variable, read_state, unique


class StepMethods(StepFunctions):
    """The steps of a model, and what they consist of."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the scalar that training minimises: the loss of `compile`, and what layers added.

        Args:
            x: the inputs.
            y: the labels.
            y_pred: the outputs of the model for `x`.
            sample_weight: the weights of the samples.
            training: whether this is a training step.

        Raises:
            ValueError: there is nothing to minimise.
        """
        terms = []
        if self._compiled_loss is not None and y is not None:
            context = step_context(self)
            terms.append(self._compiled_loss(y, y_pred, sample_weight, context and context.rows))
        terms += [term if ops.ndim(term) == 0 else ops.sum(term) for term in self._terms_of_layers()]
        if not terms:
            if self._compiled_loss is not None:
                raise ValueError(
                    f"Model {self.name!r}: its loss {self.loss!r} needs labels; received y=None. Pass them, as in "
                    "`fit(x, y)`, `validation_data=(x, y)` or `evaluate(x, y)`; a stream must give batches `(x, y)`."
                )
            if training:
                raise ValueError(
                    f"Model {self.name!r} has no loss to minimise: pass `loss=` to compile, call `add_loss` in a "
                    "layer, or override `compute_loss`."
                )
            return 0.0
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    def _loss_of(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        """Return what `compute_loss` gives; a user's one takes what it wants, since older Keras had no `training`."""
        offered = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight, "training": training}
        return call_with_taken(self.compute_loss, offered, {"y_true": "y"})

    def _terms_of_layers(self) -> list[Any]:
        """What layers and regularizers add: the same as `losses`, without a search in each step."""
        context = step_context(self)
        if context is None:
            return self.losses
        terms = [term for layer in context.layers for term in layer._added_losses()]
        return terms + [v.regularizer(v.value) for v in context.trainable if v.regularizer is not None]

    @property
    def compiled_loss(self) -> LegacyCompiledLoss:
        """The loss of `compile` as a function of labels and outputs that notes its value, for Keras 2's own steps."""
        return LegacyCompiledLoss(self._compiled_loss, self._track_loss)

    @property
    def compiled_metrics(self) -> CompiledMetrics:
        """The metrics of `compile`, for steps written for Keras 2; `compute_metrics` updates them."""
        return self._compiled_metrics or CompiledMetrics(None)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update the metrics of `compile` with a batch.

        Args:
            x: the inputs.
            y: the labels.
            y_pred: the outputs of the model for `x`.
            sample_weight: the weights of the samples.

        Returns:
            The values of all metrics, scalars by name.
        """
        self._update_metrics(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _update_metrics(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        if self._compiled_metrics is not None and y is not None:
            self._compiled_metrics.update_state(y, y_pred, sample_weight)

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the values of all metrics by name."""
        results: dict[str, Any] = {}
        context = step_context(self)
        for metric in context.metrics if context else self.metrics:
            value = metric.result()
            results.update(value if isinstance(value, dict) else {metric.name: value})
        return results

    @also_with_state("train")
    def train_step(self, data: Any) -> dict[str, Any]:
        """Do one step of training on a batch: what `fit` repeats.

        Override it to train in your own way. It is plain code over variables, written with `polykeras.ops` and
        `polykeras.value_and_grad`, and runs compiled on every backend.

        Args:
            data: a batch: `(x, y)`, or `(x, y, sample_weight)` if samples or classes have weights, or `x` if there are
                no labels; of a stream, what the stream gave. `unpack_x_y_sample_weight` takes each of these forms.

        Returns:
            Scalars by name, for the logs. The items of a dict among them take its place.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        variables = self._variables_to_train(x)

        def loss_and_outputs() -> tuple[Any, Any]:
            y_pred = self(x, training=True)
            loss = self._loss_of(x, y, y_pred, sample_weight, training=True)
            return (loss if self.optimizer is None else self.optimizer.scale_loss(loss)), (loss, y_pred)

        with self._metrics_together() as together:  # they travel with the gradients
            (_, (loss, y_pred)), gradients = value_and_grad(loss_and_outputs, variables, has_aux=True)()
            self._track_loss(loss, x)
            if together:
                self._update_metrics(y, y_pred, sample_weight)
        if variables:
            assert self.optimizer is not None
            self.optimizer.apply(gradients, variables)
        send()
        return self.get_metrics_result() if together else self.compute_metrics(x, y, y_pred, sample_weight)

    @also_with_state("test")
    def test_step(self, data: Any) -> dict[str, Any]:
        """Do one step of evaluation on a batch; return scalars by name, for the logs. See `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with self._metrics_together() as together:
            y_pred = self(x, training=False)
            self._track_loss(self._loss_of(x, y, y_pred, sample_weight, training=False), x)
            if together:
                self._update_metrics(y, y_pred, sample_weight)
        send()
        return self.get_metrics_result() if together else self.compute_metrics(x, y, y_pred, sample_weight)

    @contextmanager
    def _metrics_together(self) -> Iterator[bool]:
        """A context in which the metrics of `compile` are updated. Where workers share a batch, one sum adds them up.

        It gives whether they are to be updated in it. If not, `compute_metrics` is called later:
        there is one worker, or the method is a user's.
        """
        if workers() == 1:
            yield False
            return
        parts = (self._compiled_loss, self._compiled_metrics)
        own = [self._loss_tracker, *(metric for part in parts if part is not None for metric in part.metrics)]
        ours = [metric for metric in own if metric is not None and is_ours(type(metric))]  # others see the whole batch
        with added_up(unique(v for metric in ours for v in metric.variables), waits=True):
            yield not overrides(self, "compute_metrics")

    @also_with_state("predict")
    def predict_step(self, data: Any) -> Any:
        """Return the outputs for a batch; see `train_step`."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self(x, training=False)

    def _track_loss(self, loss: Any, x: Any) -> None:
        if self._loss_tracker is not None:
            context = step_context(self)
            rows = context and context.rows
            if rows is None:
                leaves = nested.flatten(x)
                rows = (registry.current().shape(leaves[0])[0] if leaves else 1) * 1.0
            self._loss_tracker.update_state(loss, sample_weight=rows)

    def _marked(self, y_pred: Any) -> Any:
        """Return the outputs of a call; mask those of rows that fill a batch up, or refuse if layers added a loss.

        Not left to `train_step`, since a user's own step and loss must see the masks too.
        """
        context = step_context(self)
        if context is not None and context.valid is not None:
            if any(layer._added_losses() for layer in context.layers):
                raise ValueError("What layers add to the loss cannot be masked row by row.")
            padding.mark(y_pred, context.valid)
        return y_pred

    def _variables_to_train(self, x: Any) -> list[Variable]:
        context = step_context(self)
        if context is not None:
            return context.trainable
        if not all(layer.built for layer in self._flatten_layers()):
            with Scope():  # native code that shapes alone could not build; what this call changes is dropped
                self(x, training=False)
            self._forget_losses()
        return self.trainable_variables

    # ---- the state as values -----------------------------------------------------------------------------------

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, Any]:
        """Return the values of all variables, in nested dicts by the parts of their paths, as `"dense"`, `"kernel"`.

        Args:
            value_format: `"backend_tensor"`, or `"numpy_array"`.

        Returns:
            A dict with the keys `trainable_variables`, `non_trainable_variables`, `optimizer_variables` and
            `metrics_variables`.

        Raises:
            ValueError: another format, or two variables have the same path.
        """
        return state_tree(self, value_format)

    def set_state_tree(self, state_tree: Mapping[str, Any]) -> None:
        """Set variables to the values of a tree. Variables that it lacks stay as they are.

        Args:
            state_tree: as `get_state_tree` returns it.

        Raises:
            ValueError: it has another key, or a value of another shape. Nothing is changed then.

        Warns:
            UserWarning: no variable has a path of the tree.
        """
        assign_tree(self, state_tree)

    def stateless_compute_loss(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        metrics_variables: Sequence[Any],
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple[Any, tuple[list[Any], list[Any], list[Any]]]:
        """Return what `compute_loss` gives for given values of the variables; change no variable.

        Args:
            trainable_variables: values for the property of that name.
            non_trainable_variables: in the same way.
            metrics_variables: in the same way.
            x: the inputs.
            y: the labels.
            y_pred: the outputs of the model for `x`.
            sample_weight: the weights of the samples.
            training: whether this is a training step.

        Returns:
            `(loss, (trainable_variables, non_trainable_variables, metrics_variables))`, with the values afterwards.

        Raises:
            ValueError: a list has another length.
        """
        backend = registry.current()
        groups = self.trainable_variables, self.non_trainable_variables, self.metrics_variables
        given = [*trainable_variables, *non_trainable_variables, *metrics_variables]
        with Scope([v for group in groups for v in group], [convert(backend, value) for value in given]):
            loss = self._loss_of(x, y, y_pred, sample_weight, training)
            first, second, third = (read_state(group, backend) for group in groups)
        return loss, (first, second, third)
