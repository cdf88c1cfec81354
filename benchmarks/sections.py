"""The registry of sections: all that the rest of the benchmarks knows of each stands here, once.

What is asked of the measures stands in `benchmarks.claims`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from benchmarks.competitors import OURS, TUNED
from benchmarks.scaling import AXES
from benchmarks.tasks import FIRST_FOUR, OTHERS, TASKS


@dataclass(frozen=True)
class Section:
    """One section of the benchmarks.

    Attributes:
        name: also that of the function that measures it.
        about: a line for `--help`.
        module: of `benchmarks`, in which the function is.
        measures: what a process returns, and the unit of each.
        seconds: of one process, about, on two cores: to say how long a run will take.
        who: competes.
        tasks: what is measured unless `--tasks` says otherwise.
        parts: what is measured where there are no tasks of `benchmarks.tasks`.
        passing: sections whose measures its processes return too.
        table: its kind: ratios are compared, of numbers something else is asked, a check has no times.
        unit: of measures that are not listed, which are places on an axis; None where all are listed.
        joined: whether one process does all tasks, once.
        asked_for: whether it is measured only where `--sections` names it.
    """

    name: str
    about: str
    module: str
    measures: Mapping[str, str]
    seconds: int
    who: tuple[str, ...]
    tasks: tuple[str, ...] = tuple(TASKS)
    parts: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    table: Literal["ratios", "numbers", "check"] = "ratios"
    unit: str | None = None
    joined: bool = False
    asked_for: bool = False

    def unit_of(self, measure: str) -> str | None:
        """Return the unit of a measure, None if this section has no such measure."""
        return self.measures.get(measure, self.unit)


TWO = (OURS, "keras")
THREE = (*TWO, "native")
CALLS = ("predict(x[:1])", "model(x)", "train_on_batch")
PEAKS = ("peak of the first fit", "peak of a second fit", "first fit over the start", "second fit over the start")
RATES = ("rate of arrays in order", "rate of a generator", "rate of a DataLoader", "rate of a DataLoader of tensors")
COSTS = ("silent again", "bar", "accuracy", "accuracy and AUC")
BACKUPS = ("backup each 100 steps", "backup each 20 steps", "model each 100 steps")
BUILDING = {
    **dict.fromkeys(("import", "import with framework", "build 300 layers", "summary"), "s"),
    "Dense call": "us a call",
}
GROWTH = {"50 fits": "MB", "50 models": "MB", "models alive": "of 55", "a fit of a new size": "ms", "60 sizes": "MB"}
STREAMS = dict.fromkeys(RATES, "of the rate in memory") | {"slow source": "of the longer of both"}

# fmt: off
_SECTIONS = (
    Section(
        "train", "ms a step", "measures", {"train": "ms a step"}, 18, who=(OURS, "keras", "tuned", "native"),
        passing=("first", "predict")),
    Section(
        "predict", "ms a batch over many rows; comes with train at little cost", "measures",
        {"predict": "ms a batch"}, 10, who=(OURS, "keras", "tuned", "native")),
    Section(
        "calls", "a thousand times `predict(x[:1])`, `model(x)`, `train_on_batch`", "measures",
        dict.fromkeys(CALLS, "ms a call"), 12, who=TWO, tasks=FIRST_FOUR),
    Section(
        "first", "the first epoch with tracing and compiling; comes with train at no cost", "measures",
        {"first": "s"}, 9, who=(OURS, "keras", "tuned")),
    Section(
        "others", "ms a step and first epoch of models that nobody tuned anything for", "measures",
        {"a step": "ms a step", "the first epoch": "s"}, 12, who=TWO, parts=tuple(OTHERS)),
    Section(
        "build", "import, 300 layers, summary, one eager call", "building", BUILDING, 16, who=THREE,
        parts=("build",)),
    Section(
        "memory", "peak of `fit`", "memory", dict.fromkeys(PEAKS, "MB"), 6, who=TWO, tasks=FIRST_FOUR),
    Section(
        "growth", "of memory over 50 fits, 50 models made and dropped, and fits of 60 sizes, with their time", "memory",
        GROWTH, 40, who=TWO, tasks=("mlp",), table="numbers"),
    Section(
        "streaming", "rates from a generator and a DataLoader; how far a slow source is overlapped", "streaming",
        STREAMS, 10, who=TWO, tasks=("mlp", "wide"), table="numbers"),  # streams need arrays
    Section(
        "progress", "what the bar and metrics cost", "beside",
        # What the bar costs is asked of us alone, and an AUC needs two classes.
        dict.fromkeys(COSTS, "% of a step"), 80, who=(OURS,), tasks=("mlp", "lstm"), table="numbers"),
    Section(
        "saving", "what backups and checkpoints cost while training goes on", "beside",
        dict.fromkeys(BACKUPS, "% of a step"), 60, who=TWO, tasks=("mlp", "wide"), table="numbers", asked_for=True),
    Section(
        "scaling", "the time of a step against batch, width, depth and rows", "scaling", {}, 20, who=THREE,
        parts=tuple(AXES), unit="ms a step"),
    Section(
        "check", "that all compute the same losses and predictions: no times", "checking",
        {"losses": "relative", "predictions": "absolute"}, 60, who=THREE, table="check", joined=True),
)
# fmt: on
SECTIONS = {section.name: section for section in _SECTIONS}
DEFAULT = tuple(section.name for section in _SECTIONS if not section.asked_for)
QUICK = ("train", "calls", "check")


def section_of(measure: str, measured: str) -> Section:
    """Return the section to which a measure belongs that processes of the section `measured` returned."""
    candidates = [SECTIONS[name] for name in (measured, *SECTIONS[measured].passing)]
    for section in candidates:
        if section.unit_of(measure) is not None:
            return section
    known = ", ".join(measure for section in candidates for measure in section.measures)
    raise ValueError(
        f"Expected one of the measures of section {measured}: {known}; received {measure!r}. "
        "List it in benchmarks/sections.py, with its unit."
    )


def competitors(framework: str, section: str, only: Iterable[str] = ()) -> tuple[str, ...]:
    """Return who is measured: polykeras alone where there is no loop by hand, as Keras does not train there either.

    Args:
        framework: on which.
        section: what is measured.
        only: of these; all where there are none.
    """
    who = SECTIONS[section].who
    if not find_spec(f"benchmarks.native.loops_{framework}"):
        who = (OURS,)
    wanted = set(only)
    return tuple(name for name in who if name in wanted) if wanted else who


Cell = tuple[str, str, str]


def plan(sections: Iterable[str], frameworks: Iterable[str], tasks: Iterable[str] | None, quick: bool) -> list[Cell]:
    """Return the cells (section, framework, task) of a run.

    Args:
        sections: those that are wanted; what another one's processes measure in passing gets no processes of its own.
        frameworks: their names.
        tasks: what is measured where there are tasks; None: what each section says.
        quick: whether the first four tasks are all.
    """
    wanted = list(sections)
    passing = {included for name in wanted for included in SECTIONS[name].passing}
    cells = []
    for section in SECTIONS.values():
        if section.name not in wanted or section.name in passing:
            continue
        own = [task for task in section.tasks if not quick or task in FIRST_FOUR] if tasks is None else list(tasks)
        places = section.parts or ([",".join(own)] if section.joined else own)
        cells += [(section.name, framework, place) for framework in frameworks for place in places]
    return cells


def rounds_of(section: str, rounds: int) -> int:
    """Return how often a section is measured in a run of `rounds`: once where nothing is timed."""
    return 1 if SECTIONS[section].joined else rounds


def expected_seconds(cells: Iterable[Cell], rounds: int, only: Iterable[str] = ()) -> int:
    """Return about how long it takes to measure cells; Keras runs a process for each way to tune it."""
    seconds = 0
    for section, framework, _ in cells:
        who = competitors(framework, section, only)
        processes = len(who) + (len(TUNED[framework]) - 1 if "tuned" in who else 0)
        seconds += rounds_of(section, rounds) * SECTIONS[section].seconds * processes
    return seconds
