"""Sequences of unequal lengths as one array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Return sequences that are cut and padded to one length.

    Args:
        sequences: a list of sequences, whose items are numbers, strings or arrays of one shape `(...)`.
        maxlen: the length; by default that of the longest sequence.
        dtype: the dtype of the result; `object` for strings of any length.
        padding: `"pre"` or `"post"`: the end at which shorter sequences are padded.
        truncating: `"pre"` or `"post"`: the end at which longer sequences are cut.
        value: the value to pad with.

    Returns:
        An array `(sequences, maxlen, ...)`.

    Raises:
        ValueError: if an item is not a sequence, or has another shape than the others; if `padding` or `truncating` is
            unknown; or if `value` is a string and the dtype is numeric.

    Example:
        >>> pad_sequences([[1], [2, 3, 4]], maxlen=2).tolist()
        [[0, 1], [3, 4]]
    """
    for name, word in (("padding", padding), ("truncating", truncating)):
        if word not in ("pre", "post"):
            raise ValueError(f'pad_sequences: `{name}` must be "pre" or "post"; received {word!r}.')
    if not hasattr(sequences, "__len__"):
        raise ValueError(
            f"pad_sequences: `sequences` must be a list of sequences; received {type(sequences).__name__}."
        )
    for place, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise ValueError(
                f"pad_sequences: `sequences` must hold sequences; number {place} is {sequence!r}, which has no length."
            )
    kind = np.dtype(dtype).kind
    if isinstance(value, str) and kind not in "OUS":
        raise ValueError(
            f"pad_sequences: value={value!r} does not fit dtype {np.dtype(dtype)}. Pass `dtype=object` for strings."
        )
    shape = next((np.asarray(sequence).shape[1:] for sequence in sequences if len(sequence)), ())
    length = max(map(len, sequences)) if maxlen is None else maxlen
    result = np.full((len(sequences), length, *shape), value, dtype=dtype)
    for place, sequence in enumerate(sequences):
        kept = sequence[max(len(sequence) - length, 0) :] if truncating == "pre" else sequence[:length]
        if not len(kept):
            continue
        row = np.asarray(kept, dtype=dtype)
        if row.shape[1:] != shape:
            raise ValueError(
                f"pad_sequences: the items of sequence {place} have shape {row.shape[1:]}; expected {shape}, as in the "
                "first one."
            )
        result[place, slice(len(row)) if padding == "post" else slice(length - len(row), None)] = row
    return result
