"""The compiled steps of a model, found again as long as nothing changed on which they depend."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from polykeras import changes
from polykeras.backend import Backend
from polykeras.training.steps import CompiledStep

Step = TypeVar("Step", bound=CompiledStep | None)

KEPT = 8  # of a kind on a backend: each holds the layers and schedules that it was made for, and its programs


class StepCache:
    """Steps by backend, kind and fingerprint: what they depend on that may change, frozen layers for instance."""

    def __init__(self) -> None:
        self._made: dict[tuple[Hashable, ...], CompiledStep | None] = {}
        self._latest: dict[Hashable, tuple[Hashable, CompiledStep | None]] = {}  # by backend and kind, as of a change

    def get(
        self,
        kind: str,
        backend: Backend,
        fingerprint: Callable[[], tuple[Hashable, ...]],
        make: Callable[[], Step],
        as_of: Callable[[], Hashable] = changes.last,
    ) -> Step:
        """Return a step, made now if there is none for this fingerprint.

        Args:
            kind: what the step does.
            backend: where it runs.
            fingerprint: is called only after changes: looking for the reasons takes longer than a small step.
            make: makes the step; what it builds may change the fingerprint. None, for no step, is remembered too.
            as_of: is another one after each change of what may be in the fingerprint.
        """
        last, step = self._latest.get((backend, kind), (None, None))
        if last == as_of():
            return step  # type: ignore[return-value]
        key = (backend, kind, fingerprint())
        if key not in self._made:
            step = make()
            key = (backend, kind, fingerprint())
            self._made[key] = step
        step = self._made[key] = self._made.pop(key)  # the latest comes last
        for oldest in [made for made in self._made if made[:2] == key[:2]][:-KEPT]:
            del self._made[oldest]
        self._latest[backend, kind] = as_of(), step
        return step  # type: ignore[return-value]

    def values(self) -> list[CompiledStep]:
        """Return all steps that there are."""
        return [step for step in self._made.values() if step is not None]
