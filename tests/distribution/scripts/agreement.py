"""Each worker gives facts, on which the workers agree at first, and then do not; it prints what it was told."""

from __future__ import annotations

import polykeras as keras
from helpers.workers import tell
from polykeras.backend import registry
from polykeras.distribution.agreement import check_agreement, facts_of_process
from polykeras.distribution.connections import current_job


def main() -> None:
    keras.distribution.initialize()
    backend, rank = registry.current(), current_job().rank
    facts = facts_of_process(backend) | {"model": "a model's config, " * 100}
    check_agreement(backend, facts)
    found = []
    others: list[dict[str, str]] = [
        {"batch_size": str(32 + rank)},
        {"model": "a model's config, " * 100 + str(rank)},  # they differ far behind what is shown
        {"callbacks": "EarlyStopping"} if rank == 0 else {},
        {"größe": "ä" * (10 * rank)},  # texts of other lengths
    ]
    for other in others:
        try:
            check_agreement(backend, facts | other)
        except RuntimeError as error:
            found.append(str(error))
    check_agreement(backend, facts)  # the workers are still in step
    tell(rank, found)


main()
