"""Texts from a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polykeras.utils.data.directory import DirectoryData, check_format, mapped
from polykeras.utils.data.pipeline import Dataset


def text_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """Return a data set of the `.txt` files below a folder.

    Args:
        directory: the folder; it contains one folder for each class if labels are `"inferred"`.
        labels: `"inferred"`; or a list with the label of each file, in the order of their sorted paths; or None for
            only texts.
        label_mode: `"int"` for int32 numbers `(batch,)`, `"categorical"` for one-hot float32 `(batch, classes)`,
            `"binary"` for float32 `(batch, 1)`, or None for no labels.
        class_names: the classes' folders in their order; by default the sorted ones.
        batch_size: the number of texts in a batch; None for single texts.
        max_length: the largest length of a text in characters; the rest is cut off.
        shuffle: whether each epoch has a new random order.
        seed: the seed of the orders and of the split.
        validation_split: the fraction of the files for validation.
        subset: `"training"`, `"validation"`, or `"both"` for a list of two data sets.
        follow_links: whether to follow symbolic links to folders.
        format: `"tf"` or `"grain"`, accepted as in Keras; the data set is the same, and belongs to no framework.
        verbose: whether to print the number of files.

    Returns:
        A `Dataset` of arrays of strings `(batch,)`, or of pairs of these and labels.

    Raises:
        ValueError: if the arguments do not fit together, or there are no files.
    """
    check_format(format)
    files = DirectoryData(
        directory,
        (".txt",),
        "text files",
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

    def read(path: str) -> str:
        return Path(path).read_text(encoding="utf-8", errors="replace")[:max_length]

    def build(paths: Dataset) -> Dataset:
        texts = mapped(paths, read)
        return texts if batch_size is None else texts.batch(batch_size)

    return files.datasets(build)
