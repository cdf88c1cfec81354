"""Settings of the whole process that several threads want at once: the first one sets, the last one puts back."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any


class ProcessSwitch:
    """A context in which a setting of the process is another one. Threads may be within at once, and again.

    Args:
        set_up: called by the first thread that enters; returns what `put_back` needs.
        put_back: called when the last thread has left, with what `set_up` returned.

    Attributes:
        lock: held while either is called.
        within: how many are within now.
        before: what `set_up` returned; of use while `within` is not 0.

    Example:
        >>> settings = {"loud": True}
        >>> quiet = ProcessSwitch(lambda: settings.pop("loud"), lambda before: settings.update(loud=before))
        >>> with quiet, quiet:
        ...     settings
        {}
        >>> settings
        {'loud': True}
    """

    def __init__(self, set_up: Callable[[], Any], put_back: Callable[[Any], object]) -> None:
        self._set_up, self._put_back = set_up, put_back
        self.lock = Lock()
        self.within = 0
        self.before: Any = None

    def __enter__(self) -> None:
        with self.lock:
            if not self.within:
                self.before = self._set_up()
            self.within += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.within -= 1
            if not self.within:
                self._put_back(self.before)
