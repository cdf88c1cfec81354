"""Slices: of large tables, a run of CI takes a fifth of the cases, and the next commit another fifth.

`POLYKERAS_SLICE=2/5` takes the second of five slices, `POLYKERAS_SLICE=commit` that of the commit: commits in a row get one after the
other. Without it, everything runs. A case is in a slice by the hash of its name, so that a new case moves no other. What has the mark `whole`
always runs; what has the mark `moves` does too, and takes other cases in each slice. After the time in `POLYKERAS_DEADLINE` (seconds since
1970), what is in a slice or moves is left out; what always runs still runs.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import time
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

PARTS = 5
LARGE = 12  # cases of a test on one backend
REPEATED = os.environ.get("POLYKERAS_FAST") == "0" or "POLYKERAS_VERIFY" in os.environ
"""Whether the same tests have run before, with the fast paths and without verification."""
LEFT_OUT = "left out: the time for slices is over"


def number_of_commit(commit: str = "HEAD") -> int:
    """Return a commit's place among those of its branch; in a shallow clone, its hash.

    Raises:
        pytest.UsageError: git knows no such commit.
    """

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if git("rev-parse", "--is-shallow-repository") == "true":
            return int(git("rev-parse", commit), 16)
        return int(git("rev-list", "--count", "--first-parent", commit))
    except (OSError, subprocess.CalledProcessError) as error:
        gave = (getattr(error, "stderr", "") or str(error)).splitlines()[0]
        raise pytest.UsageError(
            f"POLYKERAS_SLICE=commit: expected git to know the commit {commit}, whose number says the slice. It gave: {gave} "
            "Name a slice, as in POLYKERAS_SLICE=1/5."
        ) from error


def slice_of_commit(commit: str = "HEAD") -> str:
    """Return the slice that CI takes for a commit."""
    return f"{number_of_commit(commit) % PARTS + 1}/{PARTS}"


@functools.cache
def current_slice() -> str | None:
    """Return the slice that runs; None if everything does."""
    asked = os.environ.get("POLYKERAS_SLICE")
    if asked in (None, "", "commit"):
        return slice_of_commit() if asked else None
    found = re.fullmatch(r"(\d+)/(\d+)", asked)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise pytest.UsageError(
            f"POLYKERAS_SLICE: expected `commit`, or one of five slices as `1/5` to `5/5`. Received: {asked!r}"
        )
    return asked


def in_slice(name: str, slice_: str | None = None) -> bool:
    """Return whether a case is in a slice such as `"2/5"`, by default in that which runs."""
    slice_ = slice_ or current_slice()
    if slice_ is None:
        return True
    place, parts = map(int, slice_.split("/"))
    return zlib.crc32(name.encode()) % parts == place - 1


def selected(request: pytest.FixtureRequest, parameter: str) -> set[Any]:
    """Return the values of a parameter in the tests that run with a fixture of their file, for it to make no more.

    Args:
        request: that of the fixture, which is parametrized itself.
        parameter: its name.
    """
    told = (_parameters(item) for item in request.session.items if item.path == request.path)
    return {p[parameter] for p in told if parameter in p and p.get(request.fixturename) == request.param}


class Slices:
    """A plugin of pytest that keeps the cases of one slice, and what always runs."""

    def __init__(self) -> None:
        self._deadline = float(os.environ.get("POLYKERAS_DEADLINE") or "inf")
        self._sliced: set[str] = set()

    @pytest.hookimpl(trylast=True)  # after marks are set
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        whole, sliced = split(items)
        kept = [item for item in sliced if in_slice(name_of(item))]
        self._sliced = {item.nodeid for item in kept}
        config.hook.pytest_deselected(items=[item for item in sliced if item.nodeid not in self._sliced])
        self._sliced |= {item.nodeid for item in whole if item.get_closest_marker("moves")}
        kept.sort(key=lambda item: item.get_closest_marker("slow") is None)  # no worker is left alone with a long one
        items[:] = whole + kept

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if item.nodeid in self._sliced and time.time() > self._deadline:
            pytest.skip(LEFT_OUT)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):
            line = f"slice {current_slice()} of large tables; again with POLYKERAS_SLICE={current_slice()}"
            session.config.get_terminal_writer().line(line)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        skipped = [report for report in terminalreporter.stats.get("skipped", ()) if LEFT_OUT in str(report.longrepr)]
        for folder, count in sorted(Counter("/".join(report.nodeid.split("/")[:2]) for report in skipped).items()):
            terminalreporter.write_line(f"{count} cases of {folder} were {LEFT_OUT}.")


def split(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Return what always runs, and what runs in its slice alone."""
    tables = Counter(map(_table, items))
    parts: tuple[list[pytest.Item], list[pytest.Item]] = [], []
    for item in items:
        parts[_is_sliced(item, tables[_table(item)])].append(item)
    return parts


def _table(item: pytest.Item) -> tuple[str, str]:
    """Return the table of a case: its test, on its backend."""
    return item.nodeid.partition("[")[0], _backend(item)


def name_of(item: pytest.Item) -> str:
    """Return the name of a case that says its slice. The kinds of a comparison share it: they are computed together."""
    case = getattr(_parameters(item).get("case"), "id", None)
    return item.nodeid if case is None else f"{_table(item)} {case}"


def _backend(item: pytest.Item) -> str:
    return str(_parameters(item).get("backend", ""))


def _parameters(item: pytest.Item) -> dict[str, Any]:
    return item.callspec.params if hasattr(item, "callspec") else {}


def _is_sliced(item: pytest.Item, cases: int) -> bool:
    """Return whether a case runs in its slice alone.

    These are the cases of large tables, what is slow or compares with Keras, and what numpy has shown: that a law holds on frameworks.
    """
    if any(map(item.get_closest_marker, ("whole", "moves"))) and not REPEATED:
        return False
    marked = any(map(item.get_closest_marker, ("slow", "keras", "together")))
    return marked or cases >= LARGE or _backend(item) not in ("", "numpy")
