"""An editor for files of weights."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from polykeras.common.naming import did_you_mean

Tree = dict[str, Any]
"""Objects by name. Each is a dict of its weights (arrays) and of the objects within it (dicts)."""


class KerasFileEditor:
    """The weights of a file, to view, change, and write to another file.

    Args:
        filepath: a `.keras` or `.weights.h5` file.

    Attributes:
        filepath: the path of the file.
        weights_dict: its objects by name, each a dict of its weights and of the objects within it.
        config: the config of the model if it is a `.keras` file, else None.
        metadata: the metadata of a `.keras` file, else None.

    Raises:
        SavedFileError: if the file is malformed.
        ValueError: if the suffix is unknown.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from polykeras import Sequential, layers, saving
        >>> with TemporaryDirectory() as folder:
        ...     Sequential([layers.Input((2,)), layers.Dense(3)]).save_weights(f"{folder}/old.weights.h5")
        ...     editor = saving.KerasFileEditor(f"{folder}/old.weights.h5")
        ...     editor.rename_object("layers/dense", "dense_1")
        ...     editor.save(f"{folder}/new.weights.h5")
    """

    def __init__(self, filepath: str | os.PathLike[str]) -> None:
        # Libraries of formats are imported when files are read: `import polykeras` needs none of them.
        from polykeras.saving.archive import open_weights, read_about
        from polykeras.saving.files.formats import open_arrays

        self.filepath = os.fspath(filepath)
        self.config: Any = None
        self.metadata: Any = None
        if self.filepath.endswith(".keras"):
            self.config, self.metadata = read_about(self.filepath)
        elif not self.filepath.endswith(".weights.h5"):
            raise ValueError(f"KerasFileEditor: files end in '.keras' or '.weights.h5'; received {self.filepath!r}.")
        self.weights_dict: Tree = {}
        read = open_weights if self.filepath.endswith(".keras") else open_arrays
        with read(self.filepath) as file:
            for group in file.names():
                _put(self.weights_dict, _path_of(group), {k: np.asarray(v) for k, v in file.group(group).items()})

    # ---- viewing -----------------------------------------------------------------------------------------

    def summary(self) -> None:
        """Print the objects in the file, and the shapes and dtypes of their weights."""
        about = self.metadata if isinstance(self.metadata, Mapping) else {}
        told = [f"{key.replace('_', ' ')}: {value}" for key, value in about.items()]
        print("\n".join([f"Weights of {self.filepath!r}", *told, *_lines(self.weights_dict)]))

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Compare the weights with those of a model, and print the differences.

        Args:
            reference_model: a built model.

        Returns:
            `"status"`: `"success"` or `"error"`. `"error_count"`: the number of objects and weights that only one of
            the two has, plus weights of different shapes. `"match_count"`: the number of weights of equal shapes.
        """
        from polykeras.saving.walk import parts

        reference: Tree = {}
        for path, part in parts(reference_model):
            arrays: Tree = {}
            part.save_own_variables(arrays)
            if arrays:
                _put(reference, path.split("/") if path else [], arrays)
        found = list(_compared(self.weights_dict, reference, ""))
        errors = [line for line in found if line is not None]
        for line in errors:
            print(line)
        matches = len(found) - len(errors)
        print(f"{matches} weights of the file fit the model; {len(errors)} differences.")
        status = "error" if errors else "success"
        return {"status": status, "error_count": len(errors), "match_count": matches}

    # ---- changing ------------------------------------------------------------------------------------------

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Rename an object, for instance a layer.

        Args:
            object_name: its name, if it is unique, or its path: `"dense"` or `"layers/dense"`.
            new_name: its new name, not a path.

        Raises:
            ValueError: if there is no such object or more than one, or the new name is taken or is a path.
        """
        if "/" in new_name:
            raise ValueError(f"KerasFileEditor: `new_name` must be a name, not a path; received {new_name!r}.")
        holder, name = self._find(object_name)
        if new_name in holder and new_name != name:
            raise ValueError(f"KerasFileEditor: {object_name!r} has a neighbour {new_name!r} already.")
        holder[new_name] = holder.pop(name)

    def delete_object(self, object_name: str) -> None:
        """Remove an object and everything in it; see `rename_object` for its name."""
        holder, name = self._find(object_name)
        del holder[name]

    def add_object(self, object_path: str, weights: Mapping[str, Any]) -> None:
        """Add an object, replacing one at the same path.

        Args:
            object_path: such as `"layers/dense_2"`; everything before the last name must exist in the file.
            weights: arrays by name, usually `"0"`, `"1"`, ...

        Raises:
            ValueError: if `weights` is not a dict, or the path does not exist.
        """
        arrays = _arrays(weights)
        *way, name = object_path.split("/")
        holder = self.weights_dict
        for part in way:
            if not isinstance(holder.get(part), dict):
                raise ValueError(
                    f"KerasFileEditor: there is no {'/'.join(way)!r}.{did_you_mean(part, _objects(holder))}"
                )
            holder = holder[part]
        holder[name] = arrays

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Remove a weight of an object; see `rename_object` for the object's name.

        Args:
            object_name: see `rename_object`.
            weight_name: the name of the weight in the object.

        Raises:
            ValueError: if there is no such weight or object, or more than one object.
        """
        holder, name = self._find(object_name)
        weights = {key for key, value in holder[name].items() if not isinstance(value, dict)}
        if weight_name not in weights:
            raise ValueError(
                f"KerasFileEditor: {object_name!r} has no weight {weight_name!r}; it has {sorted(weights)}."
            )
        del holder[name][weight_name]

    def add_weights(self, object_name: str, weights: Mapping[str, Any]) -> None:
        """Add weights, arrays by name, to an object; see `rename_object` for its name.

        Args:
            object_name: see `rename_object`.
            weights: arrays by name; an array with an existing name replaces that weight.

        Raises:
            ValueError: if there is no such object, or more than one.
        """
        arrays = _arrays(weights)
        holder, name = self._find(object_name)
        holder[name].update(arrays)

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Write the weights to a `.weights.h5` file, either completely or not at all.

        Raises:
            ValueError: if the suffix is unknown.
        """
        from polykeras.saving.files.formats import write_arrays
        from polykeras.saving.state import group_of

        path = os.fspath(filepath)
        if not path.endswith(".weights.h5"):
            raise ValueError(f"KerasFileEditor: weights are written to '.weights.h5' files; received {path!r}.")

        def give(writer: Any) -> None:
            for place, weights in _walk(self.weights_dict, ""):
                writer.write(group_of(place), weights, {})

        write_arrays(give, path, True, None)

    def resave_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Write the weights; the same as `save`."""
        self.save(filepath)

    def _find(self, name: str) -> tuple[Tree, str]:
        """Return the dict that contains an object, and the object's name in it."""
        every = dict(_places(self.weights_dict, ""))
        found = [path for path in every if path == name or ("/" not in name and path.rpartition("/")[2] == name)]
        if len(found) > 1 and "/" not in name:
            raise ValueError(f"KerasFileEditor: {name!r} is ambiguous: it may be any of {found}. Pass the path.")
        if not found:
            near = did_you_mean(name, [*every, *(path.rpartition("/")[2] for path in every)])
            raise ValueError(f"KerasFileEditor: there is no {name!r} in the file.{near} `summary` lists the objects.")
        return every[found[0]], found[0].rpartition("/")[2]


