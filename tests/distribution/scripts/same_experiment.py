"""Trains the models of `experiments.py`, shared between the workers; worker 0 prints the histories."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from experiments import EXPERIMENTS, run

import polykeras as keras
from helpers.workers import tell


def main() -> None:
    keras.distribution.initialize()
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    tell(keras.distribution.distribution().data_shard_id, {name: run(name) for name in sys.argv[1:] or EXPERIMENTS})


main()
