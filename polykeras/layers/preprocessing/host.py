"""Layers that compute on the host: strings, for which most frameworks have no arrays, and tables.

They take host data, arrays of any framework, and arrays that a framework traces in a map over a data set. The result is
an array of the current backend; in such a map, an array of that framework; and a NumPy array if it contains strings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from polykeras import dtypes, ops
from polykeras.backend import foreign_data, registry
from polykeras.backend.handles import Handle
from polykeras.backend.symbolic import SymbolicArray
from polykeras.common import nested
from polykeras.common.arguments import tensor_on_host


class Tokens(NamedTuple):
    """Values in rows, which may differ in length: the last axis of an array.

    Attributes:
        values: the values of all rows, one row after another.
        lengths: the length of each row.
        shape: the shape of the array, with None for the last axis if the rows differ in length.
    """

    values: list[Any]
    lengths: np.ndarray
    shape: tuple[int | None, ...]

    @property
    def rows(self) -> list[list[Any]]:
        """The values of each row."""
        ends = np.cumsum(self.lengths).tolist()
        return [self.values[end - n : end] for end, n in zip(ends, self.lengths.tolist(), strict=True)]

    @staticmethod
    def of_rows(rows: list[list[Any]], lead: tuple[int | None, ...]) -> Tokens:
        """Return tokens for a list of rows; `lead` is the shape without its last axis."""
        lengths = np.array([len(row) for row in rows], np.int64)
        ragged = len(set(lengths.tolist())) > 1
        last = None if ragged else int(lengths[0]) if len(rows) else 0
        return Tokens([value for row in rows for value in row], lengths, (*lead, last))

    @staticmethod
    def of(data: Any) -> Tokens:
        """Return the rows of host data: an array, or nested lists, of which the innermost may differ in length.

        Raises:
            ValueError: other lists differ in length.
        """
        array = data if isinstance(data, np.ndarray) else np.array(data, object)
        if array.dtype == object and array.size and isinstance(array.flat[0], (list, tuple, np.ndarray)):
            rows = [np.array(row, object) for row in array.flat]
            if any(row.ndim != 1 or (row.size and isinstance(row[0], (list, tuple))) for row in rows):
                raise ValueError("Only the innermost lists may be of unequal length.")
            return Tokens.of_rows([row.tolist() for row in rows], array.shape)
        count = int(np.prod(array.shape[:-1]))
        last = array.shape[-1] if array.ndim else 1
        return Tokens(array.ravel().tolist(), np.full(count, last, np.int64), array.shape)

    def with_values(self, values: Any) -> Any:
        """Return an array of other values at these places, or an array of rows (objects) if they differ in length."""
        if None not in self.shape:
            return np.asarray(values).reshape([n for n in self.shape if n is not None])
        rows = np.empty(len(self.lengths), object)
        for i, part in enumerate(np.split(np.asarray(values), np.cumsum(self.lengths)[:-1])):
            rows[i] = part
        return rows.reshape([n for n in self.shape[:-1] if n is not None])


def host_data(x: Any) -> Any:
    """Return data of any kind as a NumPy array; lists stay lists, of Python's numbers, and ragged rows become lists."""
    if isinstance(x, Handle):
        x = x.value
    if isinstance(x, (list, tuple)):
        leaves = nested.flatten(x)
        plain = all(isinstance(leaf, (str, bytes, bool, int, float)) for leaf in leaves)
        if plain:
            return x
        parts = map(host_data, x)
        return [part.item() if isinstance(part, np.ndarray) and not part.ndim else part for part in parts]
    if isinstance(x, (str, bytes)):
        return x
    if isinstance(x, (int, float, np.ndarray)):  # no backend is loaded for these
        return np.asarray(x)
    if hasattr(x, "to_list") and hasattr(x, "row_lengths"):  # TensorFlow's ragged tensors
        return x.to_list()
    if registry.current().is_tensor(x) and not hasattr(x, "numpy"):
        return registry.current().to_numpy(x)
    return tensor_on_host(x) if hasattr(x, "detach") else np.asarray(x)


