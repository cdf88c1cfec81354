"""Audio files from a folder."""

from __future__ import annotations

import os
import wave
from collections.abc import Sequence
from math import gcd
from typing import Any

import numpy as np

from polykeras.utils.data.directory import DirectoryData, mapped
from polykeras.utils.data.pipeline import Dataset


def audio_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Return a data set of the `.wav` files below a folder.

    Args:
        directory: the folder; it contains one folder for each class if labels are `"inferred"`.
        labels: `"inferred"`; or a list with the label of each file, in the order of their sorted paths; or None for
            only sounds.
        label_mode: `"int"` for int32 numbers `(batch,)`, `"categorical"` for one-hot float32 `(batch, classes)`,
            `"binary"` for float32 `(batch, 1)`, or None for no labels.
        class_names: the classes' folders in their order; by default the sorted ones.
        batch_size: the number of sounds in a batch; None for single sounds.
        sampling_rate: the rate, in Hz, to which sounds are converted (needs SciPy); by default that of the files.
        output_sequence_length: the number of samples to which sounds are cut or padded with zeros; by default they are
            padded to the longest one of their batch.
        ragged: whether sounds of unequal lengths stay unequal; batches are then arrays of arrays.
        shuffle: whether each epoch has a new random order.
        seed: the seed of the orders and of the split.
        validation_split: the fraction of the files for validation.
        subset: `"training"`, `"validation"`, or `"both"` for a tuple of two data sets.
        follow_links: whether to follow symbolic links to folders.
        verbose: whether to print the number of files.

    Returns:
        A `Dataset` of float32 `(batch, samples, channels)` in -1 to 1, or of pairs of these and labels.

    Raises:
        ValueError: if the arguments do not fit together, or there are no files.
    """
    if ragged and output_sequence_length is not None:
        raise ValueError("Pass `ragged=True` or `output_sequence_length`, not both.")
    if sampling_rate is not None and not (isinstance(sampling_rate, int) and sampling_rate > 0):
        raise ValueError(f"`sampling_rate` must be a positive int; received {sampling_rate!r}.")
    files = DirectoryData(
        directory,
        (".wav",),
        "audio files",
        labels,
        label_mode,
        class_names,
        shuffle,
        seed,
        validation_split,
        subset,
        follow_links,
        verbose,
    )

    def read(path: str) -> np.ndarray:
        return _fitted(_resampled(*read_wav(path), sampling_rate), output_sequence_length)

    def build(paths: Dataset) -> Dataset:
        sounds = mapped(paths, read)
        if batch_size is None:
            return sounds
        if ragged:
            return sounds.ragged_batch(batch_size)
        return sounds.padded_batch(batch_size) if output_sequence_length is None else sounds.batch(batch_size)

    result = files.datasets(build)
    return tuple(result) if subset == "both" else result


def read_wav(path: str) -> tuple[np.ndarray, int]:
    """Return the samples of an integer `.wav` file, float32 `(samples, channels)` in -1 to 1, and its sampling rate.

    Args:
        path: the file.

    Raises:
        ValueError: if the samples are not integers (PCM) of 8, 16, 24 or 32 bits.
    """
    try:
        with wave.open(path, "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            content = file.readframes(file.getnframes())
    except wave.Error as error:
        raise ValueError(f"{path} is not a .wav file of integers (PCM): {error}.") from error
    if width == 1:
        numbers = np.frombuffer(content, np.uint8).astype("int32") - 128
    else:
        # The bytes of each number, in little-endian order, go to the upper end of 32 bits.
        wide = np.zeros((len(content) // width, 4), np.uint8)
        wide[:, 4 - width :] = np.frombuffer(content, np.uint8).reshape(-1, width)
        numbers = wide.view("<i4")[:, 0] >> (8 * (4 - width))
    return (numbers / 2 ** (8 * width - 1)).astype("float32").reshape(-1, channels), rate


def _resampled(samples: np.ndarray, rate: int, wanted: int | None) -> np.ndarray:
    if wanted is None or wanted == rate:
        return samples
    try:
        from scipy.signal import resample_poly
    except ImportError as error:
        raise ImportError("`sampling_rate` needs SciPy: pip install scipy") from error
    common = gcd(wanted, rate)
    return resample_poly(samples, wanted // common, rate // common, axis=0).astype("float32")


def _fitted(samples: np.ndarray, length: int | None) -> np.ndarray:
    if length is None:
        return samples
    missing = max(length - len(samples), 0)
    return np.pad(samples[:length], [(0, missing), (0, 0)])
