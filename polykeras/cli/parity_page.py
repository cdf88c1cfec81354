"""The table of `polykeras parity` as a page of its own, without anything that is loaded from elsewhere."""

from __future__ import annotations

from html import escape

from polykeras.cli.parity import QUANTITIES, Comparison, error_text, verdicts

_STYLE = """
:root { color-scheme: light dark; --ok: #d8efdd; --bad: #e5484d; --line: #c9ced6; }
@media (prefers-color-scheme: dark) { :root { --ok: #1d4631; --bad: #b3261e; --line: #3a424d; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child { text-align: left; }
td.ok { background: var(--ok); } td.bad { background: var(--bad); color: white; font-weight: 600; }
"""


def page(comparison: Comparison, model: str) -> str:
    """Return the page.

    Args:
        comparison: what was found.
        model: what the command was given.

    Returns:
        HTML.
    """
    names = list(comparison.differences)
    heads = "".join(f"<th>{escape(name)}<br>{escape(comparison.versions[name])}</th>" for name in names)
    rows = "\n".join(_row(comparison, quantity, names) for quantity in QUANTITIES)
    lines = "".join(f"<li>{escape(line)}</li>" for line in verdicts(comparison))
    notes = escape("; ".join(comparison.notes))
    reference = f"{escape(comparison.reference)} {escape(comparison.versions[comparison.reference])}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Parity of {escape(model)}</title><style>{_STYLE}</style></head><body>
<h1>Parity of {escape(model)}</h1>
<p>Largest relative errors, held against {reference}: the largest difference in an array, divided by its
largest element. "=" means equal bits.</p>
<p>{notes}.</p>
<ul>{lines}</ul>
<table><thead><tr><th>quantity</th><th>tolerance</th>{heads}</tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


def _row(comparison: Comparison, quantity: str, names: list[str]) -> str:
    tolerance = comparison.tolerances[quantity]
    cells = []
    for name in names:
        found = comparison.differences[name][quantity]
        kind = "ok" if found.error <= tolerance else "bad"
        cells.append(f'<td class="{kind}" title="{escape(found.where)}">{escape(error_text(found))}</td>')
    return f"<tr><th>{escape(quantity)}</th><td>{tolerance:.0e}</td>{''.join(cells)}</tr>"