def as_bytes(value: Any) -> bytes:
    """Return a string as UTF-8 bytes, by which vocabularies are sorted and hashed.

    Raises:
        TypeError: the value is not a string.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    raise TypeError(f"Expected a string; received {value!r} ({type(value).__name__}).")


def as_text(value: Any, encoding: str = "utf-8") -> Any:
    """Return bytes as a string. Bytes that are invalid in the encoding are escaped, and `as_bytes` restores them."""
    return value.decode(encoding, "surrogateescape") if isinstance(value, bytes) else value


def texts(values: Any) -> np.ndarray:
    """Return a list or an array of bytes as a NumPy array of strings (objects)."""
    flat = np.asarray(values, object)
    made = np.empty(flat.shape, object)
    for place, value in np.ndenumerate(flat):
        made[place] = as_text(value)
    return made


def run_on_host(function: Callable[..., Any], inputs: list[Any], spec: Callable[..., tuple[Any, str]]) -> Any:
    """Call a function of host data.

    Args:
        function: a function that takes host data for each input (see `host_data`), and returns a NumPy array.
        inputs: host data, arrays of any framework, traced or not, or shapes.
        spec: a function that takes the shapes of the inputs, with None for unknown sizes, and returns the shape and
            dtype of the result.
    """
    if any(isinstance(x, SymbolicArray) for x in inputs):
        return SymbolicArray(*spec(*(x.dims if isinstance(x, SymbolicArray) else np.shape(x) for x in inputs)))
    results = foreign_data.on_host(
        lambda *arrays: [function(*map(host_data, arrays))], inputs, lambda *shapes: [spec(*shapes)]
    )
    if results is NotImplemented:
        result = function(*map(host_data, inputs))
        return result if dtypes.is_text(result) else ops.convert_to_tensor(result)
    return results[0]


def batches(data: Any, steps: int | None = None) -> Iterator[Any]:
    """Yield the batches that a layer adapts to, as host data.

    Args:
        data: an array of any framework or nested lists of strings or numbers, which are one batch; or an iterable of
            batches, each of which is such data, or a tuple that begins with it, such as `(inputs, labels)`.
        steps: the number of batches to take from an iterable; None for all.
    """
    if is_data(data):
        yield host_data(data)
        return
    stream: Iterable[Any] = data if isinstance(data, (list, tuple)) else foreign_data.batches_of(data)
    for batch in islice(stream, steps):
        yield host_data(_inputs_of(batch))


def _inputs_of(batch: Any) -> Any:
    if not isinstance(batch, (tuple, list)) or not batch:
        return batch
    pair = isinstance(batch, tuple) and not isinstance(batch[0], (str, bytes, bool, int, float))
    return batch[0] if pair or not is_data(batch) else batch


def is_data(data: Any) -> bool:
    """Return whether `data` is an array or nested lists of strings or numbers, and not an iterable of batches."""
    if isinstance(data, (list, tuple)):
        leaves = nested.flatten(data)
        return bool(leaves) and all(isinstance(leaf, (str, bytes, bool, int, float, np.generic)) for leaf in leaves)
    return hasattr(data, "shape") or hasattr(data, "__array__") or isinstance(data, (str, bytes))


def column(x: Any) -> Any:
    """Return one feature as a column `(batch, 1)`; arrays with more axes are kept."""
    array = np.asarray(host_data(x))
    array = array.reshape(1) if not array.ndim else array
    return array[:, None] if array.ndim == 1 else array


def columns(dataset: Iterable[Any], name: str) -> Iterator[Any]:
    """Yield one feature of an iterable of dicts, batch by batch, as a column."""
    for batch in foreign_data.batches_of(dataset):
        yield column((batch[0] if isinstance(batch, (tuple, list)) else batch)[name])
