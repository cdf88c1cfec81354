"""A count of the changes that make what was found in layers out of date: another part, another thing to train."""

from __future__ import annotations

import itertools

_numbers = itertools.count(1)
_last = 0
_last_setting = 0


def bump() -> None:
    """Note that some object came to hold other parts, or that what is trained changed."""
    global _last
    _last = next(_numbers)


def bump_settings() -> None:
    """Note that a number, string or flag of some layer became another one."""
    global _last_setting
    _last_setting = next(_numbers)


def settings_version() -> int:
    """Return a number that is another one after each such change."""
    return _last_setting


def version() -> int:
    """Return a number that is another one after each change, of whichever object.

    A list or dict that is changed in place goes unnoticed, unless what was put into it was made for that.
    """
    return _last
