"""Remembers the logits from which a softmax made probabilities, while a step or a traced function runs.

For a probability near 0, the logits hold more information: the probability may have become 0, and then its
cross-entropy is bounded and has no gradient. A cross-entropy from logits also takes less than half of the operations.
So if predictions come from a softmax, the cross-entropy is computed from the logits, as Keras does on TensorFlow.

Arrays are assumed to stay unchanged. Native code that changes one in place between the softmax and the loss is not
noticed.
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
    """The origin of an array of probabilities.

    Attributes:
        reference: returns the array, or None if it no longer exists.
        axis: the axis of the softmax, counted from the front.
        logits: the argument of the softmax.
    """

    reference: Callable[[], Any]
    axis: int
    logits: Any


_known: ContextVar[dict[int, Known] | None] = ContextVar("polykeras_logits", default=None)


@contextmanager
def remembered() -> Iterator[None]:
    """Remember logits until the end of the block. Blocks do not share them: arrays of an inner trace end with it."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def are_remembered() -> bool:
    """Return whether logits are being remembered."""
    return _known.get() is not None


def remember(probabilities: Array, axis: Any, logits: Array) -> None:
    """Remember the logits of an array of probabilities for as long as it lives, if logits are being remembered.

    Args:
        probabilities: an array.
        axis: the axis of the softmax. If there are several, nothing is remembered.
        logits: an array of the same shape.
    """
    known = _known.get()
    if known is None or not isinstance(axis, (int, np.integer)):
        return
    key = id(probabilities)
    try:
        reference: Callable[[], Any] = weakref.ref(probabilities, lambda _: known.pop(key, None))
    except TypeError:  # autograd's boxes have no weak references, and are kept to the end
        reference = lambda: probabilities  # noqa: E731
    known[key] = Known(reference, int(axis) % len(probabilities.shape), logits)


def known(probabilities: Array) -> Known | None:
    """Return what is remembered of an array, or None."""
    found = (_known.get() or {}).get(id(probabilities))
    return found if found is not None and found.reference() is probabilities else None


def of(probabilities: Array, axis: int) -> Array | None:
    """Return the logits whose softmax along `axis` gave the probabilities, or None if they are not remembered."""
    found = known(probabilities)
    return found.logits if found is not None and found.axis == axis % len(probabilities.shape) else None


def follow(probabilities: Array, result: Array, change: Callable[[Any], Any]) -> None:
    """Remember the logits of `result`, made from probabilities by a `change` that commutes with softmax, as a cast."""
    found = known(probabilities)
    if found is not None and result is not probabilities:
        remember(result, found.axis, change(found.logits))
