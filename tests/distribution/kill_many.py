"""Kills a run of two workers many times at random moments, and compares its end with that of a run that was not killed.

    python tests/distribution/kill_many.py --backend torch --kills 20

Each time one worker, drawn at random, gets SIGKILL. The other one must end within `test_faults.SECONDS` with a message.
Then the same command goes on. The end must have the same bits.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1]), str(Path(__file__).parent)]
from test_faults import SCRIPT, SECONDS, SOON  # noqa: E402

from helpers.workers import Workers, results_of  # noqa: E402

EPOCHS = "12"


def main() -> None:
    """Kill as the command line says; print a line for each kill and the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        whole, _ = results_of(SCRIPT, options.backend, 2, ["train", f"{place}/whole", EPOCHS])
        slowest, told, ended = 0.0, 0, 0
        for kill in range(options.kills):
            seconds, message, done = _killed(options.backend, Path(place) / "killed", draw)
            slowest, told, ended = max(slowest, seconds), told + message, ended + done
            print(
                f"kill {kill + 1}: the other worker ended after {seconds:.1f} s{', with a message' if message else ''}"
            )
        first, second = results_of(SCRIPT, options.backend, 2, ["train", f"{place}/killed", EPOCHS])
    print(
        f"{options.backend}: {options.kills} kills ({ended} after the last step), slowest end {slowest:.1f} s, {told} messages"
    )
    print("the same bits as without kills:", first == second == whole)
    sys.exit(first != whole or second != whole)


def _killed(backend: str, folder: Path, draw: random.Random) -> tuple[float, bool, bool]:
    """Start the run, kill a worker; return how long the other one took to end, whether it told why, and if it was over."""
    victim = draw.randrange(2)
    written = folder / f"process_{victim}"
    written.unlink(missing_ok=True)
    with Workers(SCRIPT, backend, 2, ["train", str(folder), EPOCHS], SOON) as workers:
        while not written.exists() and all(process.poll() is None for process in workers.processes):
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 0.6))
        over = any(process.poll() is not None for process in workers.processes)
        if not over:
            os.kill(int(written.read_text()), signal.SIGKILL)
        begun = time.monotonic()
        workers.wait(SECONDS)
        other = workers.output(0 if backend == "numpy" else 1 - victim)
        return time.monotonic() - begun, "WorkerLost" in other or "KILLED BY SIGNAL" in other, over


main()
