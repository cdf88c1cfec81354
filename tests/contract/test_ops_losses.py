"""Cross-entropies at the ends, and CTC against a sum over all paths."""

from __future__ import annotations

import itertools
from operator import eq

import numpy as np
import pytest
from scipy.special import expit, softmax

from contract.agreement import agree, gradient
from polykeras import ops
from polykeras.backend import Backend

RNG = np.random.default_rng(11)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


def test_crossentropies(backend: Backend) -> None:
    t, x = RNG.random((3, 4)).astype("float32"), 3 * normal(3, 4)
    p = softmax(x, -1)
    agree(ops.binary_crossentropy(t, x, from_logits=True), -t * np.log(expit(x)) - (1 - t) * np.log(expit(-x)))
    agree(ops.binary_crossentropy(t, expit(x)), -t * np.log(expit(x)) - (1 - t) * np.log(expit(-x)), 1e-4)
    agree(ops.categorical_crossentropy(t, x, from_logits=True), -(t * np.log(p)).sum(-1))
    agree(ops.categorical_crossentropy(t, 5 * p), -(t * np.log(p)).sum(-1))
    agree(ops.sparse_categorical_crossentropy([2, 0, -1], x, True), [-np.log(p[0, 2]), -np.log(p[1, 0]), 0])
    agree(ops.sparse_categorical_crossentropy([[2], [0], [1]], p), -np.log(p[[0, 1, 2], [2, 0, 1]]))
    agree(ops.sparse_categorical_crossentropy([2, 0, 1], x.T.copy(), True, 0), -np.log(p[[0, 1, 2], [2, 0, 1]]))
    agree(ops.psnr(t, t + 0.1, 1.0), 20.0, 1e-4)
    with pytest.raises(ValueError, match="`target` and `output` must have one shape"):
        ops.binary_crossentropy(t, x[:2])


def test_crossentropies_at_the_ends(backend: Backend) -> None:
    x, t = np.array([0.0, 100.0, -100.0, 1e4, -1e4, 0.0], "float32"), np.array([1, 1, 0, 0, 1, 0], "float32")
    losses = [np.log(2), np.exp(-100), np.exp(-100), 1e4, 1e4, np.log(2)]
    agree(ops.binary_crossentropy(t, x, True), losses, 1e-5, 1e-37)  # exp(-100) is no normal float32
    agree(gradient(lambda a: ops.binary_crossentropy(t, a, True), x), expit(x) - t)
    p = np.array([0.0, 1.0, 1.0, 0.0], "float32")
    ends = [0.0, 0.0, -np.log(1e-7), -np.log(1e-7)]
    agree(ops.binary_crossentropy(np.array([0, 1, 0, 1], "float32"), p), ends, 2e-2, 1e-6)  # 1 - 1e-7 in float32
    assert np.isfinite(gradient(lambda a: ops.binary_crossentropy(1.0 - p, a), p)).all()
    logits = np.array([[1e4, 0.0, -1e4]], "float32")
    agree(gradient(lambda a: ops.sparse_categorical_crossentropy([1], a, True), logits), [[1, -1, 0]])
    agree(ops.sparse_categorical_crossentropy([0], [[0.0, -np.inf]], True), [0.0])


SHARES = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.4, 0.0], [2.0, 1.0, 1.0], [0.1, 0.1, 0.1]], "float32")


@pytest.mark.parametrize("labels", [[2, 0, 1, 0, 1], [0, 1, 2, 1, 0], [-1, 3, 0, -7, 2]], ids=str)
def test_a_class_costs_what_its_hot_vector_costs(backend: Backend, labels: list[int]) -> None:
    """Of probabilities, also where they are 0 or 1 or need not be normal; no class costs nothing."""
    hot = (np.arange(3) == np.array(labels)[:, None]).astype("float32")
    agree(ops.sparse_categorical_crossentropy(labels, SHARES), ops.categorical_crossentropy(hot, SHARES))
    sparse = gradient(lambda p: ops.sparse_categorical_crossentropy(labels, p), SHARES)
    agree(sparse, gradient(lambda p: ops.categorical_crossentropy(hot, p), SHARES))
    none = np.array([label not in range(3) for label in labels])
    assert not sparse[none].any()


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_the_axis_of_the_classes_of_probabilities(backend: Backend, axis: int) -> None:
    labels = np.array([[2, 0, 1, 0, 1], [0, 1, 2, 1, 0]])
    p = np.stack([SHARES[[0, 3, 4, 0, 3]], SHARES[[3, 4, 0, 4, 0]]])
    moved = np.moveaxis(p, -1, axis).copy()
    found = ops.sparse_categorical_crossentropy(labels, moved, axis=axis)
    agree(found, ops.sparse_categorical_crossentropy(labels, p))
    agree(ops.sparse_categorical_crossentropy(2, SHARES[0]), np.log(2.0))


