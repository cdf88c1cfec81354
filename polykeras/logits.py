"""Logits, remembered beside the probabilities that a softmax made of them, as long as a loss is being computed.

Of a probability near 0 the logits know more than the probability: it may have become 0, and its cross-entropy is
bounded, without a gradient. And a cross-entropy of logits takes a third of the operations. So a loss computes with
those where the predictions come from a softmax; Keras does so on TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# By the identity of the probabilities: they, the axis of the softmax counted from the first one, and the logits.
_known: ContextVar[dict[int, tuple[Any, int, Any]] | None] = ContextVar("polykeras_logits", default=None)


@contextmanager
def remembered() -> Iterator[None]:
    """Remember logits until the end, or until that of the outermost of several."""
    if _known.get() is not None:
        yield
        return
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def remember(probabilities: Any, axis: Any, logits: Any) -> None:
    """Note of what a softmax made probabilities, where that is to be remembered.

    Args:
        probabilities: an array.
        axis: of the softmax; of several axes nothing is noted.
        logits: an array of the same shape.
    """
    known = _known.get()
    if known is not None and isinstance(axis, int):
        known[id(probabilities)] = (probabilities, axis % len(probabilities.shape), logits)


def of(probabilities: Any, axis: int) -> Any:
    """Return the logits whose softmax along an axis probabilities are; None where none are remembered."""
    known = _known.get()
    _, place, logits = known.get(id(probabilities), (None, None, None)) if known else (None, None, None)
    return logits if place is not None and place == axis % len(probabilities.shape) else None
