"""In which dtypes a layer computes and keeps its weights."""

from __future__ import annotations

from typing import Any

from polykeras import config, dtypes
from polykeras.saving.serialization import Registry

POLICIES: Registry[Any] = Registry("dtype policy", "keras")

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

    def __init__(self, name: str | None = None) -> None:
        name = name or config.floatx()
        if name in _MIXED:
            self.compute_dtype, self.variable_dtype = _MIXED[name], "float32"
        else:
            try:
                self.compute_dtype = self.variable_dtype = dtypes.standardize_dtype(name)
            except ValueError:
                raise ValueError(
                    f"Unknown dtype policy {name!r}. Expected a dtype ({', '.join(dtypes.ALL)}) or one of "
                    f"{', '.join(_MIXED)}."
                ) from None
        self.name = name

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def get_config(self) -> dict[str, Any]:
        """Return the name."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """Return the policy of a config."""
        return cls(**config)


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
        return DTypePolicy.from_config(identifier["config"])
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    return DTypePolicy(dtypes.standardize_dtype(identifier))
