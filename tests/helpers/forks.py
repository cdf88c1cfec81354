"""Programs of which each has a process of its own, though their framework is imported once for all.

As a framework takes seconds to import, and there are dozens of such programs, they run in forks of one process that has
imported it and done nothing with it. Programs that run at the same time, as the workers of a run, have slots of different numbers, which are
processes that fork.

The process that forks is this file as a program, `python forks.py FRAMEWORK MODULE...`. It reads a request a line, and answers each
with the number of the new process, and with how that ended.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

SECONDS = 300


class Forking:
    """A process that forks: one program after the other. Its threads, if a framework begins some on being imported, are few.

    Args:
        modules: what it imports, the framework first.
        options: of its Python, such as `-W`.
    """

    def __init__(self, modules: tuple[str, ...], options: tuple[str, ...]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", *options, __file__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # `select` sees what is in the pipe, and would not see what a buffer holds
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        atexit.register(self.close)

    def start(self, request: dict[str, Any]) -> Forked:
        """Start a program; the one before has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        return Forked(self, self.answer())

    def answer(self) -> int:
        """Wait for the next answer."""
        assert self.has_answered(SECONDS), f"nothing was heard for {SECONDS} seconds"
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def has_answered(self, seconds: float = 0.0) -> bool:
        """Return whether there is an answer, or is within so many seconds."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def close(self) -> None:
        """End the process: it ends when there are no more requests to read."""
        self._process.communicate()


class Forked:
    """A program in a fork, which is asked what a `subprocess.Popen` is. It leads a session of its own."""

    def __init__(self, parent: Forking, pid: int) -> None:
        self._parent, self.pid = parent, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code; None while it runs."""
        if self.returncode is None and self._parent.has_answered():
            self.returncode = self._parent.answer()
        return self.returncode

    def wait(self, timeout: float = SECONDS) -> int:
        """Wait for the end, and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it did not end within so many seconds.
        """
        if self.returncode is None:
            if not self._parent.has_answered(timeout):
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self.returncode = self._parent.answer()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, if it runs."""
        self.send_signal(signal.SIGKILL)


Key: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], int]
_forking: dict[Key, Forking] = {}


def start(
    backend: str,
    command: list[str],
    log: Path,
    options: tuple[str, ...] = (),
    modules: tuple[str, ...] = (),
    slot: int = 0,
    **environment: str,
) -> Forked:
    """Start a program on a backend.

    Args:
        backend: its name, which the program is not told.
        command: the program's file, and its arguments.
        log: a file for all that it prints.
        options: of its Python, such as `-W`.
        modules: what it imports besides the framework, and takes its time.
        slot: a number that no other program has that runs at the same time.
        **environment: variables of its own.

    Returns:
        A process, to `poll`, `wait` for and `kill`.
    """
    return _process(backend, options, modules, slot).start(
        {"command": command, "log": str(log), "environment": environment}
    )


def prepare(backend: str, slots: int) -> None:
    """Begin the processes that fork, so that they import their framework at the same time."""
    for slot in range(slots):
        _process(backend, (), (), slot)


def _process(backend: str, options: tuple[str, ...], modules: tuple[str, ...], slot: int) -> Forking:
    key = (backend, *modules), options, slot
    if key not in _forking:
        _forking[key] = Forking(*key[:2])
    return _forking[key]


# ---- the process that forks --------------------------------------------------------------------------------------


def _requests() -> Iterator[dict[str, Any]]:
    """Return each request in a fork of its own; this process gives the answers."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.setsid()
            yield json.loads(line)
            return
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _main(modules: list[str]) -> None:
    import runpy

    if "tensorflow" in modules:  # as the backend does: Keras, which it would import, is not asked for
        sys.modules["keras"] = None  # type: ignore[assignment]
    for module in modules:
        import_module(module)
    sys.modules.pop("keras", None)
    for request in _requests():
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ |= request["environment"]
        sys.argv = request["command"]
        more = request["environment"].get("PYTHONPATH")
        sys.path[:0] = [str(Path(sys.argv[0]).parent), *(more.split(os.pathsep) if more else ())]
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    _main(sys.argv[1:])
