"""The steps of a model, which are used again until something changes that they depend on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar

from polykeras.backend import Backend
from polykeras.common import version_counter
from polykeras.training.steps.step import Step

T = TypeVar("T", bound=Step | None)

MOST = 8  # steps of a kind on a backend: each holds the layers and schedules that it was made for, and its programs


class StepCache:
    """Steps by backend, kind and fingerprint: what they depend on that may change, for instance frozen layers.

    Several threads may use it. Keys hold variables, whose hash is Python code, so that another thread may run during a
    lookup.

    Attributes:
        log_names: the names of the logs by kind of step, in their order.
    """

    def __init__(self) -> None:
        self.log_names: dict[str, tuple[str, ...]] = {}
        self._lock = Lock()
        self._steps: dict[tuple[Hashable, ...], Step | None] = {}
        self._latest: dict[Hashable, tuple[Hashable, Step | None]] = {}  # by backend and kind, as of a change

    def __reduce__(self) -> tuple[type[StepCache], tuple[()]]:
        """Copies and pickles of a model are compiled anew: what a backend made of the steps belongs to one model."""
        return StepCache, ()

    def get(
        self,
        kind: Hashable,
        backend: Backend,
        fingerprint: Callable[[], tuple[Hashable, ...]],
        make: Callable[[], T],
    ) -> T:
        """Return the step for a fingerprint; make it if there is none.

        Args:
            kind: what the step does: the first part of the key.
            backend: where it runs.
            fingerprint: returns the fingerprint. It is called only after a change, since it takes longer than a small
                step.
            make: returns a new step, or None for no step, which is remembered too. What it builds may change the
                fingerprint.
        """
        last, step = self._latest.get((backend, kind), (None, None))
        if last == version_counter.version():
            return step  # type: ignore[return-value]
        now, key = version_counter.version(), (backend, kind, fingerprint())
        with self._lock:
            found = key in self._steps
            step = self._steps.get(key)
        if not found:  # not under the lock: the code of layers runs
            step = make()
            now, key = version_counter.version(), (backend, kind, fingerprint())
        with self._lock:
            self._steps.pop(key, None)
            self._steps[key] = step  # the latest comes last
            for oldest in [other for other in self._steps if other[:2] == key[:2]][:-MOST]:
                del self._steps[oldest]
            self._latest[backend, kind] = now, step
        return step  # type: ignore[return-value]

    def values(self) -> list[Step]:
        """Return all steps that there are."""
        with self._lock:
            return [step for step in self._steps.values() if step is not None]
