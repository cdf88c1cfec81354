"""Each test of training starts from the same seeds and names, whatever ran before it."""

from __future__ import annotations

import pytest

from polykeras.common.naming import reset_names
from polykeras.random import set_random_seed


@pytest.fixture(autouse=True)
def same_start() -> None:
    set_random_seed(0)
    reset_names()
