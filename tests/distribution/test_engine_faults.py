"""Engines in which a worker ends with an exception when another one is killed or hangs in the middle of a chunk."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from helpers.workers import Workers

SCRIPT = Path(__file__).parent / "scripts" / "endless_steps.py"
TIMEOUT = 6.0  # of the workers, in seconds
ENGINES = [pytest.param(name, marks=pytest.mark.needs(name)) for name in ("jax", "torch")]


def _after_losing(backend: str, lost: int, how: signal.Signals) -> tuple[float, int, str]:
    """Return how long a worker goes on after the other got a signal, its exit code, and what it printed at its end."""
    left = 1 - lost
    with Workers(SCRIPT, backend, 2, [str(TIMEOUT)]) as workers:
        begun = time.monotonic()
        while workers.output(left).count("CHUNK") < 3:
            assert time.monotonic() - begun < 60, workers.output(left)
            assert workers.processes[left].poll() is None, workers.output(left)
            time.sleep(0.05)
        workers.processes[lost].send_signal(how)
        sent = time.monotonic()
        code = workers.processes[left].wait(TIMEOUT + 20)
        return time.monotonic() - sent, code, workers.output(left).rsplit("CHUNK", 1)[1]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("how", "limit"), [(signal.SIGKILL, 3.0), (signal.SIGSTOP, TIMEOUT + 3.0)])
def test_the_other_worker_ends_with_one_message(engine: str, how: signal.Signals, limit: float) -> None:
    taken, code, told = _after_losing(engine, 1, how)
    assert code == 1, told
    assert taken < limit
    *_, message = told.strip().splitlines()  # of the traceback
    assert "WorkerLost: Another worker ended, or did not answer within 6 s." in message
    assert "`BackupAndRestore` goes on" in message


@pytest.mark.slow
@pytest.mark.needs("jax")
def test_jax_ends_without_its_process_0() -> None:
    # Process 0 coordinates the others, and JAX aborts them without it, sooner or later than the exception is told.
    taken, code, told = _after_losing("jax", 0, signal.SIGKILL)
    assert code != 0
    assert taken < 3.0
    assert "WorkerLost" in told or "another task died" in told
