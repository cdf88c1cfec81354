"""Prints how many recorded cases are compared, by family and backend: `PYTHONPATH=tests:. python -m recorded.counts`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from helpers.runner import ONE_FUNCTION
from recorded import ops
from recorded.store import FOLDER, read

BACKENDS = ("numpy", "jax", "torch", "tensorflow")


def ops_compared(names: list[str], backend: str) -> list[str]:
    """Return the calls of one op that are compared: without those, where each op is compiled, that other tests hold."""
    kept = [name for name in names if not (backend in ONE_FUNCTION and ops.TABLE[name].held)]
    return kept or names[-1:]


def compared(family: str, backend: str) -> int:
    """Return how many cases of a family are compared on a backend."""
    cases = read(family).cases
    if family != "ops":
        return len(cases)
    by_op: dict[str, list[str]] = defaultdict(list)
    for name in cases:
        by_op[ops.TABLE[name].op].append(name)
    return sum(len(ops_compared(names, backend)) for names in by_op.values())


def table() -> Iterator[str]:
    """Give the lines of the table."""
    yield f"| family | recorded | {' | '.join(BACKENDS)} | left out |"
    yield f"|---|{'---:|' * (len(BACKENDS) + 2)}"
    for family in sorted(path.stem for path in FOLDER.glob("*.json")):
        records = read(family)
        counts = " | ".join(str(compared(family, backend)) for backend in BACKENDS)
        yield f"| {family} | {len(records.cases)} | {counts} | {len(records.left_out)} |"


if __name__ == "__main__":
    print("\n".join(table()))
