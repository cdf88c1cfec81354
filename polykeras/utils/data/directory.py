"""Files in one folder for each class: their paths, labels, and split."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polykeras import random
from polykeras.utils.data.pipeline import Dataset

LABEL_MODES = ("int", "categorical", "binary", None)


class DirectoryData:
    """The files of a folder with their labels, in Keras's order.

    Args:
        directory: the folder; it contains one folder for each class if labels are `"inferred"`.
        formats: the suffixes of the files to use, in lower case.
        kind: the kind of files, for messages.
        labels: `"inferred"`, a list of the files' labels in the order of their sorted names, or None for none.
        label_mode: `"int"`, `"categorical"`, `"binary"`, or None for no labels.
        class_names: the folders of the classes, in order; by default the sorted ones.
        shuffle: whether files come in a random order.
        seed: the seed of the order.
        validation_split: the fraction of the files for validation.
        subset: `"training"`, `"validation"`, `"both"`, or None for all files.
        follow_links: whether to follow symbolic links to folders.
        verbose: whether to print the number of files.

    Raises:
        ValueError: if the arguments do not fit together.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        formats: tuple[str, ...],
        kind: str,
        labels: Any,
        label_mode: str | None,
        class_names: Sequence[str] | None,
        shuffle: bool,
        seed: int | None,
        validation_split: float | None,
        subset: str | None,
        follow_links: bool,
        verbose: bool,
    ) -> None:
        _check_labels(labels, label_mode, class_names)
        _check_split(validation_split, subset, shuffle, seed)
        self._directory = os.fspath(directory)
        self._formats = formats
        self._kind = kind
        self._label_mode = None if labels is None else label_mode
        self._shuffle = shuffle
        self._seed = random.draw_seed() % 10**6 if seed is None else seed
        self._split = validation_split
        self._subset = subset
        self._verbose = verbose
        labels = None if self._label_mode is None else labels
        self.class_names: list[str] | None
        paths, numbers, self.class_names = index_directory(self._directory, labels, formats, class_names, follow_links)
        if self._label_mode == "binary" and len(self.class_names or ()) != 2:
            raise ValueError(f'label_mode="binary" needs exactly 2 classes; there are {self.class_names}.')
        if verbose:
            classes = f" belonging to {len(self.class_names)} classes" if self.class_names is not None else ""
            print(f"Found {len(paths)} files{classes}.")
        order = np.arange(len(paths))
        if shuffle:
            np.random.RandomState(self._seed).shuffle(order)
        self._paths = [paths[i] for i in order]
        self._labels = None if numbers is None else np.asarray(numbers)[order]

    def datasets(self, build: Callable[[Dataset], Dataset]) -> Any:
        """Return the data set of the subset, or a list of the data sets for training and validation.

        Args:
            build: converts a data set of paths, or of pairs of a path and a label, into the final one.
        """
        if self._subset == "both":
            return [self._dataset(build, subset) for subset in ("training", "validation")]
        return self._dataset(build, self._subset)

    def _dataset(self, build: Callable[[Dataset], Dataset], subset: str | None) -> Dataset:
        part = self._part(subset)
        paths = self._paths[part]
        if not paths:
            what = f"{subset} {self._kind}" if self._subset == "both" else self._kind
            raise ValueError(f"No {what} in {self._directory}. Their names must end in {', '.join(self._formats)}.")
        elements: Any = np.array(paths, dtype=object)
        if self._labels is not None:
            elements = elements, self._encoded(self._labels[part])
        dataset = Dataset.from_tensor_slices(elements)
        if self._shuffle and not (self._subset == "both" and subset == "validation"):
            dataset = dataset.shuffle(len(paths), self._seed)
        dataset.class_names, dataset.file_paths = self.class_names, paths
        return build(dataset)

    def _part(self, subset: str | None) -> slice:
        if subset is None:
            return slice(None)
        held_out = int((self._split or 0) * len(self._paths))
        cut = len(self._paths) - held_out
        if self._verbose:
            number = held_out if subset == "validation" else cut
            print(f"Using {number} files for {subset}.")
        return slice(cut, None) if subset == "validation" else slice(cut)

    def _encoded(self, labels: np.ndarray) -> np.ndarray:
        if self._label_mode == "binary":
            return labels.astype("float32")[:, None]
        if self._label_mode == "categorical":
            return (labels[:, None] == np.arange(len(self.class_names or ()))).astype("float32")
        return labels.astype("int32")


