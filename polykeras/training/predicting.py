"""Whether `predict` fills up its last batch, and what becomes of the outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from polykeras import tree
from polykeras.backend import Backend
from polykeras.training import padding
from polykeras.training.data.sources import ArraySource, Source


def samples_if_filled(model: Any, source: Source, backend: Backend) -> int | None:
    """Return how many samples there are if the last batch is to be filled up, so that its shape is not compiled too.

    No mask is needed: the outputs for the rows too many are cut off.
    """
    if not isinstance(source, ArraySource) or not source.ends_partial or not backend.is_compiled():
        return None
    return source.samples if padding.why_not(model, "predict") is None else None


def joined(parts: list[Any], backend: Backend, samples: int | None) -> Any:
    """Return the outputs of all batches as NumPy arrays, the samples of one batch after those of the other.

    Args:
        parts: the outputs of each batch.
        backend: what made them.
        samples: how many count; None for all.

    Raises:
        ValueError: an output is a scalar: it has no samples.
    """
    arrays = [tree.map_structure(backend.to_numpy, part) for part in parts]
    for leaf, path in zip(tree.flatten(arrays[0]), tree.paths(arrays[0]), strict=True):
        if np.ndim(leaf) == 0:
            raise ValueError(
                f"predict: the output{path and ' ' + path} is a scalar for each batch; expected an array with an entry "
                "for each sample. Return one from the model, or use `predict_on_batch`."
            )
    return tree.map_structure(lambda *outputs: np.concatenate(outputs)[:samples], *arrays)
