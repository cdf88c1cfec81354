"""A thread for one thing after another."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

from polykeras.common import global_draws

_Job: TypeAlias = tuple[Callable[[], None], threading.Lock]
_Jobs: TypeAlias = "SimpleQueue[_Job | None]"


class Worker:
    """A thread that does one thing after another, until this is closed or dropped.

    No executor: the interpreter would wait at its end for a thread of one that is held up in a user's iterator.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: _Jobs = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, job: Callable[[], None]) -> Task:
        """Let a job be done, which raises nothing, after those before it; in a copy of the caller's context."""
        done = threading.Lock()
        done.acquire()
        context = contextvars.copy_context()
        if self._thread is None:
            # It knows nothing of this object, which could not be dropped otherwise.
            thread = threading.Thread(target=_work, args=(self._jobs,), name=self._name, daemon=True)
            thread.start()
            self._thread = thread
        self._jobs.put((lambda: context.run(job), done))
        return Task(done)

    def call(self, function: Callable[[], None]) -> None:
        """Let a function run, wait for its end, and raise what it raises."""
        errors: list[BaseException] = []

        def job() -> None:
            try:
                function()
            except BaseException as error:
                errors.append(error)

        self.start(job).wait()
        if errors:
            raise errors.pop()

    def close(self, timeout: float) -> bool:
        """End the thread after its jobs; return whether it has ended within some seconds."""
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        self._jobs.put(None)
        self._jobs = SimpleQueue()
        thread.join(timeout)
        return not thread.is_alive()

    def __del__(self) -> None:
        self._jobs.put(None)


class Task:
    """A job that was begun.

    Args:
        done: is free once it is done.
    """

    def __init__(self, done: threading.Lock) -> None:
        self._done = done

    def wait(self, timeout: float = -1) -> bool:
        """Wait for its end; return whether that came within some seconds, if they are not negative."""
        if not self._done.acquire(timeout=timeout):
            return False
        self._done.release()
        return True


def _work(jobs: _Jobs) -> None:
    while (item := jobs.get()) is not None:
        job, done = item
        del item
        try:
            with global_draws.elsewhere():
                job()
        finally:
            del job  # what it holds is not to live until the next one comes
            done.release()
