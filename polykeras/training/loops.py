"""The loops over epochs and batches: `fit`, `evaluate`, `predict`, and their forms for one batch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack, closing, nullcontext
from typing import Any

from polykeras import config
from polykeras.backend import registry
from polykeras.backend.host_memory import keep_all_freed_memory
from polykeras.common import nested
from polykeras.common.arguments import positive_int
from polykeras.common.legacy_arguments import takes_legacy_arguments
from polykeras.distribution.workers import Workers
from polykeras.training.callbacks.assemble import assemble
from polykeras.training.callbacks.base import Callback
from polykeras.training.callbacks.callback_list import CallbackList
from polykeras.training.callbacks.history import History
from polykeras.training.data.checks import host_tree
from polykeras.training.data.sources import Source, make_batch, make_source
from polykeras.training.data.splitting import split_data
from polykeras.training.data.unpack import pack_x_y_sample_weight
from polykeras.training.diagnosis import check_batch, check_source, warn_of_nan
from polykeras.training.epochs import run_epoch, run_evaluation, warn_if_short
from polykeras.training.logs import as_list, host_logs, list_order, with_validation
from polykeras.training.parallel.agreeing import agree_after_epoch
from polykeras.training.parallel.facts import check_run
from polykeras.training.parallel.one_batch import prepare_for_batch
from polykeras.training.parallel.running import shared_run
from polykeras.training.predicting import joined, prediction_chunks, single_batch
from polykeras.training.resuming.progress import Progress
from polykeras.training.step_methods import StepMethods
from polykeras.training.steps.prepare import prepare
from polykeras.training.validation import Validation


class Trainer(StepMethods):
    """The part of a model that trains it: the loops over steps."""

    @takes_legacy_arguments
    @keep_all_freed_memory()
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Train for a number of epochs.

        Args:
            x: inputs: an array `(samples, ...)` of NumPy or any framework, or a tree of arrays; or a generator, a
                `PyDataset`, a torch `DataLoader`, a `tf.data.Dataset` or another iterable of batches. Do not change
                arrays before `fit` ends: a framework may read them in place. Streams are read ahead in another thread,
                the same one for all epochs.
            y: labels, in the structure of the outputs. Leave it out for streams.
            batch_size: samples per step, 32 by default; with `steps_per_epoch`, what so many steps need for all
                samples. Streams ignore it, since they come in batches.
            epochs: the number of the last epoch: `epochs - initial_epoch` epochs are run.
            verbose: 0: silent; 1: a progress bar, or in a log one line per epoch; 2: one line per epoch. "auto" is 1.
            callbacks: a list of callbacks, whose hooks are called during training.
            validation_split: the share of the samples, taken from the end, that is used for validation.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or a stream, to evaluate after each epoch.
            shuffle: put the samples into a new order for each pass over them; with "batch", those of each batch alone.
                One seed gives the same order on every backend.
            class_weight: weights of classes in the loss.
            sample_weight: weights of samples in the loss, `(samples,)` or by output.
            initial_epoch: the number of the first epoch, to continue earlier training.
            steps_per_epoch: steps per epoch. The next epoch goes on where it ends; an epoch in which the data end is
                shorter, and the next one begins with them anew.
            validation_steps: steps per validation. Each validation begins with the data, if they can begin anew.
            validation_batch_size: samples per step of validation; `batch_size` by default.
            validation_freq: validate after every so many epochs, or after the listed ones (counted from 1).

        Returns:
            The history. `history.history[name]` is a list with one value per epoch.

        Raises:
            ValueError: the model is not compiled; the data do not fit together or do not fit the model; a label, or an
                index for an `Embedding`, is out of range; a generator has nothing left for an epoch.

        Warns:
            RuntimeWarning: the loss is nan, from the epoch on that the message names.
            UserWarning: the data end before `steps_per_epoch` or `validation_steps`.
        """
        self._require_compiled("fit")
        if epochs != 0:
            positive_int(epochs, "epochs")
        if (limit := config.max_epochs()) is not None and limit < epochs:
            warnings.warn(f"Training is limited to {limit} epochs by `max_epochs`.", UserWarning, stacklevel=4)
            epochs = limit
        x = self._texts_to_numbers(x)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_data(x, y, sample_weight, validation_split)
        source = make_source(x, y, sample_weight, batch_size, shuffle, class_weight, steps_per_epoch, "steps_per_epoch")
        source.reset()
        size = validation_batch_size or batch_size
        validation = Validation(self, validation_data, size, validation_steps, validation_freq)
        callback_list = assemble(callbacks, self, verbose, epochs, source.steps, True, validation.steps)
        history = self.history = next(c for c in callback_list.callbacks if isinstance(c, History))
        progress = Progress(self, callback_list.callbacks, source, validation.source, initial_epoch)
        check_source(self, "train", source)
        check_source(self, "test", validation.source)
        self.stop_training = False
        with ExitStack() as ends:  # all of them, also if one raises: `leave` may let a signal through
            if validation.source is not None:
                ends.callback(validation.source.close)
            ends.callback(source.close)
            ends.callback(callback_list.leave)
            workers = ends.enter_context(shared_run())
            progress.begin(callback_list, epochs)
            run = {"epochs": epochs, "validation_freq": validation_freq, "begins": progress.position}
            check_run(self, workers, source, validation.source, run, callback_list.callbacks)
            logs: dict[str, Any] = progress.position.logs
            for epoch in () if progress.is_over() else range(progress.position.epoch, epochs):
                logs = self._fit_epoch(epoch, workers, progress, callback_list, steps_per_epoch, validation)
                agree_after_epoch(self, workers)
                if self.stop_training:
                    break
            if epochs and self.optimizer is not None and self.optimizer.built:
                self.optimizer.finalize_variable_values(self.trainable_variables)
            callback_list.on_train_end(logs)
        return history

    @takes_legacy_arguments
    @keep_all_freed_memory()
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        return_dict: bool = False,
        *,
        _use_cached_eval_dataset: Source | None = None,
    ) -> Any:
        """Return the loss and the metrics on data. Arguments are as for `fit`; `steps` are the steps at most.

        `fit` validates by this method, so that a model may override it. It then passes `_use_cached_eval_dataset`, as
        in Keras: its validation data, prepared once for all epochs.

        Returns:
            A dict by name with `return_dict`. Otherwise a list in the order of `metrics_names`, or a float if there is
            only the loss.

        Raises:
            ValueError: the model is not compiled, or the data do not fit.

        Warns:
            UserWarning: the data end before `steps`.
        """
        self._require_compiled("evaluate")
        source = _use_cached_eval_dataset
        if source is None:
            source = make_source(self._texts_to_numbers(x), y, sample_weight, batch_size, steps=steps)
            check_source(self, "test", source)
        source.reset()
        callback_list = assemble(callbacks, self, verbose, 1, source.steps)
        with nullcontext() if _use_cached_eval_dataset else closing(source), shared_run() as workers:
            logs, done = run_evaluation(self, workers, source, callback_list)
        if not self.stop_evaluating:
            warn_if_short(done, steps, None)
        return logs if return_dict else as_list(logs, list_order(logs, self.metrics))

    @takes_legacy_arguments
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
    ) -> Any:
        """Return the model's outputs for all samples, as NumPy arrays.

        Args:
            x: inputs, as for `fit`. Labels and weights in the batches of a stream are ignored.
            batch_size: samples per step, 32 by default.
            verbose: as for `fit`.
            steps: steps at most; of arrays without `batch_size`, the batches that all samples make.
            callbacks: callbacks whose `on_predict_...` hooks are called.

        Returns:
            An array `(samples, ...)`, or a tree of arrays for several outputs.

        Raises:
            ValueError: the data do not fit, or an output is a scalar and so has no samples.
        """
        x = self._texts_to_numbers(x)
        backend = registry.current()
        own = self._own_function("predict")
        unwatched = callbacks is None and verbose == 0 and steps is None and own is None
        if unwatched and (batch := single_batch(x, batch_size)) is not None:
            return joined([self._predicted(batch)], backend, None)
        source = make_source(x, batch_size=batch_size, steps=steps)
        check_source(self, "predict", source)
        callback_list = assemble(callbacks, self, verbose, 1, source.steps)
        parts: list[Any] = []
        self.stop_predicting, done = False, 0
        try:
            watched = callback_list.watches("predict")
            chunks, samples = prediction_chunks(self, source, own, watched)
            callback_list.on_predict_begin({})
            for start, stop, execute in chunks:
                callback_list.on_predict_batch_begin(start, {})
                outputs = execute()
                parts.append(outputs)
                done = stop
                callback_list.on_predict_batch_end(stop - 1, {"outputs": outputs} if watched else {})
                if self.stop_predicting:
                    break
        finally:
            source.close()
        if not self.stop_predicting:
            warn_if_short(done, steps, None)
        callback_list.on_predict_end({})
        return joined(parts, backend, samples)

    # ---- one batch ---------------------------------------------------------------------------------------------

    @takes_legacy_arguments
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Do one training step on a batch of arrays. Arguments are as for `fit`.

        Returns:
            The loss and the metrics of this batch, as `evaluate` returns them.
        """
        self._require_compiled("train_on_batch")
        return self._one_batch("train", x, y, sample_weight, class_weight, return_dict)

    @takes_legacy_arguments
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Return the loss and the metrics of a batch of arrays, as `evaluate`. Arguments are as for `fit`."""
        self._require_compiled("test_on_batch")
        return self._one_batch("test", x, y, sample_weight, None, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for one batch of arrays, as NumPy arrays."""
        outputs = self._predicted(pack_x_y_sample_weight(host_tree(self._texts_to_numbers(x), "x")))
        return nested.map_structure(registry.current().to_numpy, outputs)

    # ---- parts -------------------------------------------------------------------------------------------------

    def _fit_epoch(
        self,
        epoch: int,
        workers: Workers,
        progress: Progress,
        callback_list: CallbackList,
        steps_per_epoch: int | None,
        validation: Validation,
    ) -> dict[str, Any]:
        """Train for an epoch, or the rest of one, and validate; return the logs."""
        before: dict[str, Any] = {}
        if progress.position.step == 0:
            before = progress.position.logs
            self.reset_metrics()
            callback_list.on_epoch_begin(epoch, {})
            progress.epoch_begun()
        logs, steps = run_epoch(self, "train", workers, progress.source, callback_list, progress)
        if not self.stop_training:
            warn_if_short(steps, steps_per_epoch, epoch)
            warn_of_nan(before, logs, epoch)
        if validation.is_due(epoch):
            values = validation.run(callback_list)
            logs = with_validation(logs, values)
            progress.validation_done()
        progress.epoch_done(logs)
        callback_list.on_epoch_end(epoch, logs)
        return logs

    def _texts_to_numbers(self, x: Any) -> Any:
        """Return inputs or a stream with numbers in place of texts, for models that take texts."""
        return x

    def _predicted(self, batch: Any) -> Any:
        check_batch(self, "predict", batch)
        return prepare(self, "predict", batch).run_batch(batch)

    def _one_batch(
        self, kind: str, x: Any, y: Any, weights: Any, class_weight: dict[int, float] | None, return_dict: bool
    ) -> Any:
        source = make_batch(self._texts_to_numbers(x), y, weights, class_weight)
        with shared_run() as workers:
            step, batch = prepare_for_batch(self, kind, source.first_batch(), workers)
            check_batch(self, kind, batch)
            if not step.plan.resets:
                self.reset_metrics()
            logs = host_logs(step.run_batch(batch), self._steps.log_names.get(kind, ()))
        if return_dict:
            return logs
        names = tuple(logs)
        if names not in step.list_orders:
            step.list_orders[names] = list_order(names, self.metrics)
        return as_list(logs, step.list_orders[names])
