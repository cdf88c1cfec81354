"""Names of Keras that polykeras does not support yet. Using one raises an error that says what to do instead."""

from __future__ import annotations

from typing import Any


class NotYet:
    """Base of classes that are not available yet.

    Args:
        *args: ignored.
        **kwargs: ignored.

    Attributes:
        meanwhile: what to do instead, for the message.

    Raises:
        NotImplementedError: always.
    """

    meanwhile = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} is not available yet. {type(self).meanwhile}")


def not_yet(name: str, meanwhile: str) -> NotImplementedError:
    """Return the error of a function that is not available yet."""
    return NotImplementedError(f"{name} is not available yet. {meanwhile}")
