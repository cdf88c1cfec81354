"""Which versions are supported is said in several places, and the same in all of them."""

from __future__ import annotations

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from polykeras.backend import registry

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TESTED: dict[str, list[str]] = PROJECT["tool"]["polykeras"]["tested"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
FLOORS = {"pure": ["dependencies", "files"], "jax": ["jax"], "torch": ["torch"], "tensorflow": ["tensorflow-cpu"]}


def floors(requirements: list[str]) -> dict[str, str]:
    """Return the lowest version that each requirement allows, by the name of its package."""
    here = [requirement for requirement in requirements if "== 'darwin'" not in requirement]
    found = [re.match(r"([\w.-]+)>=([\d.]+)", requirement) for requirement in here]
    return {match[1]: match[2] for match in found if match}


def covers(tested: str, version: str) -> bool:
    """Return whether a release stands for a version: `2.6` for 2.6 and 2.6.1."""
    return f"{version}.".startswith(f"{tested}.")


@pytest.mark.parametrize("name", [name for name in TESTED if name != "python"])
def test_providers_say_what_the_project_says(name: str) -> None:
    assert registry.providers()[name].tested == tuple(TESTED[name])


def test_extras_begin_with_the_oldest_release_that_was_tested() -> None:
    allowed = floors(PROJECT["project"]["dependencies"])
    for name in ("jax", "torch", "tensorflow"):
        allowed |= floors(EXTRAS[name])
    for name, (oldest, _) in TESTED.items():
        assert name == "python" or covers(oldest, allowed[name]), name
    assert all(one.partition(";")[0].endswith(f">={allowed['tensorflow']}") for one in EXTRAS["tensorflow-cpu"])


def test_pythons_are_those_that_were_tested() -> None:
    oldest, newest = TESTED["python"]
    assert PROJECT["project"]["requires-python"] == f">={oldest}"
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert (named[0], named[-1]) == (oldest, newest)


@pytest.mark.parametrize("name", FLOORS)
def test_the_floors_environments_pin_the_lowest_versions(name: str) -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    lines = tox["testenv:floors-{pure,jax,torch,tensorflow}"]["deps"].split("\n")
    pins: dict[str, str] = {}
    for factor, _, requirement in (line.rpartition(": ") for line in lines if line):
        if factor in ("", name):
            package, version = re.split(r"==", requirement)
            pins[package] = version
    lowest = floors(PROJECT["project"]["dependencies"]) | floors(EXTRAS["files"])
    for extra in FLOORS[name]:
        lowest |= floors(EXTRAS.get(extra, []))
    assert pins.keys() == lowest.keys()
    for package, version in pins.items():
        assert covers(lowest[package], version) or (name == "jax" and package == "ml_dtypes"), package
