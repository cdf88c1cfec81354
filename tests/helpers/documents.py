"""Code in pages of the documentation."""

from __future__ import annotations

import re

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def fences(text: str) -> list[tuple[str, str]]:
    """Return the blocks of code of a page, each with its language (`""` where none is named)."""
    return FENCE.findall(text)


def programs(text: str) -> list[str]:
    """Return the blocks of Python of a page."""
    return [code for language, code in fences(text) if language == "python"]


def idioms(text: str, column: int = -1) -> list[str]:
    """Return the code in one column of each table of a page, by default the last."""
    rows = [line.strip("|").split(" | ")[column] for line in FENCE.sub("", text).splitlines() if line.startswith("| ")]
    return [code for cell in rows for code in re.findall(r"`([^`]+)`", cell)]
