"""Keeping Ctrl-C out of the moments in which a model's state is in no variable."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Uninterrupted:
    """Within this context a first Ctrl-C waits for the end; a second one comes through at once.

    A step gives the memory of the old state away for the new one. An interrupt between the two would leave variables
    that are half trained, or hold nothing. Threads other than the main one are not interrupted anyway, and a handler of
    the user's own stays.
    """

    __slots__ = ("_handler", "_pending")

    def __init__(self) -> None:
        self._handler: Any = None
        self._pending = False

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        handler = signal.getsignal(signal.SIGINT)
        if handler is signal.default_int_handler:
            self._handler = handler
            signal.signal(signal.SIGINT, self._wait)

    def _wait(self, number: int, frame: FrameType | None) -> None:
        if self._pending:
            signal.default_int_handler(number, frame)
        self._pending = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
        if self._pending and kind is None:
            raise KeyboardInterrupt
