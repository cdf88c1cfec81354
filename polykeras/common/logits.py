"""Logits, remembered beside the probabilities that a softmax made of them, while a step or a traced function runs.

Of a probability near 0 the logits know more than the probability: it may have become 0, and its cross-entropy is
bounded, without a gradient. And a cross-entropy of logits takes less than half of the operations. So it is computed
from those where predictions come from a softmax; Keras does so on TensorFlow.

Arrays are taken to stay as they are: native code that changes one in place, between the softmax and the loss, is not
seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from polykeras.backend.spec import Array


class Known(NamedTuple):
    """What is known of probabilities.

    Attributes:
        reference: returns them, or None where they are gone.
        axis: that of the softmax, counted from the first one.
        logits: what it was taken of.
    """

    reference: Callable[[], Any]
    axis: int
    logits: Any


_known: ContextVar[dict[int, Known] | None] = ContextVar("polykeras_logits", default=None)


@contextmanager
def remembered() -> Iterator[None]:
    """Remember logits until the end, those of this block alone: an inner trace's arrays mean nothing outside of it."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def are_remembered() -> bool:
    """Return whether somebody remembers logits now."""
    return _known.get() is not None


def remember(probabilities: Array, axis: Any, logits: Array) -> None:
    """Note of what a softmax made probabilities, where that is to be remembered, for as long as they live.

    Args:
        probabilities: an array.
        axis: of the softmax; of several axes nothing is noted.
        logits: an array of the same shape.
    """
    known = _known.get()
    if known is None or not isinstance(axis, (int, np.integer)):
        return
    key = id(probabilities)
    try:
        reference: Callable[[], Any] = weakref.ref(probabilities, lambda _: known.pop(key, None))
    except TypeError:  # autograd's boxes: they are kept to the end
        reference = lambda: probabilities  # noqa: E731
    known[key] = Known(reference, int(axis) % len(probabilities.shape), logits)


def known(probabilities: Array) -> Known | None:
    """Return what is remembered of an array."""
    found = (_known.get() or {}).get(id(probabilities))
    return found if found is not None and found.reference() is probabilities else None


def of(probabilities: Array, axis: int) -> Array | None:
    """Return the logits whose softmax along an axis probabilities are; None where none are remembered."""
    found = known(probabilities)
    return found.logits if found is not None and found.axis == axis % len(probabilities.shape) else None


def follow(probabilities: Array, result: Array, change: Callable[[Any], Any]) -> None:
    """Remember logits of what became of probabilities, by a change that may as well come before the softmax: a cast."""
    found = known(probabilities)
    if found is not None and result is not probabilities:
        remember(result, found.axis, change(found.logits))
