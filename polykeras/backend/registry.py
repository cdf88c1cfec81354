"""Which backends there are and which one is current.

A backend announces itself by an entry point of the group `polykeras.backends`, whose object is a `Provider`. Nothing
here knows a framework's name; ours are announced in the same way as a stranger's.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from polykeras import config, fast
from polykeras.backend.plain_form import plain_form

if TYPE_CHECKING:
    from polykeras.backend.base import Backend

GROUP = "polykeras.backends"
ENVIRONMENT = ("POLYKERAS_BACKEND", "KERAS_BACKEND")


@dataclass(frozen=True, slots=True)
class Provider:
    """What a backend's entry point names.

    Attributes:
        framework: the import name of the framework it needs; None if it needs nothing more than itself.
        load: imports the framework and returns the backend; called at most once in a process.
        priority: the installed provider with the highest one is the default backend; 0 or less for one that is
            only taken when asked for (the numpy backend, with 0, is the last resort).
        install: the command that installs the framework.
        tested: the oldest and the newest release of the framework that the tests were run with, as `("2.6", "2.15")`;
            each stands for all releases that begin so. None where nobody says.
        batches_of: `iter` for data of a type that the framework defines, where it knows a quicker way to the same
            values; batches may hold NumPy's arrays in place of its own. Called only for these, and so where the
            framework is loaded.
        lies_ready: says of such data whether `batches_of` takes their batches out of memory, with no code of a user's:
            then no thread is needed to have one in hand.
        on_host: runs a function of host arrays within a function that the framework traces, as in a map over a data
            set: `on_host(function, arrays, spec)`, where `spec(*shapes)` gives shape and dtype of the result (None for
            sizes that are not known). Returns NotImplemented where no array is traced. Called only for arrays of the
            framework, whatever the current backend is.
        dataset_of: a data set of the framework's own, of a function that returns an iterator over NumPy arrays, or
            trees of them, from their beginning; None where the framework has none that reads so.
        layer_methods: names of methods that layers have where the backend is loaded, for messages where it is not.
    """

    framework: str | None
    load: Callable[[], Backend]
    priority: int = -1
    install: str = ""
    tested: tuple[str, str] | None = None
    batches_of: Callable[[Any], Iterator[Any]] = iter
    lies_ready: Callable[[Any], bool] = lambda source: False
    on_host: Callable[[Callable[..., Any], list[Any], Callable[..., Any]], Any] | None = None
    dataset_of: Callable[[Callable[[], Iterator[Any]]], Any] | None = None
    layer_methods: frozenset[str] = frozenset()

    def installed(self) -> bool:
        """Return whether the framework can be imported, without importing it."""
        return self.framework is None or importlib.util.find_spec(self.framework) is not None


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """One line of `polykeras.backends()`.

    Attributes:
        name: as `use_backend` takes it.
        installed: whether its framework can be imported.
        version: of the framework; "" where it is not installed.
        devices: names of its devices, where it is loaded; empty before.
        current: whether it is the one in force.
        install: the command that installs it.
        tested: the oldest and the newest release that was tested, as `"2.6 to 2.15"`; "" where nobody says.
        note: what to know of the installed version, such as that it is newer than any that was tested; "" for nothing.
    """

    name: str
    installed: bool
    version: str
    devices: tuple[str, ...]
    current: bool
    install: str
    tested: str = ""
    note: str = ""


_loaded: dict[str, Backend] = {}
_to_tell: list[Callable[[Backend], None]] = []  # of each backend that is loaded
_lock = threading.RLock()
_chosen: ContextVar[Backend | None] = ContextVar("polykeras_backend", default=None)
_default: Backend | None = None
_precision: str | None = None  # that was asked for
_seed: int | None = None  # what frameworks were seeded with, for those that are loaded later


@cache
def providers() -> dict[str, Provider]:
    """Return the announced providers by name, the highest priority first."""
    from importlib import metadata  # a fifth of the import time of this package

    points = metadata.entry_points(group=GROUP)
    found = {point.name: point.load() for point in points}
    if not found:
        raise RuntimeError(
            "No backend is announced, not even numpy: polykeras was not installed. "
            "Run `pip install polykeras`, or `pip install -e .` in a checkout."
        )
    return dict(sorted(found.items(), key=lambda item: (-item[1].priority, item[0])))


def load(name: str) -> Backend:
    """Return the backend of that name, importing its framework the first time.

    Args:
        name: one of `polykeras.backends()`.

    Raises:
        ValueError: no backend has that name.
        ImportError: its framework is not installed.
    """
    backend = _loaded.get(name)
    if backend is not None:
        return backend
    known = providers()
    installed = [n for n, provider in known.items() if provider.installed()]
    if not isinstance(name, str) or name not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"Unknown backend {name!r}.{hint} Known: {', '.join(known)}. Installed: {', '.join(installed)}."
        )
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
                backend.seed_framework(_seed)
            for tell in _to_tell:
                tell(backend)
            _loaded[name] = backend
    return _loaded[name]


def when_loaded(tell: Callable[[Backend], None]) -> None:
    """Call a function with each backend that is loaded, now or later."""
    with _lock:
        _to_tell.append(tell)
        for backend in _loaded.values():
            tell(backend)


def _prepared(backend: Backend) -> Backend:
    """Return a backend as the switch for fast paths wants it."""
    return backend if fast.enabled() else fast.without_overrides(backend, _contract(backend))


def _contract(backend: Backend) -> type:
    return next(cls for cls in type(backend).__mro__ if cls.__module__ == "polykeras.backend.base")


@cache
def plain(backend: Backend) -> Backend:
    """Return the plain form of a backend: the same arrays, no kernels in place of composites, nothing compiled.

    It is for code that runs within `fast.off`. Variables do not move to it where a scope holds their values.
    """
    return plain_form(backend, _contract(backend))


def _provider_of(source: Any) -> Provider | None:
    """Return the provider of the framework that defines the type of some data, if its quicker ways may be taken."""
    return _framework_of(source) if fast.enabled() else None


def _framework_of(x: Any) -> Provider | None:
    package = type(x).__module__.partition(".")[0]
    return next((provider for provider in providers().values() if provider.framework == package), None)


def on_host(function: Callable[..., Any], arrays: list[Any], spec: Callable[..., Any]) -> Any:
    """Return what a function of host arrays gives for arrays that a framework traces; NotImplemented for others.

    Args:
        function: takes NumPy arrays, gives one.
        arrays: of any framework.
        spec: takes the shapes of the arrays, with None for unknown sizes, gives the shape and dtype of the result.
    """
    for array in arrays:
        provider = _framework_of(array)
        if provider is not None and provider.on_host is not None:
            return provider.on_host(function, arrays, spec)
    return NotImplemented


def batches_of(source: Any) -> Iterator[Any]:
    """Return an iterator over batches, by the provider of the framework that defines the type of what holds them.

    Args:
        source: an iterable, of any framework and whatever the current backend is.
    """
    provider = _provider_of(source)
    return iter(source) if provider is None else provider.batches_of(source)


def dataset_of(name: str, make: Callable[[], Iterator[Any]]) -> Any:
    """Return a data set of a framework.

    Args:
        name: of the framework's backend.
        make: returns an iterator over NumPy arrays, or trees of them, from their beginning.

    Raises:
        ValueError: the framework has no data sets of that kind.
    """
    load(name)
    provider = providers()[name]
    if provider.dataset_of is None:
        able = ", ".join(other for other, found in providers().items() if found.dataset_of is not None)
        raise ValueError(f"The backend {name!r} makes no data sets; expected one of: {able}.")
    return provider.dataset_of(make)


def lies_ready(source: Any) -> bool:
    """Return whether `batches_of` takes the batches of some data out of memory, with no code of a user's."""
    provider = _provider_of(source)
    return provider is not None and provider.lies_ready(source)


