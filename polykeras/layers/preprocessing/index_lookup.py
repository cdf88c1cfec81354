"""The base of StringLookup and IntegerLookup: maps values to indices in a vocabulary, and back."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import config
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.layers.preprocessing.encoding import encode_tokens, encoded_shape
from polykeras.layers.preprocessing.hashes import bins
from polykeras.layers.preprocessing.host import Tokens, as_bytes, as_text, host_data, run_on_host
from polykeras.layers.preprocessing.vocabulary import Vocabulary

_FILE = "vocabulary.txt"
_UNKNOWN = -1


class IndexLookup(Vocabulary):
    """Maps values to their indices in a vocabulary, or back; the arguments are those of `StringLookup`."""

    sample_by_sample = True

    # ---- calling -----------------------------------------------------------------------------------------------

    def call(self, inputs: ArrayLike) -> Array:
        """Return the indices of the inputs in the vocabulary, as `output_mode` says.

        Raises:
            RuntimeError: there is no vocabulary yet, which determines the size of the outputs.
        """
        if self._frozen_size is None and not self._size_is_free():
            raise RuntimeError(
                f"{self._title()} has no vocabulary yet, which determines the size of its outputs: pass `vocabulary`, "
                "or call `adapt` first."
            )
        return run_on_host(lambda data: self._look_up(Tokens.of(data)), [inputs], self._spec)

    def _depth(self) -> int:
        return (self.max_tokens if self.pad_to_max_tokens else self._frozen_size) or 0

    def _spec(self, shape: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], str]:
        shape = encoded_shape(shape, self.output_mode, self._depth())
        if self.invert:
            return shape, self.vocabulary_dtype
        return shape, config.floatx() if self.output_mode == "tf_idf" else "int64"

    def _look_up(self, tokens: Tokens) -> np.ndarray:
        if self.invert:
            return self._look_back(tokens)
        indices = self._indices(self._keys(tokens.values))
        if self.output_mode == "int":
            return tokens.with_values(indices)
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        rows = encode_tokens(tokens, indices, mode, self._depth(), "int64")
        if self.output_mode == "tf_idf":
            assert self.idf_weights is not None
            return (rows * self.idf_weights).astype(config.floatx())
        return rows

    def _indices(self, keys: list[Any]) -> np.ndarray:
        indices = np.array([self._places.get(key, _UNKNOWN) for key in keys], np.int64)
        missing = np.flatnonzero(indices == _UNKNOWN)
        if not missing.size:
            return indices
        unknown = [keys[i] for i in missing]
        if not self.num_oov_indices:
            raise ValueError(
                f"{self._title()}: with num_oov_indices=0 all values must be in the vocabulary; received "
                f"{sorted(map(self._shown, set(unknown)))}. Set `num_oov_indices` to 1 or more."
            )
        indices[missing] = self._first_oov() + self._buckets(unknown)
        return indices

    def _buckets(self, keys: list[Any]) -> np.ndarray:
        """Return the out-of-vocabulary index of each key, counted from the first one."""
        if self.num_oov_indices == 1:
            return np.zeros(len(keys), np.int64)
        if not self._of_texts and self.oov_method == "floormod":
            return np.array(keys, np.int64) % self.num_oov_indices
        values = keys if self._of_texts else [str(key).encode() for key in keys]
        return bins(values, self.num_oov_indices, self.salt)

    def _look_back(self, tokens: Tokens) -> np.ndarray:
        table = dict(enumerate(self._tokens, self._first_token()))
        if self.mask_token is not None:
            table[0] = self.mask_token
        found = [self._shown(table.get(int(index), self.oov_token)) for index in tokens.values]
        values = np.empty(len(found), object)
        values[:] = found
        return tokens.with_values(values if self._of_texts else values.astype(np.int64))

    # ---- files -------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, with a vocabulary that was passed to the constructor; others are stored in a file."""
        made = super().get_config()
        made.pop("has_input_vocabulary", None)
        for name, value in (("vocabulary", self.input_vocabulary), ("idf_weights", self.input_idf_weights)):
            plain = None if value is None else np.array(host_data(value), object).tolist()
            made[name] = plain if plain is None else [as_text(v) for v in plain]
        return made | {"vocabulary_size": self._frozen_size}

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write the inverse document frequencies, if there are any."""
        if self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read what `save_own_variables` has written."""
        if self.output_mode == "tf_idf" and "idf_weights" in store:
            self.idf_weights = np.asarray(store["idf_weights"])

    def save_assets(self, dir_path: str) -> None:
        """Write a vocabulary that the config does not contain to a text file, one token on each line."""
        if self.input_vocabulary is None:
            lines = [as_bytes(str(token)) for token in self.get_vocabulary()]
            Path(dir_path, _FILE).write_bytes(b"\n".join(lines))

    def load_assets(self, dir_path: str) -> None:
        """Read the file of `save_assets`, written here or by Keras."""
        path = Path(dir_path, _FILE)
        if self.input_vocabulary is not None or not path.exists():
            return
        lines = path.read_bytes().replace(b"\r\n", b"\n").split(b"\n")
        while lines and not lines[-1]:
            lines.pop()
        start = self._first_token()
        if len(lines) > start:
            self._learn(self._keys(lines[start:]))
