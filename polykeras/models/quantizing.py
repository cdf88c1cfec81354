"""Quantizing the layers of a model."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from polykeras.layers.base.layer import Layer
from polykeras.layers.base.quantizable import Quantizable
from polykeras.layers.core.input_layer import InputLayer
from polykeras.models.calibration import calibrate, layers_of, structure_of
from polykeras.models.quantization_summary import quantization_summary
from polykeras.quantizers.calibrated import CalibratedConfig
from polykeras.quantizers.configs import resolve
from polykeras.quantizers.report import CannotQuantize, QuantizationReport

if TYPE_CHECKING:
    from polykeras.quantizers import QuantizationConfig

Filters = str | Sequence[str] | Callable[[Layer], bool] | None


class QuantizableModel(Layer):
    """The methods of a model that quantize its layers."""

    _quantization_report: QuantizationReport | None = None

    def quantize(  # type: ignore[override]
        self,
        mode: str | None = None,
        config: QuantizationConfig | str | None = None,
        filters: Filters = None,
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
        report, doubts = quantize_model(self, mode, config, filters, type_check)
        self._quantization_report = report
        for doubt in doubts:
            warnings.warn(doubt, stacklevel=2)
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
    config: QuantizationConfig | str | None,
    filters: Filters,
    type_check: bool,
) -> tuple[QuantizationReport, list[str]]:
    """Quantize all layers of a model that support it; see `Model.quantize`.

    Returns:
        What was done to each layer, and what the user should be warned of.
    """
    if not (filters is None or callable(filters) or isinstance(filters, (str, list, tuple))):
        raise TypeError(
            f"quantize: `filters` must be a regular expression, a list of them or a function; received {filters!r}."
        )
    config = resolve(mode, config)
    report, doubts = QuantizationReport(config.mode), list[str]()
    if isinstance(config, CalibratedConfig):
        structure = structure_of(model, config)
        within = layers_of(structure)
        chosen = [
            layer for layer in _chosen(model, filters, report, within) if _fits(layer, config, type_check, report)
        ]
        doubts = calibrate(structure, config, chosen)
    else:
        chosen = [layer for layer in _chosen(model, filters, report) if _quantized(layer, config, type_check, report)]
    for layer in chosen:
        report.add_quantized(_path(layer), layer.quantization_mode, layer._own_policy().name)
    left = report.summary_warning()
    return report, [left, *doubts] if left else doubts


def _path(layer: Layer) -> str:
    return layer.path or layer.name


def _chosen(
    model: Layer, filters: Filters, report: QuantizationReport, within: Collection[Layer] | None = None
) -> Iterator[Layer]:
    """Yield the layers that are to be quantized; add the others to the report.

    Args:
        model: the model.
        filters: see `Model.quantize`.
        report: the report.
        within: the layers of blocks; by default all are.
    """
    known = None if within is None else set(map(id, within))
    for layer in list(model._flatten_layers()):
        if isinstance(layer, (QuantizableModel, InputLayer)):
            continue
        if known is not None and id(layer) not in known:
            report.add_skipped(_path(layer), report.SKIP_OUTSIDE_STRUCTURE)
        elif not _passes(layer, filters):
            report.add_skipped(_path(layer), report.SKIP_FILTERED)
        elif getattr(layer, "_quantized", None) is not None:
            report.add_skipped(_path(layer), report.SKIP_ALREADY_QUANTIZED)
        else:
            yield layer


def _quantized(layer: Layer, config: QuantizationConfig, type_check: bool, report: QuantizationReport) -> bool:
    """Quantize a layer, and return whether it supports that; if not, add it to the report."""
    try:
        layer.quantize(config.mode, type_check=type_check, config=config)
    except NotImplementedError as error:
        _skip(layer, error, report)
        return False
    return True


def _fits(
    layer: Layer, config: CalibratedConfig, type_check: bool, report: QuantizationReport
) -> TypeGuard[Quantizable]:
    """Return whether a layer can be fitted to data; if not, add it to the report."""
    try:
        if not isinstance(layer, Quantizable):
            raise NotImplementedError
        layer._check_quantizable(config, type_check)
    except NotImplementedError as error:
        _skip(layer, error, report)
        return False
    return True


def _skip(layer: Layer, error: NotImplementedError, report: QuantizationReport) -> None:
    if layer._own_weights:
        report.add_skipped(_path(layer), error.reason if isinstance(error, CannotQuantize) else report.SKIP_NO_SUPPORT)
    else:
        report.add_without_weights(_path(layer))


def _passes(layer: Layer, filters: Filters) -> bool:
    if filters is None:
        return True
    if callable(filters):
        return bool(filters(layer))
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(pattern, layer.name) for pattern in patterns)
