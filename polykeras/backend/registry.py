"""Loaded backends and the current one."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar, Token
from functools import cache

from polykeras import config, fast
from polykeras.backend.base import Backend
from polykeras.backend.plain_form import as_switched, plain_form
from polykeras.backend.providers import fast_paths, providers
from polykeras.common.naming import did_you_mean

ENVIRONMENT = ("POLYKERAS_BACKEND", "KERAS_BACKEND")


_loaded: dict[str, Backend] = {}
_to_tell: list[Callable[[Backend], None]] = []  # called with each loaded backend
_lock = threading.RLock()
_chosen: ContextVar[Backend | None] = ContextVar("polykeras_backend", default=None)
around_inference: ContextVar[Backend | None] = ContextVar("polykeras_backend_around_inference", default=None)
"""What was chosen where the symbolic backend was made current."""
_default: Backend | None = None
_preferred: str | None = None  # the default if nothing else names one
_precision: str | None = None  # as set by `set_matmul_precision`
_seed: int | None = None  # the frameworks' seed, for frameworks that are loaded later


def load(name: str) -> Backend:
    """Return the backend of that name, importing its framework the first time.

    Args:
        name: one of `polykeras.backends()`.

    Raises:
        ValueError: if no backend has that name.
        ImportError: if its framework is not installed.
    """
    backend = _loaded.get(name)
    if backend is not None:
        return backend
    known = providers()
    installed = [n for n, provider in known.items() if provider.installed()]
    if not isinstance(name, str) or name not in known:
        raise ValueError(unknown_backend(name))
    provider = known[name]
    if name not in installed:
        raise ImportError(
            f"Backend {name!r} needs {provider.framework}, which is not installed. Install it with "
            f"`{provider.install}`. Installed backends: {', '.join(installed)}."
        )
    with _lock:
        if name not in _loaded:
            backend = _prepared(provider.load())
            backend.set_matmul_precision(_precision)
            if _seed is not None:
                provider.seed(_seed)
            for tell in _to_tell:
                tell(backend)
            _loaded[name] = backend
    return _loaded[name]


def unknown_backend(name: object) -> str:
    """Return the message for an unknown backend. It suggests the nearest name, or the one that was abbreviated."""
    known = providers()
    hint = did_you_mean(str(name), known)
    if not hint and isinstance(name, str) and len(name) > 1:
        short = re.compile(".*".join(map(re.escape, name.lower())))  # its letters, in order, from the start of the name
        hint = next((f" Did you mean {other!r}?" for other in known if short.match(other)), "")
    installed = [other for other, provider in known.items() if provider.installed()]
    return f"Unknown backend {name!r}.{hint} Known: {', '.join(known)}. Installed: {', '.join(installed)}."


def when_loaded(tell: Callable[[Backend], None]) -> None:
    """Call a function with each backend that is loaded, now or later."""
    with _lock:
        _to_tell.append(tell)
        for backend in _loaded.values():
            tell(backend)


def _prepared(backend: Backend) -> Backend:
    """Return a backend as the switch for fast paths wants it."""
    return as_switched(backend, fast_paths()) if fast.are_switched() else backend


@cache
def plain(backend: Backend) -> Backend:
    """Return the plain form of a backend: the same arrays, but no native overrides and no compilation.

    It is meant for code that runs within `fast.off`. A variable does not move to it if a scope holds the value.
    """
    return plain_form(backend)


def loaded_backends() -> list[Backend]:
    """Return the backends that this process has loaded so far."""
    return list(_loaded.values())


def seed_frameworks(seed: int) -> None:
    """Seed the random numbers of the frameworks themselves: of imported ones now, of others when they are loaded.

    A framework may be imported without its backend: for its data sets, which draw random numbers too.
    """
    global _seed
    with _lock:
        _seed = seed
        for name, provider in providers().items():
            if name in _loaded or provider.framework in sys.modules:
                provider.seed(seed)


def seed_again(name: str) -> None:
    """Seed the random numbers of a framework that was imported after `seed_frameworks`, without its backend."""
    if _seed is not None:
        providers()[name].seed(_seed)


def set_matmul_precision(precision: str) -> None:
    """Set how exactly GPUs and TPUs compute matrix products and convolutions, on all backends of this process.

    Until this is called, a backend sets its framework to "highest" when it is loaded, since results would otherwise
    differ by 1e-3 from those of a CPU. PyTorch and JAX are left alone if their own option was set before.

    Args:
        precision: `"highest"` multiplies float32 numbers as float32, and adds up half precision products in float32.
            `"high"` may round float32 numbers before they are multiplied (TF32 on NVIDIA's GPUs, three passes of
            bfloat16 on TPUs), which is several times as fast. It has no effect on CPUs.

    Raises:
        ValueError: if `precision` has another value.
    """
    global _precision
    if precision not in ("highest", "high"):
        raise ValueError(f"set_matmul_precision: expected 'highest' or 'high'; received {precision!r}.")
    with _lock:
        _precision = precision
        for backend in _loaded.values():
            backend.set_matmul_precision(precision)


def default_choice() -> tuple[str, str]:
    """Return the name of the default backend of new processes, and where it was chosen. Loads nothing."""
    for variable in ENVIRONMENT:
        if os.environ.get(variable):
            return os.environ[variable], f"the environment variable {variable}"
    if config.settings().backend:
        return str(config.settings().backend), f"the config file {config.config_path()}"
    if _preferred is not None:
        return _preferred, "the program, which imports this framework"
    found = (name for name, provider in providers().items() if provider.priority >= 0 and provider.installed())
    return next(found), "the order of preference, as nothing else names a backend"


def prefer(framework: str) -> None:
    """Make the backend of a framework the default, if nothing else names one and there is no default yet.

    Args:
        framework: the module that a program imports.
    """
    global _preferred
    with _lock:
        _preferred = next((name for name, p in providers().items() if p.framework == framework and p.installed()), None)


def current() -> Backend:
    """Return the current backend: the innermost `use_backend`, else the process's default."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    return _default if _default is not None else _choose_default()


