"""JAX's idiom: functions that take variables for their values, and steps with their state as an argument."""

from __future__ import annotations

from polykeras.backend.native import Native

NATIVE = Native(steps_take_state=True)
"""What the backend knows of native code."""
