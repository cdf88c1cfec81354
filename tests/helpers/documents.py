"""Code in pages of the documentation.

Two comments, each on a line of its own, say how a page's Python is tested; the site does not show them:

- `<!-- not run: REASON -->` before a block: that block is not run.
- `<!-- runs on: BACKEND -->` anywhere: the page's program runs on that backend alone.
"""

from __future__ import annotations

import re
from textwrap import dedent

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"^ *<!-- not run: .+ -->\n", re.MULTILINE)
RUNS_ON = re.compile(r"^<!-- runs on: (\w+) -->$", re.MULTILINE)


def fences(text: str) -> list[tuple[str, str]]:
    """Return the blocks of code of a page, each with its language (`""` where none is named)."""
    return [(found["language"], dedent(found["code"])) for found in FENCE.finditer(text)]


def programs(text: str) -> list[str]:
    """Return the blocks of Python of a page, without those that a comment marks as not run."""
    marked = {found.end() for found in NOT_RUN.finditer(text)}
    blocks = [found for found in FENCE.finditer(text) if found.start() not in marked]
    return [dedent(found["code"]) for found in blocks if found["language"] == "python"]


def runs_on(text: str) -> str | None:
    """Return the only backend on which a page's program runs; None if it runs on each."""
    found = RUNS_ON.search(text)
    return found[1] if found else None


def idioms(text: str, column: int = -1) -> list[str]:
    """Return the code in one column of each table of a page, by default the last."""
    rows = [line.strip("|").split(" | ")[column] for line in FENCE.sub("", text).splitlines() if line.startswith("| ")]
    return [code for cell in rows for code in re.findall(r"`([^`]+)`", cell)]
