"""A layer that turns texts into integers, or into rows that count tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from polykeras import dtypes
from polykeras.backend.spec import Array
from polykeras.common.types import ArrayLike
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.preprocessing.host import Tokens, as_bytes, batches, host_data, is_data, run_on_host, texts
from polykeras.layers.preprocessing.lookups import StringLookup

_PUNCTUATION = b"!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
_STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
_SPLIT = ("whitespace", "character")


@LAYERS.register()
class TextVectorization(Layer):
    """Splits texts into tokens, and maps these to integers or to rows that count them.

    The vocabulary is passed, or learned by `adapt`. It begins with `""`, which pads rows (only in the output mode
    `"int"`), and `"[UNK]"` for tokens that it does not contain.

    Args:
        max_tokens: the maximal size of a learned vocabulary, special tokens included; None for no limit.
        standardize: how to change texts first: `"lower"` (only ASCII letters, as in TensorFlow), `"strip_punctuation"`,
            `"lower_and_strip_punctuation"`, None, or a function of a NumPy array of strings.
        split: how to split texts: `"whitespace"`, `"character"`, None (each text is a token), or a function of a NumPy
            array of strings that returns a list of tokens for each.
        ngrams: the lengths of groups of tokens to use: 2 for single tokens and pairs, `(2, 3)` for only pairs and
            triples.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"`, `"count"` or `"tf_idf"`; see `StringLookup`.
        output_sequence_length: the length that rows of integers are padded or cut to; by default the longest one.
        pad_to_max_tokens: whether rows always have the size `max_tokens`, even if fewer tokens were learned; not for
            `"int"`.
        vocabulary: a list or an array of tokens, or the path of a text file with one token on each line.
        idf_weights: inverse document frequencies for the tokens of `vocabulary`, for `"tf_idf"`.
        sparse: kept for Keras code; must be False.
        ragged: whether rows of integers keep their lengths; the layer then returns a NumPy array of arrays.
        encoding: the encoding of texts that are passed as bytes.
        name: the name of the layer.
        has_input_vocabulary: used in config files: whether the layer was made with a vocabulary.
        vocabulary_size: used in config files: the size of the vocabulary, which gives the outputs' shape before it is
            set.
        **kwargs: further arguments of `Layer`.

    Raises:
        ValueError: an argument is invalid, or arguments contradict each other.

    Example:
        >>> from polykeras import layers
        >>> vectorize = layers.TextVectorization()
        >>> vectorize.adapt(["To be, or not to be"])
        >>> vectorize.get_vocabulary()
        ['', '[UNK]', 'to', 'be', 'or', 'not']
        >>> vectorize(["be not afraid", "to be"]).tolist()
        [[3, 5, 1], [2, 3, 0]]
    """

    sample_by_sample = True
    _convert_input_args = False

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[..., Any] | None = "lower_and_strip_punctuation",
        split: str | Callable[..., Any] | None = "whitespace",
        ngrams: int | Sequence[int] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: ArrayLike | None = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        has_input_vocabulary: bool | None = None,
        vocabulary_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        for argument, value, known in (("standardize", standardize, _STANDARDIZE), ("split", split, _SPLIT)):
            if value is not None and not callable(value) and value not in known:
                raise ValueError(
                    f"TextVectorization: `{argument}` must be one of {', '.join(known)}, a function or None; received "
                    f"{value!r}."
                )
        if not (ngrams is None or isinstance(ngrams, int) or all(isinstance(n, int) for n in ngrams)):
            raise ValueError(f"TextVectorization: `ngrams` must be an int, a tuple of ints or None; received {ngrams}.")
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            mask_token="",
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            encoding=encoding,
            has_input_vocabulary=has_input_vocabulary,
            vocabulary_size=vocabulary_size,
        )
        self.output_mode = self._lookup_layer.output_mode
        if output_sequence_length is not None and (
            self.output_mode != "int" or not isinstance(output_sequence_length, int)
        ):
            raise ValueError(
                "TextVectorization: `output_sequence_length` must be an int, for output_mode='int'; received "
                f"{output_sequence_length!r} for {self.output_mode!r}."
            )
        if ragged and self.output_mode != "int":
            raise ValueError(f"TextVectorization: `ragged` is for output_mode='int'; this is {self.output_mode!r}.")
        self.standardize, self.split = standardize, split
        self.ngrams = ngrams if ngrams is None or isinstance(ngrams, int) else tuple(ngrams)
        self.output_sequence_length, self.ragged, self.encoding = output_sequence_length, ragged, encoding
        self.built = True

    @property
    def compute_dtype(self) -> str:
        """The dtype of strings."""
        return dtypes.STRING

    @property
    def variable_dtype(self) -> str:
        """The dtype of strings."""
        return dtypes.STRING

    # ---- the vocabulary ----------------------------------------------------------------------------------------

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary from texts: their tokens, the most frequent first, ties in descending order.

        Args:
            data: an array or a list of texts; or an iterable of batches of texts, such as a `tf.data.Dataset`, a
                `DataLoader`, a `PyDataset` or a generator.
            batch_size: kept for Keras code; not used.
            steps: the number of batches to take from an iterable; None for all.

        Raises:
            ValueError: the layer was made with a vocabulary.
        """
        self.reset_state()
        for batch in batches(data, steps):
            self.update_state(np.array(batch, object)[:, None] if is_data(data) and np.ndim(batch) == 1 else batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of one batch of texts, from which `finalize_state` makes the vocabulary."""
        self._lookup_layer._count(self._tokens_of(host_data(data)))

    def finalize_state(self) -> None:
        """Make the vocabulary from the counts."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Drop the counts."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """Return the vocabulary, with or without the special tokens."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """Return the size of the vocabulary, special tokens included."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: ArrayLike | None = None) -> None:
        """Set the vocabulary instead of learning it; see `StringLookup.set_vocabulary`.

        Args:
            vocabulary: tokens, or the path of a text file.
            idf_weights: inverse document frequencies of the tokens, for the output mode `"tf_idf"`.
        """
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    # ---- tokens ------------------------------------------------------------------------------------------------

    def _tokens_of(self, data: Any) -> Tokens:
        array = data if isinstance(data, np.ndarray) else np.array(data, object)
        array = self._standardized(array)
        if self.split is not None:
            if array.ndim > 1:
                if array.shape[-1] != 1:
                    raise ValueError(
                        f"{self._title()}: to be split, texts must have the shape (batch,) or (batch, 1); received "
                        f"{array.shape}."
                    )
                array = array[..., 0]
            tokens = self._split_up(array)
        else:
            tokens = Tokens.of(array)
            tokens = tokens._replace(values=[as_bytes(value) for value in tokens.values])
        if self.ngrams is None:
            return tokens
        widths = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams
        rows = [[b" ".join(row[i : i + n]) for n in widths for i in range(len(row) - n + 1)] for row in tokens.rows]
        return Tokens.of_rows(rows, tokens.shape[:-1])

    def _standardized(self, array: np.ndarray) -> np.ndarray:
        if callable(self.standardize):
            return np.asarray(host_data(self.standardize(self._texts(array))))
        if self.standardize is None:
            return array
        made = np.empty(array.shape, object)
        for place, value in np.ndenumerate(array):
            text = as_bytes(value)
            if self.standardize != "strip_punctuation":
                text = text.lower()
            made[place] = text if self.standardize == "lower" else text.translate(None, _PUNCTUATION)
        return made

    def _texts(self, array: np.ndarray) -> np.ndarray:
        """Return the array that a user's function gets: NumPy strings, which TensorFlow's functions accept too."""
        return np.asarray(texts(array).tolist(), str) if array.size else array.astype(str)

    def _split_up(self, array: np.ndarray) -> Tokens:
        if callable(self.split):
            tokens = Tokens.of(host_data(self.split(self._texts(array))))
            return tokens._replace(values=[as_bytes(value) for value in tokens.values])
        flat = [as_bytes(value) for value in array.ravel().tolist()]
        if self.split == "whitespace":
            rows = [text.split() for text in flat]
        else:
            rows = [[c.encode("utf-8") for c in text.decode("utf-8", "replace")] for text in flat]
        return Tokens.of_rows(rows, array.shape)

    # ---- calling -----------------------------------------------------------------------------------------------

    def call(self, inputs: ArrayLike) -> Array:
        """Return the tokens of the texts, as `output_mode` says."""
        if self.output_mode != "int":
            return run_on_host(lambda data: self._lookup_layer._look_up(self._tokens_of(data)), [inputs], self._spec)
        return run_on_host(self._integers, [inputs], self._spec)

    def _spec(self, shape: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], str]:
        lead = shape[:-1] if self.split is None or len(shape) > 1 else shape
        if self.output_mode == "int":
            return (*lead, self.output_sequence_length), "int64"
        return self._lookup_layer._spec((*lead, None))

    def _integers(self, data: Any) -> np.ndarray:
        tokens = self._tokens_of(data)
        indices = self._lookup_layer._indices(tokens.values)
        length = self.output_sequence_length
        if self.ragged:
            if length is not None:
                rows = [row[:length] for row in tokens._replace(values=indices.tolist()).rows]
                tokens = Tokens.of_rows(rows, tokens.shape[:-1])
                indices = np.array(tokens.values, np.int64)
            return tokens._replace(shape=(*tokens.shape[:-1], None)).with_values(indices)
        size = int(tokens.lengths.max(initial=0)) if length is None else length
        made = np.zeros((len(tokens.lengths), size), np.int64)
        for row, n, part in zip(made, tokens.lengths, np.split(indices, np.cumsum(tokens.lengths)[:-1]), strict=False):
            row[: min(n, size)] = part[:size]
        return made.reshape([*(n or 0 for n in tokens.shape[:-1]), size])

    # ---- files -------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, with a vocabulary that was passed to the constructor; others are stored in a file."""
        inner = self._lookup_layer.get_config()
        made = super().get_config()
        made.pop("has_input_vocabulary", None)
        taken = ("max_tokens", "pad_to_max_tokens", "sparse", "vocabulary", "idf_weights")
        return made | {name: inner[name] for name in taken} | {"vocabulary_size": self.vocabulary_size()}

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write the inverse document frequencies, if there are any."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read what `save_own_variables` has written."""
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path: str) -> None:
        """Write a vocabulary that the config does not contain to a text file."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: str) -> None:
        """Read the file of `save_assets`, written here or by Keras."""
        self._lookup_layer.load_assets(dir_path)
