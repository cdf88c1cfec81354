"""Writing logs, weights and the model for TensorBoard."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import ops
from polykeras.common.legacy_arguments import takes_legacy_arguments
from polykeras.distribution.strategies import weights_are_cut
from polykeras.layers import Embedding
from polykeras.training.callbacks.every_steps import EverySteps
from polykeras.training.callbacks.learning_rate import logged_rates
from polykeras.training.callbacks.profiling import Profile

if TYPE_CHECKING:
    from polykeras.models import Model


class TensorBoard(EverySteps):
    """Writes metrics, histograms of the weights and the model for TensorBoard. This needs `tensorboardX`.

    Training is written to the folder `train` in `log_dir`, validation to `validation`. `tensorboard --logdir log_dir`
    shows both.

    Args:
        log_dir: the folder.
        histogram_freq: write the weights after every so many epochs; 0: never.
        write_graph: show the layers of the model as a graph.
        write_images: also write weights as images.
        write_steps_per_second: write the speed.
        update_freq: when to write metrics: `"epoch"`, `"batch"`, or after every so many steps.
        profile_batch: the step to profile, counted from 1; or a pair, the first and the last step. 0: none. The
            profiler of the framework writes to `log_dir/train`. On NumPy there is no profiler, and a warning says so.
        embeddings_freq: write the weights of embeddings for the projector after every so many epochs; 0: never.
        embeddings_metadata: the file with the names of the rows of an embedding: one file for all embeddings, or a dict
            by the names of the layers.

    Raises:
        ImportError: `tensorboardX` is not installed.
        ValueError: `profile_batch` is something else, or `embeddings_metadata` names an unknown layer.
        NotImplementedError: weights are to be written, and are cut over several processes.
    """

    first_worker_only = True

    @takes_legacy_arguments
    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: int | str | tuple[int, int] = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.save_freq = self.update_freq
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        self._profile = Profile(profile_batch, os.path.join(self.log_dir, "train"))
        self._writers: dict[str, Any] = {}
        self._first = 0
        """Training steps before this epoch."""
        self._step = 0
        """Training steps so far."""
        self._marks: dict[str, tuple[int, float]] = {}

    def _writer(self, kind: str) -> Any:
        if kind not in self._writers:
            try:
                from tensorboardX import SummaryWriter
            except ImportError:
                raise ImportError("TensorBoard needs the package tensorboardX: pip install tensorboardX") from None
            self._writers[kind] = SummaryWriter(os.path.join(self.log_dir, kind))
        return self._writers[kind]

    def _scalars(self, kind: str, prefix: str, logs: dict[str, Any] | None, step: int) -> None:
        for name, value in (logs or {}).items():
            if np.ndim(value) == 0:
                self._writer(kind).add_scalar(f"{prefix}_{name}", float(value), step)

    # ---- hooks -------------------------------------------------------------------------------------------------

    def set_model(self, model: Model) -> None:
        """Write the graph of the model, and a description of its embeddings."""
        super().set_model(model)
        if (self.histogram_freq or self.embeddings_freq) and weights_are_cut():
            raise NotImplementedError(
                "TensorBoard: worker 0 writes alone, and has parts of the weights alone (`ModelParallel` over several "
                "processes); expected histogram_freq=0 and embeddings_freq=0. Metrics are written."
            )
        self._close()
        if self.write_graph and type(model).__name__ in ("Functional", "Sequential"):
            self._write_model()
        if self.embeddings_freq:
            self._describe_embeddings()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Count steps from 0."""
        self._first = self._step = 0
        self._marks["batch"] = (0, time.perf_counter())
        self._profile.after(0)

    def next_stop(self, done: int) -> int | None:
        """Return the step of the epoch after which metrics are written, or the profiler starts or stops."""
        stops, profile = super().next_stop(done), self._profile.next_stop(self._first + done)
        return stops if profile is None else min(profile - self._first, profile if stops is None else stops)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the time."""
        super().on_epoch_begin(epoch, logs)
        self._first = self._step
        self._marks["epoch"] = (self._step, time.perf_counter())

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write metrics if it is time to."""
        self._step = self._first + batch + 1
        self._profile.after(self._step)
        if self.is_time(batch):
            speed = {"steps_per_second": self._speed("batch")} if self.write_steps_per_second else {}
            self._scalars("train", "batch", {**(logs or {}), **speed}, self._step)

    def _speed(self, kind: str) -> float:
        (step, moment), now = self._marks[kind], (self._step, time.perf_counter())
        self._marks[kind] = now
        return (now[0] - step) / max(now[1] - moment, 1e-9)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the metrics of the epoch, and weights if it is time to."""
        logs = logs or {}
        training = {name: value for name, value in logs.items() if not name.startswith("val_")}
        training |= logged_rates(self.model)
        if self.write_steps_per_second:
            training["steps_per_second"] = self._speed("epoch")
        self._scalars("train", "epoch", training, epoch)
        validation = {name.removeprefix("val_"): logs[name] for name in logs if name.startswith("val_")}
        self._scalars("validation", "epoch", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        for writer in self._writers.values():
            writer.flush()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Write the metrics of an evaluation over the number of updates so far."""
        optimizer = self.model.optimizer
        if optimizer is not None:
            for name, value in (logs or {}).items():
                self._scalars("validation", "evaluation", {f"{name}_vs_iterations": value}, int(optimizer.iterations))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the files."""
        self._profile.end()
        self._close()

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    # ---- the model and its weights -----------------------------------------------------------------------------

    def _write_model(self) -> None:
        from tensorboardX.proto import summary_pb2, tensor_pb2

        summaries: Any = summary_pb2  # protobuf makes the classes at run time
        tensors: Any = tensor_pb2
        plugin = summaries.SummaryMetadata.PluginData(plugin_name="graph_keras_model", content=b"1")
        text = tensors.TensorProto(dtype="DT_STRING", string_val=[self.model.to_json().encode()])
        metadata = summaries.SummaryMetadata(plugin_data=plugin)
        value = summaries.Summary.Value(tag="keras", metadata=metadata, tensor=text)
        self._writer("train").file_writer.add_summary(summaries.Summary(value=[value]), 0)

    def _write_weights(self, epoch: int) -> None:
        writer = self._writer("train")
        for layer in self.model.layers:
            for weight in layer.weights:
                value = weight.numpy().astype("float32")
                writer.add_histogram(f"{weight.path}/histogram", value, epoch)
                image = _as_images(value) if self.write_images else None
                if image is not None:
                    writer.add_images(f"{weight.path}/image", image, epoch, dataformats="NHWC")

    def _embeddings(self) -> list[Any]:
        return [layer for layer in self.model.layers if isinstance(layer, Embedding)]

    def _describe_embeddings(self) -> None:
        metadata = self.embeddings_metadata or {}
        names = [layer.name for layer in self._embeddings()]
        unknown = [] if isinstance(metadata, str) else sorted(set(metadata) - set(names))
        if unknown:
            raise ValueError(f"TensorBoard: `embeddings_metadata` names {unknown}; the embeddings are {names}.")
        os.makedirs(self.log_dir, exist_ok=True)
        with open(os.path.join(self.log_dir, "projector_config.pbtxt"), "w", encoding="utf-8") as file:
            for name in names:
                fields = {"tensor_name": name, "tensor_path": f"{name}.tsv"}
                rows = metadata if isinstance(metadata, str) else metadata.get(name)
                fields |= {"metadata_path": os.fspath(rows)} if rows else {}
                lines = "".join(f"  {field}: {json.dumps(value)}\n" for field, value in fields.items())
                file.write(f"embeddings {{\n{lines}}}\n")

    def _write_embeddings(self) -> None:
        for layer in self._embeddings():
            path = os.path.join(self.log_dir, f"{layer.name}.tsv")
            np.savetxt(path, np.asarray(ops.convert_to_numpy(layer.embeddings), "float32"), fmt="%.7g", delimiter="\t")


def _as_images(value: np.ndarray) -> np.ndarray | None:
    """Return a weight as images `(number, height, width, 1)`, scaled to [0, 1]; None if it has too many axes."""
    value = np.atleast_1d(np.squeeze(value))
    if value.ndim not in (1, 2, 3):
        return None
    if value.ndim == 1:
        value = value[None, :]
    elif value.ndim == 2 and value.shape[0] > value.shape[1]:
        value = value.T
    value = np.moveaxis(value, -1, 0) if value.ndim == 3 else value[None]
    span = float(value.max() - value.min()) or 1.0
    return ((value - value.min()) / span)[..., None]
