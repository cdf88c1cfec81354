"""Seeds: their kinds, copies, and where everything begins again."""

from __future__ import annotations

import copy
import os
import random as python_random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras
from helpers import assert_parity
from polykeras import ops, random
from polykeras.backend import Backend, Provider, registry, use_backend


@pytest.fixture
def on_numpy() -> Iterator[Backend]:
    with use_backend("numpy") as backend:
        yield backend


def test_kinds_of_seeds(backend: Backend) -> None:
    generator = random.SeedGenerator(7)
    first, second, fixed, again = (
        backend.to_numpy(random.normal((8,), seed=seed)) for seed in (generator, generator, 7, 7)
    )
    assert_parity(fixed, again)
    assert_parity(first, fixed, what="an int is the generator's first key")
    assert not np.array_equal(first, second)
    assert not np.array_equal(backend.to_numpy(random.normal((8,))), backend.to_numpy(random.normal((8,))))
    negative, wrapped = (backend.to_numpy(random.normal((8,), seed=seed)) for seed in (-1, 2**64 - 1))
    assert_parity(negative, wrapped)


def test_a_generator_is_rebuilt_and_copied(on_numpy: Backend) -> None:
    generator = random.SeedGenerator(5, name="mine")
    assert random.SeedGenerator.from_config(generator.get_config()).get_config() == {"seed": 5, "name": "mine"}
    generator.next()
    twin = copy.deepcopy(generator)
    np.testing.assert_array_equal(twin.next(), generator.next())
    assert not np.array_equal(random.SeedGenerator().state.numpy(), random.SeedGenerator().state.numpy())


def everything() -> list[Any]:
    backend = registry.current()
    return [
        backend.to_numpy(random.uniform((3,))).tolist(),
        random.draw_seed(),
        random.host_generator().random(),
        random.SeedGenerator().state.numpy().tolist(),
        python_random.random(),
        float(np.random.random()),
    ]


def test_set_random_seed_begins_everything_again(backend: Backend) -> None:
    polykeras.random.set_random_seed(11)
    first = everything()
    assert everything() != first
    polykeras.random.set_random_seed(11)
    assert everything() == first
    polykeras.random.set_random_seed(12)
    assert all(a != b for a, b in zip(everything(), first, strict=True))


def test_a_seed_means_the_same_in_every_process(on_numpy: Backend) -> None:
    polykeras.random.set_random_seed(5)
    x = ops.convert_to_numpy(random.uniform((2,))).tolist()
    here = [random.draw_seed(), x, random.host_generator().random()]
    code = (
        "from polykeras import ops, random; from polykeras.backend import set_backend; set_backend('numpy'); "
        "random.set_random_seed(5); x = ops.convert_to_numpy(random.uniform((2,))).tolist(); "
        "print([random.draw_seed(), x, random.host_generator().random()])"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert there.stdout.strip() == repr(here)


@pytest.mark.parametrize("first", ["draw_seed", "uniform"])
def test_the_config_file_may_hold_a_seed(tmp_path: Path, on_numpy: Backend, first: str) -> None:
    (tmp_path / "polykeras.json").write_text('{"seed": 5, "backend": "numpy"}', encoding="utf-8")
    code = (
        "from polykeras import ops, random; "
        "actions = {'draw_seed': random.draw_seed, 'uniform': lambda: ops.convert_to_numpy(random.uniform((2,))).tolist()}; "
        f"a = actions.pop({first!r})(); (b,) = [action() for action in actions.values()]; "
        "random.set_random_seed(6); print([a, b, random.draw_seed()])"
    )
    environment = os.environ | {"POLYKERAS_HOME": str(tmp_path)}
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120, env=environment
    )
    random.set_random_seed(5)
    seed, numbers = random.draw_seed(), ops.convert_to_numpy(random.uniform((2,))).tolist()
    here = [seed, numbers] if first == "draw_seed" else [numbers, seed]
    random.set_random_seed(6)  # what a program says counts for more
    assert there.stdout.strip() == repr([*here, random.draw_seed()])


def test_host_generators(on_numpy: Backend) -> None:
    assert random.host_generator(3).random() == random.host_generator(3).random()
    generator = random.SeedGenerator(3)
    assert random.host_generator(generator).random() != random.host_generator(generator).random()
    assert generator.state.numpy()[2] == 2
    assert random.host_generator(3).integers(1 << 30, size=2).tolist() == PINNED_HOST


PINNED_HOST = [705734705, 48633135]


def test_a_framework_that_is_loaded_later_is_seeded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    class Late(type(registry.load("numpy"))):  # type: ignore[misc]
        name = "late"

    known = {**registry.providers(), "late": Provider(None, Late, seed=seeds.append)}  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "providers", lambda: known)
    monkeypatch.setattr(registry, "_loaded", dict(registry._loaded))
    polykeras.random.set_random_seed(21)
    assert seeds == []
    registry.load("late")
    assert seeds == [21]
    registry.load("late")
    assert seeds == [21]
    polykeras.random.set_random_seed(22)
    assert seeds == [21, 22]
