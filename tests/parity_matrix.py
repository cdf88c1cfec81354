"""Print how far each op and layer is from the reference on each backend, and write it as a page.

Run `python tests/parity_matrix.py --html outputs/parity.html` (or `make parity`). The exit status is 1 if anything
exceeds its tolerance.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contract.cases import CASES
from contract.layer_cases import LAYER_CASES
from helpers.matrix import Cell, Matrix, measure
from known_differences import known
from polykeras.backend import backends, registry


def _text(cell: Cell, kind: str) -> Text:
    error = cell.worst.get(kind)
    style = "dim" if error is None else "bold red" if error == float("inf") else "yellow" if error > 1e-4 else "green"
    return Text(cell.text(kind), style)


def table(matrix: Matrix) -> Table:
    """Return the matrix as a table for the terminal."""
    result = Table(title="worst relative error, float32 against numpy in float64", row_styles=["", "on grey7"])
    result.add_column("op or layer", style="bold", no_wrap=True)
    for name in matrix.backends:
        result.add_column(name, justify="right")
        result.add_column("gradient", justify="right", header_style="dim")
    for name, row in matrix.rows.items():
        result.add_row(name, *(_text(cell, kind) for cell in row.values() for kind in ("value", "gradient")))
    return result


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    installed = [info.name for info in backends() if info.installed]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", default=",".join(installed), help="comma-separated; default: %(default)s")
    parser.add_argument("--html", type=Path, help="write a page there")
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    options = parser.parse_args(arguments)
    chosen = [registry.load(name) for name in options.backends.split(",")]
    cases = [case for case in (*CASES, *LAYER_CASES) if options.only in case.row]
    matrix = measure(cases, chosen, known)
    console = Console() if sys.stdout.isatty() else Console(width=40 + 24 * len(chosen))
    console.print(table(matrix))
    for failure in matrix.failures:
        console.print(failure, style="red", markup=False, highlight=False)
    console.print(matrix.summary(), style="bold red" if matrix.failures else "bold green")
    if options.html:
        from helpers.matrix_page import page

        options.html.parent.mkdir(parents=True, exist_ok=True)
        options.html.write_text(page(matrix), encoding="utf-8")
        console.print(f"written: {options.html}")
    return 1 if matrix.failures else 0


if __name__ == "__main__":
    sys.exit(main())
