"""Keeping Ctrl-C, and the request to end, out of the moments in which a model's state is in no variable."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

# What `signal` wraps into enums: these take 10 us a call, and 50 after the kernels of a chunk, whose data took the
# cache; a step of a small model takes 90.
_plain: Any = sys.modules.get("_signal", signal)
_SIGINT = int(signal.SIGINT)


class Uninterrupted:
    """Within this context a first Ctrl-C waits for the end; a second one comes through at once.

    A step gives the memory of the old state away for the new one. An interrupt between the two would leave variables
    that are half trained, or hold nothing. Threads other than the main one are not interrupted anyway, and a handler of
    the user's own stays.
    """

    __slots__ = ("_handler", "_pending", "_process")

    def __init__(self) -> None:
        self._handler: Any = None
        self._pending = False
        self._process = os.getpid()

    def __enter__(self) -> None:
        if threading.get_ident() != threading.main_thread().ident:
            return
        handler = _plain.getsignal(_SIGINT)
        if handler is signal.default_int_handler:
            self._handler = handler
            _plain.signal(_SIGINT, self._wait)

    def _wait(self, number: int, frame: FrameType | None) -> None:
        if self._pending or os.getpid() != self._process:  # a forked process has no state to guard
            signal.default_int_handler(number, frame)
        self._pending = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handler is not None:
            _plain.signal(_SIGINT, self._handler)
        if self._pending and kind is None:
            raise KeyboardInterrupt


class Termination:
    """Lets a request to end (SIGTERM) wait until what is to be done before has been done; a second one does not wait.

    Other threads than the main one cannot, and a process that ignores the request goes on doing so.

    Attributes:
        pending: whether there was one.
    """

    def __init__(self) -> None:
        self.pending = False
        self._before: Any = None
        self._process = 0  # in which it waits: workers that are forked meanwhile end at once

    def begin(self) -> None:
        """From now on it waits."""
        if threading.current_thread() is not threading.main_thread() or self._before is not None:
            return
        before = signal.getsignal(signal.SIGTERM)
        if before is not None and before is not signal.SIG_IGN:
            self._before, self._process = before, os.getpid()
            signal.signal(signal.SIGTERM, self._wait)

    def _wait(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            self.pending = True
            self.end()
            return
        if self.pending:
            self.end()
        self.pending = True

    def let_through(self) -> None:
        """Let what would have happened happen now; where the process does not end by it, the next one waits again."""
        self.end()
        self.begin()

    def end(self) -> None:
        """From now on it does not wait; one that waited happens."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None
        if self.pending:
            self.pending = False
            signal.raise_signal(signal.SIGTERM)
