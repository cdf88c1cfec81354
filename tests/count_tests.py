"""Print what a collection of the tests tells: what goes to a device, which graphs are exchanged with Keras.

`python tests/count_tests.py`, with the options of pytest, as `--backends=torch tests/training`. It runs no test.
"""

from __future__ import annotations

import sys
from collections import Counter

import pytest


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


def graphs() -> None:
    """Print how many random graphs each framework exchanges with Keras; each must come over right, both ways."""
    from saving.test_graph_exchange import ALL, SUFFIXES, _plan

    print(f"\n{'random graphs':<20}{'get_weights':>14}" + "".join(f"{suffix:>14}" for suffix in SUFFIXES))
    for framework in ALL:
        plan = _plan(framework)
        files = Counter(suffix for suffix, _, exchanged in plan if exchanged)
        print(f"{framework:<20}{len(plan):>14}" + "".join(f"{files[suffix]:>14}" for suffix in SUFFIXES))


if __name__ == "__main__":
    code = pytest.main(["--collect-only", "-qqq", "--no-header", *sys.argv[1:]], plugins=[Items()])
    graphs()
    sys.exit(code)
