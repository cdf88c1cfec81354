"""The tensorflow backend: nodes in the place of those that XLA is slow to take over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import polykeras
from polykeras import Sequential, fast, layers
from polykeras.backend import use_backend

# By way of the backend, which leaves Keras out of TensorFlow's import.
tf = pytest.importorskip("polykeras_tensorflow.backend").tf
takeover = pytest.importorskip("polykeras_tensorflow.takeover")
programs = pytest.importorskip("polykeras_tensorflow.programs")
pytestmark = pytest.mark.needs("tensorflow")
raw = tf.raw_ops

TINY = np.finfo("float32").smallest_subnormal
EDGES = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, TINY, -TINY, 1e38, -1e38, 3.0, 1e-38]


@pytest.fixture
def tb() -> Iterator[Any]:
    with use_backend("tensorflow") as backend:
        yield backend


def _all_kinds(x: Any, y: Any) -> list[Any]:
    kept = raw.Relu(features=x)
    return [kept, raw.ReluGrad(gradients=y, features=kept), raw.Reciprocal(x=x), raw.Relu(features=kept) - y]


def _living(graph: Any, results: list[Any]) -> set[str]:
    """Return the kinds of the nodes on which results depend."""
    found, left = set(), [x.op for x in results]
    while left:
        op = left.pop()
        if op.name not in found:
            found.add(op.name)
            left += [x.op for x in op.inputs]
    return {graph.get_operation_by_name(name).type for name in found}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_bit_changes_in_xla(tb: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([EDGES, rng.normal(size=500)]).astype(dtype)
    y = np.concatenate([EDGES[::-1], rng.normal(size=500)]).astype(dtype)

    def others(x: Any, y: Any) -> list[Any]:
        results = takeover.taken_over_at_once(tf.compat.v1.get_default_graph(), _all_kinds(x, y))
        assert not _living(x.graph, results) & {"Relu", "ReluGrad", "Reciprocal"}
        return results

    plain, replaced = (tf.function(fn, autograph=False, jit_compile=True)(x, y) for fn in (_all_kinds, others))
    for expected, got in zip(plain, replaced, strict=True):
        assert expected.numpy().tobytes() == got.numpy().tobytes()


def test_other_dtypes_stay_as_they_are(tb: Any) -> None:
    @tf.function(autograph=False)
    def kept(x: Any) -> Any:
        result = raw.Relu(features=x)
        (same,) = takeover.taken_over_at_once(x.graph, [result])
        assert same is result
        return same

    np.testing.assert_array_equal(kept(tf.constant([-1, 2], tf.int32)), [0, 2])


@pytest.mark.skipif(not fast.enabled(), reason="nothing is given to XLA")
def test_a_training_step_is_taken_over_at_once(tb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def noted(graph: Any, results: Any) -> Any:
        before = _living(graph, results)
        results = takeover.taken_over_at_once(graph, results)
        seen.append(before - _living(graph, results))
        return results

    monkeypatch.setattr(programs, "taken_over_at_once", noted)
    polykeras.utils.set_random_seed(0)
    model = Sequential([layers.Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 3), "float32"), np.ones((8, 1), "float32"), verbose=0)
    assert seen == [{"Relu", "ReluGrad"}]
