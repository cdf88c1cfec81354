"""What the tests of one backend share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from polykeras.backend import use_backend


@pytest.fixture
def on_tensorflow() -> Iterator[Any]:
    with use_backend("tensorflow") as backend:
        yield backend
