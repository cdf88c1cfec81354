"""Workers that end at other times, or one of them by an error while the other one waits for it."""

from __future__ import annotations

import sys
import time

import polykeras as keras
from polykeras.backend import registry
from polykeras.distribution.connections import current_job


def main(how: str) -> None:
    keras.distribution.initialize()
    rank = current_job().rank
    registry.current().barrier()
    if how == f"late {rank}":
        time.sleep(2)
    if how == f"error {rank}":
        raise ValueError("a mistake")
    if how.startswith("error"):
        registry.current().barrier()


main(sys.argv[1])
