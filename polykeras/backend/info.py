"""Facts about each backend: whether its framework is installed, in which version, and on which devices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from polykeras.backend.providers import providers
from polykeras.backend.registry import current_or_none, loaded_backends


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """One line of `polykeras.backends()`.

    Attributes:
        name: the name that `use_backend` takes.
        installed: whether its framework can be imported.
        version: the version of the framework; "" if it is not installed.
        devices: the names of its devices if it is loaded, else empty.
        current: whether it is the current backend.
        install: the command that installs it.
        tested: the oldest and the newest tested release, as `"2.6 to 2.15"`; "" if the backend does not say.
        note: a remark on the installed version, for instance that it is newer than any tested release; or "".
    """

    name: str
    installed: bool
    version: str
    devices: tuple[str, ...]
    current: bool
    install: str
    tested: str = ""
    note: str = ""


def backends() -> list[BackendInfo]:
    """Return one line for each backend, installed or not. Imports no framework."""
    rows = []
    loaded = {instance.name: instance for instance in loaded_backends()}
    chosen = current_or_none()
    for name, provider in providers().items():
        present = provider.installed()
        instance = loaded.get(name)
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
    """Return a remark on a version outside of the tested range; "" for a version within it, or an unknown range."""
    if tested is None or not version:
        return ""
    oldest, newest = map(_numbers, tested)
    found = _numbers(version)
    if not found or (oldest <= found and found[: len(newest)] <= newest):
        return ""
    than = "older" if found < oldest else "newer"
    return (
        f"{package} {version} is {than} than the releases that polykeras was tested with, {' to '.join(tested)}. "
        "Most things should work. If something does not, install one of these releases."
    )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers at the start of a version: (2, 13, 0) for "2.13.0+cpu"."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


@cache
def _version(framework: str) -> str:
    from importlib import metadata

    try:  # most distributions have the name of their package; a search through all of them is slow
        return metadata.version(framework)
    except metadata.PackageNotFoundError:
        pass
    for distribution in metadata.packages_distributions().get(framework, ()):
        return metadata.version(distribution)
    return ""