def ctc_by_enumeration(logits: np.ndarray, label: list[int], blank: int = 0) -> float:
    """Return the loss as the sum over all paths."""
    probabilities, total = softmax(logits.astype("float64"), -1), 0.0
    for path in itertools.product(range(logits.shape[1]), repeat=logits.shape[0]):
        merged = [c for c, _ in itertools.groupby(path) if c != blank]
        if merged == label:
            total += np.prod([probabilities[t, c] for t, c in enumerate(path)])
    return -np.log(total)


def test_ctc_loss_sums_over_all_paths(backend: Backend) -> None:
    logits = normal(3, 5, 3)
    labels, lengths, times = np.array([[1, 2, 0], [2, 2, 1], [1, 0, 0]]), np.array([2, 3, 0]), np.array([5, 5, 3])
    expected = [ctc_by_enumeration(logits[i, : times[i]], labels[i, : lengths[i]].tolist()) for i in range(3)]
    agree(ops.ctc_loss(labels, logits, lengths, times), expected, 1e-4)
    slope = gradient(lambda a: ops.ctc_loss(labels, a, lengths, times), logits)
    assert (slope[2, 3:] == 0).all()  # beyond the sequence
    moved = logits.copy()
    moved[0, 1, 2] += 0.01
    difference = ctc_by_enumeration(moved[0], [1, 2]) - expected[0]
    assert slope[0, 1, 2] == pytest.approx(difference / 0.01, rel=2e-2, abs=1e-3)
    last = ops.ctc_loss(np.array([[0, 1]]), logits[:1], [2], [5], mask_index=2)
    agree(last, [ctc_by_enumeration(logits[0], [0, 1], 2)], 1e-4)


def test_ctc_decode(backend: Backend) -> None:
    best = [[1, 1, 0, 1, 2], [2, 2, 2, 0, 1]]
    logits = np.eye(3, dtype="float32")[best] * 2
    labels, scores = ops.ctc_decode(logits, [5, 3])
    agree(labels, [[[1, 1, 2, -1, -1], [2, -1, -1, -1, -1]]])
    agree(scores, [[-10], [-6]])
    agree(ops.ctc_decode(logits, [5, 3], merge_repeated=False)[0], [[[1, 1, 1, 2, -1], [2, 2, 2, -1, -1]]])
    with pytest.raises(ValueError, match="`strategy` must be 'greedy' or 'beam_search'"):
        ops.ctc_decode(logits, [5, 3], strategy="best")
    with pytest.raises(ValueError, match="`top_paths` must be from 1 to `beam_width`; received 3 and 2"):
        ops.ctc_decode(logits, [5, 3], "beam_search", 2, 3)


@pytest.mark.parametrize("blank", [0, 2])
def test_a_wide_beam_finds_the_most_probable_labels_of_all(backend: Backend, blank: int) -> None:
    logits = np.random.default_rng(4).normal(size=(2, 5, 3)).astype("float32") * 2
    times = [5, 3]
    labels, scores = ops.ctc_decode(logits, times, "beam_search", 70, 4, mask_index=blank)
    classes = [c for c in range(3) if c != blank]
    for row, time in enumerate(times):
        every = [list(label) for n in range(time + 1) for label in itertools.product(classes, repeat=n)]
        every = [label for label in every if len(label) + sum(map(eq, label, label[1:])) <= time]
        losses = [ctc_by_enumeration(logits[row, :time], label, blank) for label in every]
        best = np.argsort(losses)[:4]
        agree(scores[row], [-losses[i] for i in best], 1e-4)
        agree(labels[:, row], [every[i] + [-1] * (5 - len(every[i])) for i in best])


def test_a_beam_that_is_wider_than_what_there_is(backend: Backend) -> None:
    labels, scores = ops.ctc_decode(np.zeros((1, 2, 2), "float32"), [1], "beam_search", 6, 4)
    agree(labels[2:], np.full((2, 1, 2), -1))
    agree(scores, [[np.log(0.5), np.log(0.5), -np.inf, -np.inf]], 1e-5)
