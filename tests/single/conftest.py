"""What the tests of one backend share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from polykeras.backend import use_backend


@pytest.fixture
def on_tensorflow() -> Iterator[Any]:
    with use_backend("tensorflow") as backend:
        yield backend


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail where TensorFlow logs a warning, of retracing for instance."""
    with caplog.at_level(logging.WARNING, logger="tensorflow"):
        yield
    assert [record.getMessage() for record in caplog.records] == []
