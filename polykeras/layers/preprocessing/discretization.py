"""A layer that maps numbers to bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polykeras import ops
from polykeras.backend.spec import Array
from polykeras.backend.symbolic import SymbolicArray
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.layers.base.data_layer import DataLayer
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.preprocessing.encoding import MODES, encode, refuse_sparse
from polykeras.layers.preprocessing.encoding import output_mode as one_of_modes
from polykeras.layers.preprocessing.host import batches


@LAYERS.register()
class Discretization(DataLayer):
    """Maps numbers to bins: bin `i` begins at boundary `i - 1` and ends before boundary `i`.

    Args:
        bin_boundaries: the boundaries, in ascending order. If they are unknown, pass `num_bins` and call `adapt`.
        num_bins: the number of bins that `adapt` makes, with about the same number of values in each.
        epsilon: the error that `adapt` may make; a smaller one takes more memory.
        output_mode: `"int"` returns the number of the bin. `"one_hot"` returns a one-hot row for each number.
            `"multi_hot"` returns a row for each sample, with a one for each bin that contains a number of the last
            axis. `"count"` returns how many numbers each bin contains.
        sparse: kept for Keras code; must be False.
        dtype: the dtype of the output, except in the mode `"int"`, which returns int32.
        name: the name of the layer.

    Raises:
        ValueError: an argument is invalid, or both or neither of `bin_boundaries` and `num_bins` are given.

    Example:
        >>> from polykeras import layers
        >>> layers.Discretization([0.0, 1.0])([[-1.5, 0.0, 0.4, 3.0]]).tolist()
        [[0, 1, 1, 2]]
    """

    sample_by_sample = True
    _not_in_config = (*DataLayer._not_in_config, "activity_regularizer", "trainable")

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: DTypeLike = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.sparse = refuse_sparse(sparse, "Discretization")
        self.output_mode = one_of_modes(output_mode, MODES, "Discretization")
        if num_bins is not None and num_bins < 0:
            raise ValueError(f"Discretization: `num_bins` must be 0 or greater; received {num_bins}.")
        if (num_bins is None) == (bin_boundaries is None):
            raise ValueError(
                "Discretization needs either `bin_boundaries` or `num_bins`; received "
                f"bin_boundaries={bin_boundaries}, num_bins={num_bins}."
            )
        self.bin_boundaries = None if bin_boundaries is None else np.asarray(bin_boundaries).tolist()
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.reset_state()

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Compute the boundaries from data.

        Args:
            data: an array, a nested list of numbers, or an iterable of batches of these or of tuples that begin with
                one: a `tf.data.Dataset`, a `DataLoader`, a `PyDataset`, a generator.
            steps: the number of batches to take from an iterable; None for all.

        Raises:
            ValueError: the layer was given its boundaries.
        """
        if self.num_bins is None:
            raise ValueError("Discretization has `bin_boundaries` already, so there is nothing to adapt.")
        self.reset_state()
        for batch in batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Add one batch to the summary, from which `finalize_state` makes boundaries."""
        values = np.sort(np.asarray(data, "float32"), None)
        step = max(values.size / (1.0 / self.epsilon), 1)
        taken = values[int(step - 1) :: int(step)]
        new = np.stack([taken, np.full_like(taken, step)])
        merged = np.concatenate([new, self.summary], 1)
        self.summary = _compressed(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Make the boundaries from the summary."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def reset_state(self) -> None:
        """Drop the summary."""
        self.summary = np.zeros((2, 0), "float32")

    def call(self, inputs: ArrayLike) -> Array:
        """Return the bins of the inputs, as `output_mode` says.

        Raises:
            ValueError: there are no boundaries yet.
        """
        boundaries = self.bin_boundaries
        if boundaries is None:
            if not isinstance(inputs, SymbolicArray):
                raise ValueError(
                    f"{self._title()} has no boundaries yet: pass `bin_boundaries`, or call `adapt` first."
                )
            boundaries = [0.0] * ((self.num_bins or 1) - 1)
        bins = ops.digitize(inputs, np.asarray(boundaries, "float32"))
        dtype = "int32" if self.output_mode == "int" else self.compute_dtype
        return encode(bins, self.output_mode, len(boundaries) + 1, dtype)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return the layer of a config, which after `adapt` contains both the boundaries and their number."""
        boundaries = config.get("bin_boundaries")
        if boundaries is None or config.get("num_bins") is None:
            return super().from_config(config)
        layer = super().from_config(config | {"bin_boundaries": None})
        layer.bin_boundaries = boundaries
        return layer

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read the summary, which legacy files contain."""
        if len(store) == 1:
            self.summary = np.asarray(store["0"])


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """Return a summary (values in ascending order, and their weights) with about `1 / epsilon` values."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    sums = summary[1].cumsum()
    values = np.interp(shares, sums / sums[-1], summary[0])
    weights = np.diff(np.interp(shares, sums / sums[-1], sums), prepend=0.0)
    return np.stack([values, weights]).astype("float32")
