"""The lock of the values of all variables: one thread at a time takes, gives or moves them.

It stands here, below the variables, since backends that store variables in objects of their framework hold it too.
"""

from __future__ import annotations

import threading

lock = threading.RLock()
"""Held for moments. Read it from this module each time (`with value_lock.lock:`): a forked process gets another one."""


def renew() -> None:
    """Replace the lock in a forked process, where the thread that holds it may not exist any more."""
    global lock
    lock = threading.RLock()
