"""The registry of sections: all that the rest of the benchmarks knows of each stands here, once.

What is asked of the measures stands in `benchmarks.claims`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from benchmarks.competitors import ALL, OURS
from benchmarks.other_models import OTHERS
from benchmarks.scaling import AXES
from benchmarks.tasks import FIRST_FOUR, TASKS


@dataclass(frozen=True)
class Section:
    """One section of the benchmarks.

    Attributes:
        name: also that of the function that measures it.
        about: a line for `--help`.
        module: of `benchmarks`, in which the function is.
        title: of its table.
        measures: what a process returns, and the unit of each.
        seconds: of one process, about, on two cores: to say how long a run will take.
        unit: of measures that are not listed; None where all are.
        who: competes.
        tasks: what is measured unless `--tasks` says otherwise.
        parts: what is measured where there are no tasks of `benchmarks.tasks`.
        passing: sections whose measures its processes return too.
        table: its kind.
        joined: whether one process does all tasks, once.
        asked_for: whether it is measured only where `--sections` names it.
    """

    name: str
    about: str
    module: str
    title: str
    measures: Mapping[str, str]
    seconds: int
    unit: str | None = None
    who: tuple[str, ...] = ALL
    tasks: tuple[str, ...] = tuple(TASKS)
    parts: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    table: Literal["ratios", "numbers", "curves", "physics", "check"] = "ratios"
    joined: bool = False
    asked_for: bool = False

    def unit_of(self, measure: str) -> str | None:
        """Return the unit of a measure, None if this section has no such measure."""
        return self.measures.get(measure, self.unit)


TWO = ALL[:2]
_SECTIONS = (
    Section(
        "train",
        "ms a step",
        module="measures",
        title="Training: milliseconds a step",
        measures={"train": "ms a step"},
        seconds=18,
        passing=("first", "predict"),
    ),
    Section(
        "predict",
        "ms a batch over many rows; comes with train at little cost",
        module="measures",
        title="predict on the rows of an epoch: milliseconds a batch",
        measures={"predict": "ms a batch"},
        seconds=10,
    ),
    Section(
        "calls",
        "a thousand times `predict(x[:1])`, `model(x)`, `train_on_batch`",
        module="measures",
        title="Calls in a Python loop: milliseconds a call",
        measures=dict.fromkeys(("predict(x[:1])", "model(x)", "train_on_batch"), "ms a call"),
        seconds=12,
        who=TWO,
        tasks=FIRST_FOUR,
    ),
    Section(
        "first",
        "the first epoch with tracing and compiling; comes with train at no cost",
        module="measures",
        title="First epoch, tracing and compiling included: seconds",
        measures={"first": "s"},
        seconds=9,
        who=TWO,
    ),
    Section(
        "fast",
        "ms a step beside polykeras without its fast paths (POLYKERAS_FAST=0)",
        module="measures",
        title="What the fast paths gain together: milliseconds a step",
        measures={"fast": "ms a step"},
        seconds=12,
        who=(OURS, "plain"),
        asked_for=True,
    ),
    Section(
        "others",
        "ms a step and first epoch of models that nobody tuned anything for",
        module="others",
        title="Other models: milliseconds a step, seconds of the first epoch",
        measures={"a step": "ms a step", "the first epoch": "s"},
        seconds=12,
        who=TWO,
        parts=tuple(OTHERS),
    ),
    Section(
        "build",
        "import, 300 layers, summary, one eager call",
        module="building",
        title="Import, 300 layers, summary: seconds; one Dense call in eager mode: microseconds",
        measures={
            "import": "s",
            "import with framework": "s",
            "build 300 layers": "s",
            "summary": "s",
            "Dense call": "us a call",
        },
        seconds=16,
        parts=("build",),
    ),
    Section(
        "memory",
        "peak of `fit`, in MB",
        module="memory",
        title="Peak of memory in fit, and what it is over the start: MB",
        measures={
            **dict.fromkeys(("peak of the first fit", "peak of a second fit"), "MB"),
            **dict.fromkeys(("first fit over the start", "second fit over the start"), "MB"),
        },
        seconds=6,
        who=TWO,
        tasks=FIRST_FOUR,
    ),
    Section(
        "growth",
        "of memory over 50 fits, and over 50 models made and dropped",
        module="memory",
        title="Memory over repetitions: growth of the resident set",
        measures={"50 fits": "MB", "50 models": "MB", "models alive": "of 55"},
        seconds=20,
        who=TWO,
        tasks=("mlp",),
        table="numbers",
    ),
    Section(
        "streaming",
        "rates from a generator and a DataLoader; how far a slow source is overlapped",
        module="streaming",
        title="Training from streams, beside arrays in memory",
        measures={
            "ms a step, generator": "ms a step",
            "ms a batch, DataLoader alone": "ms a batch",
            "rate of arrays in order": "of the rate in memory",
            "rate of a generator": "of the rate in memory",
            "rate of a DataLoader": "of the rate in memory",
            "rate of a DataLoader of tensors": "of the rate in memory",
            "slow source": "of the longer of both",
        },
        seconds=10,
        who=TWO,
        tasks=("mlp", "wide"),  # streams need arrays
        table="numbers",
    ),
    Section(
        "progress",
        "what the bar and metrics cost; how often the host reads values",
        module="progress",
        title="The progress bar and metrics, in percent of a step; reads of values by the host",
        measures={
            **dict.fromkeys(("silent again", "bar", "accuracy", "accuracy and AUC"), "% of a step"),
            "host reads in 1000 steps": "reads",
            "host reads inside chunks": "reads",
        },
        seconds=80,
        who=(OURS,),  # what the bar costs is asked of us alone
        tasks=("mlp", "lstm"),  # an AUC needs two classes
        table="numbers",
    ),
    Section(
        "saving",
        "what backups and checkpoints cost while training goes on",
        module="saving",
        title="Backups and checkpoints while training goes on, in percent of a step",
        measures=dict.fromkeys(
            ("backup each 100 steps", "backup each 20 steps", "model each 100 steps"), "% of a step"
        ),
        seconds=60,
        who=TWO,
        tasks=("mlp", "wide"),
        table="numbers",
        asked_for=True,
    ),
    Section(
        "scaling",
        "the time of a step against batch, width, depth and rows: a picture each",
        module="scaling",
        title="Step time against size: milliseconds a step",
        measures={},
        unit="ms a step",
        seconds=20,
        parts=tuple(AXES),
        table="curves",
    ),
    Section(
        "physics",
        "FLOPs and bytes of a step against what this machine reaches",
        module="physics",
        title="What a step takes at least, and our share of the limit",
        measures={"matmul": "GFLOP/s", "triad": "GB/s"},
        unit="FLOPs",
        seconds=5,
        who=("native",),
        parts=("machine",),
        table="physics",
    ),
    Section(
        "check",
        "that all compute the same losses and predictions: no times",
        module="checking",
        title="Differences from polykeras over two epochs of eight steps",
        measures={"losses": "relative", "predictions": "absolute"},
        seconds=60,
        table="check",
        joined=True,
    ),
)
SECTIONS = {section.name: section for section in _SECTIONS}
DEFAULT = tuple(section.name for section in _SECTIONS if not section.asked_for)
QUICK = ("train", "calls", "check")


def sections_of(table: str) -> list[Section]:
    """Return the sections with one kind of table."""
    return [section for section in SECTIONS.values() if section.table == table]


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


def competitors(framework: str, section: str) -> tuple[str, ...]:
    """Return who is measured: polykeras alone where there is no loop by hand, as Keras does not train there either."""
    who = SECTIONS[section].who
    if find_spec(f"benchmarks.native.loops_{framework}"):
        return who
    return tuple(name for name in who if name in (OURS, "plain"))


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


def expected_seconds(cells: Iterable[Cell], rounds: int) -> int:
    """Return about how long it takes to measure cells."""
    return sum(
        rounds_of(section, rounds) * SECTIONS[section].seconds * len(competitors(framework, section))
        for section, framework, _ in cells
    )
