"""Beam search for the most probable labels of a sequence."""

from __future__ import annotations

from typing import Any

from polykeras.backend.spec import Array

_NEVER = -1e5  # the logarithm of a probability of 0; finite, so that sums are not nan


def beam_search(b: Any, logs: Array, lengths: Array, width: int, paths: int, blank: int) -> tuple[Array, Array]:
    """Return the most probable sequences of labels, and the logarithms of their probabilities.

    Each step extends `width` sequences of labels by all classes, adds up the probabilities of equal results, and keeps
    the best. This is the prefix search of A. Graves et al., "Connectionist Temporal Classification" (2006), section
    3.2, limited to a beam. Two equal labels in a row count as two only with a blank between them.

    Args:
        b: a backend.
        logs: logarithms of probabilities, `(batch, time, classes)`.
        lengths: int32 `(batch,)`: the number of valid times.
        width: the number of sequences that are followed.
        paths: the number of sequences to return, at most `width`.
        blank: the class that stands for no label.

    Returns:
        int32 `(paths, batch, time)`, filled up with -1, and `(batch, paths)`, -inf for paths that do not exist.
    """
    batch, time, classes = b.shape(logs)
    dtype = b.dtype(logs)
    alone = b.equal(b.arange(width, dtype="int32"), 0)  # at first there is only the empty sequence
    start = b.where(alone, b.zeros((batch, width), dtype), _NEVER)
    state = (
        b.full((batch, width, time), -1, "int32"),
        b.zeros((batch, width), "int32"),
        start,  # of alignments that end in a blank
        b.full((batch, width), _NEVER, dtype),  # of alignments that end in the last label
    )
    places, names = b.arange(time, dtype="int32"), b.arange(classes, dtype="int32")

    def step(state: tuple[Array, ...], inputs: tuple[Array, Array]) -> tuple[tuple[Array, ...], None]:
        labels, count, blanks, ends = state
        x, valid = inputs
        total = b.logaddexp(blanks, ends)
        last_place = b.equal(places, b.expand_dims(count, 2) - 1)
        last = b.where(count > 0, b.sum(b.where(last_place, labels, 0), 2), -1)
        repeats = b.equal(b.expand_dims(last, 2), names)
        x3 = b.expand_dims(x, 1)
        longer = b.where(repeats, b.expand_dims(blanks, 2), b.expand_dims(total, 2)) + x3
        longer = b.where(b.equal(names, blank), _NEVER, longer)
        same = b.where(count > 0, ends + b.sum(b.where(repeats, x3, 0.0), 2), _NEVER)
        # An extension that equals an existing sequence counts for that one: [batch, sequence, shorter sequence].
        shorter = b.where(last_place, -1, labels)
        meets = b.all(b.equal(b.expand_dims(shorter, 2), b.expand_dims(labels, 1)), 3)
        is_there = b.logical_and(total > _NEVER / 2, count > 0)
        meets = b.logical_and(meets, b.expand_dims(is_there, 2))
        taken = b.cast(meets, dtype), b.cast(repeats, dtype)
        of_last = b.broadcast_to(b.expand_dims(b.maximum(last, 0), 1), (batch, width, width))
        found = b.transpose(b.take_along_axis(longer, of_last, 2), (0, 2, 1))
        same = b.logaddexp(same, b.logsumexp(b.where(meets, found, _NEVER), 2))
        gone = b.matmul(b.transpose(taken[0], (0, 2, 1)), taken[1]) > 0
        longer = b.reshape(b.where(gone, _NEVER, longer), (batch, width * classes))
        # The unchanged sequences, and those with one more label.
        all_ends = b.concatenate([same, longer], 1)
        all_blanks = b.concatenate(
            [total + b.expand_dims(x[:, blank], 1), b.full((batch, width * classes), _NEVER, dtype)], 1
        )
        _, best = b.top_k(b.logaddexp(all_blanks, all_ends), width)
        grows = best >= width
        source = b.where(grows, (best - width) // classes, best)
        new = b.where(grows, (best - width) % classes, -1)
        old_labels = b.take_along_axis(labels, b.expand_dims(source, 2), 1)
        old_count = b.take_along_axis(count, source, 1)
        here = b.logical_and(b.expand_dims(grows, 2), b.equal(places, b.expand_dims(old_count, 2)))
        moved = (
            b.where(here, b.expand_dims(new, 2), old_labels),
            old_count + b.cast(grows, "int32"),
            b.take_along_axis(all_blanks, best, 1),
            b.take_along_axis(all_ends, best, 1),
        )
        one, two = b.reshape(valid, (batch, 1)), b.reshape(valid, (batch, 1, 1))
        return tuple(
            b.where(two if i == 0 else one, *pair) for i, pair in enumerate(zip(moved, state, strict=True))
        ), None

    valid = b.expand_dims(places, 1) < lengths
    (labels, _, blanks, ends), _ = b.scan(step, state, (b.transpose(logs, (1, 0, 2)), valid))
    scores, best = b.top_k(b.logaddexp(blanks, ends), paths)
    labels = b.take_along_axis(labels, b.expand_dims(best, 2), 1)
    real = scores > _NEVER / 2
    labels = b.where(b.expand_dims(real, 2), labels, -1)
    return b.transpose(labels, (1, 0, 2)), b.where(real, scores, -float("inf"))
