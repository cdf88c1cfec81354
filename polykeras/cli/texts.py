"""What commands print: tables of plain text, sizes, and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Return a table in aligned columns.

    Args:
        header: the title of each column.
        rows: the cells.
        right: the indices of right-aligned columns; others are left-aligned.

    Returns:
        The lines, without a line break at the end.
    """
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def aligned(line: Sequence[str]) -> str:
        cells = enumerate(zip(line, widths, strict=True))
        return "  ".join(cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in cells).rstrip()

    return "\n".join([aligned(header), "  ".join("-" * width for width in widths), *map(aligned, rows)])


def size(count: int) -> str:
    """Return a number of bytes as readable text, such as `"12.1 KB"`, with 1024 bytes to a KB."""
    amount = float(count)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 1024 or unit == "GB":
            return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError


def print_json(report: Any) -> None:
    """Print a report as JSON. Numbers that JSON lacks (nan, infinity) become texts."""
    print(json.dumps(_finite(report), indent=2))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
