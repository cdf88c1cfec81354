"""The tables of a run: a table a section, geometric means and the worst cells."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.competitors import COMPETITORS, OURS
from benchmarks.rows import Row, comparable, geometric_mean, name_of, present_peers, ratio_words, ratios
from benchmarks.sections import SECTIONS, sections_of


def _table(section: str, rows: list[Row]) -> Table:
    title = f"{SECTIONS[section].title} (medians); ratios above 1: polykeras is better (least-greatest of the rounds)"
    table = Table(title=title)
    for column in ("measured", "framework"):
        table.add_column(column, no_wrap=True)
    peers = present_peers(rows)
    words = [COMPETITORS[peer].words for peer in peers]
    for column in (OURS, *words, *(f"{name} / ours" for name in words)):
        table.add_column(column, justify="right")
    if "native" in peers:
        table.add_column("fastest way by hand")
    for row in rows:
        numbers = [f"{row[who]:.4g}" if who in row else "" for who in (OURS, *peers)]
        way = [row.get("native_way", "")] if "native" in peers else []
        found = [ratio_words(row, peer) for peer in peers]
        table.add_row(name_of(row) or row["task"], row["framework"], *numbers, *found, *way)
    return table


def _summary(section: str, rows: list[Row], peer: str, console: Console) -> None:
    found = ratios(rows, peer)
    if not found:
        return
    worst = "; ".join(f"{ratio:.2f} {name_of(row)} ({row['framework']})" for ratio, row in found[:3])
    mean = geometric_mean([ratio for ratio, _ in found])
    what = f"{section}, {COMPETITORS[peer].words} / polykeras"
    console.print(f"{what}: geometric mean {mean:.2f} over {len(found)}; least: {worst}")
    for framework in dict.fromkeys(row["framework"] for row in rows):
        own = [ratio for ratio, row in found if row["framework"] == framework]
        if 0 < len(own) < len(found):
            console.print(f"    {framework}: geometric mean {geometric_mean(own):.2f}, least {min(own):.2f}")


def show(rows: list[Row], console: Console) -> None:
    """Print the tables of all sections that compare times or sizes."""
    for section in sections_of("ratios"):
        own = [row for row in comparable(rows) if row["section"] == section.name]
        if not own:
            continue
        console.print(_table(section.name, own))
        for measure in dict.fromkeys(row["measure"] for row in own):
            label = section.name if measure == section.name else f"{section.name} ({measure})"
            same = [row for row in own if row["measure"] == measure]
            for peer in present_peers(same):
                _summary(label, same, peer, console)
