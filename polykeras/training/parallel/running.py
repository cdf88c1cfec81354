"""A run of several workers in its process: the only one, and no place to leave by `sys.exit`."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from polykeras.backend import registry
from polykeras.distribution.connections import current_job, note_leaving
from polykeras.distribution.strategies import distribution
from polykeras.distribution.workers import Workers, has_other_processes, warn_on_first_process, workers_of

_running = threading.RLock()  # held by the thread whose run it is; a callback may evaluate within `fit`
_all_leave = False  # whether all workers end


@contextmanager
def shared_run() -> Iterator[Workers]:
    """The context of `fit`, `evaluate` and of steps on one batch. It gives the workers of the run.

    Raises:
        RuntimeError: another thread runs something with several workers.

    Warns:
        UserWarning: there are several processes, and no distribution.
    """
    if distribution() is None and current_job().size > 1:
        warn_on_first_process(
            f"This process is one of {current_job().size}, but no distribution is set: it trains by itself, and the "
            "others too. Call `keras.distribution.set_distribution(keras.distribution.DataParallel())`."
        )
    workers = workers_of(registry.current())
    if not workers.run_together:
        yield workers
        return
    if not _running.acquire(blocking=False):
        raise RuntimeError(
            "Another thread of this process trains or evaluates with several workers. Expected one run at a time: the "
            "workers would mix up the sums of the two. Let one thread call `fit` and `evaluate`, one after the other."
        )
    global _all_leave
    _all_leave = False
    note_leaving(False)
    try:
        yield workers
    except SystemExit as error:
        if has_other_processes() and not _all_leave:
            warnings.warn(
                f"Worker {current_job().rank} leaves a run by SystemExit({error.code!r}). The others cannot go on "
                "without it, and end.",
                RuntimeWarning,
                stacklevel=6,
            )
            note_leaving(True)
        raise
    finally:
        _running.release()


def end_together() -> None:
    """Wait for the other workers, all of which end now: one of them may still be writing."""
    global _all_leave
    registry.current().barrier()
    _all_leave = True