def loaded_backends() -> list[Backend]:
    """Return the backends that this process has loaded so far."""
    return list(_loaded.values())


def seed_frameworks(seed: int) -> None:
    """Seed the own random numbers of each framework: of those loaded now, of others when they are loaded."""
    global _seed
    with _lock:
        _seed = seed
        for backend in _loaded.values():
            backend.seed_framework(seed)


def set_matmul_precision(precision: str) -> None:
    """Set how exactly GPUs and TPUs compute matrix products and convolutions, on all backends of this process.

    Until this is called, backends set their frameworks to "highest" when they are loaded, as results would otherwise
    differ by 1e-3 from those of a CPU; but PyTorch and JAX are left alone where their own option was set before.

    Args:
        precision: `"highest"`: products of float32 numbers are those of float32, and sums of half precision products
            are float32. `"high"`: float32 numbers may be rounded before they are multiplied (TF32 on NVIDIA's GPUs,
            three passes of bfloat16 on TPUs), which is several times as fast. CPUs are not concerned.

    Raises:
        ValueError: for any other value.
    """
    global _precision
    if precision not in ("highest", "high"):
        raise ValueError(f"set_matmul_precision: expected 'highest' or 'high'; received {precision!r}.")
    with _lock:
        _precision = precision
        for backend in _loaded.values():
            backend.set_matmul_precision(precision)


