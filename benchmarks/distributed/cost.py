"""The model of cost: how long a step takes on several workers, and how often a run should be backed up.

A step of data parallelism computes a worker's rows, waits for the slowest worker, and adds the gradients of all up. The
parts follow one another; nothing overlaps. Between two chunks of steps, the workers agree on the length of the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

CHUNK = 0.1  # seconds of a chunk of steps, about


@dataclass(frozen=True)
class Link:
    """What a sum over workers takes: `latency + size * seconds_a_byte`.

    Attributes:
        latency: seconds of a sum of nothing.
        seconds_a_byte: of the array that is summed, not of what travels.
    """

    latency: float
    seconds_a_byte: float

    def seconds(self, size: float) -> float:
        """Return the seconds of the sum of an array of `size` bytes."""
        return self.latency + size * self.seconds_a_byte

    @property
    def bytes_a_second(self) -> float:
        """The bytes of an array that are summed in a second, without the latency."""
        return 1 / self.seconds_a_byte


def fitted_link(seconds: Mapping[int, float]) -> Link:
    """Return the line through measured times by size in bytes, by least squares of relative errors."""
    sizes, times = np.array(list(seconds)), np.array(list(seconds.values()))
    terms = np.stack([np.ones_like(times), sizes], 1) / times[:, None]
    latency, slope = np.linalg.lstsq(terms, np.ones_like(times), rcond=None)[0]
    return Link(max(float(latency), 0.0), max(float(slope), 1e-15))


def ring(hop: float, bytes_a_second: float, workers: int) -> Link:
    """Return what a sum takes along a ring, in which each worker sends to the next one.

    An array goes around twice, in `workers` parts: as sums of parts, and as their results. (Patarasuk and Yuan 2009)

    Args:
        hop: seconds until a small message is at the next worker.
        bytes_a_second: what a worker sends in a second.
        workers: their number.
    """
    return Link(2 * (workers - 1) * hop, 2 * (workers - 1) / workers / bytes_a_second)


def tree(hop: float, bytes_a_second: float, workers: int) -> Link:
    """Return what a sum takes along two trees, as NCCL does for many nodes: the latency grows with the logarithm."""
    return Link(2 * math.ceil(math.log2(workers)) * hop, 2 * (workers - 1) / workers / bytes_a_second)


def both(inner: Link, outer: Link, parts: int) -> Link:
    """Return a sum over machines of `parts` workers each: within each machine, and of parts of it between machines."""
    return Link(inner.latency + outer.latency, inner.seconds_a_byte + outer.seconds_a_byte / parts)


def waiting(spread: float, workers: int) -> float:
    """Return how many times as long as the mean the slowest of several workers takes.

    Times are taken as independent and normal, with the relative standard deviation `spread`.
    """
    return 1.0 if workers == 1 else 1 + spread * _expected_maximum(workers)


def _expected_maximum(count: int) -> float:
    """Return the expected maximum of so many standard normal numbers, by Blom's formula."""
    return NormalDist().inv_cdf((count - 0.375) / (count + 0.25))


def step_seconds(
    compute: float, size: float, link: Link, *, slowest: float = 1.0, agreement: float = 0.0, hidden: float = 0.0
) -> float:
    """Return the seconds of a step.

    Args:
        compute: seconds for the rows of a worker.
        size: bytes of the gradients.
        link: what their sum takes.
        slowest: the factor of `waiting`.
        agreement: seconds of the agreement between two chunks.
        hidden: the seconds of the sum that pass while gradients are computed. 0 here; others overlap the two.
    """
    step = compute * slowest + max(link.seconds(size) - hidden, 0.0)
    return step * (1 + agreement / max(CHUNK, step))


# ---- failures --------------------------------------------------------------------------------------------------------


def young(backup: float, failures: float) -> float:
    """Return the best time between two backups by Young (1974), first order.

    Args:
        backup: seconds that training stands still for a backup.
        failures: mean seconds between two failures of the run.
    """
    return math.sqrt(2 * backup * failures)


def daly(backup: float, failures: float) -> float:
    """Return the best time of computing between two backups by Daly (2006), equation 37. See `young`."""
    if backup >= 2 * failures:
        return failures
    root = math.sqrt(backup / (2 * failures))
    return math.sqrt(2 * backup * failures) * (1 + root / 3 + root**2 / 9) - backup


def useful(backup: float, restart: float, failures: float, interval: float) -> float:
    """Return the share of time in which training makes progress that lasts, by Daly's complete model.

    Args:
        backup: seconds of a backup.
        restart: seconds from a failure until steps run again.
        failures: mean seconds between two failures; these come independently of one another.
        interval: seconds of computing between two backups.
    """
    expected = failures * math.exp(restart / failures) * math.expm1((interval + backup) / failures)
    return interval / expected
