"""Names of Keras whose work is not there yet: they say so where they are used, and what to do meanwhile."""

from __future__ import annotations

from typing import Any


class NotYet:
    """Base of such classes.

    Args:
        *args: whatever Keras takes.
        **kwargs: whatever Keras takes.

    Attributes:
        meanwhile: what to do.

    Raises:
        NotImplementedError: always.
    """

    meanwhile = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} is not available yet. {type(self).meanwhile}")


def not_yet(name: str, meanwhile: str) -> NotImplementedError:
    """Return the error of a function that is not there yet."""
    return NotImplementedError(f"{name} is not available yet. {meanwhile}")
