"""A dtype policy: the dtypes in which a layer computes and stores its weights."""

from __future__ import annotations

from typing import Any

from polykeras import config, dtypes, ops
from polykeras.graph import is_keras_tensor
from polykeras.saving.serialization import Registry

POLICIES: Registry[Any] = Registry("dtype policy", "keras")
MAPS: Registry[Any] = Registry("dtype policy", "keras.dtype_policies")

_MIXED = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
_default: DTypePolicy | None = None  # for layers that are not passed a `dtype`


@POLICIES.register()
class DTypePolicy:
    """The dtype of computations and the dtype of variables.

    Args:
        name: a dtype for both; or `"mixed_float16"` or `"mixed_bfloat16"`, for float32 variables and 16-bit
            computations.

    Raises:
        ValueError: the name is unknown.
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
        """Return an input of a layer as an array, cast to `dtype` if it is float and `autocast` is set.

        Args:
            x: any value; values that are neither arrays nor symbolic tensors are returned as they are.
            autocast: whether to cast floats.
            dtype: the dtype to cast them to.
        """
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
        """Return the policy that a config describes."""
        return cls(**config)


FloatDTypePolicy = DTypePolicy


def dtype_policy() -> DTypePolicy:
    """Return the policy of layers that are not passed a `dtype`."""
    return _default or DTypePolicy(config.floatx())


def set_default(policy: DTypePolicy | None) -> None:
    """Set the result of `dtype_policy`; None restores the default float dtype."""
    global _default
    _default = policy
