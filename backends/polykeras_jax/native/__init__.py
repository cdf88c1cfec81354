"""JAX's idiom: functions that take variables for their values, and steps with their state as an argument."""

from __future__ import annotations

from polykeras.backend.native import Native


class JaxNative(Native):
    """JAX's own code sees arrays, and steps with their state as an argument."""

    steps_take_state = True
