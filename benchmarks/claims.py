"""What is asked of polykeras, and whether it holds: limits of numbers, and of ratios to others' times."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console

from benchmarks.checking import beyond
from benchmarks.competitors import COMPETITORS, OURS
from benchmarks.rows import Row, comparable, geometric_mean, name_of, ratios
from benchmarks.sections import SECTIONS


@dataclass(frozen=True)
class Limit:
    """What is asked of a number: where it may lie."""

    least: float = -math.inf
    most: float = math.inf

    def __str__(self) -> str:
        return f"<= {self.most:g}" if self.least == -math.inf else f">= {self.least:g}"

    def holds(self, value: float) -> bool:
        """Return whether a number is within the limit."""
        return self.least <= value <= self.most


ASKED: dict[str, Limit] = {
    "50 fits": Limit(most=5),
    # The weights of one are 0.1 MB: half of what 50 that stay would take. Measured: -0.3 to 2.3 on the three.
    "50 models": Limit(most=2.5),
    "models alive": Limit(most=1),
    "rate of a generator": Limit(least=0.8),
    "rate of a DataLoader": Limit(least=0.8),
    "slow source": Limit(most=1.2),  # 2 where nothing is overlapped
    "bar": Limit(most=2),
    "accuracy": Limit(most=2),
    "accuracy and AUC": Limit(most=2),
    "import": Limit(most=0.15),
    "summary": Limit(most=0.2),
}


@dataclass(frozen=True)
class Ratio:
    """What is asked of a ratio: whose time over ours, its least geometric mean over the cells, its least in a cell.

    With `each`, the mean is asked of each framework. With `beside_hand`, a cell may have less, but not less than 1,
    where ours takes at most so many times as long as the loop by hand.
    """

    peer: str
    mean: float
    least: float
    beside_hand: float | None = None
    each: bool = False

    def holds(self, ratio: float, row: Row) -> bool:
        """Return whether a cell has what is asked."""
        beside = self.beside_hand is not None and "native" in row and row[OURS] <= self.beside_hand * row["native"]
        return ratio >= self.least or (beside and ratio >= 1)


ASKED_RATIOS: dict[str, tuple[Ratio, ...]] = {
    # Where arithmetic bounds a step, the best loop by hand is the limit.
    "train": (
        Ratio("keras", 3.0, 1.2, beside_hand=1.02), Ratio("tuned", 1.2, 1.0), Ratio("native", 1.0, 1 / 1.05),
    ),
    "first": (Ratio("keras", 1.0, 1.0), Ratio("tuned", 1.0, 0.0)),
    "predict": (Ratio("keras", 2.0, 0.0), Ratio("tuned", 1.2, 1.0)),
    "predict(x[:1])": (Ratio("keras", 5.0, 0.0, each=True),),
    "model(x)": (Ratio("keras", 5.0, 0.0, each=True),),
    "train_on_batch": (Ratio("keras", 1.5, 0.0, each=True),),
    "peak of the first fit": (Ratio("keras", 1.0, 1.0),),
    "peak of a second fit": (Ratio("keras", 1.0, 1.0),),
    "build 300 layers": (Ratio("keras", 5.0, 5.0),),
    "a step": (Ratio("keras", 1.2, 1.2),),
    "the first epoch": (Ratio("keras", 1.0, 1.0),),
    "a fit of a new size": (Ratio("keras", 1.0, 1.0),),
}  # fmt: skip


# ---- what does not hold ------------------------------------------------------------------------------------------


def unmet(rows: list[Row]) -> list[str]:
    """Return, in words, what is asked and does not hold."""
    found = []
    for row in comparable(rows):
        limit = ASKED.get(row["measure"], Limit())
        if not limit.holds(row[OURS]):
            where = f"{row['task']} on {row['framework']}"
            found.append(f"{row['measure']}, {where}: {row[OURS]:.3g} ({limit})")
    for measure, asked in ASKED_RATIOS.items():
        own = [row for row in rows if row["measure"] == measure]
        for ratio in asked:
            found += _unmet_ratios(measure, ratio, own)
    for row in rows:
        if row["section"] == "check":
            where = f"{row['task']} on {row['framework']}"
            found += [
                f"check, {row['measure']}, {where}: {COMPETITORS[who].words} off by {row[who]:.1e}"
                for who in beyond(row)
            ]
    return found


def _unmet_ratios(measure: str, asked: Ratio, rows: list[Row]) -> list[str]:
    cells = ratios(rows, asked.peer)
    what = f"{measure}, {COMPETITORS[asked.peer].words} / ours"
    groups: dict[str, list[float]] = {}
    for ratio, row in cells:
        groups.setdefault(f" on {row['framework']}" if asked.each else "", []).append(ratio)
    means = {where: geometric_mean(group) for where, group in groups.items()}
    found = [
        f"{what}{where}: geometric mean {mean:.3g} (>= {asked.mean:.3g})"
        for where, mean in means.items()
        if mean < asked.mean
    ]
    low = [(ratio, row) for ratio, row in cells if not asked.holds(ratio, row)]
    return found + [f"{what}, {name_of(row)} on {row['framework']}: {r:.3g} (>= {asked.least:.3g})" for r, row in low]


def not_measured(rows: list[Row], sections: Iterable[str]) -> list[str]:
    """Return what is asked of measures of these sections, and has no row that could tell."""
    found = []
    ours = comparable(rows)
    for section in map(SECTIONS.__getitem__, sections):
        for measure in section.measures:
            own = [row for row in ours if row["measure"] == measure]
            if measure in ASKED and not own:
                found.append(measure)
            absent = [ratio.peer for ratio in ASKED_RATIOS.get(measure, ()) if not ratios(own, ratio.peer)]
            found += [f"{measure}, {COMPETITORS[peer].words} / ours" for peer in absent]
        if section.table == "check" and not any(row["section"] == section.name for row in rows):
            found.append(section.name)
    return found


def show_unmet(rows: list[Row], console: Console, wanted: Iterable[str]) -> bool:
    """Print what does not hold of all that is asked, and what nobody measured.

    Returns:
        Whether all that is asked of the sections `wanted` was measured and holds.
    """
    found, absent = unmet(rows), not_measured(rows, SECTIONS)
    if found:
        console.print(f"not as asked: {len(found)}")
    else:
        console.print("what was measured is as asked" if absent else "all is as asked")
    for line in found:
        console.print(f"    {line}", highlight=False, markup=False)
    if absent:
        console.print("not measured: " + "; ".join(absent), highlight=False, markup=False)
    return not found and not not_measured(rows, wanted)


# ---- honesty -----------------------------------------------------------------------------------------------------


def honest(rows: list[Row]) -> list[str]:
    """Return, in words, in which cells we are beaten, and in which the loop by hand is slower than Keras.

    Where it is, an expert would have written a better one: our ratio to it says little there.
    """
    ours: list[str] = []
    by_hand: list[str] = []
    for row in comparable(rows):
        if SECTIONS[row["section"]].table != "ratios":
            continue
        parts = dict.fromkeys((row["section"], row["task"], row["measure"]))  # each once: build, build, import
        where = f"{' '.join(parts)} on {row['framework']}"
        ahead = [peer for peer in ("keras", "tuned", "native") if peer in row and row[peer] < row[OURS]]
        ours += [f"{where} ({COMPETITORS[peer].words} {row[peer] / row[OURS]:.2f})" for peer in ahead]
        if "native" in row and row["native"] > row.get("keras", row["native"]):
            by_hand.append(f"{where} ({row['keras'] / row['native']:.2f})")
    lines = ["polykeras beaten: " + "; ".join(ours)] if ours else []
    return lines + (["by hand slower than Keras: " + "; ".join(by_hand)] if by_hand else [])
