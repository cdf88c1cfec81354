"""How times are taken: all sections use these, so that the same words mean the same statistic."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import numpy as np

LOOPS = 5


def seconds_of(function: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def median_seconds(function: Callable[[], Any], runs: int, warm_up: int = 1, at_least: float = 0.0) -> float:
    """Return the seconds that a call takes, the median of `runs` after some that do not count.

    There are more of them where they take less than `at_least` seconds together.
    """
    for _ in range(warm_up):
        function()
    times: list[float] = []
    while len(times) < runs or sum(times) < at_least:
        times.append(seconds_of(function))
    return median(times)


def seconds_a_call(function: Callable[[], Any], calls: int, most_seconds: float = 20.0, warm_up: int = 10) -> float:
    """Return the seconds that a call takes in a Python loop, the median of `LOOPS` loops.

    Args:
        function: what is called; what its last call returns is waited for within each loop.
        calls: how many in all loops together.
        most_seconds: the loops together stop after about so many, however many calls were made.
        warm_up: calls before that do not count.
    """
    for _ in range(warm_up):
        on_host(function())
    return median(_loop(function, calls // LOOPS, most_seconds / LOOPS) for _ in range(LOOPS))


def _loop(function: Callable[[], Any], calls: int, most_seconds: float) -> float:
    begin = time.perf_counter()
    result: Any = None
    done = 0
    while done < calls and time.perf_counter() - begin < most_seconds:
        result = function()
        done += 1
    on_host(result)  # what is under way belongs to the time
    return (time.perf_counter() - begin) / done


def on_host(result: Any) -> np.ndarray:
    """Return an array of any framework, or the first of a list of them, as NumPy's: it is computed then."""
    result = result[0] if isinstance(result, list | tuple) else result
    return np.asarray(result.detach() if hasattr(result, "detach") else result)


def in_turn(functions: Mapping[str, Callable[[], Any]], runs: int, warm_up: int = 1) -> list[dict[str, float]]:
    """Return the seconds of each function in each of `runs` rounds.

    Each round has an order of its own, drawn from the same seed in all processes: who comes after another one may find
    its caches.
    """
    for function in functions.values():
        for _ in range(warm_up):
            function()
    rng = random.Random(0)
    orders = [rng.sample(list(functions), len(functions)) for _ in range(runs)]
    return [{name: seconds_of(functions[name]) for name in order} for order in orders]


def medians(times: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each function over the rounds of `in_turn`."""
    return {name: median(run[name] for run in times) for name in times[0]}


def percent_over(times: list[dict[str, float]], base: str, *alike: str) -> dict[str, float]:
    """Return how much longer than `base` the others take in rounds of `in_turn`, in percent; medians over the rounds.

    Where others are like the base, how much longer these take tells how far to trust the rest, which is held against
    the mean of all: a step is 1 or 2 % longer or shorter by where a model's arrays lie in memory.
    """

    def over(name: str) -> float:
        bases = [base] if name in alike else [base, *alike]
        return 100 * median(run[name] * len(bases) / sum(run[other] for other in bases) - 1 for run in times)

    return {name: over(name) for name in times[0] if name != base}
