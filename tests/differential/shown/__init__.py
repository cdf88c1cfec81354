"""What shows that we differ from Keras on purpose: functions of a library, and what they give here and there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Shown = dict[str, tuple[Callable[[Any], Any], Any, Any]]
"""By the case in `known_differences`: a function of the library, what it gives here, and there."""
