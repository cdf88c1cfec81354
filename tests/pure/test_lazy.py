"""Families of layers that are loaded when they are first named."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from polykeras import layers
from polykeras.layers.base.layer import LAYERS


@pytest.mark.parametrize("path", sorted(set(layers.LATER.values())))
def test_the_names_of_a_family_are_those_that_its_package_lists(path: str) -> None:
    assert sorted(import_module(path).__all__) == sorted(name for name, place in layers.LATER.items() if place == path)


@pytest.mark.parametrize("name", sorted(layers.LATER))
def test_each_is_found_by_name(name: str) -> None:
    assert getattr(layers, name) is getattr(import_module(layers.LATER[name]), name)
    assert name in dir(layers)
    if isinstance(getattr(layers, name), type):
        assert LAYERS.find(name) is getattr(layers, name)


def test_nothing_of_them_is_loaded_with_the_package() -> None:
    loaded = f"[m for m in {sorted(set(layers.LATER.values()))} if m in sys.modules]"
    code = f"import sys; import polykeras; assert not {loaded}, {loaded}; polykeras.layers.Rescaling(2.0)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_config_loads_them() -> None:
    config = "{'class_name': 'Rescaling', 'config': {'scale': 0.5}}"
    code = f"import polykeras; assert polykeras.layers.deserialize({config}).scale == 0.5"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_names_are_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Dens'"):
        layers.Dens  # noqa: B018
