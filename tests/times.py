"""Print where the time of a run of tests went, from the reports that it left in `outputs/times`.

`make test-times` prints all; `python tests/times.py --shares` fails if a folder took more than its share of the run, as `SHARES` has it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

FOLDER = Path(__file__).parents[1] / "outputs" / "times"
SHARES = {
    "training": 0.36,
    "distribution": 0.25,
    "contract": 0.22,
    "saving": 0.2,
    "parity": 0.14,
    "single": 0.12,
    "examples": 0.1,
    "differential": 0.28,
    "pure": 0.04,
    "adversarial": 0.04,
    "thirdparty": 0.02,
}
"""Of the time of all tests, the largest part that a folder may take in a run of CI: about half more than it took at first."""
MOST = 100
LEFT_OUT = "left out"
"""In the reason of what `helpers/slices.py` skips when the time is over."""


class Test(NamedTuple):
    """A test in a report: where it ran, what it took, and for what."""

    environment: str
    backend: str
    name: str
    seconds: float
    waited: float
    compiled: float
    keras: float
    left_out: bool


def backend_of(name: str, environment: str) -> str:
    """Return the backend of a test, from what is in brackets behind its name."""
    parts = name.partition("[")[2].rstrip("]").split("-")
    return next((part for part in parts if part in ("numpy", "jax", "torch", "tensorflow")), environment)


def read(folder: Path) -> tuple[list[Test], Counter[str]]:
    """Return the tests of all reports, and for each environment the seconds that its workers did not spend in tests."""
    tests, beside = [], Counter()
    for path in sorted(folder.glob("*.xml")):
        environment = path.stem.rpartition("-")[0]
        suite = ElementTree.parse(path).getroot().find("testsuite")
        assert suite is not None
        spent = 0.0
        for case in suite.iter("testcase"):
            if not case.attrib["classname"]:  # a file that is skipped
                continue
            told = {p.attrib["name"]: float(p.attrib["value"]) for p in case.iter("property")}
            name = f"{case.attrib['classname'].replace('.', '/')}::{case.attrib['name']}".removeprefix("tests/")
            seconds = float(case.attrib["time"])
            waited, compiled = told.get("waited", 0.0), told.get("compiled", 0.0)
            keras = max(0.0, seconds - waited - compiled) if "keras" in told else 0.0
            tests.append(
                Test(
                    environment,
                    backend_of(name, environment),
                    name,
                    seconds,
                    waited,
                    compiled,
                    keras,
                    LEFT_OUT in _skipped(case),
                )
            )
            spent += seconds
        beside[environment] += 2 * float(suite.attrib["time"]) - spent  # two workers
    return tests, beside


def _skipped(case: ElementTree.Element) -> str:
    """Return why a test was skipped, if it was."""
    told = case.find("skipped")
    return "" if told is None else told.attrib["message"]


def table(tests: list[Test]) -> None:
    """Print the seconds by folder and backend, of two workers together."""
    print(
        f"{'folder':14} {'backend':12} {'tests':>6} {'seconds':>8} {'waiting':>8} {'compiling':>9} {'beside Keras':>12}"
    )
    rows: dict[tuple[str, str], list[Test]] = {}
    for test in tests:
        rows.setdefault((test.name.partition("/")[0], test.backend), []).append(test)
    for (folder, backend), found in sorted(rows.items(), key=lambda row: -sum(test.seconds for test in row[1])):
        sums = [sum(getattr(test, kind) for test in found) for kind in ("seconds", "waited", "compiled", "keras")]
        print(f"{folder:14} {backend:12} {len(found):6} " + "{:8.1f} {:8.1f} {:9.1f} {:12.1f}".format(*sums))


def too_much(tests: list[Test]) -> list[str]:
    """Return what is wrong with the shares of the folders. Where time was too short for all slices, they say nothing."""
    if any(test.left_out for test in tests):
        return []
    spent: Counter[str] = Counter()
    for test in tests:
        spent[test.name.partition("/")[0]] += test.seconds
    total = sum(spent.values())
    return [
        f"tests/{folder} took {seconds / total:.0%} of the time of all tests; its share is {SHARES.get(folder, 0):.0%}. "
        "Make its tests cheaper, mark them `slow`, or change SHARES in tests/times.py."
        for folder, seconds in spent.items()
        if seconds > SHARES.get(folder, 0) * total
    ]


def main() -> None:
    """Print the tables, or check the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shares", action="store_true")
    told = parser.parse_args()
    tests, beside = read(FOLDER)
    if not tests:
        sys.exit(f"There are no reports in {FOLDER}: run `make test-ci` or `make test-everything` before.")
    if told.shares:
        sys.exit("\n".join(too_much(tests)) or 0)
    table(tests)
    print(
        "\nimports, collection and idle workers: "
        + ", ".join(f"{name} {seconds:.0f}" for name, seconds in beside.items())
    )
    if (FOLDER / "tox.json").exists():
        made = json.loads((FOLDER / "tox.json").read_text())["testenvs"]
        setups = {name: sum(step["elapsed"] for step in env.get("setup", ())) for name, env in made.items()}
        print("set-up of environments: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in setups.items()))
    print(f"\nthe {MOST} slowest tests")
    for test in sorted(tests, key=lambda test: -test.seconds)[:MOST]:
        print(f"{test.seconds:7.1f} {test.environment:12} {test.name}")


if __name__ == "__main__":
    main()
