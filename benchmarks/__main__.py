"""Compare polykeras with Keras 3, as it is and tuned, and with hand-written loops.

Each measurement runs in a process of its own; the processes alternate (A B C B C A ...), and the tables show medians
over the rounds. A ratio above 1 means that polykeras is faster. `--check` compares losses instead of times.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.claims import honest, show_unmet
from benchmarks.competitors import COMPETITORS
from benchmarks.machine import machine
from benchmarks.markdown import TABLES, fill, table
from benchmarks.processes import Runner, compile_sources, show_failures
from benchmarks.rows import Row, merged
from benchmarks.sections import DEFAULT, QUICK, SECTIONS, expected_seconds, plan
from benchmarks.tasks import TASKS

OUTPUTS = Path("outputs")
Machine = dict[str, Any]


def _description() -> str:
    width = max(map(len, SECTIONS))
    lines = "\n".join(f"  {name:{width}} {section.about}" for name, section in SECTIONS.items())
    few = "a few that tell most in the others, unless --tasks says otherwise."
    return f"{__doc__}\nSections:\n{lines}\n\nAll models are measured in train, predict, first and check; {few}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=_description(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sections", help="with commas; default: all but saving")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frameworks", default="jax,tensorflow,torch")
    parser.add_argument("--tasks", help=f"of {', '.join(TASKS)}; default: all")
    parser.add_argument("--who", default="", help=f"measure these alone of {', '.join(COMPETITORS)}; default: all")
    parser.add_argument("--quick", action="store_true", help=f"one round of the first four models: {', '.join(QUICK)}")
    parser.add_argument("--check", action="store_true", help="the section check alone; end with 1 where they differ")
    parser.add_argument("--strict", action="store_true", help="end with 1 where something is not as asked")
    parser.add_argument("--from", dest="earlier", type=Path, nargs="+", help="rows of earlier runs: measure nothing")
    parser.add_argument("--docs", type=Path, nargs="+", default=[], help="markdown files whose tables are replaced")
    parser.add_argument(
        "--json",
        type=Path,
        help="where rows go; default: outputs/benchmarks.json, for --check outputs/check.json, with --from nowhere",
    )
    parser.add_argument("--png", type=Path, default=OUTPUTS / "benchmarks.png")
    return parser


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the command line's options, with lists for what has commas (`tasks` None: each section's own)."""
    parser = _parser()
    options = parser.parse_args(arguments)
    usual = QUICK if options.quick else SECTIONS if options.earlier else DEFAULT
    default = "check" if options.check else ",".join(usual)
    options.sections = (default if options.check or not options.sections else options.sections).split(",")
    options.tasks = options.tasks.split(",") if options.tasks else None
    options.who = options.who.split(",") if options.who else []
    options.frameworks = options.frameworks.split(",")
    options.rounds = 1 if options.quick else options.rounds
    if options.json in (options.earlier or []):
        parser.error(f"--json would replace {options.json}, which --from reads: name another file")
    if not options.earlier:
        options.json = options.json or OUTPUTS / ("check.json" if options.check else "benchmarks.json")
    for given, known in ((options.sections, SECTIONS), (options.tasks or [], TASKS), (options.who, COMPETITORS)):
        if unknown := set(given) - set(known):
            parser.error(f"expected some of {', '.join(known)}; got {', '.join(sorted(unknown))}")
    return options


def read_runs(paths: list[Path]) -> tuple[Machine, list[Row]]:
    """Return the rows of earlier runs as those of one, later ones winning, and the machine of the last.

    Where the machines differ in their processor, `others` in it names those of the earlier runs.
    """
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    last = dict(runs[-1]["machine"])
    others = {_processor(run["machine"]) for run in runs if run["machine"].get("cpu")} - {_processor(last)}
    others |= {name for run in runs for name in run["machine"].get("others", "").split(", ") if name}
    if others:
        last["others"] = ", ".join(sorted(others))
    return last, merged(run["rows"] for run in runs)


def _processor(machine: Machine) -> str:
    wide = {True: " with AVX-512", False: " without AVX-512", None: ""}[machine.get("avx512f")]
    return f"{machine.get('cpu', '')}{wide}"


def _measured(options: argparse.Namespace, console: Console) -> tuple[Machine, list[Row]]:
    """Measure what the options name, writing rows after each cell: a long run may be cut off."""
    here = machine()
    cells = plan(options.sections, options.frameworks, options.tasks, options.quick)
    minutes = expected_seconds(cells, options.rounds, options.who) / 60
    console.print(f"{len(cells)} cells, {options.rounds} rounds: about {minutes:.0f} minutes")
    backends = [f"polykeras_{name}" for name in ("numpy", *options.frameworks)]  # NumPy's makes the initial values
    compile_sources(["polykeras", *backends, "benchmarks"])
    runner, rows = Runner(console, options.who), []
    for section, framework, task in cells:
        rows += runner.measure(section, framework, task, options.rounds)
        _write(options.json, here, rows)
    return here, merged([rows])


def _write(path: Path, here: Machine, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": here, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Measure, or read what was measured, and print; return the exit status."""
    from benchmarks.picture import draw  # matplotlib takes its time, and is wanted here only

    begin = time.perf_counter()
    options, console = options_of(arguments), Console(width=180)

    def say(lines: list[str]) -> None:
        for line in lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)

    here, rows = read_runs(options.earlier) if options.earlier else _measured(options, console)
    rows = [row for row in rows if row["section"] in options.sections and row["framework"] in options.frameworks]
    if options.earlier and options.json:
        _write(options.json, here, rows)
    for name in TABLES:
        if name != "summary" and (lines := table(name, rows, here)):
            say(["", f"{name}: {SECTIONS[name].about}" if name in SECTIONS else name, *lines])
    say([f"rows: {options.json or ', '.join(map(str, options.earlier))}"])
    say([f"picture: {path}" for path in draw(rows, options.png)])
    for path in options.docs:
        say(fill(path, rows, here))
    say(honest(rows))
    holds = show_unmet(rows, console, options.sections)
    failed = show_failures(rows, console)
    console.print(f"this took {(time.perf_counter() - begin) / 60:.1f} minutes")
    return 1 if failed or ((options.strict or options.check) and not holds) else 0


if __name__ == "__main__":
    sys.exit(main())
