"""Members that Keras code expects of a layer: its path, the parameters of `call`, quantization."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from polykeras.dtype_policies import DTypePolicy
from polykeras.layers.base.call_arguments import call_spec

if TYPE_CHECKING:
    from polykeras.quantizers import QuantizationConfig


class KerasMembers:
    """Members of a `Layer` that describe it, and a `quantize` that raises for most layers."""

    call: Callable[..., Any]
    _own_policy: Callable[[], DTypePolicy]
    _title: Callable[[], str]

    supports_jit = True
    _built_path: str | None = None

    @property
    def quantization_mode(self) -> str | None:
        """The quantization of the layer: `"int8"`, `"int4"`, `"float8"` or None."""
        return self._own_policy().quantization_mode

    def quantize(
        self,
        mode: str | None = None,
        type_check: bool = True,
        config: QuantizationConfig | Mapping[str, Any] | None = None,
    ) -> None:
        """Raise: only Dense, EinsumDense, Embedding and ReversibleEmbedding can be quantized.

        Args:
            mode: see `Dense.quantize`.
            type_check: see `Dense.quantize`.
            config: see `Dense.quantize`.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{self._title()}: layers of its class cannot be quantized.")

    @property
    def path(self) -> str | None:
        """The names of the enclosing layers and its own, joined by `/`, from when it was built; None before that."""
        return self._built_path

    @property
    def call_signature_parameters(self) -> list[str]:
        """The names of the parameters of `call`."""
        return list(inspect.signature(self.call).parameters)

    @property
    def _call_has_training_arg(self) -> bool:
        return call_spec(type(self).call).has_training

    @property
    def _call_has_mask_arg(self) -> bool:
        return call_spec(type(self).call).has_mask
