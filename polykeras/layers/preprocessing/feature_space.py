"""A layer that encodes tables of named features, with a layer for each feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar

import numpy as np

from polykeras import dtypes, ops
from polykeras.backend import registry
from polykeras.graph import KerasTensor
from polykeras.layers.base.layer import LAYERS, Layer
from polykeras.layers.core.input_layer import Input
from polykeras.layers.preprocessing.discretization import Discretization
from polykeras.layers.preprocessing.encoding import CategoryEncoding
from polykeras.layers.preprocessing.feature_kinds import Cross, Feature, cardinality, named_kind
from polykeras.layers.preprocessing.hashing import HashedCrossing
from polykeras.layers.preprocessing.host import column, columns, run_on_host
from polykeras.saving.model_files import save_model
from polykeras.saving.serialization import deserialize_keras_object, serialize_keras_object


@LAYERS.register()
class FeatureSpace(Layer):
    """Encodes tables: turns a dict of columns into one array, or into a dict of arrays.

    Args:
        features: the kind of each feature, by its name. A kind is one of `"float"`, `"float_normalized"`,
            `"float_rescaled"`, `"float_discretized"`, `"integer_categorical"`, `"integer_hashed"`,
            `"string_categorical"` and `"string_hashed"`; the result of the function of that name, such as
            `FeatureSpace.float_discretized(num_bins=9)`; or `FeatureSpace.feature(...)` with a layer of your own.
        output_mode: `"concat"` joins all features into one array; `"dict"` returns each under its name.
        crosses: tuples of names of features to hash together, or results of `FeatureSpace.cross`.
        crossing_dim: the number of bins of a cross.
        hashing_dim: the number of bins of `"integer_hashed"` and `"string_hashed"`.
        num_discretization_bins: the number of bins of `"float_discretized"`.
        name: the name of the layer.

    Attributes:
        preprocessors: the layers of the features, by name.
        crossers: the layers of the crosses, by name, such as `"a_X_b"`.

    Raises:
        ValueError: the kind of a feature is unknown, or a cross names an unknown feature.

    Example:
        >>> from polykeras.utils import FeatureSpace
        >>> space = FeatureSpace({"age": "float", "city": "string_categorical"})
        >>> data = {"age": [30.0, 40.0], "city": ["Rome", "Oslo"]}
        >>> space.adapt(data)
        >>> space(data).tolist()
        [[30.0, 0.0, 1.0, 0.0], [40.0, 0.0, 0.0, 1.0]]
    """

    _module_in_configs = "keras.utils"
    _alone_in_files: ClassVar[bool] = True

    def __init__(
        self,
        features: Mapping[str, Any],
        output_mode: str = "concat",
        crosses: Sequence[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if not features:
            raise ValueError("FeatureSpace needs `features`, a dict of their kinds by name; received none.")
        if output_mode not in ("concat", "dict"):
            raise ValueError(f"FeatureSpace: `output_mode` must be 'concat' or 'dict'; received {output_mode!r}.")
        self.output_mode = output_mode
        self.crossing_dim, self.hashing_dim = crossing_dim, hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.features = {name: self._feature(name, kind) for name, kind in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.crosses_by_name = {cross.name: cross for cross in self.crosses}
        self.inputs = {name: Input((1,), dtype=feature.dtype, name=name) for name, feature in self.features.items()}
        self.preprocessors = {name: feature.preprocessor for name, feature in self.features.items()}
        self.crossers = {cross.name: HashedCrossing(cross.crossing_dim, name=cross.name) for cross in self.crosses}
        self.one_hot_encoders: dict[str, CategoryEncoding] = {}
        self.encoded_features: Any = None
        self._is_adapted = False

    # ---- kinds of features -------------------------------------------------------------------------------------

    cross = Cross
    feature = Feature
    float = staticmethod(named_kind("float"))
    float_rescaled = staticmethod(named_kind("float_rescaled"))
    float_normalized = staticmethod(named_kind("float_normalized"))
    float_discretized = staticmethod(named_kind("float_discretized"))
    integer_categorical = staticmethod(named_kind("integer_categorical"))
    string_categorical = staticmethod(named_kind("string_categorical"))
    string_hashed = staticmethod(named_kind("string_hashed"))
    integer_hashed = staticmethod(named_kind("integer_hashed"))

    def _feature(self, name: str, kind: Any) -> Feature:
        if isinstance(kind, Feature):
            return kind
        if isinstance(kind, Mapping):
            return deserialize_keras_object(kind)
        bins = {"float_discretized": self.num_discretization_bins}
        bins |= dict.fromkeys(("integer_hashed", "string_hashed"), self.hashing_dim)
        make = named_kind(kind)
        return make(bins[kind], name=name) if kind in bins else make(name=name)

    def _cross(self, cross: Any) -> Cross:
        if isinstance(cross, Mapping):
            cross = deserialize_keras_object(cross)
        if isinstance(cross, Cross):
            return cross
        unknown = [name for name in cross if name not in self.features]
        if unknown:
            raise ValueError(f"FeatureSpace: `crosses` names {unknown}; the features are {list(self.features)}.")
        return Cross(cross, self.crossing_dim)

    # ---- adapting ----------------------------------------------------------------------------------------------

    def _to_adapt(self) -> list[str]:
        """Return the names of the features whose layers must be adapted to data."""

        def given(layer: Any) -> bool:
            if isinstance(layer, Discretization):
                return layer.num_bins is None
            layer = getattr(layer, "_lookup_layer", layer)
            return getattr(layer, "input_mean", None) is not None or getattr(layer, "_has_input_vocabulary", False)

        return [name for name, layer in self.preprocessors.items() if hasattr(layer, "adapt") and not given(layer)]

    def adapt(self, dataset: Any) -> None:
        """Adapt the layers of all features that learn from data.

        Args:
            dataset: a dict or a data frame of columns; or an iterable of dicts of batches (or of single values), such
                as a `tf.data.Dataset`. It is iterated once for each feature.

        Raises:
            ValueError: the data have another form, or cannot be iterated several times.
        """
        names = self._to_adapt()
        if hasattr(dataset, "iloc"):  # a pandas data frame
            dataset = {name: dataset[name].to_numpy() for name in names}
        once = hasattr(dataset, "__next__") and len(names) > 1
        if once or not (hasattr(dataset, "__iter__") or hasattr(dataset, "__getitem__")):
            raise ValueError(
                "FeatureSpace.adapt needs a dict of columns, or an iterable of dicts that can be iterated once for "
                f"each feature, such as a tf.data.Dataset; received {type(dataset).__name__}."
            )
        for name in names:
            whole = isinstance(dataset, Mapping)
            self.preprocessors[name].adapt(column(dataset[name]) if whole else columns(dataset, name))
        self._is_adapted = True
        self.encoded_features = None
        self.get_encoded_features()

    def get_inputs(self) -> dict[str, KerasTensor]:
        """Return symbolic inputs for all features, for a model that takes raw features."""
        self.get_encoded_features()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """Return the symbolic outputs for `get_inputs()`.

        Raises:
            ValueError: the layers are not adapted yet.
        """
        if self.encoded_features is None:
            if not self._is_adapted and self._to_adapt():
                raise ValueError(f"{self._title()} is not adapted yet: call `adapt(dataset)` first.")
            self._is_adapted = True
            self._make_encoders()
            self.encoded_features = self._encoded(self.inputs)
            self.built = True
        return self.encoded_features

    def _make_encoders(self) -> None:
        for name, spec in {**self.features, **self.crosses_by_name}.items():
            layer = self.preprocessors.get(name) or self.crossers[name]
            if spec.output_mode == "one_hot":
                self.one_hot_encoders[name] = CategoryEncoding(cardinality(name, layer), output_mode="multi_hot")

    # ---- calling -----------------------------------------------------------------------------------------------

    def _prepared(self, name: str, data: Mapping[str, Any]) -> Any:
        """Return the output of the layer of a feature or cross."""
        if name in self.preprocessors:
            return self.preprocessors[name](data[name])
        return self.crossers[name]([self._prepared(part, data) for part in self.crosses_by_name[name].feature_names])

    def _encoded_feature(self, name: str, data: Mapping[str, Any]) -> Any:
        prepared = self._prepared(name, data)
        encoder = self.one_hot_encoders.get(name)
        if encoder is not None and not dtypes.is_int(dtypes.standardize_dtype(prepared.dtype)):
            raise ValueError(
                f"{self._title()}: the feature {name!r} cannot be one_hot, because its layer returns {prepared.dtype}, "
                "not integers. Set output_mode='float'."
            )
        return prepared if encoder is None else encoder(prepared)

    def _names(self) -> list[str]:
        return sorted(self.features) + sorted(self.crossers)

    def _encoded(self, data: Mapping[str, Any]) -> Any:
        found = {name: self._encoded_feature(name, data) for name in self._names()}
        if self.output_mode == "dict":
            return found
        for name, feature in found.items():
            if not dtypes.is_float(dtypes.standardize_dtype(feature.dtype)):
                raise ValueError(
                    f"{self._title()}: the feature {name!r} is {feature.dtype}, and cannot be joined with floats in "
                    "one array. Encode it, or set output_mode='dict'."
                )
        return ops.concatenate(list(found.values()), -1)

    def __call__(self, data: Any) -> Any:
        """Return the encoded features.

        Args:
            data: a dict of columns `(batch,)` or `(batch, 1)`, or of single values. They may be lists or arrays of any
                framework, also traced ones in a map over a data set.

        Returns:
            An array `(batch, width)`, or a dict of such arrays; without the batch axis for single values.

        Raises:
            ValueError: `data` is not a dict, or a feature is missing.
        """
        encoded = self.get_encoded_features()
        if not isinstance(data, Mapping):
            raise ValueError(f"{self._title()} takes a dict of features; received {type(data).__name__}.")
        missing = [name for name in self.features if name not in data]
        if missing:
            raise ValueError(f"{self._title()}: the data lack the features {missing}; they have {list(data)}.")
        if any(isinstance(data[name], KerasTensor) for name in self.features):
            return self._encoded(data)
        if self.output_mode == "concat":
            return self._on_host(self._encoded, encoded, data, list(self.features))
        return {name: self._one_on_host(name, encoded[name], data) for name in self._names()}

    def _one_on_host(self, name: str, encoded: KerasTensor, data: Mapping[str, Any]) -> Any:
        parts = [name] if name in self.features else list(self.crosses_by_name[name].feature_names)
        return self._on_host(lambda columns: self._encoded_feature(name, columns), encoded, data, parts)

    @staticmethod
    def _on_host(
        encode: Callable[[Mapping[str, Any]], Any], encoded: KerasTensor, data: Mapping[str, Any], names: list[str]
    ) -> Any:
        def run(*values: Any) -> np.ndarray:
            with registry.use_backend("numpy"):
                result = np.asarray(encode({name: column(x) for name, x in zip(names, values, strict=True)}))
            return result[0] if any(np.ndim(x) == 0 for x in values) else result

        def spec(*shapes: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], str]:
            single = any(not shape for shape in shapes)
            return encoded.shape[1:] if single else (shapes[0][0], *encoded.shape[1:]), encoded.dtype

        return run_on_host(run, [data[name] for name in names], spec)

    # ---- files -------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            "features": serialize_keras_object(self.features),
            "output_mode": self.output_mode,
            "crosses": serialize_keras_object(self.crosses),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FeatureSpace:
        """Return the feature space that a config describes."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """Return the build configs of the features' layers, by name."""
        return {name: layer.get_build_config() for name, layer in self.preprocessors.items()}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build the features' layers from the result of `get_build_config`; files restore what they were adapted to."""
        for name, layer in self.preprocessors.items():
            if not layer.built and config.get(name):
                layer.build_from_config(config[name])
        self._is_adapted = True

    def save(self, filepath: Any) -> None:
        """Write the feature space to a `.keras` file, which `load_model` reads."""
        save_model(self, filepath)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write nothing, because the layers write their own variables."""

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Read nothing, because the layers read their own variables."""
