"""Members of a layer that follow from its dtype policy: its dtypes, and its quantization."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from polykeras.dtype_policies import DTypePolicy, DTypePolicyMap

if TYPE_CHECKING:
    from polykeras.quantizers import QuantizationConfig
    from polykeras.variables import Variable


class PolicyMixin:
    """The dtypes and the quantization of a layer, and a `quantize` that raises for most layers."""

    dtype_policy: Any
    _own_weights: list[Variable]
    _path: Callable[[], list[str]]
    _title: Callable[[], str]

    def _own_policy(self) -> DTypePolicy:
        """The policy of this layer, looked up by its path if `dtype_policy` is a map."""
        policy = self.dtype_policy
        if not isinstance(policy, DTypePolicyMap):
            return policy
        return policy[self._own_weights[0].path.rpartition("/")[0] if self._own_weights else "/".join(self._path())]

    @property
    def compute_dtype(self) -> str:
        """The dtype in which the layer computes."""
        return self._own_policy().compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of the layer's weights."""
        return self._own_policy().variable_dtype

    dtype = variable_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype to which float inputs are cast."""
        return self.dtype_policy.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """The quantization of the layer, such as `"int8"`, or None."""
        return self._own_policy().quantization_mode

    def quantize(
        self,
        mode: str | None = None,
        type_check: bool = True,
        config: QuantizationConfig | str | None = None,
    ) -> None:
        """Raise: only Dense, EinsumDense, TernaryDense, Embedding and ReversibleEmbedding can be quantized.

        Args:
            mode: see `Dense.quantize`.
            type_check: see `Dense.quantize`.
            config: see `Dense.quantize`.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{self._title()}: layers of its class cannot be quantized.")
