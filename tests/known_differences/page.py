"""Writes `docs/known_differences.md` from the list: `python -m known_differences.page`, with `tests` on the path."""

from __future__ import annotations

from pathlib import Path

from known_differences import FROM_KERAS, KNOWN

PATH = Path(__file__).parents[2] / "docs" / "known_differences.md"

HEAD = """# Known differences

This page is made from `tests/known_differences` (`PYTHONPATH=tests:. python -m known_differences.page`). Tests hold every line of it: a
difference that is not listed fails them, and so does a line whose difference has vanished.
"""
KERAS = """## From Keras 3

Results that differ from those of Keras 3.15 on JAX, and why ours stay. `tests/differential` compares every op, metric, loss and
optimizer over all its arguments, weights, shapes and dtypes (`tox run -e together`). Not listed: what Keras refuses and we
take.

| What | Where it shows | Ours | Keras's | Why ours stays |
|---|---|---|---|---|
"""
FRAMEWORKS = """## Between frameworks

Where one of our backends gives something else than the contract says, and cannot be put right.

| Backend | Case | What | Instead | Why |
|---|---|---|---|---|
"""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _code(words: str) -> str:
    return ", ".join(f"`{word}`" for word in words.split())


def page() -> str:
    """Return the page as Markdown."""
    keras = [_row(_code(e.subjects), f"{e.kind} of `{e.case}`", e.ours, e.keras, e.proof) for e in FROM_KERAS]
    frameworks = [_row(d.backend, f"`{d.case}`", d.kind, d.what, " ".join([d.reason, d.issue]).strip()) for d in KNOWN]
    return "\n".join([HEAD, KERAS + "".join(keras), FRAMEWORKS + "".join(frameworks)])


if __name__ == "__main__":
    PATH.write_text(page())