def _path_of(group: str) -> list[str]:
    """Return the path of the object whose weights are in a group; the group's name ends in `vars`."""
    *path, last = group.split("/") if group else [""]
    return path if last == "vars" else [*path, last]


def _put(tree: Tree, path: list[str], arrays: Tree) -> None:
    for name in path:
        tree = tree.setdefault(name, {})
    tree.update(arrays)


def _arrays(weights: Any) -> Tree:
    if not isinstance(weights, Mapping):
        raise ValueError(
            f"KerasFileEditor: `weights` must be a dict of arrays by name; received {type(weights).__name__}."
        )
    from polykeras import ops

    return {str(name): np.asarray(ops.convert_to_numpy(value)) for name, value in weights.items()}


def _objects(tree: Tree) -> Tree:
    return {name: value for name, value in tree.items() if isinstance(value, dict)}


def _places(tree: Tree, path: str) -> Iterator[tuple[str, Tree]]:
    """Yield the path of each object, and the dict that contains it."""
    for name, value in _objects(tree).items():
        place = f"{path}/{name}" if path else name
        yield place, tree
        yield from _places(value, place)


def _walk(tree: Tree, path: str) -> Iterator[tuple[str, Tree]]:
    """Yield the path and the weights of each object with weights."""
    weights = {name: value for name, value in tree.items() if not isinstance(value, dict)}
    if weights:
        yield path, weights
    for name, value in _objects(tree).items():
        yield from _walk(value, f"{path}/{name}" if path else name)


def _lines(tree: Tree, indent: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield f"{indent}{name}"
            yield from _lines(value, f"{indent}    ")
        else:
            yield f"{indent}{name}: shape {value.shape}, dtype {value.dtype}"


def _compared(file: Tree, model: Tree, path: str) -> Iterator[str | None]:
    """Yield a line for each difference, and None for each matching weight."""
    for name in dict.fromkeys((*model, *file)):
        place = f"{path}/{name}" if path else name
        ours, theirs = file.get(name), model.get(name)
        if ours is None or theirs is None:
            yield f"{place}: only in the {'model' if ours is None else 'file'}."
        elif isinstance(ours, dict) and isinstance(theirs, dict):
            yield from _compared(ours, theirs, place)
        elif isinstance(ours, dict) or isinstance(theirs, dict):
            yield f"{place}: an object in one, and a weight in the other."
        elif tuple(ours.shape) != tuple(theirs.shape):
            yield f"{place}: shape {tuple(ours.shape)} in the file, {tuple(theirs.shape)} in the model."
        else:
            yield None
