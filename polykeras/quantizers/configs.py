"""Descriptions of how to quantize layers: the mode, and the quantizers of weights and inputs."""

from __future__ import annotations

from typing import Any, NoReturn

from polykeras.dtype_policies import QUANTIZATION_MODES, check_mode
from polykeras.quantizers.quantizer import QUANTIZERS, AbsMaxQuantizer
from polykeras.saving.configurable import Configurable


@QUANTIZERS.register()
class QuantizationConfig(Configurable):
    """Base of the descriptions for `Layer.quantize(config=...)`.

    Args:
        weight_quantizer: the quantizer of weights; by default the layer's own.
        activation_quantizer: the quantizer of inputs, applied in each call; None keeps them as floats.
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None) -> None:
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self) -> str:
        """The word for the quantization, such as `"int8"`."""
        raise NotImplementedError(f"{type(self).__name__}: use a subclass, such as `Int8QuantizationConfig`.")

    def dtype_policy_string(self) -> str:
        """Return the first part of the name of a quantized layer's dtype policy, such as `int4/128`."""
        return self.mode

    def without_data(self) -> Any:
        """Return a copy that is small enough for a layer to keep."""
        return self

    def _check_weight_quantizer(self, **expected: Any) -> None:
        for name, value in expected.items():
            given = getattr(self.weight_quantizer, name, value)
            if (tuple(given) if isinstance(given, list) else given) != value:
                raise ValueError(
                    f"{type(self).__name__}: the weight quantizer's `{name}` must be {value!r}; received {given!r}."
                )


@QUANTIZERS.register()
class Int8QuantizationConfig(QuantizationConfig):
    """Quantizes weights to 8 bits with a scale for each output, and inputs to 8 bits.

    Args:
        weight_quantizer: a quantizer to int8.
        activation_quantizer: the quantizer of inputs; by default `AbsMaxQuantizer()`, with a scale for each row.

    Raises:
        ValueError: the weight quantizer has another dtype.
    """

    mode = "int8"  # type: ignore[assignment]

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default") -> None:
        super().__init__(
            weight_quantizer, AbsMaxQuantizer() if _default(activation_quantizer) else activation_quantizer
        )
        self._check_weight_quantizer(output_dtype="int8")


@QUANTIZERS.register()
class Int4QuantizationConfig(QuantizationConfig):
    """Quantizes weights to 4 bits, and stores two in a byte.

    Args:
        weight_quantizer: a quantizer to int8 in [-8, 7].
        activation_quantizer: the quantizer of inputs; by default they stay floats.
        block_size: the number of weights of an output that share a scale and a zero point; None or -1 for one scale for
            each output.

    Raises:
        ValueError: the size is invalid, blocks and a quantizer are both requested, or the weight quantizer is another
            one.
    """

    mode = "int4"  # type: ignore[assignment]

    def __init__(
        self, weight_quantizer: Any = None, activation_quantizer: Any = "default", block_size: int | None = 128
    ) -> None:
        super().__init__(weight_quantizer, None if _default(activation_quantizer) else activation_quantizer)
        if block_size is not None and block_size != -1 and block_size <= 0:
            raise ValueError(f"Int4QuantizationConfig: expected a positive `block_size`, -1 or None; got {block_size}.")
        self.block_size = block_size
        if in_blocks(block_size) and (self.weight_quantizer, self.activation_quantizer) != (None, None):
            raise ValueError(
                "Int4QuantizationConfig: blocks do not use quantizers. Leave them out, or pass `block_size=None`."
            )
        self._check_weight_quantizer(value_range=(-8, 7), output_dtype="int8")

    def dtype_policy_string(self) -> str:
        """Return the first part of the name of a quantized layer's dtype policy, such as `int4/128`."""
        return f"int4/{self.block_size or -1}"

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Return the description of a config; older configs without a block size mean no blocks."""
        return super().from_config({"block_size": None} | config)


@QUANTIZERS.register()
class Float8QuantizationConfig(QuantizationConfig):
    """Computes products of 8-bit floats in training; it has no options."""

    mode = "float8"  # type: ignore[assignment]
    _not_in_config = ("weight_quantizer", "activation_quantizer")

    def __init__(self) -> None:
        super().__init__()


@QUANTIZERS.register()
class TernaryQuantizationConfig(QuantizationConfig):
    """Stores weights of -1, 0 and 1, five in a byte; it has no options.

    Numbers above half of the mean absolute value count as their sign, and are scaled by that mean.
    """

    mode = "ternary"  # type: ignore[assignment]
    _not_in_config = ("weight_quantizer", "activation_quantizer")

    def __init__(self) -> None:
        super().__init__()


def _default(quantizer: Any) -> bool:
    return isinstance(quantizer, str) and quantizer == "default"


def in_blocks(block_size: int | None) -> bool:
    """Return whether the size means blocks: None and -1 mean none."""
    return block_size is not None and block_size > 0


_CONFIGS: dict[str, type[QuantizationConfig]] = {
    "int8": Int8QuantizationConfig,
    "int4": Int4QuantizationConfig,
    "float8": Float8QuantizationConfig,
    "ternary": TernaryQuantizationConfig,
}


def resolve(mode: Any, config: Any) -> QuantizationConfig:
    """Return the description for the arguments of `quantize`.

    Args:
        mode: a mode, or None if a description is passed.
        config: a description, a mode, or None for the default of the mode.

    Raises:
        ValueError: both arguments are missing, they differ, or the mode is unknown or needs a description.
        TypeError: the description has another type.
    """
    if isinstance(config, str):
        mode, config = config, None
    if config is None:
        if mode is None:
            _neither()
        check_mode(mode)
        if mode not in _CONFIGS:
            raise ValueError(
                f"quantize: the mode {mode!r} fits weights to data. Pass "
                f"`config=quantizers.{mode.upper()}Config(dataset, tokenizer)` to `quantize` of the model."
            )
        return _CONFIGS[mode]()
    config = described(config, "quantize: `config`")
    if mode is not None and mode != config.mode:
        raise ValueError(f"quantize: the mode {mode!r} and the config, of mode {config.mode!r}, differ. Pass one.")
    check_mode(config.mode)
    return config


def described(config: Any, what: str) -> QuantizationConfig:
    """Return `config` if it is a description.

    Args:
        config: what the user passed.
        what: the owner and the name of the argument, for the message.

    Raises:
        TypeError: it is anything else.
    """
    if isinstance(config, QuantizationConfig):
        return config
    hint = " `quantizers.deserialize` makes one of a serialized dict." if isinstance(config, dict) else ""
    raise TypeError(f"{what} must be a QuantizationConfig; received {config!r}.{hint}")


def _neither() -> NoReturn:
    raise ValueError(f"quantize: pass a mode, one of {', '.join(map(repr, QUANTIZATION_MODES))}, or a `config`.")
