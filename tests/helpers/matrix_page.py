"""The parity matrix as one self-contained HTML page."""

from __future__ import annotations

from html import escape

from helpers.matrix import Cell, Matrix

STEPS = ((0.0, "same"), (3e-7, "fine"), (3e-6, "good"), (1e-4, "fair"), (float("inf"), "wide"))
LEGEND = {
    "same": "equal bits",
    "fine": "≤ 3e-7",
    "good": "≤ 3e-6",
    "fair": "≤ 1e-4",
    "wide": "within a wider, stated tolerance",
    "fails": "exceeds its tolerance",
}
STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fbfbf9; --line: #dcdfe4; --soft: #6b7480;
  --same: #bfe3cf; --fine: #d9eedd; --good: #edf5dc; --fair: #fbf0c9; --wide: #f7ddb8; --fails: #e5484d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #14171c; --line: #2b313a; --soft: #939ca8;
  --same: #14532d; --fine: #1d4631; --good: #3a4a22; --fair: #544a1c; --wide: #5c3d1a; --fails: #b3261e; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 68rem; margin: 3rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; letter-spacing: -.01em; }
p { margin: .3rem 0; } .soft { color: var(--soft); }
.verdict { font-weight: 600; margin: 1rem 0; }
ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .4rem; padding: 0; margin: 1rem 0 1.5rem; }
ul.legend li { padding: .1rem .6rem; border-radius: 1rem; font-size: .85rem; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-variant-numeric: tabular-nums; }
thead th { position: sticky; top: 0; background: var(--paper); border-bottom: 2px solid var(--line);
  padding: .4rem .5rem; text-align: center; }
thead th small { display: block; font-weight: 400; color: var(--soft); }
tbody th { text-align: left; font: 13px/1.5 ui-monospace, monospace; padding: .12rem .5rem; }
td { text-align: center; padding: .12rem .5rem; border-bottom: 1px solid var(--paper); min-width: 3.4rem;
  font-size: .85rem; }
tbody tr:hover th, tbody tr:hover td { outline: 1px solid var(--line); }
td.value { border-left: 10px solid var(--paper); }
.same { background: var(--same); } .fine { background: var(--fine); } .good { background: var(--good); }
.fair { background: var(--fair); } .wide { background: var(--wide); }
.fails { background: var(--fails); color: white; font-weight: 600; }
ol.failures li { font: 13px/1.5 ui-monospace, monospace; margin: .3rem 0; overflow-wrap: anywhere; }
"""


def colour(cell: Cell, kind: str) -> str:
    """Return the CSS class of a number by its magnitude."""
    if kind not in cell.worst:
        return ""
    if cell.worst[kind] == float("inf"):
        return "fails"
    return next(name for limit, name in STEPS if cell.worst[kind] <= limit)


def _cells(cell: Cell) -> str:
    parts = []
    for kind in ("value", "gradient"):
        note = "; ".join(cell.failures) or f"{cell.count} comparisons" + (f", {cell.known} known" if cell.known else "")
        parts.append(f'<td class="{kind} {colour(cell, kind)}" title="{escape(note)}">{cell.text(kind)}</td>')
    return "".join(parts)


def page(matrix: Matrix) -> str:
    """Return the page.

    Args:
        matrix: as `measure` returns it.
    """
    heads = "".join(
        f'<th colspan="2">{escape(name)}<small>{escape(version)} · value, gradient</small></th>'
        for name, version in matrix.backends.items()
    )
    rows = "\n".join(
        f"<tr><th>{escape(name)}</th>{''.join(_cells(cell) for cell in row.values())}</tr>"
        for name, row in matrix.rows.items()
    )
    legend = "".join(f'<li class="{name}">{text}</li>' for name, text in LEGEND.items())
    failures = "".join(f"<li>{escape(text)}</li>" for text in matrix.failures)
    listed = f'<h2>What exceeds its tolerance</h2><ol class="failures">{failures}</ol>' if failures else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>polykeras: parity of backends</title><style>{STYLE}</style></head><body>
<h1>Parity of backends</h1>
<p>The largest relative error of each op and layer over all its cases, in float32, against the numpy backend in float64:
of the value, then of the gradient. The error is relative to each element or, where sums cancel, to the largest element
of the result.</p>
<p class="soft">"=" means that no element differs from the reference rounded to float32.</p>
<p class="verdict">{escape(matrix.summary())}</p>
<ul class="legend">{legend}</ul>
{listed}
<table><thead><tr><th></th>{heads}</tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""