def mapped(paths: Dataset, read: Callable[[str], Any], threads: int | None = None) -> Dataset:
    """Return a data set of the contents of each path, with its label if there is one.

    Args:
        paths: paths, or pairs of a path and a label.
        read: returns the contents of a file.
        threads: the number of files to read at a time.
    """
    return paths.map(lambda path, *label: (read(path), *label) if label else read(path), threads)


def check_format(format: str) -> None:
    """Refuse the name of a format that Keras does not know."""
    if format not in ("tf", "grain"):
        raise ValueError(f'`format` must be "tf" or "grain"; received {format!r}.')


def index_directory(
    directory: str,
    labels: Any,
    formats: tuple[str, ...],
    class_names: Sequence[str] | None = None,
    follow_links: bool = False,
) -> tuple[list[str], Any, list[str] | None]:
    """Return the paths of files, sorted within each class, their labels and the names of the classes.

    Args:
        directory: the folder.
        labels: see `DirectoryData`.
        formats: the suffixes of the files to use.
        class_names: see `DirectoryData`.
        follow_links: see `DirectoryData`.

    Raises:
        ValueError: if there are no folders of those names, or the numbers of labels and files differ.
    """
    if labels != "inferred":
        paths = files_below(directory, formats, follow_links)
        if labels is None:
            return paths, None, None
        if len(labels) != len(paths):
            expected = f"a label for each of the {len(paths)} files in {directory}"
            raise ValueError(f"Expected {expected}; received {len(labels)}.")
        return paths, labels, [str(label) for label in sorted(set(labels))]
    folders = sorted(
        name for name in os.listdir(directory) if os.path.isdir(os.path.join(directory, name)) and name[0] != "."
    )
    if class_names is not None and not set(class_names) <= set(folders):
        raise ValueError(f"`class_names` must be names of folders in {directory}, {folders}; received {class_names}.")
    names = folders if class_names is None else list(class_names)
    found = [files_below(os.path.join(directory, name), formats, follow_links) for name in names]
    numbers = np.repeat(np.arange(len(names), dtype="int32"), [len(paths) for paths in found])
    return [path for paths in found for path in paths], numbers, names


def files_below(directory: str, formats: tuple[str, ...], follow_links: bool) -> list[str]:
    """Return the paths of files with these suffixes, folder by folder, both sorted by name."""
    walk = sorted(os.walk(directory, followlinks=follow_links), key=lambda found: found[0])
    return [
        os.path.join(root, name) for root, _, names in walk for name in sorted(names) if name.lower().endswith(formats)
    ]


def _check_labels(labels: Any, label_mode: str | None, class_names: Any) -> None:
    if label_mode not in LABEL_MODES:
        raise ValueError(f'`label_mode` must be "int", "categorical", "binary" or None; received {label_mode!r}.')
    if isinstance(labels, str) and labels == "inferred":
        return
    if labels is not None and not isinstance(labels, (list, tuple)):
        raise ValueError(
            '`labels` must be "inferred" (from the names of folders), None, or a list with an integer for each file in '
            f"the order of their sorted paths; received {labels!r}."
        )
    if class_names is not None:
        raise ValueError('`class_names` is only for labels="inferred"; other labels have no names.')


def _check_split(validation_split: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    if validation_split and not 0 < validation_split < 1:
        raise ValueError(f"`validation_split` must lie between 0 and 1; received {validation_split}.")
    if bool(validation_split) != bool(subset):
        raise ValueError(
            f"Pass both `validation_split` and `subset`, or neither; received {validation_split} and {subset!r}."
        )
    if subset not in ("training", "validation", "both", None):
        raise ValueError(f'`subset` must be "training", "validation" or "both"; received {subset!r}.')
    if validation_split and shuffle and seed is None:
        raise ValueError(
            "Pass a `seed` with `validation_split`, or shuffle=False: otherwise the two parts would have different "
            "orders, and a file could be in both."
        )
