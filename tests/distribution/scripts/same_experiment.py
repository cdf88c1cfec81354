"""Trains the models of `experiments.py`, shared between the workers; worker 0 prints the histories."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from collectives_job import job
from experiments import EXPERIMENTS, run

from helpers.workers import tell
from polykeras.backend import registry
from polykeras.training.parallel.share import DataParallelism, share_batches


def main() -> None:
    backend = registry.current()
    here = job()
    if here.size > 1:
        backend.connect(here)
        share_batches(DataParallelism(lambda _: here))
    tell(here.rank, {name: run(name) for name in sys.argv[1:] or EXPERIMENTS})


main()
