"""PyTorch's engine where a worker is killed or hangs in the middle of a chunk."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from helpers.workers import Workers

SCRIPT = Path(__file__).parent / "scripts" / "endless_steps.py"
TIMEOUT = 6.0  # of the workers, in seconds


def _after_losing(how: signal.Signals) -> tuple[float, str]:
    """Return how long a worker goes on after the other got a signal, and what it printed at its end."""
    with Workers(SCRIPT, "torch", 2, [str(TIMEOUT)]) as workers:
        begun = time.monotonic()
        while workers.output(0).count("CHUNK") < 3:
            assert time.monotonic() - begun < 60, workers.output(0)
            assert workers.processes[0].poll() is None, workers.output(0)
            time.sleep(0.05)
        workers.processes[1].send_signal(how)
        sent = time.monotonic()
        code = workers.processes[0].wait(TIMEOUT + 20)
        taken = time.monotonic() - sent
        assert code == 1, workers.output(0)
        return taken, workers.output(0).rsplit("CHUNK", 1)[1]


@pytest.mark.needs("torch")
@pytest.mark.slow
@pytest.mark.parametrize(("how", "limit"), [(signal.SIGKILL, 3.0), (signal.SIGSTOP, TIMEOUT + 3.0)])
def test_the_other_worker_ends_with_one_message(how: signal.Signals, limit: float) -> None:
    taken, told = _after_losing(how)
    assert taken < limit
    *_, message = told.strip().splitlines()  # of the traceback
    assert "WorkerLost: Another worker ended, or did not answer within 6 s." in message
    assert "`BackupAndRestore` goes on" in message
