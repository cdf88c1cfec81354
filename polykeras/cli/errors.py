"""Errors of the command line, each of one line."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot be run. The message says what was expected, what was received, and how to fix it."""


class ScriptError(CommandError):
    """A user's script raised an error, at least on the current backend."""


def one_line(error: BaseException) -> str:
    """Return the message of an error as one line. Errors of other libraries begin with their class."""
    text = " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return "interrupted."
    if isinstance(error, (CommandError, ValueError, OSError, ImportError)) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
