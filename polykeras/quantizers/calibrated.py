"""Descriptions of quantization that is fitted to data: GPTQ and AWQ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from polykeras.quantizers.awq import AWQ
from polykeras.quantizers.configs import QuantizationConfig
from polykeras.quantizers.gptq import GPTQ
from polykeras.quantizers.quantizer import QUANTIZERS

Structure = Mapping[str, Sequence[Any]]


class CalibratedConfig(QuantizationConfig):
    """Base of the descriptions that hold data. Configs leave it out: once a model is quantized, none is needed."""

    _bits: ClassVar[tuple[int, ...]] = (4,)
    _not_in_config = (
        *("dataset", "tokenizer", "calibration_batch_size", "apply_clip", "quantization_layer_structure"),
        *("weight_quantizer", "activation_quantizer"),
    )

    def __init__(
        self,
        dataset: Iterable[Any] | None,
        tokenizer: Any,
        *,
        weight_bits: int,
        num_samples: int,
        sequence_length: int,
        group_size: int,
        quantization_layer_structure: Structure | None,
        calibration_batch_size: int,
    ) -> None:
        super().__init__()
        self.dataset, self.tokenizer = dataset, tokenizer
        self.weight_bits, self.group_size = weight_bits, group_size
        self.num_samples, self.sequence_length = num_samples, sequence_length
        self.quantization_layer_structure = quantization_layer_structure
        self.calibration_batch_size = calibration_batch_size
        self._check()

    def _check(self) -> None:
        if self.weight_bits not in self._bits:
            known = ", ".join(map(str, self._bits))
            raise ValueError(f"{type(self).__name__}: expected `weight_bits` of {known}; received {self.weight_bits}.")
        if self.group_size != -1 and self.group_size < 1:
            raise ValueError(
                f"{type(self).__name__}: expected a positive `group_size`, or -1 for one group; received "
                f"{self.group_size}."
            )
        for name in ("num_samples", "sequence_length", "calibration_batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{type(self).__name__}: expected a positive `{name}`; received {getattr(self, name)}."
                )

    def statistics(self, width: int) -> Any:
        """Return an object that observes the inputs of a layer and rounds its weights.

        Args:
            width: the number of inputs that a product sums over.
        """
        raise NotImplementedError

    def dtype_policy_string(self) -> str:
        """Return the first part of the name of a quantized layer's dtype policy, such as `gptq/4/128`."""
        return f"{self.mode}/{self.weight_bits}/{self.group_size}"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, with None for the data and the layers."""
        return {"dataset": None, "tokenizer": None, **super().get_config(), "quantization_layer_structure": None}

    def without_data(self) -> Any:
        """Return a copy without the data and the layers, so that a quantized layer does not keep them alive."""
        return type(self).from_config(self.get_config())


@QUANTIZERS.register()
class GPTQConfig(CalibratedConfig):
    """Quantization by GPTQ: rounds weights so that the outputs for calibration data stay near.

    Source: Frantar et al., 2022, https://arxiv.org/abs/2210.17323.

    Args:
        dataset: texts, or arrays of tokens.
        tokenizer: an object whose `tokenize(text)` returns tokens; for texts only.
        weight_bits: 2, 3, 4 or 8. Two numbers of 4 bits share a byte; others have one each.
        num_samples: the number of windows of tokens.
        per_channel: whether each output has scales of its own.
        sequence_length: the length of a window.
        hessian_damping: what is added to the diagonal of the matrix that is inverted, as a part of its mean.
        group_size: the number of inputs that share a scale; -1 for one scale for each output.
        symmetric: whether zero points lie in the middle.
        activation_order: whether inputs with large values are rounded first.
        quantization_layer_structure: a dict with lists of layers. Tokens go through `"pre_block_layers"` first, and
            then through `"sequential_blocks"`, whose Dense and EinsumDense layers are quantized. By default the model's
            `get_quantization_layer_structure` returns it.
        calibration_batch_size: the number of windows in a call of a block. It changes time and memory alone.

    Raises:
        ValueError: a number is out of range.
    """

    mode = "gptq"  # type: ignore[assignment]
    _bits = (2, 3, 4, 8)

    def __init__(
        self,
        dataset: Iterable[Any] | None,
        tokenizer: Any,
        *,
        weight_bits: int = 4,
        num_samples: int = 128,
        per_channel: bool = True,
        sequence_length: int = 512,
        hessian_damping: float = 0.01,
        group_size: int = 128,
        symmetric: bool = False,
        activation_order: bool = False,
        quantization_layer_structure: Structure | None = None,
        calibration_batch_size: int = 8,
    ) -> None:
        super().__init__(
            dataset,
            tokenizer,
            weight_bits=weight_bits,
            num_samples=num_samples,
            sequence_length=sequence_length,
            group_size=group_size,
            quantization_layer_structure=quantization_layer_structure,
            calibration_batch_size=calibration_batch_size,
        )
        self.per_channel = per_channel
        self.hessian_damping = hessian_damping
        self.symmetric = symmetric
        self.activation_order = activation_order
        if not 0 <= hessian_damping <= 1:
            raise ValueError(f"GPTQConfig: expected a `hessian_damping` from 0 to 1; received {hessian_damping}.")

    def statistics(self, width: int) -> GPTQ:
        """Return an object that observes the inputs of a layer and rounds its weights.

        Args:
            width: the number of inputs that a product sums over.
        """
        return GPTQ(width)


@QUANTIZERS.register()
class AWQConfig(CalibratedConfig):
    """Quantization by AWQ, to 4 bits: scales each input so that weights of large inputs are rounded less.

    Source: Lin et al., 2023, https://arxiv.org/abs/2306.00978.

    Args:
        dataset: texts, or arrays of tokens.
        tokenizer: an object whose `tokenize(text)` returns tokens; for texts only.
        weight_bits: 4.
        num_samples: the number of windows of tokens.
        sequence_length: the length of a window.
        group_size: the number of inputs that share a scale; -1 for one scale for each output.
        num_grid_points: the number of steps in the search for scales of inputs.
        quantization_layer_structure: see `GPTQConfig`.
        apply_clip: whether to search where to cut weights off too. Configs leave it out.
        calibration_batch_size: the number of windows in a call of a block. It changes time and memory alone.

    Raises:
        ValueError: a number is out of range.
    """

    mode = "awq"  # type: ignore[assignment]

    def __init__(
        self,
        dataset: Iterable[Any] | None,
        tokenizer: Any,
        *,
        weight_bits: int = 4,
        num_samples: int = 128,
        sequence_length: int = 512,
        group_size: int = 128,
        num_grid_points: int = 20,
        quantization_layer_structure: Structure | None = None,
        apply_clip: bool = True,
        calibration_batch_size: int = 8,
    ) -> None:
        super().__init__(
            dataset,
            tokenizer,
            weight_bits=weight_bits,
            num_samples=num_samples,
            sequence_length=sequence_length,
            group_size=group_size,
            quantization_layer_structure=quantization_layer_structure,
            calibration_batch_size=calibration_batch_size,
        )
        self.num_grid_points = num_grid_points
        self.apply_clip = apply_clip
        if num_grid_points < 1:
            raise ValueError(f"AWQConfig: expected a positive `num_grid_points`; received {num_grid_points}.")

    def statistics(self, width: int) -> AWQ:
        """Return an object that observes the inputs of a layer and rounds its weights.

        Args:
            width: the number of inputs that a product sums over.
        """
        return AWQ(width)
