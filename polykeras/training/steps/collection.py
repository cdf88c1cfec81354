"""Tracing without Python's search for reference cycles."""

from __future__ import annotations

import gc

from polykeras.common.process_switch import ProcessSwitch


def _stop() -> bool:
    was_on = gc.isenabled()
    gc.disable()
    return was_on


uncollected = ProcessSwitch(_stop, lambda was_on: gc.enable() if was_on else None)
"""A context that puts off the search for reference cycles until all threads have left it.

Tracing makes some ten thousand objects, which sets off a search through all that a framework has: 0.13 s with
TensorFlow, of the 0.3 that tracing two layers takes. It needs no switch of `fast`: nothing is computed in another way,
and there is no plain form that could differ.
"""
