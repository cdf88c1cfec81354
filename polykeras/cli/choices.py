"""The backends on which a command runs."""

from __future__ import annotations

from polykeras.backend import backends
from polykeras.backend.providers import providers
from polykeras.backend.registry import unknown_backend
from polykeras.cli.errors import CommandError


def chosen_backends(text: str | None, least: int = 2) -> list[str]:
    """Return the backends to run, the reference first.

    Args:
        text: names separated by commas; None for all that are installed.
        least: the least number of backends.

    Raises:
        CommandError: if a name is not known or not installed, or there are too few.
    """
    known = {info.name: info for info in backends()}
    installed = [name for name, info in known.items() if info.installed]
    names = [name.strip() for name in text.split(",") if name.strip()] if text else installed
    for name in names:
        if name not in installed:
            if name not in known:
                raise CommandError(unknown_backend(name))
            raise CommandError(
                f"Backend {name!r} is not installed. Install it with `{known[name].install}`. "
                f"Installed: {', '.join(installed)}."
            )
    if len(names) < least:
        others = "; ".join(info.install for info in known.values() if not info.installed)
        more = f" To install others: {others}." if others else ""
        raise CommandError(
            f"Expected {least} backends or more to compare, received {', '.join(names) or 'none'}.{more}"
        )
    return sorted(dict.fromkeys(names), key=lambda name: providers()[name].framework is not None)


def runs_nowhere(model: str, failures: dict[str, str]) -> CommandError:
    """Return the error of a model that no backend runs.

    Args:
        model: the argument of the command.
        failures: the messages by backend.
    """
    told = set(failures.values())
    if len(told) > 1:
        told = {f"{name}: {text}" for name, text in failures.items()}
    return CommandError(f"No backend runs {model}. {' '.join(sorted(told))}")
