"""A step in parts gives the state and the logs of the whole one, on every backend, whatever it makes of the parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polykeras import fast
from polykeras.backend import Backend
from polykeras.backend.steps import StepParts

X = np.arange(1.0, 61.0, dtype="float32").reshape(20, 3)
INDICES = np.arange(20, dtype="int32")[::-1].reshape(10, 2).copy()


def in_parts(b: Backend, looks: bool) -> tuple[Any, StepParts]:
    """Return a step whose state is a weight, the sum of all rows, and how many there were; whole, and in parts."""

    def trained(state: Any, batch: Any) -> Any:
        return [state[0] * 0.5 + b.sum(batch["x"]), *state[1:]]

    def look(part: Any, seen: Any) -> Any:
        return [part[0] + b.sum(seen), part[1] + seen.shape[0]], None

    def report(part: Any) -> Any:
        return part, {"mean": part[0] / part[1], "twice": 2.0 * part[0]}

    def step(state: Any, batch: Any) -> Any:
        state = trained(state, batch)
        if not looks:
            state[1:], _ = look(state[1:], batch["x"])
        return state, batch["x"] if looks else []

    def whole(state: Any, batch: Any) -> Any:
        state = trained(state, batch)
        part, _ = look(state[1:], batch["x"])
        return [state[0], *part], report(part)[1]

    return whole, StepParts(step, [1, 2], look if looks else None, report)


@pytest.mark.skipif(not fast.enabled(), reason="a fast path")
@pytest.mark.parametrize("looks", [True, False])
def test_who_compiles_the_loop_asks_for_the_parts(backend: Backend, looks: bool) -> None:
    if backend.name not in ("jax", "tensorflow"):
        pytest.skip("needs a backend that compiles the loop around steps")

    def whole(state: Any, batch: Any) -> Any:
        raise AssertionError("the parts stand for the step")

    _, parts = in_parts(backend, looks)
    state = [backend.asarray(value) for value in (np.ones(2, "float32"), np.float32(0.0), np.float32(0.0))]
    _, logs = backend.compile_steps(whole, parts)(state, {"x": backend.asarray(X)}, backend.asarray(INDICES), 0, 10)
    assert float(backend.to_numpy(logs["twice"])) == 2 * X.sum()


@pytest.mark.parametrize("looks", [True, False])
def test_parts_are_the_whole(backend: Backend, looks: bool) -> None:
    step, parts = in_parts(backend, looks)
    found = []
    for run in (backend.compile_steps(step), backend.compile_steps(step, parts)):
        state = [backend.asarray(value) for value in (np.ones(2, "float32"), np.float32(0.0), np.float32(0.0))]
        data, logs = {"x": backend.asarray(X)}, None
        for start, stop in ((0, 1), (1, 7), (7, 10)):
            state, logs = run(state, data, backend.asarray(INDICES), start, stop)
        found.append([*map(backend.to_numpy, state), *(backend.to_numpy(logs[name]) for name in ("mean", "twice"))])
    for whole, divided in zip(*found, strict=True):
        np.testing.assert_array_equal(whole, divided)
    assert found[0][1] == X.sum()
    assert found[0][2] == len(X)
    assert found[0][3] == pytest.approx(X.sum() / len(X))
    assert found[0][4] == 2 * X.sum()
