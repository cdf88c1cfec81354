"""Limits on what a file may ask for, and JSON within these limits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from polykeras.saving.errors import SavedFileError, reading

MAX_CONFIG_BYTES = 32 * 2**20
"""The longest JSON text: a config of some ten thousand layers."""

MAX_CONFIG_DEPTH = 200
"""How deep JSON may be nested; a model in a model takes six levels."""

MAX_CONFIG_PARTS = 2**20
"""How many lists and dicts JSON may hold, and how many keys: in memory each takes thirty times its text."""

MAX_NUMBER = 2**63
"""The largest size, axis or seed in a config."""

MAX_NAME = 500
"""The longest name of a class or function, in characters."""

FREE_BYTES = 2**20
"""The memory that an array or a member of an archive may always take, whatever its size in the file."""

MAX_EXPANSION = 200
"""How many times larger than in the file a compressed array or member may be in memory. Weights shrink to a half."""

_BLOCK = 2**20


def checked_name(value: Any, key: str) -> str:
    """Return a name in a config after a check, since searching for similar names takes for ever for a long text.

    Args:
        value: the value in the config.
        key: its key, for the message.

    Raises:
        ValueError: if it is not text, or is too long.
    """
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise ValueError(f"`{key}` in a config must be a name; received {str(value)[:100]!r} ({type(value).__name__}).")
    return value


def check_expansion(path: str, place: str, size: int, stored: int) -> None:
    """Refuse data that claim to be far larger than their stored form.

    Args:
        path: the file, for the message.
        place: the place in the file.
        size: bytes in memory.
        stored: bytes in the file.

    Raises:
        SavedFileError: if the data would be too large.
    """
    if size > FREE_BYTES and size > MAX_EXPANSION * stored:
        raise SavedFileError(
            path, place, f"{size} bytes are made of {stored} stored ones; the most is a factor of {MAX_EXPANSION}."
        )


class Allowance:
    """The memory that all arrays of a file may take together, since many small ones could share stored data.

    Args:
        path: the file, for messages.
        stored: the size of the file in bytes.
    """

    def __init__(self, path: str, stored: int) -> None:
        self._path = path
        self.stored = stored
        self._taken: dict[str, int] = {}
        self._total = 0

    def take(self, place: str, size: int, stored: int) -> None:
        """Take memory for an array. The same array counts only once.

        Args:
            place: the place of the array in the file.
            size: its size in memory, in bytes.
            stored: its size in the file, in bytes, as the file states.

        Raises:
            SavedFileError: if the array, or all arrays together, are far larger than the file.
        """
        if size < 0 or stored < 0:
            raise SavedFileError(self._path, place, "has a negative size.")
        check_expansion(self._path, place, size, min(stored, self.stored))
        self._total += size - self._taken.get(place, 0)
        self._taken[place] = size
        if self._total > 16 * FREE_BYTES:
            check_expansion(self._path, place, self._total, self.stored)


def read_json(data: bytes, path: str, place: str) -> Any:
    """Return the contents of a JSON text.

    Args:
        data: the text, in UTF-8.
        path: the file, for messages.
        place: the place in the file.

    Raises:
        SavedFileError: if it is too long, nested too deeply, not JSON, or holds a number too large for a config.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise SavedFileError(path, place, f"{len(data)} bytes of JSON; at most {MAX_CONFIG_BYTES} are read.")
    deepest, brackets, keys = _measure(data)
    if deepest > MAX_CONFIG_DEPTH:
        raise SavedFileError(path, place, f"JSON nested {deepest} deep; at most {MAX_CONFIG_DEPTH} is read.")
    if max(brackets, keys) > MAX_CONFIG_PARTS:
        raise SavedFileError(
            path, place, f"JSON of {brackets} lists and dicts with {keys} keys; at most {MAX_CONFIG_PARTS} are read."
        )

    def integer(digits: str) -> int:
        if len(digits) > 20 or abs(int(digits)) > MAX_NUMBER:
            raise SavedFileError(path, place, f"the number {digits[:30]} is too large.")
        return int(digits)

    with reading(path, place):
        return json.loads(data.decode("utf-8"), parse_int=integer)


def check_readable(text: str, what: str) -> None:
    """Refuse to write JSON that `read_json` would refuse to read.

    Args:
        text: the JSON.
        what: what the JSON describes, for the message.

    Raises:
        ValueError: if it is too long, nested too deeply, or the like.
    """
    try:
        read_json(text.encode("utf-8"), what, "")
    except SavedFileError as error:
        raise ValueError(
            f"{what} could be written, but not read again: {error.reason} Keep large data out of `get_config`: in "
            "weights, or in files that `save_assets` writes."
        ) from None


def _measure(data: bytes) -> tuple[int, int, int]:
    """Return how deep JSON is nested, and how many lists and dicts, and keys, it has. Strings are ignored.

    It works block by block with NumPy, since regular expressions take seconds, or all memory, for crafted texts.
    """
    text = np.frombuffer(data.replace(b"\\\\", b"").replace(b'\\"', b""), np.uint8)
    inside, depth, deepest, brackets, keys = False, 0, 0, 0, 0
    for start in range(0, len(text), _BLOCK):
        block = text[start : start + _BLOCK]
        quotes = block == ord('"')
        within = (np.cumsum(quotes) + inside) % 2 == 1
        inside ^= bool(np.count_nonzero(quotes) % 2)
        opening = ((block == ord("[")) | (block == ord("{"))) & ~within
        closing = ((block == ord("]")) | (block == ord("}"))) & ~within
        depths = depth + np.cumsum(opening.astype(np.int32) - closing)
        depth, deepest = int(depths[-1]), max(deepest, int(depths.max()))
        brackets += int(np.count_nonzero(opening))
        keys += int(np.count_nonzero((block == ord(":")) & ~within))
    return deepest, brackets, keys
