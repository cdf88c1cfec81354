"""The kinds of features of a `FeatureSpace`, with the dtype, the layer and the encoding of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from polykeras import ops
from polykeras.common.arguments import one_of
from polykeras.common.naming import unique_name
from polykeras.layers.base.data_layer import DataLayer
from polykeras.layers.base.layer import LAYERS
from polykeras.layers.preprocessing.discretization import Discretization
from polykeras.layers.preprocessing.encoding import CategoryEncoding
from polykeras.layers.preprocessing.hashing import HashedCrossing, Hashing
from polykeras.layers.preprocessing.index_lookup import IndexLookup
from polykeras.layers.preprocessing.lookups import IntegerLookup, StringLookup
from polykeras.layers.preprocessing.numeric import Normalization, Rescaling
from polykeras.saving.configurable import Configurable
from polykeras.saving.serialization import deserialize_keras_object

_PLACE = "keras.src.layers.preprocessing.feature_space"


def _checked(output_mode: str, *known: str) -> str:
    return one_of(output_mode, known, "`output_mode` of a feature")


@LAYERS.register()
class Cross(Configurable):
    """Features that are hashed together.

    Args:
        feature_names: the names of the features.
        crossing_dim: the number of bins.
        output_mode: `"one_hot"` or `"int"`.
    """

    _module_in_configs = _PLACE

    def __init__(self, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot") -> None:
        self.feature_names = tuple(feature_names)
        self.crossing_dim = crossing_dim
        self.output_mode = _checked(output_mode, "int", "one_hot")

    @property
    def name(self) -> str:
        """The names of the features, joined."""
        return "_X_".join(self.feature_names)


@LAYERS.register()
class Feature(Configurable):
    """A feature with its layer.

    Args:
        dtype: the dtype of the input.
        preprocessor: the layer that takes the input.
        output_mode: what is done with the layer's output: `"one_hot"` encodes its integers; `"int"` and `"float"` keep
            them.
    """

    _module_in_configs = _PLACE

    def __init__(self, dtype: str, preprocessor: Any, output_mode: str) -> None:
        self.dtype = dtype
        self.preprocessor = (
            deserialize_keras_object(preprocessor, default=LAYERS)
            if isinstance(preprocessor, Mapping)
            else preprocessor
        )
        self.output_mode = _checked(output_mode, "int", "one_hot", "float")


@LAYERS.register()
class TFDIdentity(DataLayer):
    """Casts its inputs to floats."""

    _module_in_configs = _PLACE
    sample_by_sample = True

    def call(self, x: Any) -> Any:
        """Return the inputs as floats."""
        return ops.cast(x, self.compute_dtype)


def _named(kind: str, name: str | None) -> str:
    return f"{name or unique_name(kind)}_preprocessor"


def _float(name: str | None = None) -> Feature:
    """Return a feature of floats that are not changed."""
    return Feature("float32", TFDIdentity(dtype="float32", name=_named("float", name)), "float")


def _float_rescaled(scale: float = 1.0, offset: float = 0.0, name: str | None = None) -> Feature:
    """Return a feature of floats that are scaled to `x * scale + offset`."""
    return Feature("float32", Rescaling(scale, offset, name=_named("float_rescaled", name)), "float")


def _float_normalized(name: str | None = None) -> Feature:
    """Return a feature of floats that are normalized to mean 0 and variance 1."""
    return Feature("float32", Normalization(name=_named("float_normalized", name)), "float")


def _float_discretized(
    num_bins: int | None,
    bin_boundaries: Sequence[float] | None = None,
    output_mode: str = "one_hot",
    name: str | None = None,
) -> Feature:
    """Return a feature of floats that are mapped to bins."""
    layer = Discretization(bin_boundaries, num_bins, name=_named("float_discretized", name))
    return Feature("float32", layer, output_mode)


def _integer_categorical(
    max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot", name: str | None = None
) -> Feature:
    """Return a feature of integers that stand for categories."""
    layer = IntegerLookup(max_tokens, num_oov_indices, name=_named("integer_categorical", name))
    return Feature("int32", layer, output_mode)


def _string_categorical(
    max_tokens: int | None = None, num_oov_indices: int = 1, output_mode: str = "one_hot", name: str | None = None
) -> Feature:
    """Return a feature of strings that stand for categories."""
    layer = StringLookup(max_tokens, num_oov_indices, name=_named("string_categorical", name))
    return Feature("string", layer, output_mode)


def _string_hashed(num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
    """Return a feature of strings that are hashed."""
    return Feature("string", Hashing(num_bins, name=_named("string_hashed", name)), output_mode)


def _integer_hashed(num_bins: int, output_mode: str = "one_hot", name: str | None = None) -> Feature:
    """Return a feature of integers that are hashed."""
    return Feature("int32", Hashing(num_bins, name=_named("integer_hashed", name)), output_mode)


_KINDS: dict[str, Callable[..., Feature]] = {
    "float": _float,
    "float_rescaled": _float_rescaled,
    "float_normalized": _float_normalized,
    "float_discretized": _float_discretized,
    "integer_categorical": _integer_categorical,
    "string_categorical": _string_categorical,
    "string_hashed": _string_hashed,
    "integer_hashed": _integer_hashed,
}


def named_kind(kind: str) -> Callable[..., Feature]:
    """Return the function that makes features of the given kind.

    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in _KINDS:
        raise ValueError(f"Unknown kind of feature {kind!r}. Expected one of {', '.join(_KINDS)}, or a `Feature`.")
    return _KINDS[kind]


def cardinality(name: str, layer: Any) -> int:
    """Return how many different integers the layer of a feature can return.

    Raises:
        ValueError: this is unknown for layers of its class.
    """
    if isinstance(layer, IndexLookup):
        return layer.vocabulary_size()
    if isinstance(layer, CategoryEncoding):
        return layer.num_tokens
    if isinstance(layer, Discretization):
        return (layer.num_bins or 1) if layer.bin_boundaries is None else len(layer.bin_boundaries) + 1
    if isinstance(layer, (Hashing, HashedCrossing)):
        return layer.num_bins
    raise ValueError(
        f"FeatureSpace: the feature {name!r} cannot be one_hot, because the number of values of {type(layer).__name__} "
        "is unknown. Set output_mode='int'."
    )
