"""`H5IOStore`, Keras's private class for arrays in groups, with which libraries write files of their own."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
import pytest

from polykeras import ops
from polykeras.as_keras.files import H5IOStore
from polykeras.backend import Backend
from polykeras.variables import Variable


@pytest.mark.parametrize("in_memory", [False, True])
def test_arrays_come_back(backend: Backend, tmp_path: Path, in_memory: bool) -> None:
    place = io.BytesIO() if in_memory else tmp_path / "few.lora.h5"
    store = H5IOStore(place, mode="w")
    store.make("lora")["rank"] = 4
    weights = store.make("lora/0")
    weights["a"], weights["b"] = Variable(np.ones((2, 3))), ops.zeros((3,), "bfloat16")
    store.close()
    with h5py.File(place, "r") as file:  # as Keras lays it out
        assert file["lora/vars/rank"][()] == 4
        assert file["lora/0/vars/a"].shape == (2, 3)
    store = H5IOStore(place, mode="r")
    assert int(store.get("lora")["rank"][()]) == 4
    found = store.get("lora/0")
    np.testing.assert_array_equal(found["a"], 1.0)
    assert found["b"].dtype == "bfloat16"
    Variable(np.zeros((2, 3))).assign(found["a"])
    assert store.get("lora/1") == {}
    with pytest.raises(ValueError, match="takes no arrays"):
        store.make("lora")
    store.close()


def test_modes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be 'r' or 'w'"):
        H5IOStore(tmp_path / "x.h5", mode="a")
    with pytest.raises(ValueError, match="cannot be read"):
        H5IOStore(tmp_path / "x.h5", mode="w").get("x")
