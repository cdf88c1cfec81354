"""XLA's programs as text, which two frameworks give."""

from __future__ import annotations

import re

_PLACES = re.compile(
    r", metadata=\{(?:[^{}\"]|\"[^\"]*\")*\}"  # of an instruction
    r"|, stack_frame_id=\d+"
    r"|^(?:FileNames|FunctionNames|FileLocations|StackFrames)\n(?:\d+ .*\n)*\n*",  # tables, which those refer to
    re.MULTILINE,
)


def without_places(text: str) -> str:
    """Return HLO without the places in Python's code that it says each instruction comes from: most of the text."""
    return _PLACES.sub("", text)
