"""The model of cost of `benchmarks.distributed`, and the page that is made with it. Nothing is timed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.distributed import scale
from benchmarks.distributed.cost import (
    Link,
    both,
    daly,
    fitted_link,
    ring,
    step_seconds,
    tree,
    useful,
    waiting,
    young,
)
from benchmarks.distributed.tables import TABLES, replaced

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("failures", "best"), [(24 * 60, 117), (6 * 60, 57), (15, 9.1)])
def test_time_between_backups_is_that_of_dalys_examples(failures: float, best: float) -> None:
    # Figures 3 to 5 of Daly (2006): a backup takes five minutes.
    assert daly(5, failures) == pytest.approx(best, rel=0.01)
    assert daly(5, failures) < young(5, failures)


def test_no_other_time_between_backups_is_much_better() -> None:
    backup, restart, failures = 60.0, 300.0, 22000.0
    shares = {interval: useful(backup, restart, failures, interval) for interval in np.arange(300.0, 5000.0, 5.0)}
    best = max(shares, key=lambda interval: shares[interval])
    assert daly(backup, failures) == pytest.approx(best, rel=0.02)


def test_backups_are_as_rare_as_failures_if_they_take_longer_than_those_are_apart() -> None:
    assert daly(100.0, 40.0) == 40.0


def test_a_line_through_times_of_sums() -> None:
    link = Link(2e-4, 3e-9)
    found = fitted_link({size: link.seconds(size) for size in (4, 4096, 2**20)})
    assert found.latency == pytest.approx(link.latency)
    assert found.bytes_a_second == pytest.approx(1 / 3e-9)


def test_the_slowest_of_many() -> None:
    draws = np.random.default_rng(0).normal(1.0, 0.05, (20000, 64)).max(1).mean()
    assert waiting(0.05, 64) == pytest.approx(draws, rel=2e-3)
    assert waiting(0.05, 1) == 1.0


def test_a_ring_sends_each_byte_nearly_twice() -> None:
    assert ring(1e-6, 1e9, 2) == Link(2e-6, 1e-9)
    assert ring(1e-6, 1e9, 1000).seconds_a_byte == pytest.approx(2e-9, rel=1e-2)
    assert tree(1e-6, 1e9, 1000).latency == pytest.approx(20e-6)
    assert both(Link(1.0, 8.0), Link(2.0, 16.0), 8) == Link(3.0, 10.0)


def test_a_sum_can_hide_behind_computing_but_not_make_it_shorter() -> None:
    link = Link(1.0, 1.0)
    assert step_seconds(10.0, 4.0, link) == 15.0
    assert step_seconds(10.0, 4.0, link, hidden=2.0) == 13.0
    assert step_seconds(10.0, 4.0, link, hidden=50.0) == 10.0
    assert step_seconds(10.0, 4.0, link, slowest=1.5) == 20.0
    assert step_seconds(0.01, 0.0, Link(0.0, 1.0), agreement=0.01) == pytest.approx(0.011)  # one in ten steps


def test_more_machines_are_never_more_efficient() -> None:
    for model in scale.MODELS:
        node, *_, last = (scale.efficiency(model, cluster) for cluster in scale.CLUSTERS[:3])
        assert 1 > node > last > 0


def test_the_page_is_made_of_the_measurements() -> None:
    path = ROOT / "docs" / "scale.md"
    text = path.read_text(encoding="utf-8")
    for name in TABLES:
        assert f"<!-- table {name} -->" in text
    measured = json.loads((ROOT / "docs" / "measurements_distributed.json").read_text(encoding="utf-8"))
    command = "python -m benchmarks.distributed --from docs/measurements_distributed.json --docs docs/scale.md"
    assert replaced(text, measured) == text, f"the tables are old: {command} writes them anew"
