"""The forms of training, evaluation and prediction that take one batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polykeras.backend import registry
from polykeras.common import nested
from polykeras.common.arguments import takes_old_arguments
from polykeras.training.compiled_loss import CompiledLoss
from polykeras.training.data.checks import host_tree
from polykeras.training.data.sources import make_batch
from polykeras.training.data.unpack import pack_x_y_sample_weight, unpack_x_y_sample_weight
from polykeras.training.logs import as_list, to_host
from polykeras.training.steps import CompiledStep


class OnBatch:
    """The one-batch forms, for a class that knows how to compile its steps."""

    _compiled_loss: CompiledLoss | None
    _prepare: Callable[..., CompiledStep]
    _require_compiled: Callable[[str], None]

    @takes_old_arguments
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

    @takes_old_arguments
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Evaluate on one batch. Metrics begin anew, and are those of this batch. Returns as `evaluate`."""
        self._require_compiled("test_on_batch")
        return self._one_batch("test", x, y, sample_weight, None, return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the outputs for one batch, as NumPy arrays."""
        batch = pack_x_y_sample_weight(host_tree(self._texts_to_numbers(x), "x"))
        outputs = self._prepare("predict", batch).run_batch(batch)
        return nested.map_structure(registry.current().to_numpy, outputs)

    def _texts_to_numbers(self, x: Any) -> Any:
        """Return inputs, or a stream of batches, in which texts have become numbers, where a model takes some."""
        return x

    def _one_batch(
        self, kind: str, x: Any, y: Any, weights: Any, class_weight: dict[int, float] | None, return_dict: bool
    ) -> Any:
        source = make_batch(self._texts_to_numbers(x), y, weights, class_weight)
        batch = source.first_batch()
        step = self._prepare(kind, batch, resets=True)
        if self._compiled_loss is not None and y is not None:
            self._compiled_loss.check_labels(unpack_x_y_sample_weight(batch)[1])
        logs = to_host(step.run_batch(batch), step.log_names)
        return logs if return_dict else as_list(logs)
