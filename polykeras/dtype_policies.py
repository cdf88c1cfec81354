"""In which dtypes a layer computes and keeps its weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from polykeras import config, dtypes, ops
from polykeras.graph import is_keras_tensor
from polykeras.saving.serialization import Registry, deserialize_keras_object, serialize_keras_object

POLICIES: Registry[Any] = Registry("dtype policy", "keras")
MAPS: Registry[Any] = Registry("dtype policy", "keras.dtype_policies")

_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
_global: DTypePolicy | None = None


@POLICIES.register()
class DTypePolicy:
    """A dtype for computing and one for the variables.

    Args:
        name: a dtype, for both, or `"mixed_float16"` / `"mixed_bfloat16"`: float32 variables, computing in 16 bits.

    Raises:
        ValueError: an unknown name.
    """

    quantization_mode: str | None = None

    def __init__(self, name: str | None = None) -> None:
        self.name = name or dtype_policy().name
        self._set_dtypes(self.name)

    def _set_dtypes(self, name: str) -> None:
        if name in _MIXED:
            self.compute_dtype, self.variable_dtype = _MIXED[name], "float32"
            return
        try:
            self.compute_dtype = self.variable_dtype = dtypes.standardize_dtype(name)
        except ValueError:
            raise ValueError(
                f"Unknown dtype policy {name!r}. Expected a dtype ({', '.join(dtypes.ALL)}) or one of "
                f"{', '.join(_MIXED)}; `dtype_policies.get` also takes names such as 'int8_from_float32'."
            ) from None

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self.name}">'

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.get_config() == self.get_config()

    def __hash__(self) -> int:
        return hash(self.name)

    def convert_input(self, x: Any, autocast: bool, dtype: Any) -> Any:
        """Return what a layer is given as it computes with it: an array, a float one in `dtype` with `autocast`."""
        if not (hasattr(x, "__array__") or ops.is_tensor(x) or is_keras_tensor(x)):
            return x
        x = ops.convert_to_tensor(x)
        wanted = dtypes.standardize_dtype(dtype)
        return ops.cast(x, wanted) if autocast and dtypes.is_float(ops.dtype(x)) and ops.dtype(x) != wanted else x

    def get_config(self) -> dict[str, Any]:
        """Return the name."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """Return the policy of a config."""
        return cls(**config)


FloatDTypePolicy = DTypePolicy


@MAPS.register()
class DTypePolicyMap(DTypePolicy, MutableMapping[str, DTypePolicy]):
    """A policy for each layer, by patterns of layers' paths.

    Args:
        default_policy: of layers that no pattern fits; the global one where None.
        policy_map: a dict of policies by regular expressions, each for paths that it fits as a whole.

    Raises:
        ValueError: the default is a map itself.
        TypeError: `policy_map` is no dict.
    """

    def __init__(self, default_policy: Any = None, policy_map: dict[str, DTypePolicy] | None = None) -> None:
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("DTypePolicyMap: the default policy cannot be a map itself.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(f"DTypePolicyMap: `policy_map` must be a dict; received {policy_map!r}.")
        self._given = default_policy
        self._default_policy = get(default_policy)
        self._policy_map = {} if policy_map is None else policy_map

    @property
    def default_policy(self) -> DTypePolicy:
        """The policy of layers that no pattern fits."""
        return self._default_policy

    @property
    def name(self) -> str:
        """`"map_"` and the name of the default policy."""
        return f"map_{self._default_policy.name}"

    @property
    def compute_dtype(self) -> str:
        """That of the default policy."""
        return self._default_policy.compute_dtype

    @property
    def variable_dtype(self) -> str:
        """That of the default policy."""
        return self._default_policy.variable_dtype

    @property
    def quantization_mode(self) -> str | None:
        """That of the default policy."""
        return self._default_policy.quantization_mode

    def __getitem__(self, key: str) -> DTypePolicy:
        if key in self._policy_map:
            return self._policy_map[key]
        fitting = [pattern for pattern in self._policy_map if re.fullmatch(pattern, key)]
        if len(fitting) > 1:
            raise ValueError(f"DTypePolicyMap: several patterns fit the layer {key!r}: {fitting}. Leave one.")
        return self._policy_map[fitting[0]] if fitting else self._default_policy

    def __setitem__(self, key: str, policy: Any) -> None:
        if key in self._policy_map:
            raise ValueError(f"DTypePolicyMap: there is a policy for {key!r} already, {self._policy_map[key]!r}.")
        self._policy_map[key] = get(policy)

    def __delitem__(self, key: str) -> None:
        del self._policy_map[key]

    def __contains__(self, key: object) -> bool:
        return key in self._policy_map

    def __len__(self) -> int:
        return len(self._policy_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._policy_map)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        names = {pattern: policy.name for pattern, policy in self._policy_map.items()}
        return f"<DTypePolicyMap default_policy={self._default_policy.name}, {names}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DTypePolicyMap):
            return False
        return self._default_policy == other._default_policy and self._policy_map == other._policy_map

    __hash__ = object.__hash__

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__` as plain data."""
        return {
            "default_policy": serialize_keras_object(self._given),
            "policy_map": serialize_keras_object(self._policy_map),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicyMap:
        """Return the map of a config."""
        return cls(**{name: deserialize_keras_object(value) for name, value in config.items()})


QUANTIZATION_MODES = ("int8", "int4", "float8")


def check_mode(mode: Any) -> None:
    """Raise an error unless layers can be quantized in that way.

    Raises:
        NotImplementedError: GPTQ or AWQ. ValueError: anything else that is unknown.
    """
    if mode in QUANTIZATION_MODES:
        return
    known = ", ".join(map(repr, QUANTIZATION_MODES))
    if isinstance(mode, str) and mode.startswith(("gptq", "awq")):
        raise NotImplementedError(
            f"Quantization by {mode.split('/')[0].upper()} is not available: received {mode!r}. There are {known}; "
            "'int4' too keeps a scale for each block of a weight (`Int4QuantizationConfig(block_size=128)`)."
        )
    raise ValueError(f"Expected a mode of quantization, one of {known}; received {mode!r}.")


@MAPS.register()
class QuantizedDTypePolicy(DTypePolicy):
    """The policy of a layer whose weights are kept as whole numbers; see `Layer.quantize`.

    Args:
        mode: `"int8"` or `"int4"`.
        source_name: the policy before, such as `"float32"`; the global one where None.

    Raises:
        ValueError: another mode, or int8 computed in float16, where the sums are too large.
        NotImplementedError: GPTQ or AWQ.
    """

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        check_mode(mode)
        self.quantization_mode = mode
        self._source_name = source_name or dtype_policy().name
        self._set_dtypes(self._source_name)
        self.name = f"{mode}_from_{self._source_name}"
        if (mode, self.compute_dtype) == ("int8", "float16"):
            raise ValueError(
                f"The dtype policy {self.name!r}: sums of products of 8 bits are too large for float16. Compute in "
                "float32 or bfloat16, or use the mode 'int4'."
            )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {"mode": self.quantization_mode, "source_name": self._source_name}


@MAPS.register()
class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """The policy of a layer that computes with 8-bit floats in training; see `Layer.quantize`.

    Args:
        mode: `"float8"`.
        source_name: the policy before; the global one where None.
        amax_history_length: how many largest sizes are kept, one for each step. Scales come from the largest of them.

    Raises:
        TypeError: the length is no int. ValueError: another mode.
    """

    default_amax_history_length = 1024

    def __init__(self, mode: str, source_name: str | None = None, amax_history_length: int = 1024) -> None:
        super().__init__(mode, source_name)
        if not isinstance(amax_history_length, int):
            raise TypeError(
                f"QuantizedFloat8DTypePolicy: `amax_history_length` must be an int; received {amax_history_length!r}."
            )
        self.amax_history_length = amax_history_length

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return super().get_config() | {"amax_history_length": self.amax_history_length}


@MAPS.register()
class Int4DTypePolicy(QuantizedDTypePolicy):
    """The policy of a layer of 4-bit numbers with a scale for each block of a weight.

    Args:
        mode: `"int4/128"` for blocks of 128; `"int4/-1"` for a scale for each output alone.
        source_name: the policy before; the global one where None.

    Raises:
        ValueError: another form of `mode`.
    """

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        found = re.fullmatch(r"int4/(-1|[1-9]\d*)", mode)
        if not found:
            raise ValueError(f"Int4DTypePolicy: expected a mode such as 'int4/128' or 'int4/-1'; received {mode!r}.")
        super().__init__("int4", source_name)
        self.mode = "int4"
        self.block_size = int(found[1])
        self.name = f"{mode}_from_{self._source_name}"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return super().get_config() | {"mode": f"int4/{self.block_size}"}


class GPTQDTypePolicy(QuantizedDTypePolicy):
    """Keras's policy of layers quantized by GPTQ, which is not available; arguments as `QuantizedDTypePolicy`."""


class AWQDTypePolicy(QuantizedDTypePolicy):
    """Keras's policy of layers quantized by AWQ, which is not available; arguments as `QuantizedDTypePolicy`."""


def _quantized(mode: str, source_name: str) -> DTypePolicy:
    if mode.startswith("int4/"):
        return Int4DTypePolicy(mode, source_name)
    return (QuantizedFloat8DTypePolicy if mode == "float8" else QuantizedDTypePolicy)(mode, source_name)


def dtype_policy() -> DTypePolicy:
    """Return the policy of layers that are given no `dtype`."""
    return _global or DTypePolicy(config.floatx())


def set_dtype_policy(policy: str | DTypePolicy | None) -> None:
    """Set the policy of layers that are given no `dtype`; None goes back to the default float dtype."""
    global _global
    _global = None if policy is None else get(policy)


def get(identifier: Any) -> DTypePolicy:
    """Return a policy from a name, a dtype, a config or a policy; the global one for None."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        mode, quantized, source_name = identifier.partition("_from_")
        return _quantized(mode, source_name) if quantized else DTypePolicy(identifier)
    return DTypePolicy(dtypes.standardize_dtype(identifier))


def serialize(dtype_policy: DTypePolicy) -> Any:
    """Return the config of a policy."""
    return serialize_keras_object(dtype_policy)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the policy of a config.

    Args:
        config: what `serialize` gave.
        custom_objects: further names it may use.
    """
    return deserialize_keras_object(config, custom_objects, default=POLICIES)
