"""Runs of several threads on the same variables; what they are for is tested in `test_concurrency.py`."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from polykeras.backend import Backend, use_backend, value_lock
from polykeras.variables import Run, Variable, runs


def _wait_for(number: int) -> None:
    """Wait until so many runs have begun, or wait for their turn."""
    end = time.monotonic() + 20
    while len(runs._runs) < number:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_who_comes_while_a_run_waits_keeps_what_it_reads(backend: Backend) -> None:
    variable, given = Variable([1.0, 2.0]), []

    def wait_and_give() -> None:
        with use_backend(backend.name), Run([variable], backend, donate=True) as run:
            given.append(run.values[0])

    first = Run([variable], backend, donate=True)
    first.__enter__()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(wait_and_give)
        _wait_for(2)
        with value_lock.lock:
            first.__exit__(None, None, None)
            reader = Run([variable], backend)
            reader.__enter__()
        second.result()
    reader.__exit__(None, None, None)
    assert given[0] is not reader.values[0] or not backend.execution.donates
    assert runs._runs == []


def test_a_step_that_waits_for_a_reader_of_its_state_is_told(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    if not backend.execution.donates:
        pytest.skip("nobody waits: no memory is given away")
    monkeypatch.setattr(runs, "LONGEST", 0.05)
    variable = Variable([1.0, 2.0])

    def read() -> Any:
        with use_backend(backend.name):
            return variable.numpy()

    told = pytest.raises(RuntimeError, match="must not wait for something that reads the variables that it trains")
    with ThreadPoolExecutor(1) as pool, Run([variable], backend, donate=True), told:
        pool.submit(read).result()
    assert runs._runs == []
    np.testing.assert_array_equal(read(), [1.0, 2.0])


FORKED = """
import os, threading, time
from polykeras.backend import value_lock
from polykeras.variables import Variable

variable, held, over = Variable([1.0, 2.0]), threading.Event(), threading.Event()
variable.value

def hold():
    with value_lock.lock:
        held.set()
        over.wait()

threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    os._exit(0 if variable.numpy().tolist() == [1.0, 2.0] else 1)
end = time.monotonic() + 20
while (found := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
    time.sleep(0.01)
over.set()
print(found == (child, 0))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_process_does_not_wait_for_threads_that_it_lacks() -> None:
    command = [sys.executable, "-W", "error", "-c", "import os; os.environ['POLYKERAS_BACKEND'] = 'numpy'\n" + FORKED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True"]
