"""Quantizing the layers of a model."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from polykeras.layers.base.layer import Layer
from polykeras.layers.core.input_layer import InputLayer
from polykeras.models.calibration import calibrate, structure_of
from polykeras.models.quantization_summary import quantization_summary
from polykeras.quantizers.calibrated import CalibratedConfig
from polykeras.quantizers.configs import resolve
from polykeras.quantizers.report import QuantizationReport

if TYPE_CHECKING:
    from polykeras.quantizers import QuantizationConfig

Filters = str | Sequence[str] | Callable[[Layer], bool] | None


class QuantizableModel(Layer):
    """The methods of a model that quantize its layers."""

    _quantization_report: QuantizationReport | None = None

    def quantize(  # type: ignore[override]
        self,
        mode: str | None = None,
        config: QuantizationConfig | Mapping[str, Any] | None = None,
        filters: Any = None,
        verbose: bool = True,
        type_check: bool = True,
    ) -> QuantizationReport:
        """Quantize all layers that support it, nested ones too. See `layers.Dense.quantize` for the layers.

        Compile the model again before you train it, because its variables change.

        Args:
            mode: `"int8"`, `"int4"`, `"float8"` or `"ternary"`; see `layers.Dense.quantize`. `"gptq"` and `"awq"`
                fit the weights of blocks to data.
            config: a description instead of a mode, such as `quantizers.Int4QuantizationConfig(block_size=64)`. For
                `"gptq"` and `"awq"` it is needed.
            filters: a regular expression for names of layers, a list of them, or a function from a layer to a bool.
            verbose: whether to print the report.
            type_check: whether to leave users' subclasses unchanged.

        Returns:
            What was done to each layer. Layers that are quantized already stay as they are.

        Raises:
            ValueError: a layer is not built; or the mode or the config is wrong.
        """
        self._quantization_report = report = quantize_model(self, mode, config, filters, type_check)
        if verbose:
            print(report.render())
        return report

    def get_quantization_layer_structure(self, mode: str | None = None) -> Mapping[str, Sequence[Any]] | None:
        """Return None. A model overrides this method to say which of its blocks are quantized with the help of data.

        Args:
            mode: `"gptq"` or `"awq"`.

        Returns:
            A dict with two lists of layers: `"pre_block_layers"`, which tokens go through first, and
            `"sequential_blocks"`.
        """
        return None

    def quantization_summary(self, verbose: bool = True) -> str:
        """Return the dtype policy and the size of each quantized weight, and the sizes of all together.

        Args:
            verbose: whether to print it too.
        """
        text = quantization_summary(self)
        if verbose:
            print(text)
        return text


def quantize_model(
    model: Layer,
    mode: str | None,
    config: QuantizationConfig | Mapping[str, Any] | None,
    filters: Filters,
    type_check: bool,
) -> QuantizationReport:
    """Quantize all layers of a model that support it; see `Model.quantize`."""
    if not (filters is None or callable(filters) or isinstance(filters, (str, list, tuple))):
        raise TypeError(
            f"quantize: `filters` must be a regular expression, a list of them or a function; received {filters!r}."
        )
    config = resolve(mode, config)
    fitted = config if isinstance(config, CalibratedConfig) else None
    structure = structure_of(model, fitted) if fitted else None
    within = {id(part) for block in (structure or {}).get("sequential_blocks", ()) for part in block._flatten_layers()}
    report, left, waiting = QuantizationReport(config.mode), list[str](), list[Layer]()
    for layer in list(model._flatten_layers()):
        if isinstance(layer, (QuantizableModel, InputLayer)):
            continue
        path = layer.path or layer.name
        if structure and not (id(layer) in within and config.mode in getattr(layer, "_modes", ())):
            report.add_skipped(path, report.SKIP_OUTSIDE_STRUCTURE)
        elif not _chosen(layer, filters):
            report.add_skipped(path, report.SKIP_FILTERED)
        elif getattr(layer, "_quantized", None) is not None:
            report.add_skipped(path, report.SKIP_ALREADY_QUANTIZED)
        else:
            try:
                if structure:
                    layer._check_quantizable(config, type_check)  # type: ignore[attr-defined]
                    waiting.append(layer)
                    continue
                layer.quantize(config.mode, type_check=type_check, config=config)
            except NotImplementedError:
                report.add_skipped(path, report.SKIP_NO_SUPPORT)
                if layer._own_weights:
                    left.append(f"{layer.name!r} ({type(layer).__name__})")
            else:
                _report(report, layer)
    if structure and fitted:
        calibrate(structure, fitted, waiting, lambda layer: _report(report, layer))
    if left:
        warnings.warn(f"quantize({config.mode!r}) leaves these layers unchanged: {', '.join(left)}.", stacklevel=3)
    return report


def _report(report: QuantizationReport, layer: Layer) -> None:
    report.add_quantized(layer.path or layer.name, layer.quantization_mode, layer._own_policy().name)


def _chosen(layer: Layer, filters: Filters) -> bool:
    if filters is None:
        return True
    if callable(filters):
        return bool(filters(layer))
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(pattern, layer.name) for pattern in patterns)
