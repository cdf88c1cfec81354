"""Measure `fit` in one process, without a launcher, beside another revision of polykeras.

    git worktree add ../before 1b554eeb
    python -m benchmarks.distributed.one_worker --before ../before

Processes of the two revisions take turns on one core. A cell has the best times of all turns, in milliseconds a step.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
LABELS = {
    "mlp": "`fit`, MLP 784-256-256-10, batch 64",
    "tiny": "`fit`, one layer of 8, batch 8",
    "on_batch": "`train_on_batch`, one layer of 8",
}


def _best(run: Callable[[], object], steps: int, times: int) -> float:
    """Return the milliseconds a step of the fastest of some runs; the first, which compiles, does not count."""
    found = []
    for _ in range(times + 1):
        begun = time.perf_counter()
        run()
        found.append(1000 * (time.perf_counter() - begun) / steps)
    return min(found[1:])


def measure() -> dict[str, float]:
    """Return the milliseconds a step of each of `LABELS`, of the polykeras that Python finds."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    import numpy as np

    import polykeras as keras

    def model(*sizes: int) -> keras.Model:
        keras.utils.set_random_seed(0)
        made = keras.Sequential([keras.Input(sizes[:1]), *(keras.layers.Dense(n, "relu") for n in sizes[1:])])
        made.compile("adam", "mse")
        return made

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6400, 784)).astype("float32"), rng.normal(size=(6400, 10)).astype("float32")
    small = rng.normal(size=(16_000, 8)).astype("float32")
    large, tiny, single = model(784, 256, 256, 10), model(8, 8), model(8, 8)

    def on_batch() -> None:
        for _ in range(500):
            single.train_on_batch(small[:8], small[:8])

    return {
        "mlp": _best(lambda: large.fit(x, y, batch_size=64, verbose=0), 100, 8),
        "tiny": _best(lambda: tiny.fit(small, small, batch_size=8, verbose=0), 2000, 8),
        "on_batch": _best(on_batch, 500, 5),
    }


def _measured(tree: Path, backend: str) -> dict[str, float]:
    paths = os.pathsep.join([str(tree), str(tree / "backends")])
    environment = os.environ | {"PYTHONPATH": paths, "POLYKERAS_BACKEND": backend, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--measure"]
    done = subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="a checkout of the other revision")
    parser.add_argument("--backends", default="jax,tensorflow,torch")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--measure", action="store_true", help="measure in this process; as the turns are called")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure()))
        return
    if options.before is None:
        parser.error("expected --before and a checkout")
    backends = options.backends.split(",")
    cells: dict[tuple[str, str], str] = {}
    for backend in backends:
        turns = [(_measured(options.before, backend), _measured(ROOT, backend)) for _ in range(options.turns)]
        for name in LABELS:
            before, now = (min(turn[place][name] for turn in turns) for place in (0, 1))
            cells[name, backend] = f"{before:.4f} / {now:.4f} = {now / before:.2f}"
    print(f"| before / now | {' | '.join(backends)} |")
    print("|---|" + "---|" * len(backends))
    for name, label in LABELS.items():
        print(f"| {label} | {' | '.join(cells[name, backend] for backend in backends)} |")


if __name__ == "__main__":
    main()
