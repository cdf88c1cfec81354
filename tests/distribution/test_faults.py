"""Workers that are killed, and workers that differ: nobody waits for ever, and a run goes on where it was."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from helpers.closeness import assert_close
from helpers.workers import Workers, results_of
from polykeras.backend import Backend

SCRIPT = Path(__file__).parent / "scripts" / "faults.py"
THREADS = SCRIPT.parent / "threads.py"
SOON = {"POLYKERAS_WORKER_TIMEOUT": "15"}  # TensorFlow notices some ends of a worker only by this time
SECONDS = 60.0  # within which a run ends on all workers after one is killed


@pytest.mark.slow
def test_a_killed_run_ends_everywhere_and_goes_on(backend: Backend, tmp_path: Path) -> None:
    whole, _ = results_of(SCRIPT, backend.name, 2, ["train", str(tmp_path / "whole"), "3"])
    folder = tmp_path / "killed"
    for kill in range(2):
        with Workers(SCRIPT, backend.name, 2, ["train", str(folder), "3"], SOON) as workers:
            written = folder / "process_1"
            while not written.exists() and all(process.poll() is None for process in workers.processes):
                time.sleep(0.05)
            time.sleep(0.3 + 0.5 * kill)
            os.kill(int(written.read_text()), signal.SIGKILL)
            codes = workers.wait(SECONDS)
            assert all(codes), codes
            if backend.name != "numpy":  # whose launcher ends the other processes itself
                assert "WorkerLost" in workers.output(0), workers.output(0)
        written.unlink()
    # Two workers end with the same bits; one worker, or four, with the same numbers.
    first, second = results_of(SCRIPT, backend.name, 2, ["train", str(folder), "3"])
    assert first == second == whole
    (alone,) = results_of(SCRIPT, backend.name, 1, ["train", str(folder), "4"])
    straight, _ = results_of(SCRIPT, backend.name, 2, ["train", str(tmp_path / "whole"), "4"])
    assert_close(alone, straight)


DIFFERENCES = {"seed": "seed", "length": "samples", "values": "data", "model": "variables", "epochs": "epochs"}


@pytest.mark.slow
@pytest.mark.needs("numpy")
@pytest.mark.parametrize("what", DIFFERENCES)
def test_workers_that_differ_are_told_at_the_start(what: str) -> None:
    _check_told("numpy", what)


@pytest.mark.slow
def test_workers_that_differ_are_told_on_each_backend(backend: Backend) -> None:
    _check_told(backend.name, "length")


def _check_told(backend: str, what: str) -> None:
    with Workers(SCRIPT, backend, 2, ["disagree", what]) as workers:
        assert all(workers.wait(120.0))
        for rank in range(len(workers.processes)):
            output = workers.output(rank)
            assert "do not agree" in output, output
            assert f"- {DIFFERENCES[what]}: " in output, output


@pytest.mark.slow
@pytest.mark.needs("numpy")
def test_one_thread_runs_at_a_time() -> None:
    first, second = results_of(THREADS, "numpy", 2)
    assert first == second
    for name in ("fit", "evaluate", "batch"):
        assert first.pop(name).startswith("RuntimeError: Another thread of this process trains or evaluates")
    assert first == {"here": "float", "predict": "ndarray", "after": "History"}
