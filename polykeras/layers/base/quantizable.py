"""The base of layers that can be quantized.

Such a layer computes its product by `self._product(ops.matmul, inputs)`, and adds its bias by `self._shift(x)`.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar

from polykeras import dtype_policies, ops
from polykeras.backend.spec import Array
from polykeras.common.naming import is_ours
from polykeras.graph.inference import outside_inference
from polykeras.layers.base.low_rank import LowRank
from polykeras.variables import Variable, outside_scopes

if TYPE_CHECKING:
    from polykeras.layers.quantized.layout import Layout
    from polykeras.quantizers import QuantizationConfig


class Quantizable(LowRank):
    """Base of layers that can store weights as whole numbers, or compute with 8-bit floats.

    Args:
        *args: positional arguments of the next base class.
        quantization_config: a description of the quantization, used if the dtype policy is a quantized one. The policy
            may not say otherwise.
        **kwargs: further arguments of `LowRank`.

    Attributes:
        quantization_config: the description that was passed, or that `quantize` was called with.
        inputs_quantizer: the quantizer of the inputs; it exists only if inputs are quantized.
    """

    _modes: ClassVar[tuple[str, ...]] = dtype_policies.QUANTIZATION_MODES
    # Modes that also quantize the inputs if only a dtype policy is given.
    _default_activation_quantizers: ClassVar[tuple[str, ...]] = ("int8",)
    _quantized: Any = None
    _watcher: Callable[[Any, Array], None] | None = None  # of inputs, while weights are fitted to data

    def __init__(self, *args: Any, quantization_config: QuantizationConfig | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if quantization_config is not None:
            from polykeras.quantizers.configs import described

            described(quantization_config, f"{self._title()}: `quantization_config`")
        self.quantization_config = quantization_config

    def _layouts(self) -> list[Layout]:
        """Return the layouts of the weights, beginning with the weight that LoRA adapts."""
        raise NotImplementedError

    # ---- what a layer computes ---------------------------------------------------------------------------------

    def _product(self, function: Callable[[Any, Any], Any], inputs: Array, name: str = "kernel") -> Array:
        """Return `function(inputs, weight)`, which is linear in both, computed with the layer's quantization."""
        if self._watcher is not None:
            self._watcher(self, inputs)
        if self._quantized is None:
            return function(inputs, getattr(self, name))
        return self._quantized.product(function, inputs, name)

    def _rows(self, indices: Array, name: str) -> Array:
        """Return the rows of a table at `indices`."""
        if self._quantized is None:
            return ops.take(getattr(self, name), indices, axis=0)
        return self._quantized.rows(indices, name)

    def _shift(self, x: Array) -> Array:
        """Return `x` with the bias added, if there is one."""
        bias: Any = self.bias  # type: ignore[attr-defined]
        if bias is None:
            return x
        return ops.add(x, bias if self._quantized is None else self._quantized.shift(bias))

    def _read(self, name: str) -> Any:
        if self._quantized is None or self._quantized.keeps_floats:
            return super()._read(name)
        return self._quantized.read(name)

    # ---- quantizing --------------------------------------------------------------------------------------------

    @property
    def dtype_policy(self) -> Any:
        """The dtype policy, or a map of policies; setting a quantized policy quantizes a built layer."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        policy, maps = dtype_policies.get(value), getattr(self, "_dtype_policy", None)
        if vars(self).get("built") and self._quantized is None and policy.quantization_mode in ("gptq", "awq"):
            raise ValueError(
                f"{self._title()}: its weights cannot be fitted to data by setting the dtype policy {policy.name!r}. "
                f"Call `quantize({policy.quantization_mode!r}, config=...)` of the model."
            )
        if vars(self).get("built") and self._quantized is None:
            self._check_agreement(policy)
        if isinstance(maps, dtype_policies.DTypePolicyMap) and self.path:
            if self.path in maps:
                del maps[self.path]
            maps[self.path] = policy
        else:
            self._dtype_policy = policy
        self._quantize_as_policy_says()

    def _after_build(self) -> None:
        super()._after_build()
        self._quantize_as_policy_says()

    def _quantize_as_policy_says(self) -> None:
        if vars(self).get("built") and self._quantized is None and self.quantization_mode is not None:
            self._check_agreement(self._own_policy())
            self._set_quantized(self.quantization_mode, self.quantization_config)

    def _check_agreement(self, policy: dtype_policies.DTypePolicy) -> None:
        """Raise if the name of a quantized dtype policy says another mode, or other groups, than the description."""
        config = self.quantization_config
        if config is None or not isinstance(policy, dtype_policies.QuantizedDTypePolicy):
            return
        if policy.name.partition("_from_")[0] in (config.mode, config.dtype_policy_string()):
            return
        raise ValueError(
            f"{self._title()}: expected a dtype policy and a `quantization_config` that agree; received the policy "
            f"{policy.name!r} and a {type(config).__name__} for '{config.dtype_policy_string()}_from_...'. Leave one "
            "of them out."
        )

    def _check_mode(self, mode: str) -> None:
        from polykeras.layers.quantized.kinds import KINDS
        from polykeras.quantizers.report import CannotQuantize, QuantizationReport

        if mode not in self._modes:
            raise CannotQuantize(
                f"{self._title()}: its class has no mode {mode!r}; it has {', '.join(map(repr, self._modes))}.",
                QuantizationReport.SKIP_NO_SUPPORT,
            )
        if self.lora_enabled and not KINDS[mode].supports_lora:
            raise CannotQuantize(
                f"{self._title()} has LoRA, which the mode {mode!r} does not support.", QuantizationReport.SKIP_LORA
            )

    def _set_quantized(self, mode: str, config: Any, *rounded: Any) -> None:
        from polykeras.layers.quantized.kinds import KINDS

        self._check_mode(mode)
        with outside_inference(), outside_scopes():  # so that arrays made in it have values, and variables keep them
            self._quantized = KINDS[mode](self, self._layouts(), mode, config, *rounded)

    def quantize(
        self,
        mode: str | None = None,
        type_check: bool = True,
        config: QuantizationConfig | str | None = None,
    ) -> None:
        """Store the weights as whole numbers, or compute with 8-bit floats in training.

        Args:
            mode: `"int8"` stores weights and inputs in 8 bits; `"int4"` stores weights in 4 bits, with a scale for each
                block of 128; `"ternary"` stores -1, 0 and 1 with one scale; `"float8"` computes products of 8-bit
                floats, for training.
            type_check: whether to refuse a user's subclass, whose `call` may use the weights in another way.
            config: a description, such as `quantizers.Int4QuantizationConfig(block_size=64)`, or a mode.

        Raises:
            ValueError: the layer is not built, or is quantized already, or the mode needs data, which goes through a
                model; see also `quantizers.QuantizationConfig`.
            NotImplementedError: the class is a user's subclass, or the layer lacks the mode.

        Example:
            >>> from polykeras import layers
            >>> layer = layers.Dense(8)
            >>> layer.build((None, 16))
            >>> layer.quantize("int8")
            >>> [(w.name, w.dtype) for w in layer.weights]
            [('bias', 'float32'), ('kernel', 'int8'), ('kernel_scale', 'float32')]
        """
        from polykeras.quantizers.calibrated import CalibratedConfig
        from polykeras.quantizers.configs import resolve

        described = resolve(mode, config)
        if isinstance(described, CalibratedConfig):
            raise ValueError(
                f"{self._title()}: the mode {described.mode!r} fits weights to data that goes through a model. Call "
                "`model.quantize(config=...)`, with the layer in one of the blocks of the model."
            )
        self._check_quantizable(described, type_check)
        self._become(described)

    def _check_quantizable(self, config: Any, type_check: bool) -> None:
        """Raise if `quantize` would; see there."""
        from polykeras.quantizers.report import CannotQuantize, QuantizationReport

        if not self.built:
            raise ValueError(f"{self._title()}: build it, or call it once, before `quantize`.")
        if self._quantized is not None:
            raise ValueError(f"{self._title()} is quantized already: its dtype policy is {self._own_policy().name!r}.")
        if type_check and not is_ours(type(self)):
            raise CannotQuantize(
                f"{self._title()}: its class is not part of polykeras, and may use its weights in another way. Pass "
                "`type_check=False` to quantize it like its base class.",
                QuantizationReport.SKIP_SUBCLASS,
            )
        self._check_mode(config.mode)
        source = self._own_policy()
        if config.mode == "int8" and source.compute_dtype == "float16":
            dtype_policies.QuantizedDTypePolicy("int8", source.name)  # raises, and says why

    def _become(self, config: Any, *rounded: Any) -> None:
        """Quantize the weights; `rounded` are those that were fitted to data."""
        source = self._own_policy()
        self._set_quantized(config.mode, config, *rounded)
        self.quantization_config = config.without_data()
        if source.quantization_mode is None:
            assert self._quantized is not None
            self.dtype_policy = f"{self._quantized.policy_name}_from_{source.name}"

    def quantized_build(self, input_shape: Any, mode: str, config: QuantizationConfig | str | None = None) -> None:
        """Quantize the layer's weights, like `quantize`.

        Args:
            input_shape: not used; the weights have their shapes already.
            mode: see `quantize`.
            config: see `quantize`.
        """
        self.quantize(mode, False, config)

    def quantized_call(self, *args: Any, **kwargs: Any) -> Any:
        """Return the result of `call`, which computes with the quantized weights; arguments as for `call`."""
        return self.call(*args, **kwargs)

    def _refuses_lora(self) -> str | None:
        if self._quantized is None or self._quantized.supports_lora:
            return super()._refuses_lora()
        return f"the weight is quantized in the mode {self._quantized.mode!r}"

    def _drop_weight(self, name: str) -> None:
        weight = vars(self).pop(name)
        self._own_weights = [own for own in self._own_weights if own is not weight]

    # ---- weights and files, as in Keras ------------------------------------------------------------------------

    def _adapted_shape(self) -> tuple[int, ...]:
        if self._quantized is None or self._quantized.keeps_floats:
            return super()._adapted_shape()
        return self._quantized.layouts[self._adaptable].shape

    def _saved_variables(self) -> list[Variable]:
        if self._quantized is None:
            return super()._saved_variables()
        return [vars(self)[name] for name in self._quantized.names()]

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write the variables; with LoRA, the product is added to the weight, which is then quantized again."""
        if self._quantized is None or self._quantized.keeps_floats or not self.lora_enabled:
            super().save_own_variables(store)
            return
        merged = self._quantized.merged()
        for place, name in enumerate(self._quantized.names()):
            store[str(place)] = ops.convert_to_numpy(merged[name]) if name in merged else vars(self)[name].numpy()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments; the description of a quantization only if there is one."""
        config = super().get_config()
        if config.get("quantization_config") is None:
            config.pop("quantization_config", None)
        return config
