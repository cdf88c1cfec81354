"""Delaying Ctrl-C and SIGTERM while the state of a model is not in its variables."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

from polykeras import fast

# `signal` turns numbers and handlers into enums. The three calls below take 20 us longer with it: a tenth of
# `train_on_batch` of a small model on JAX.
_without_enums: Any = sys.modules.get("_signal", signal)
_SIGINT = int(signal.SIGINT)


class Uninterrupted:
    """In this context, a first Ctrl-C waits for the end of the context. A second one interrupts at once.

    A step gives away the memory of the old state for the new one. An interrupt in between would leave variables half
    trained or empty. Only the main thread is ever interrupted. A handler of the user stays in place.
    """

    __slots__ = ("_handler", "_pending", "_process", "_signal")

    def __init__(self) -> None:
        self._handler: Any = None
        self._pending = False
        self._process = os.getpid()
        self._signal = _without_enums if fast.enabled("interrupts") else signal

    def __enter__(self) -> None:
        if threading.get_ident() != threading.main_thread().ident:
            return
        handler = self._signal.getsignal(_SIGINT)
        if handler is signal.default_int_handler:
            self._handler = handler
            self._signal.signal(_SIGINT, self._wait)

    def _wait(self, number: int, frame: FrameType | None) -> None:
        if self._pending or os.getpid() != self._process:  # a forked process has no state to protect
            signal.default_int_handler(number, frame)
        self._pending = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handler is not None:
            self._signal.signal(_SIGINT, self._handler)
        if self._pending and kind is None:
            raise KeyboardInterrupt


class Termination:
    """Delays a request to end (SIGTERM) until work is finished. A second request is not delayed.

    It does nothing in threads other than the main one, and in a process that ignores SIGTERM.

    Attributes:
        pending: whether a request is waiting.
    """

    def __init__(self) -> None:
        self.pending = False
        self._before: Any = None
        self._process = 0  # the process that delays requests; forked workers end at once

    def begin(self) -> None:
        """Delay requests from now on."""
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
        """Act on the waiting request now. If the process survives it, delay the next one."""
        self.end()
        self.begin()

    def end(self) -> None:
        """Stop delaying requests, and act on one that is waiting."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None
        if self.pending:
            self.pending = False
            signal.raise_signal(signal.SIGTERM)
