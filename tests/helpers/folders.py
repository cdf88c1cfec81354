"""Folders of small files, one for each class."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np


def texts(folder: Path) -> Path:
    """Write three texts of each of three classes, and what is not to be found."""
    for name in "cab":
        (folder / name).mkdir(parents=True)
        for i in (2, 0, 1):
            (folder / name / f"{i}.txt").write_text(f"{name} {i} é", encoding="utf-8")
        (folder / name / "notes.md").write_text("no")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "3.text").write_text("no")
    return folder


def sounds(folder: Path) -> Path:
    """Write three sounds of unequal lengths, in stereo, of each of two classes."""
    for i in range(6):
        target = folder / "ab"[i // 3]
        target.mkdir(parents=True, exist_ok=True)
        samples = np.random.default_rng(i).integers(-(2**15), 2**15, (100 + 10 * i, 2), dtype=np.int16)
        with wave.open(str(target / f"{i}.wav"), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(samples.astype("<i2").tobytes())
    return folder


def pictures(folder: Path) -> Path:
    """Write grey, coloured and transparent images of several sizes, as PNG and BMP, of each of two classes."""
    from PIL import Image

    random = np.random.default_rng(0)
    for name in "ba":
        (folder / name / "deeper").mkdir(parents=True)
        for i, (height, width) in enumerate([(12, 9), (7, 14), (16, 16), (10, 21)]):
            path = folder / name / ("deeper" if i == 2 else "") / f"{i}.{'bmp' if i == 1 else 'PNG'}"
            Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        (folder / name / "notes.txt").write_text("no")
    return folder