def _first_choice() -> str:
    for variable in ENVIRONMENT:
        if os.environ.get(variable):
            return os.environ[variable]
    if config.settings().backend:
        return str(config.settings().backend)
    return next(name for name, provider in providers().items() if provider.priority >= 0 and provider.installed())


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
            _default = load(_first_choice())
    return _default


def meet() -> None:
    """Load the default backend where its framework is imported already.

    Its functions may be given variables from now on, before anything of polykeras asks for a backend: loading one is
    what tells its framework of them.
    """
    waits = _default is None and _chosen.get() is None
    if waits and any(provider.framework in sys.modules for provider in providers().values()):
        provider = providers().get(_first_choice())
        if provider is not None and provider.framework in sys.modules:
            _choose_default()


class use_backend(ContextDecorator):  # used like a function, and named like one, as those of contextlib
    """Makes a backend current within a `with` block, in this thread only. Also a decorator.

    Args:
        name: a backend's name, or a backend.

    Example:
        >>> import polykeras
        >>> with polykeras.use_backend("numpy") as backend:
        ...     polykeras.ops.sigmoid(0.0).item()
        0.5

    Raises:
        ValueError: no backend has that name.
        ImportError: its framework is not installed.
    """

    def __init__(self, name: str | Backend) -> None:
        # Loaded here, so that a wrong name is told even where the `with` was forgotten.
        self._backend = load(name) if isinstance(name, str) else name
        self._tokens: list[Token[Backend | None]] = []

    def __enter__(self) -> Backend:
        self._tokens.append(_chosen.set(self._backend))
        return self._backend

    def __exit__(self, *exc_info: object) -> None:
        _chosen.reset(self._tokens.pop())


def chosen() -> Backend | None:
    """Return the backend of the innermost `use_backend` of this thread; None where the process's default holds."""
    return _chosen.get()


@contextmanager
def use_chosen(choice: Backend | None) -> Iterator[None]:
    """Bring back what `chosen` returned, within a `with` block. Loads nothing."""
    token = _chosen.set(choice)
    try:
        yield
    finally:
        _chosen.reset(token)


def set_backend(backend: str | Backend) -> None:
    """Make a backend current from here on.

    Called in the main thread, it also becomes the default of all threads that chose none; called in another
    thread, it holds there alone.

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
    """Return the name of the current backend."""
    return current().name


def backends() -> list[BackendInfo]:
    """Return what is known of each backend, installed or not; imports no framework."""
    rows = []
    chosen = _chosen.get() or _default
    for name, provider in providers().items():
        present = provider.installed()
        instance = _loaded.get(name)
        version = instance.version if instance else ""
        if present and not version and provider.framework:
            version = _version(provider.framework)
        rows.append(
            BackendInfo(
                name=name,
                installed=present,
                version=version,
                devices=tuple(instance.devices()) if instance else (),
                current=instance is not None and instance is chosen,
                install=provider.install,
                tested=" to ".join(provider.tested or ()),
                note=_note(provider.framework or name, provider.tested, version),
            )
        )
    return rows


def _note(package: str, tested: tuple[str, str] | None, version: str) -> str:
    """Return what is said of a version outside the range that was tested; "" for one within, or where none is known."""
    if tested is None or not version:
        return ""
    oldest, newest = map(_numbers, tested)
    found = _numbers(version)
    if not found or (oldest <= found and found[: len(newest)] <= newest):
        return ""
    than = "older" if found < oldest else "newer"
    return (
        f"{package} {version} is {than} than the releases that polykeras was tested with, {' to '.join(tested)}. "
        "Most things may work; where something does not, install one of these."
    )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with: (2, 13, 0) of "2.13.0+cpu"."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


@cache
def _version(framework: str) -> str:
    from importlib import metadata

    try:  # most distributions are called like what they install; looking through all of them is slow
        return metadata.version(framework)
    except metadata.PackageNotFoundError:
        pass
    for distribution in metadata.packages_distributions().get(framework, ()):
        return metadata.version(distribution)
    return ""
