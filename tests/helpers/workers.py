"""Runs a function of a test in several processes, which are the workers of one run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.forks import Forked, prepare, start

ROOT = Path(__file__).parents[2]
RESULTS = "POLYKERAS_TEST_RESULTS"  # the folder for results of workers
LIMIT = 400.0  # seconds for a whole run


def free_ports(count: int) -> int:
    """Return the first of some consecutive ports that are free now."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = probe.getsockname()[1]
        if first + count < 65536 and all(map(_is_free, range(first, first + count))):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Workers:
    """The processes of one run, which are ended when the context ends, whatever they do.

    Args:
        script: the Python file that each runs.
        backend: the name of the backend.
        size: the number of processes.
        arguments: what the script gets as `sys.argv[1:]`.
        environment: variables beside those of this process.

    Attributes:
        processes: one by rank; one alone, the launcher, on numpy.
    """

    def __init__(
        self,
        script: Path,
        backend: str,
        size: int,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        port = free_ports(8 + size)
        shared = {
            "POLYKERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends"), str(ROOT / "tests")]),
            "OMP_NUM_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
            RESULTS: self._folder.name,
            **(environment or {}),
        }
        command = [str(script), *arguments]
        self.processes: list[subprocess.Popen[bytes] | Forked] = []
        if backend == "numpy":  # MPI's launcher starts its processes itself
            launcher = Path(sys.executable).parent / "mpiexec"
            mpi = [str(launcher if launcher.exists() else "mpiexec"), "-n", str(size), sys.executable, *command]
            with open(self._path(0), "wb") as log:
                self.processes.append(
                    subprocess.Popen(mpi, env=os.environ | shared, stdout=log, stderr=log, start_new_session=True)
                )
            return
        shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
        prepare(backend, size)
        for rank in range(size):
            own = shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            self.processes.append(start(backend, command, self._path(rank), slot=rank, **own))

    def _path(self, rank: int) -> Path:
        return Path(self._folder.name) / f"{rank}.txt"

    def output(self, rank: int = 0) -> str:
        """Return what a process has printed so far."""
        path = self._path(rank)
        return path.read_text(errors="replace") if path.exists() else ""  # it may not have begun

    def results(self) -> dict[int, Any]:
        """Return what the workers gave to `tell` so far, by rank."""
        return {int(path.stem): json.loads(path.read_text()) for path in Path(self._folder.name).glob("*.json")}

    def wait(self, limit: float = LIMIT) -> list[int]:
        """Wait until all processes have ended; return their exit codes.

        Raises:
            TimeoutError: they did not end in time. The message holds what they printed.
        """
        end = time.monotonic() + limit
        for process in self.processes:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                told = "\n".join(f"--- {rank}\n{self.output(rank)}" for rank in range(len(self.processes)))
                raise TimeoutError(f"Workers did not end in {limit:.0f} s:\n{told}") from None
        return [process.returncode for process in self.processes]

    def kill(self, rank: int) -> None:
        """Kill one process, as a failing machine would."""
        self.processes[rank].send_signal(signal.SIGKILL)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
        self._folder.cleanup()


def tell(rank: int, result: Any) -> None:
    """Give the result of a worker to `results_of`, by a file, as launchers mix what their processes print. Print it too."""
    text = json.dumps(result)
    if RESULTS in os.environ:
        Path(os.environ[RESULTS], f"{rank}.json").write_text(text)
    sys.stdout.write(f"\nRESULT {rank} {text}\n")
    sys.stdout.flush()


def results_of(
    script: Path,
    backend: str,
    size: int,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    limit: float = LIMIT,
) -> list[Any]:
    """Run a script in several processes; return what each gave to `tell`, by rank.

    Args:
        script: the Python file.
        backend: the name of the backend.
        size: the number of processes.
        arguments: what the script gets as `sys.argv[1:]`.
        environment: variables beside those of this process.
        limit: seconds for the whole run.

    Raises:
        AssertionError: a process failed; the message holds what it printed.
    """
    with Workers(script, backend, size, arguments, environment) as workers:
        codes = workers.wait(limit)
        outputs = [workers.output(rank) for rank in range(len(workers.processes))]
        assert codes == [0] * len(codes), f"exit codes {codes}\n" + "\n---\n".join(outputs)
        found = workers.results()
    assert sorted(found) == list(range(size)), f"results of the ranks {sorted(found)}\n" + "\n---\n".join(outputs)
    return [found[rank] for rank in range(size)]
