"""The loops over epochs and batches: `fit`, `evaluate`, `predict`, and their forms for one batch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backend import registry
from polykeras.backend.host_memory import freed_memory_kept
from polykeras.common import nested
from polykeras.common.arguments import positive_int
from polykeras.common.legacy_arguments import takes_legacy_arguments
from polykeras.training.callbacks.assemble import assemble
from polykeras.training.callbacks.base import Callback
from polykeras.training.callbacks.callback_list import CallbackList
from polykeras.training.callbacks.history import History
from polykeras.training.data.checks import host_tree
from polykeras.training.data.sources import Source, make_batch, make_source
from polykeras.training.data.splitting import split_data
from polykeras.training.data.unpack import pack_x_y_sample_weight, unpack_x_y_sample_weight
from polykeras.training.epochs import check_labels, check_steps, run_epoch
from polykeras.training.logs import as_list, host_logs
from polykeras.training.predicting import joined, prediction_chunks, single_batch
from polykeras.training.resuming.progress import Progress
from polykeras.training.step_methods import StepMethods
from polykeras.training.steps.prepare import prepare


class Trainer(StepMethods):
    """The training half of a model: the loops over the steps."""

    @takes_legacy_arguments
    @freed_memory_kept()
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
        shuffle: bool = True,
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
            x: inputs: an array `(samples, ...)` of NumPy or any framework, or a tree of them; or a generator, a
                `PyDataset`, a torch `DataLoader`, a `tf.data.Dataset`, or another iterable of batches. Arrays are to
                stay as they are until `fit` ends: frameworks may read them in place, or a copy from its beginning.
                Batches are read ahead in another thread, one for all epochs.
            y: labels, in the structure of the outputs; not for streams.
            batch_size: samples in a step, 32 by default; without meaning for streams, which come in batches.
            epochs: the epoch at which to end: `epochs - initial_epoch` are run.
            verbose: 0 silent, 1 a progress bar (in logs a line an epoch), 2 a line an epoch; "auto" is 1.
            callbacks: objects whose hooks are called during training.
            validation_split: the share of the samples, taken from the end, to evaluate on instead of training.
            validation_data: `(x, y)` or `(x, y, sample_weight)`, or a stream, to evaluate on after each epoch.
            shuffle: a new order of the samples each epoch, the same on every backend for one seed.
            class_weight: weights of classes in the loss.
            sample_weight: weights of samples in the loss, `(samples,)` or by output.
            initial_epoch: the number of the first epoch, to go on with earlier training.
            steps_per_epoch: steps in an epoch, for streams without an end.
            validation_steps: as `steps_per_epoch`, for validation.
            validation_batch_size: `batch_size` by default.
            validation_freq: evaluate each so many epochs, or at the listed ones (counted from 1).

        Returns:
            The history: `history.history[name]` is a list with a value an epoch.

        Raises:
            ValueError: not compiled; data that do not fit together or the model; a stream that ended early.
        """
        self._require_compiled("fit")
        positive_int(epochs, "epochs")
        limit = config.max_epochs()
        if limit is not None and limit < epochs:
            warnings.warn(f"Training is limited to {limit} epochs by `max_epochs`.", UserWarning, stacklevel=2)
            epochs = limit
        x = self._texts_to_numbers(x)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_data(x, y, sample_weight, validation_split)
        source = make_source(x, y, sample_weight, batch_size, shuffle, class_weight, steps_per_epoch)
        validation = self._validation_source(validation_data, validation_batch_size or batch_size, validation_steps)
        validated = validation.steps if validation is not None else None
        callback_list = assemble(
            callbacks, self, verbose, epochs, source.steps, records=True, validation_steps=validated
        )
        history = self.history = next(c for c in callback_list.callbacks if isinstance(c, History))
        progress = Progress(self, callback_list.callbacks, source, validation, initial_epoch)
        check_labels(self, "train", source)
        if validation is not None:
            check_labels(self, "test", validation)
        self.stop_training = False
        try:
            progress.begin(callback_list, epochs)
            logs: dict[str, Any] = progress.position.logs
            for epoch in () if progress.is_over() else range(progress.position.epoch, epochs):
                if progress.position.step == 0:
                    self.reset_metrics()
                    callback_list.epoch_begin(epoch)
                    progress.epoch_begun()
                logs, steps = run_epoch(self, "train", source, callback_list, progress)
                if not self.stop_training:
                    check_steps(steps, steps_per_epoch, epoch)
                if validation is not None and _validates(epoch, validation_freq):
                    values = self._run_validation(validation, callback_list)
                    logs = logs | {f"val_{name}": value for name, value in values.items()}
                    progress.validation_done()
                progress.epoch_done(logs)
                callback_list.epoch_end(epoch, logs)
                if self.stop_training:
                    break
            if self.optimizer is not None and self.optimizer.built:
                self.optimizer.finalize_variable_values(self.trainable_variables)
            callback_list.end("train", logs)
        finally:
            with ExitStack() as ends:  # all of them, also where one raises: leaving may let a signal through
                if validation is not None:
                    ends.callback(validation.close)
                ends.callback(source.close)
                ends.callback(callback_list.leave)
        return history

    @takes_legacy_arguments
    @freed_memory_kept()
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
    ) -> Any:
        """Return the loss and the metrics on data; arguments as for `fit`.

        Returns:
            A dict by name with `return_dict`; else a list in the order of `metrics_names`, or a float where there is
            the loss alone.

        Raises:
            ValueError: not compiled, or data that do not fit.
        """
        self._require_compiled("evaluate")
        source = make_source(self._texts_to_numbers(x), y, sample_weight, batch_size, steps=steps)
        callback_list = assemble(callbacks, self, verbose, 1, source.steps)
        check_labels(self, "test", source)
        callback_list.begin("test")
        self.reset_metrics()
        self.stop_evaluating = False
        try:
            logs, done = run_epoch(self, "test", source, callback_list)
        finally:
            source.close()
        if not self.stop_evaluating:
            check_steps(done, steps, None)
        callback_list.end("test", logs)
        return logs if return_dict else as_list(logs)

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
            x: inputs, as for `fit`; of a stream, what follows them in a batch is left out.
            batch_size: samples in a step, 32 by default.
            verbose: as for `fit`.
            steps: batches to take from a stream.
            callbacks: objects whose `on_predict_...` hooks are called.

        Returns:
            An array `(samples, ...)`, or a tree of them for several outputs.

        Raises:
            ValueError: an output is a scalar: it has no samples.
        """
        x = self._texts_to_numbers(x)
        backend = registry.current()
        own = self._own_function("predict")
        unwatched = callbacks is None and verbose == 0 and steps is None and own is None
        if unwatched and (batch := single_batch(x, batch_size)) is not None:
            return joined([prepare(self, "predict", batch).run_batch(batch)], backend, None)
        source = make_source(x, batch_size=batch_size, steps=steps)
        callback_list = assemble(callbacks, self, verbose, 1, source.steps)
        parts: list[Any] = []
        done = 0
        self.stop_predicting = False
        try:
            watched = callback_list.watches("predict")
            chunks, samples = prediction_chunks(self, source, own, watched)
            callback_list.begin("predict")
            for start, stop, execute in chunks:
                callback_list.batch_begin("predict", start)
                outputs = execute()
                parts.append(outputs)
                done = stop
                callback_list.batch_end("predict", stop - 1, {"outputs": outputs} if watched else {})
                if self.stop_predicting:
                    break
        finally:
            source.close()
        if not self.stop_predicting:
            check_steps(done, steps, None)
        callback_list.end("predict", {})
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
        """Do one training step on one batch. Metrics begin anew, and are those of this batch.

        Returns:
            As `evaluate`.
        """
        self._require_compiled("train_on_batch")
        return self._one_batch("train", x, y, sample_weight, class_weight, return_dict)

    @takes_legacy_arguments
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Evaluate on one batch. Metrics begin anew, and are those of this batch. Returns as `evaluate`."""
        self._require_compiled("test_on_batch")
        return self._one_batch("test", x, y, sample_weight, None, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for one batch, as NumPy arrays."""
        batch = pack_x_y_sample_weight(host_tree(self._texts_to_numbers(x), "x"))
        outputs = prepare(self, "predict", batch).run_batch(batch)
        return nested.map_structure(registry.current().to_numpy, outputs)

    # ---- parts -------------------------------------------------------------------------------------------------

    def _texts_to_numbers(self, x: Any) -> Any:
        """Return inputs, or a stream of batches, in which texts have become numbers, where a model takes some."""
        return x

    def _one_batch(
        self, kind: str, x: Any, y: Any, weights: Any, class_weight: dict[int, float] | None, return_dict: bool
    ) -> Any:
        source = make_batch(self._texts_to_numbers(x), y, weights, class_weight)
        batch = source.first_batch()
        step = prepare(self, kind, batch, resets=True)
        if self._compiled_loss is not None and y is not None:
            self._compiled_loss.check_labels(unpack_x_y_sample_weight(batch)[1])
        logs = host_logs(step.run_batch(batch), step.log_names)
        return logs if return_dict else as_list(logs)

    def _validation_source(self, data: Any, batch_size: int | None, steps: int | None) -> Source | None:
        if data is None:
            return None
        if isinstance(data, (tuple, list)):
            x, *others = data
            return make_source(self._texts_to_numbers(x), *others, batch_size=batch_size, steps=steps)
        return make_source(self._texts_to_numbers(data), steps=steps)

    def _run_validation(self, source: Source, callback_list: CallbackList) -> dict[str, Any]:
        self.reset_metrics()
        self.stop_evaluating = False
        callback_list.begin("test")
        logs, _ = run_epoch(self, "test", source, callback_list)
        callback_list.end("test", logs)
        return logs


def _validates(epoch: int, frequency: int | Sequence[int]) -> bool:
    if isinstance(frequency, (int, np.integer)):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency
