"""XLA programs as text, for the two frameworks that use XLA."""

from __future__ import annotations

import re

_PLACES = re.compile(
    r", metadata=\{(?:[^{}\"]|\"[^\"]*\")*\}"  # the metadata of an instruction
    r"|, stack_frame_id=\d+"
    r"|^(?:FileNames|FunctionNames|FileLocations|StackFrames)\n(?:\d+ .*\n)*\n*",  # tables that the metadata refer to
    re.MULTILINE,
)


def without_places(text: str) -> str:
    """Return HLO without the Python source locations of its instructions, which are most of the text."""
    return _PLACES.sub("", text)
