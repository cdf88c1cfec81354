"""Programs that try to make what is compiled on PyTorch go wrong; see `harness`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from adversarial.harness import Entry, Programs

PROGRAMS = Programs("PyTorch", refusal="runs as plain Python")

X = torch.linspace(-1.0, 1.0, 12).reshape(4, 3)
Y = torch.linspace(0.5, 2.0, 12).reshape(4, 3)


# ---- global state ----------------------------------------------------------------------------------------------------

STATE = "global state"


@PROGRAMS.add(STATE, "autocast: compiled within, called without", "equal")
def autocast_then_plain(compiled: Entry) -> Iterator[Any]:
    multiply = compiled(lambda x: (x @ x.T).float())
    with torch.autocast("cpu", torch.bfloat16):
        yield multiply(X)
    yield multiply(X)
