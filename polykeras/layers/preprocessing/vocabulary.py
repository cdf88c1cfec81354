"""The vocabulary of a layer: passed, read from a file, or learned from data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polykeras import config, dtypes
from polykeras.common import budget
from polykeras.common.types import ArrayLike, DTypeLike
from polykeras.layers.base.layer import Layer
from polykeras.layers.preprocessing.encoding import output_mode, refuse_sparse
from polykeras.layers.preprocessing.host import Tokens, as_bytes, as_text, batches, host_data, is_data
from polykeras.saving.lambdas import is_code_allowed

_mode = output_mode  # an argument of this name hides the function
LEFT_OUT = -2  # the index of the mask token in modes that ignore it


class Vocabulary(Layer):
    """Base of layers with a vocabulary; the arguments are those of `StringLookup`.

    The vocabulary is `[mask, out of vocabulary..., tokens...]`; only the mode `"int"` has the mask.
    """

    sample_by_sample = True
    _convert_input_args = False
    _not_in_config = (*Layer._not_in_config, "activity_regularizer")

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary_dtype: str,
        vocabulary: Any = None,
        idf_weights: ArrayLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        name: str | None = None,
        salt: int | Sequence[int] | None = None,
        vocabulary_size: int | None = None,
        has_input_vocabulary: bool | None = None,
        trainable: bool = True,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable)
        owner = type(self).__name__
        self.vocabulary_dtype = dtypes.standardize_dtype(vocabulary_dtype)
        self.output_mode = _mode(output_mode, ("int", "one_hot", "multi_hot", "count", "tf_idf"), owner)
        self.max_tokens, self.num_oov_indices = max_tokens, num_oov_indices
        self.mask_token, self.oov_token = mask_token, oov_token
        self.invert, self.pad_to_max_tokens, self.oov_method = invert, pad_to_max_tokens, oov_method
        self.sparse = refuse_sparse(sparse, owner)
        self.salt = [salt, salt] if isinstance(salt, int) else None if salt is None else list(salt)
        self._check(owner, idf_weights)
        self.input_vocabulary = vocabulary if vocabulary is None or not isinstance(vocabulary, str) else None
        self.input_idf_weights = idf_weights
        self._has_input_vocabulary = vocabulary is not None if has_input_vocabulary is None else has_input_vocabulary
        self._frozen_size = vocabulary_size
        self._set_tokens([])
        self.idf_weights: np.ndarray | None = None
        self.built = True
        self.reset_state()
        if self.output_mode == "tf_idf" and vocabulary is not None and idf_weights is None:
            raise ValueError(f"{owner}: a `vocabulary` needs `idf_weights` for output_mode='tf_idf'.")
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            self.idf_weights = np.asarray(host_data(idf_weights), config.floatx())

    def _check(self, owner: str, idf_weights: ArrayLike | None) -> None:
        def refuse(message: str) -> None:
            raise ValueError(f"{owner}: {message}.")

        if self.max_tokens is not None and self.max_tokens <= 1:
            refuse(f"`max_tokens` must be greater than 1; received {self.max_tokens}")
        if self.pad_to_max_tokens and self.max_tokens is None:
            refuse("`pad_to_max_tokens` needs `max_tokens`")
        if self.num_oov_indices < 0:
            refuse(f"`num_oov_indices` must be 0 or greater; received {self.num_oov_indices}")
        if self.oov_method not in ("floormod", "farmhash"):
            refuse(f"`oov_method` must be 'floormod' or 'farmhash'; received {self.oov_method!r}")
        if self.salt is not None and (len(self.salt) != 2 or not all(isinstance(n, int) for n in self.salt)):
            refuse(f"`salt` must be an int or two; received {self.salt}")
        if self.salt is not None and not self._of_texts and self.oov_method != "farmhash":
            refuse("`salt` is for oov_method='farmhash'")
        if self.invert and self.output_mode != "int":
            refuse(f"`invert` needs output_mode='int'; received {self.output_mode!r}")
        if idf_weights is not None and self.output_mode != "tf_idf":
            refuse(f"`idf_weights` are for output_mode='tf_idf'; this is {self.output_mode!r}")

    @property
    def _of_texts(self) -> bool:
        return self.vocabulary_dtype == dtypes.STRING

    @property
    def compute_dtype(self) -> str:
        """The dtype of the vocabulary."""
        return self.vocabulary_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the vocabulary."""
        return self.vocabulary_dtype

    def _keys(self, values: Sequence[Any]) -> list[Any]:
        """Return values in the form of the table's keys: bytes or ints."""
        return [as_bytes(value) for value in values] if self._of_texts else [int(value) for value in values]

    def _shown(self, key: Any) -> Any:
        return as_text(key, getattr(self, "encoding", "utf-8"))

    # ---- the vocabulary ----------------------------------------------------------------------------------------

    def _first_oov(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    def _first_token(self) -> int:
        return self._first_oov() + self.num_oov_indices

    def vocabulary_size(self) -> int:
        """Return the size of the vocabulary, including the mask and the out-of-vocabulary indices."""
        return len(self._tokens) + self._first_token()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Return the vocabulary.

        Args:
            include_special_tokens: whether to include the mask and the out-of-vocabulary tokens. If so, the index of
                each token is its place in the list.
        """
        special = [self.mask_token] * self._first_oov() + [self.oov_token] * self.num_oov_indices
        return [*(special if include_special_tokens else ()), *map(self._shown, self._tokens)]

    def set_vocabulary(self, vocabulary: Any, idf_weights: ArrayLike | None = None) -> None:
        """Set the vocabulary instead of learning it by `adapt`.

        Args:
            vocabulary: a list or an array of tokens, with or without the special ones; or the path of a text file with
                one token on each line, without the special ones.
            idf_weights: inverse document frequencies of the tokens, for the output mode `"tf_idf"`.

        Raises:
            ValueError: tokens are repeated, special ones are not at the start, there are too many or none; or the
                weights do not fit.
        """
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            raise ValueError(
                f"{self._title()}: `idf_weights` must be given for output_mode='tf_idf', and only then; received "
                f"{'none' if idf_weights is None else 'some'} for {self.output_mode!r}."
            )
        if isinstance(vocabulary, str):
            self._learn(self._of_file(vocabulary))
            return
        given = np.array(host_data(vocabulary), object).tolist()
        if not given:
            raise ValueError(f"{self._title()}: the vocabulary is empty.")
        start = self._first_token()
        special = [self.mask_token] * self._first_oov() + [self.oov_token] * self.num_oov_indices
        found_special = [self._shown(value) for value in given[:start]] == special
        tokens = self._keys(given[start:] if found_special else given)
        self._check_tokens(tokens, special)
        self._learn(tokens)
        if idf_weights is not None:
            self._set_idf(np.asarray(host_data(idf_weights), "float64"), len(given), found_special)

    def _check_tokens(self, tokens: list[Any], special: list[Any]) -> None:
        size = len(tokens) + len(special)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"{self._title()}: the vocabulary has {size} tokens, special ones included, but `max_tokens` is "
                f"{self.max_tokens}."
            )
        reserved = [self.mask_token, self.oov_token if self.invert else None]
        for token in reserved:
            if token is not None and self._keys([token])[0] in tokens:
                raise ValueError(
                    f"{self._title()}: the vocabulary contains the reserved token {token!r}. Leave out all special "
                    f"tokens, or begin with exactly these: {special}."
                )

    def _of_file(self, path: str) -> list[Any]:
        if budget.left.get() is not None and not is_code_allowed():
            raise ValueError(
                f"{self._title()}: the saved model refers to the external file {path!r}. If you trust the author of "
                "the model, pass `safe_mode=False`."
            )
        if not Path(path).is_file():
            raise ValueError(f"{self._title()}: there is no vocabulary file {path!r}.")
        lines = Path(path).read_bytes().replace(b"\r", b"").split(b"\n")
        tokens = self._keys(lines[:-1] if not lines[-1] else lines)
        self._check_tokens(tokens, [None] * self._first_token())
        return tokens

    def _learn(self, tokens: list[Any]) -> None:
        twice = [self._shown(token) for token, n in Counter(tokens).items() if n > 1]
        if twice:
            raise ValueError(f"{self._title()}: the vocabulary contains some tokens more than once: {twice}.")
        size = len(tokens) + self._first_token()
        if not self._size_is_free() and self._frozen_size not in (None, size):
            raise RuntimeError(
                f"{self._title()}: outputs have the vocabulary's size, {self._frozen_size}, which cannot become {size}."
                " Make a new layer, or one with `pad_to_max_tokens`."
            )
        self._frozen_size = size
        self._set_tokens(tokens)

    def _set_tokens(self, tokens: list[Any]) -> None:
        self._tokens = tokens
        self._places = {token: i for i, token in enumerate(tokens, self._first_token())}
        if self.mask_token is not None:  # modes other than "int" ignore it
            self._places[self._keys([self.mask_token])[0]] = 0 if self.output_mode == "int" else LEFT_OUT

    def _size_is_free(self) -> bool:
        return self.output_mode == "int" or self.pad_to_max_tokens

    def _set_idf(self, weights: np.ndarray, given: int, complete: bool) -> None:
        if weights.shape != (given,):
            raise ValueError(
                f"{self._title()}: expected one of `idf_weights` for each of the {given} tokens; received the "
                f"shape {weights.shape}."
            )
        # Out-of-vocabulary indices get the mean weight, because they were not counted.
        front = np.full(0 if complete else self._first_token(), weights.mean())
        self.idf_weights = self._padded(np.concatenate([front, weights])).astype(config.floatx())

    def _padded(self, weights: np.ndarray) -> np.ndarray:
        return np.pad(weights, (0, (self.max_tokens or 0) - len(weights))) if self.pad_to_max_tokens else weights

    # ---- learning it -------------------------------------------------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary from data: their values, the most frequent first, ties in descending order.

        Args:
            data: an array or a list whose elements are samples; or an iterable of batches, such as a `tf.data.Dataset`,
                a `DataLoader`, a `PyDataset` or a generator.
            steps: the number of batches to take from an iterable; None for all.

        Raises:
            ValueError: the layer was made with a vocabulary.
        """
        self.reset_state()
        for batch in batches(data, steps):
            array = np.array(batch, object) if is_data(data) else batch
            self.update_state(array[:, None] if is_data(data) and array.ndim == 1 else array)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the values of one batch, from which `finalize_state` makes the vocabulary.

        Args:
            data: values `(documents, values)`; an array `(values,)` is one document.
        """
        self._count(Tokens.of(host_data(data)))

    def _count(self, tokens: Tokens) -> None:
        if self._has_input_vocabulary:
            raise ValueError(f"{self._title()} was made with a vocabulary, so there is nothing to adapt.")
        tokens = tokens._replace(values=self._keys(tokens.values))
        self._counts.update(tokens.values)
        if self.output_mode == "tf_idf":
            rows = tokens.rows
            for row in rows:
                self._documents.update(set(row))
            self._number_of_documents += len(rows)

    def finalize_state(self) -> None:
        """Make the vocabulary from the counts."""
        for token in (self.mask_token, self.oov_token):
            if token is not None:
                self._counts.pop(self._keys([token])[0], None)
        if self._has_input_vocabulary or not self._counts:
            self._learn(self._tokens)
            return
        ordered = sorted(self._counts.items(), key=lambda item: (item[1], item[0]), reverse=True)
        most = None if self.max_tokens is None else max(0, self.max_tokens - self._first_token())
        tokens = [token for token, _ in ordered[:most]]
        self._learn(tokens)
        if self.output_mode == "tf_idf":
            seen = np.array([self._documents[token] for token in tokens], "float64")
            weights = np.log(1.0 + self._number_of_documents / (1.0 + seen)).astype(config.floatx())
            front = np.full(self._first_token(), weights.mean() if len(weights) else 0.0, weights.dtype)
            self.idf_weights = self._padded(np.concatenate([front, weights]))
        self.reset_state()

    def reset_state(self) -> None:
        """Drop the counts."""
        self._counts: Counter[Any] = Counter()
        self._documents: Counter[Any] = Counter()
        self._number_of_documents = 0
