"""The validation of a run of `fit`, by the model's `evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras.training.callbacks.callback_list import CallbackList
from polykeras.training.data.sources import Source, make_source
from polykeras.training.data.unpack import unpack_x_y_sample_weight

if TYPE_CHECKING:
    from polykeras.training.loops import Trainer


class Validation:
    """The data of the validation, prepared once for all epochs, and when to use them.

    Args:
        model: is trained.
        data: the `validation_data` of `fit`; None: there is no validation.
        batch_size: samples per step.
        steps: steps per validation; None for all.
        frequency: after every so many epochs, or after the listed ones, counted from 1.

    Attributes:
        source: the data, or None.
    """

    def __init__(
        self, model: Trainer, data: Any, batch_size: int | None, steps: int | None, frequency: int | Sequence[int]
    ) -> None:
        x, y, weight = unpack_x_y_sample_weight(data)
        self._model, self._frequency = model, frequency
        self._given = {"x": x, "y": y, "sample_weight": weight, "batch_size": batch_size, "steps": steps}
        self.source: Source | None = None
        if data is not None:
            x = model._texts_to_numbers(x)
            self.source = make_source(x, y, weight, batch_size=batch_size, steps=steps, steps_name="validation_steps")

    @property
    def steps(self) -> int | None:
        """Steps per validation; None if unknown or if there is no validation."""
        return None if self.source is None else self.source.steps

    def is_due(self, epoch: int) -> bool:
        """Return whether an epoch ends with a validation.

        Args:
            epoch: counted from 0.
        """
        if self.source is None:
            return False
        done, often = epoch + 1, self._frequency
        return done % often == 0 if isinstance(often, (int, np.integer)) else done in often

    def run(self, callback_list: CallbackList) -> dict[str, Any]:
        """Evaluate the model, and return the logs. A model that overrides `evaluate` gets the user's data too."""
        return self._model.evaluate(
            **self._given, callbacks=callback_list, return_dict=True, _use_cached_eval_dataset=self.source
        )
