"""Print what a collection of the tests tells: what goes to a device, which graphs are exchanged with Keras, what slices take.

`python tests/count_tests.py`, with the options of pytest, as `--backends=torch tests/training`. It runs no test. With `--commits 10` before
them, it prints which part of the cases is in the slices of the last ten commits.
"""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from helpers import slices


class Items:
    """Counts the tests that pytest collects, by folder."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        folders: dict[str, Counter[str]] = {}
        for item in session.items:
            folder = item.path.relative_to(session.config.rootpath).parts[1]
            if item.get_closest_marker("cpu_only"):
                kind = "cpu_only"
            else:
                kind = "device" if "backend" in getattr(item, "fixturenames", ()) else "other"
            for row in (folder, "all"):
                folders.setdefault(row, Counter())[kind] += 1
        print(f"\n{'tests':<20}{'on --device':>14}{'cpu_only':>14}{'no device':>14}")
        for row in sorted(folders, key=lambda row: (row == "all", row)):
            print(f"{row:<20}{folders[row]['device']:>14}{folders[row]['cpu_only']:>14}{folders[row]['other']:>14}")


class Commits:
    """Prints for each of the last commits its slice, and the share of all cases in its slice and those of the commits before it.

    Args:
        count: of commits.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        covered: set[str] = set()
        print(f"{'commits back':>12}{'slice':>8}{'cases':>8}{'covered':>10}")
        for before in reversed(range(self._count)):
            slice_ = slices.slice_of_commit(f"HEAD~{before}")
            whole, sliced = slices.split(session.items)
            cases = [*whole, *(item for item in sliced if slices.in_slice(slices.name_of(item), slice_))]
            covered |= {item.nodeid for item in cases}
            print(f"{before:12}{slice_:>8}{len(cases):8}{len(covered) / len(session.items):10.1%}")


def graphs() -> None:
    """Print how many random graphs each framework exchanges with Keras; each must come over right, both ways."""
    from saving.test_graph_exchange import ALL, SUFFIXES, _plan

    print(f"\n{'random graphs':<20}{'get_weights':>14}" + "".join(f"{suffix:>14}" for suffix in SUFFIXES))
    for framework in ALL:
        plan = _plan(framework)
        files = Counter(suffix for suffix, _ in plan)
        print(f"{framework:<20}{len(plan):>14}" + "".join(f"{files[suffix]:>14}" for suffix in SUFFIXES))


if __name__ == "__main__":
    options = ["--collect-only", "-qqqq", "--no-header"]
    if sys.argv[1:2] == ["--commits"]:
        sys.exit(pytest.main([*options, *sys.argv[3:]], plugins=[Commits(int(sys.argv[2]))]))
    code = pytest.main([*options, *sys.argv[1:]], plugins=[Items()])
    graphs()
    sys.exit(code)
