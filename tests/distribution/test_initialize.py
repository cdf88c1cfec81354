"""`keras.distribution.initialize` between processes that a launcher started."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.workers import Workers, results_of
from polykeras.backend import Backend

SCRIPT = Path(__file__).parent / "scripts" / "initialize.py"
ENDS = SCRIPT.parent / "ends.py"
NOBODY = {  # what an engine says that waits for a worker that never starts
    "torch": "did not find all others within 5 s",
    "jax": "another task died",  # with which JAX aborts
    "tensorflow": "could not connect with the others in 5 s",
}
SOON = {"POLYKERAS_WORKER_TIMEOUT": "20"}


@pytest.mark.slow
def test_processes_are_connected(backend: Backend) -> None:
    first, second = results_of(SCRIPT, backend.name, 2, environment={"POLYKERAS_WORKER_TIMEOUT": "60"})
    assert first["workers"] == 2
    assert first["shared"] == 2
    assert first["devices"] == ["cpu:0", "cpu:1"]
    assert first["total"] == [3.0]
    assert first["timeout"] == 60
    assert first["again"] == str(first["seed"])
    assert first == second, "seeds, and so initial weights, are the same"


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_workers_may_end_at_other_times(backend: Backend, rank: int) -> None:
    with Workers(ENDS, backend.name, 2, [f"late {rank}"], SOON) as workers:
        assert set(workers.wait(120.0)) == {0}


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_of_one_worker_ends_all(backend: Backend, rank: int) -> None:
    with Workers(ENDS, backend.name, 2, [f"error {rank}"], SOON) as workers:
        assert 0 not in workers.wait(120.0)
        assert "ValueError: a mistake" in workers.output(rank if len(workers.processes) > 1 else 0)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_worker_that_exits_in_the_middle_ends_all(backend: Backend, rank: int) -> None:
    with Workers(ENDS, backend.name, 2, [f"exit {rank}"]) as workers:
        assert 0 not in workers.wait(120.0), "and far before 300 s, when workers that do not answer count as lost"
        told = workers.output(rank if len(workers.processes) > 1 else 0)
        assert f"Worker {rank} leaves a run by SystemExit(3)" in told, told


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("engine", [pytest.param(name, marks=pytest.mark.needs(name)) for name in NOBODY])
def test_a_worker_that_never_starts_is_not_waited_for_without_end(engine: str, rank: int) -> None:
    with Workers(ENDS, engine, 2, ["late -1"], {"POLYKERAS_WORKER_TIMEOUT": "5"}) as workers:
        workers.kill(1 - rank)
        assert all(workers.wait(90.0))
        assert NOBODY[engine] in workers.output(rank), workers.output(rank)
