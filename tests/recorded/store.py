"""The files of recorded cases: an index that one can read, a case a line, and the numbers of all of them by dtype."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import dtypes

FOLDER = Path(__file__).with_name("data")


@dataclass
class Records:
    """The recorded cases of one family.

    Attributes:
        source: what gave the values.
        cases: by name, JSON-like; `{"array": ...}` stands for an array.
        left_out: cases of the table that are not recorded, by name, each with the reason.
        public: all names of the family that Keras has.
    """

    source: str
    cases: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    public: list[str] = field(default_factory=list)


def write(family: str, records: Records) -> None:
    """Write a family's files; equal arrays are kept once."""
    packed = _Packed()
    lines = [f"{json.dumps(name)}: {json.dumps(packed.out(case))}" for name, case in sorted(records.cases.items())]
    left = [f"{json.dumps(name)}: {json.dumps(why)}" for name, why in sorted(records.left_out.items())]
    parts = [f'"source": {json.dumps(records.source)}', _block("cases", lines), _block("left_out", left)]
    parts += [f'"public": {json.dumps(records.public)}'] if records.public else []
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{family}.json").write_text("{" + ",\n".join(parts) + "}\n")
    np.savez_compressed(FOLDER / f"{family}.npz", **packed.arrays())


@functools.cache
def read(family: str) -> Records:
    """Return a family's recorded cases, with their arrays."""
    index = json.loads((FOLDER / f"{family}.json").read_text())
    with np.load(FOLDER / f"{family}.npz") as file:
        numbers = {name: file[name] for name in file.files}
    cases = {name: _in(case, numbers) for name, case in index["cases"].items()}
    return Records(index["source"], cases, index["left_out"], index.get("public", []))


def names_in(module: Any) -> list[str]:
    """Return the public names of a module."""
    return sorted(name for name in dir(module) if not name.startswith("_"))


def of_keras(family: str) -> frozenset[str]:
    """Return the names of a family that Keras has. Ours that are not among them have no record: there is nothing to do."""
    return frozenset(read_or_new(family, "").public)


def read_or_new(family: str, source: str) -> Records:
    """Return a family's recorded cases, or none."""
    return read(family) if (FOLDER / f"{family}.json").exists() else Records(source)


def _block(name: str, lines: Iterable[str]) -> str:
    return f'"{name}": {{\n' + ",\n".join(lines) + "\n}"


class _Packed:
    """Arrays one after the other, those of each dtype by themselves."""

    def __init__(self) -> None:
        self.parts: dict[str, list[np.ndarray]] = {}
        self.sizes: dict[str, int] = {}
        self.known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def out(self, value: Any) -> Any:
        """Return JSON-like data with references in place of arrays."""
        if isinstance(value, np.ndarray):
            return {"array": self._place(value)}
        if isinstance(value, dict):
            return {key: self.out(part) for key, part in value.items()}
        return [self.out(part) for part in value] if isinstance(value, (list, tuple)) else value

    def _place(self, array: np.ndarray) -> str:
        name = array.dtype.name
        key = (name, array.shape, array.tobytes())
        if key not in self.known:
            start = self.sizes.get(name, 0)
            plain = array.view(np.uint16) if name == "bfloat16" else array  # which files of NumPy have not
            self.parts.setdefault(name, []).append(plain.ravel())
            self.sizes[name] = start + array.size
            self.known[key] = f"{name} {start} {'x'.join(map(str, array.shape))}".strip()
        return self.known[key]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the numbers by dtype."""
        return {name: np.concatenate(parts) for name, parts in self.parts.items()}


def _in(value: Any, numbers: dict[str, np.ndarray]) -> Any:
    if isinstance(value, dict) and value.keys() == {"array"}:
        name, start, *sizes = value["array"].split(" ")
        shape = tuple(map(int, sizes[0].split("x"))) if sizes else ()
        flat = numbers[name][int(start) : int(start) + int(np.prod(shape, dtype=int))]
        return flat.view(dtypes.numpy_dtype(name)).reshape(shape)
    if isinstance(value, dict):
        return {key: _in(part, numbers) for key, part in value.items()}
    return [_in(part, numbers) for part in value] if isinstance(value, list) else value