def _choose_default() -> Backend:
    global _default
    with _lock:
        if _default is None:
            _default = load(default_choice()[0])
    return _default


def load_if_imported() -> None:
    """Load the default backend if its framework is already imported.

    From now on, functions of the framework may receive variables before polykeras itself asks for a backend. The
    framework learns about variables when the backend is loaded.
    """
    waits = _default is None and _chosen.get() is None
    if waits and any(provider.framework in sys.modules for provider in providers().values()):
        provider = providers().get(default_choice()[0])
        if provider is not None and provider.framework in sys.modules:
            _choose_default()


class use_backend(ContextDecorator):  # used and named like a function, as in contextlib
    """Make a backend current within a `with` block, in this thread only. Also a decorator.

    Args:
        name: a backend's name, or a backend.

    Example:
        >>> import polykeras
        >>> with polykeras.use_backend("numpy") as backend:
        ...     polykeras.ops.sigmoid(0.0).item()
        0.5

    Raises:
        ValueError: if no backend has that name.
        ImportError: if its framework is not installed.
    """

    def __init__(self, name: str | Backend) -> None:
        # Loaded here, so that a wrong name raises even if the `with` was forgotten.
        self._backend = load(name) if isinstance(name, str) else name
        self._tokens: list[Token[Backend | None]] = []

    def __enter__(self) -> Backend:
        self._tokens.append(_chosen.set(self._backend))
        return self._backend

    def __exit__(self, *exc_info: object) -> None:
        _chosen.reset(self._tokens.pop())


def current_or_none() -> Backend | None:
    """Return the current backend, or None if none was chosen so far. Loads nothing."""
    return _chosen.get() or _default


def chosen() -> Backend | None:
    """Return the backend of the innermost `use_backend` of this thread, or None if the process's default applies."""
    return _chosen.get()


@contextmanager
def use_chosen(choice: Backend | None) -> Iterator[None]:
    """Restore the result of `chosen` within a `with` block. Loads nothing."""
    token = _chosen.set(choice)
    try:
        yield
    finally:
        _chosen.reset(token)


def set_backend(backend: str | Backend) -> None:
    """Make a backend current from here on.

    In the main thread, it also becomes the default of all threads that have chosen none. In another thread, it applies
    to that thread alone.

    Args:
        backend: a backend's name, or a backend.
    """
    global _default
    found = load(backend) if isinstance(backend, str) else backend
    if threading.current_thread() is threading.main_thread():
        _default = found
        _chosen.set(None)
    else:
        _chosen.set(found)


def backend() -> str:
    """Return the name of the current backend; while shapes are inferred, of the one for which they are."""
    found = current()
    if found.holds_values:
        return found.name
    with use_chosen(around_inference.get()):
        return current().name
