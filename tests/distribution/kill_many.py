"""Kills a run of two workers many times, each time at a random moment, and lets the same command go on.

    python tests/distribution/kill_many.py --backend torch --kills 20

Each time a new run begins, and one worker, drawn at random, gets SIGKILL at a moment that is drawn from the whole length
of the run: while it starts, connects, trains, writes or ends. The other worker must end within `SECONDS` with a message.
Then the same command goes on, and must end with the bits of a run that nobody killed.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1]), str(Path(__file__).parent)]
from test_faults import SCRIPT  # noqa: E402

from helpers.workers import Workers, results_of  # noqa: E402

EPOCHS = "8"
SOON = {"POLYKERAS_WORKER_TIMEOUT": "20"}
SECONDS = 60.0  # twice that time, as PyTorch may try twice to connect, and the start of a process
MESSAGES = (
    "WorkerLost:",
    "another task died",
    "did not find all others",
    "could not connect with the others",
    "KILLED BY SIGNAL",
)


@dataclass
class Kill:
    """What a kill led to.

    Attributes:
        moment: where the run was: "start", "steps" or "over".
        seconds: until the other worker had ended.
        told: the last line that the other worker printed with one of `MESSAGES`; empty if there is none.
        same: whether the same command ended with the bits of a run that nobody killed.
    """

    moment: str
    seconds: float
    told: str
    same: bool


def main() -> None:
    """Kill as the command line says; print a line for each kill and their summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the victims and the moments")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        begun = time.monotonic()
        whole, _ = results_of(SCRIPT, options.backend, 2, ["train", f"{place}/whole", EPOCHS])
        length = time.monotonic() - begun
        print(f"{options.backend}: a run takes {length:.1f} s", flush=True)
        killed: list[Kill] = []
        while len(killed) < options.kills:
            found = _killed(options.backend, Path(tempfile.mkdtemp(dir=place)), draw, length, whole)
            bits = "the same bits" if found.same else "OTHER BITS"
            print(f"at {found.moment}: {found.seconds:.1f} s, {bits}; {found.told or 'NO MESSAGE'}", flush=True)
            if found.moment != "over":
                killed.append(found)
    steps = [kill for kill in killed if kill.moment == "steps"]
    seconds = [kill.seconds for kill in steps]
    told, same = sum(bool(kill.told) for kill in killed), sum(kill.same for kill in killed)
    print(
        f"{options.backend}: {len(killed)} kills, {len(steps)} of them after the first step; the other worker ended "
        f"after {statistics.median(seconds):.1f} s (median), {max(seconds):.1f} s (largest), "
        f"{max(kill.seconds for kill in killed):.1f} s (also at the start); {told} messages; {same} of {len(killed)} "
        "went on to the same bits"
    )
    sys.exit(told < len(killed) or same < len(killed))


def _killed(backend: str, folder: Path, draw: random.Random, length: float, whole: Any) -> Kill:
    """Begin a run in a new folder, kill a worker, let the same command go on."""
    victim, moment = draw.randrange(2), draw.uniform(0, length)
    written = folder / f"process_{victim}"
    with Workers(SCRIPT, backend, 2, ["train", str(folder), EPOCHS], SOON) as workers:
        time.sleep(moment)
        if len(workers.processes) == 1:  # a launcher, which does not tell its processes
            while not written.exists():
                time.sleep(0.02)
        where = "steps" if written.exists() else "start"
        if len(workers.processes) == 1:
            os.kill(int(written.read_text()), signal.SIGKILL)
        else:
            workers.kill(victim)
        begun = time.monotonic()
        if 0 in workers.wait(SECONDS):
            where = "over"  # the other worker needed nothing more
        seconds = time.monotonic() - begun
        lines = workers.output(1 - victim if len(workers.processes) > 1 else 0).splitlines()
    told = [line for line in lines if any(message in line for message in MESSAGES)]
    first, second = results_of(SCRIPT, backend, 2, ["train", str(folder), EPOCHS])
    return Kill(where, seconds, told[-1] if told else "", first == second == whole)


main()
