"""Run many programs, and count what differs: `PYTHONPATH=tests:. python -m differential.programs.survey torch --programs 2000`."""

from __future__ import annotations

import argparse
import json
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from differential.programs.machine import Programs
from differential.programs.opponents import Pair, Side, Tolerance
from differential.programs.randomness import UNIFORM

CHUNK = 20
BESIDE_KERAS = Tolerance(1e-3, 1e-4)
BESIDE_NUMPY = Tolerance(1e-4, 2e-5, arrays=True)
COARSE = {"mixed_bfloat16": 0.1, "mixed_float16": 0.02}
"""How far numbers of policies with few bits may be apart: what is seen then are names, order, types, dtypes and errors."""


def pair_of(framework: str, beside: str, policy: str = "float32") -> Pair:
    """Return polykeras on a framework, beside Keras on it or beside polykeras on numpy, under a policy of dtypes."""
    left = ("keras", framework) if beside == "keras" else ("polykeras", "numpy")
    tolerance = BESIDE_KERAS if beside == "keras" else BESIDE_NUMPY
    if policy in COARSE:
        tolerance = tolerance._replace(relative=COARSE[policy], absolute=COARSE[policy])
    return Pair(Side(*left, policy), Side("polykeras", framework, policy), tolerance)


class Survey(NamedTuple):
    """How many programs ran, and those that differ, with what differs."""

    programs: int
    found: list[tuple[list[Any], str]]


def machine_of(pair: Pair, number: int, found: list[tuple[list[Any], str]] | None) -> type[Programs]:
    """Return a machine that writes programs from a seed; see `Programs` for `found`."""

    @seed(number)
    class Machine(Programs):
        pass

    Machine.pair, Machine.found = pair, found
    library, framework = pair.sides[0].name.split(" on ")
    Machine.keras = framework if library == "keras" else ""
    return Machine


def run(machine: type[Programs], programs: int) -> None:
    """Run programs; if the machine keeps none that differ, the first one fails, in its shortest form."""
    given = settings(
        max_examples=programs,
        stateful_step_count=10,
        deadline=None,
        database=None,
        backend=UNIFORM,
        phases=(Phase.generate,) if machine.found is not None else (Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_state_machine_as_test(machine, settings=given)


def survey(pair: Pair, programs: int, number: int) -> Survey:
    """Run programs from a seed, also after some that differ."""
    found: list[tuple[list[Any], str]] = []
    begun = place = 0
    while begun < programs:
        machine = machine_of(pair, 1000 * number + place, found)
        run(machine, min(CHUNK, programs - begun))
        begun, place = begun + machine.begun, place + 1
    return Survey(begun, found)


def main() -> None:
    """Print how many programs agree, which calls they made, and what differs, most frequent first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("framework", choices=("torch", "jax", "tensorflow"))
    parser.add_argument("--beside", choices=("keras", "numpy"), default="keras")
    parser.add_argument("--policy", default="float32", help="of dtypes, for instance mixed_bfloat16")
    parser.add_argument("--programs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shrink", action="store_true", help="end at the first that differs, in its shortest form")
    parser.add_argument("--keep", type=Path, help="a file for the programs that differ")
    told = parser.parse_args()
    with pair_of(told.framework, told.beside, told.policy) as pair:
        if told.shrink:
            run(machine_of(pair, told.seed, None), told.programs)
            return
        programs, found = survey(pair, told.programs, told.seed)
        calls = ", ".join(f"{count} {what}" for what, count in pair.counts.most_common())
    print(f"{programs - len(found)} of {programs} programs agree (seed {told.seed})")
    print(f"calls: {calls}")
    kinds = Counter(re.sub(r"\d+", "#", differs.split("\n")[1])[:150] for _, differs in found)
    for kind, count in kinds.most_common():
        print(f"{count:5} {kind}")
    if told.keep:
        told.keep.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
