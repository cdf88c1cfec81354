"""A table as a standalone HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_STYLE = """
:root { color-scheme: light dark; --good: #d8efdd; --bad: #e5484d; --line: #c9ced6; }
@media (prefers-color-scheme: dark) { :root { --good: #1d4631; --bad: #b3261e; --line: #3a424d; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child { text-align: left; }
td.good { background: var(--good); } td.bad { background: var(--bad); color: white; font-weight: 600; }
"""


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: the text.
        kind: `"good"`, `"bad"`, or `""` for neither.
        note: a note that is shown when the pointer rests on the cell.
    """

    text: str
    kind: str = ""
    note: str = ""


def page(
    title: str,
    paragraphs: Sequence[str],
    findings: Sequence[str],
    header: Sequence[str],
    rows: Sequence[Sequence[Cell]],
) -> str:
    """Return the page.

    Args:
        title: the title.
        paragraphs: the paragraphs below the title.
        findings: a list of sentences.
        header: the titles of the table's columns.
        rows: the cells of the table; the first of each row says what the row is.

    Returns:
        HTML.
    """
    texts = "\n".join(f"<p>{escape(text)}</p>" for text in paragraphs)
    items = "".join(f"<li>{escape(text)}</li>" for text in findings)
    heads = "".join(f"<th>{escape(text)}</th>" for text in header)
    body = "\n".join(f"<tr><th>{escape(first.text)}</th>{''.join(map(_cell, rest))}</tr>" for first, *rest in rows)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
{texts}
<ul>{items}</ul>
<table><thead><tr>{heads}</tr></thead><tbody>
{body}
</tbody></table></body></html>
"""


def _cell(cell: Cell) -> str:
    return f'<td class="{cell.kind}" title="{escape(cell.note)}">{escape(cell.text)}</td>'
