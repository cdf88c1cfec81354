"""The table that `model.summary()` prints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from polykeras import dtypes
from polykeras.common import nested
from polykeras.layers.base.building import with_shapes
from polykeras.layers.base.shapes import map_shapes

if TYPE_CHECKING:
    from polykeras.layers.base.layer import Layer

_BITS = {"bool": 8, "bfloat16": 16}


def _shape_text(layer: Any) -> str:
    try:
        shapes = _output_shapes(layer)
    except Exception:  # a user's layer that does not know its shapes without data
        return "?"
    return ", ".join(str(tuple(shape)) for shape in shapes)


def _output_shapes(layer: Any) -> list[Any]:
    """Return the shapes of the outputs in a graph; of a layer in no graph, those that follow from its inputs'."""
    if layer.inbound_nodes or not layer._build_shapes:
        return [x.shape for x in nested.flatten(layer.output)]
    found: list[Any] = []
    map_shapes(found.append, with_shapes(layer.compute_output_shape, layer._build_shapes))
    return found


def _params_text(layer: Any) -> str:
    if not layer.built:
        return "0 (unbuilt)"
    return f"{layer.count_params():,}"


def _sources(layer: Any, nodes: set[int] | None) -> str:
    names = []
    for node in layer.inbound_nodes:
        if nodes is None or id(node) in nodes:
            names += [
                f"{t.history[0].operation.name}[{t.history[0].index}][{t.history[1]}]"
                for t in node.input_tensors
                if t.history
            ]
    return ", ".join(names) or "-"


def _kind(layer: Any) -> str:
    """Return the class of a layer or, for an op, its name in the form of a class."""
    op = getattr(layer, "op", None)
    return "".join(part.capitalize() for part in op.split("_")) if isinstance(op, str) else type(layer).__name__


def _is_chain(model: Any) -> bool:
    """Return whether each layer is called once, on an output of the one before; other than graphs, models count so."""
    graph = getattr(model, "_graph", None)
    if graph is None:
        return True
    before = [graph.inputs, *(node.output_tensors for node in graph.nodes)]  # as long as the nodes, and one more
    follows = all(
        len(node.input_tensors) == 1 and id(node.input_tensors[0]) in map(id, tensors)
        for node, tensors in zip(graph.nodes, before, strict=False)
    )
    return len(graph.inputs) == 1 and follows and len({id(node.operation) for node in graph.nodes}) == len(graph.nodes)


def _size_text(scalars_bits: int) -> str:
    size = float(math.ceil(scalars_bits / 8))
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{size:.2f} {unit}"
        size /= 1024
    raise AssertionError


def bits_of(dtype: str) -> int:
    """Return the bits of a scalar."""
    return _BITS.get(dtype) or dtypes.numpy_dtype(dtype).itemsize * 8


def _count(variables: list[Any]) -> tuple[int, str]:
    scalars = [int(np.prod(v.shape)) for v in variables]
    total = sum(scalars)
    bits = sum(n * bits_of(v.stored_dtype) for n, v in zip(scalars, variables, strict=True))
    return total, f"{total:,} ({_size_text(bits)})"


def _rows(model: Any, expand: bool, trainable: bool, connected: bool, prefix: str = "") -> list[list[str]]:
    graph = getattr(model, "_graph", None)
    nodes = {id(node) for node in graph.nodes} if graph else None
    rows = []
    for layer in getattr(model, "operations", None) or model.layers:
        is_layer = hasattr(layer, "count_params")
        row = [
            f"{prefix}{layer.name} ({_kind(layer)})",
            _shape_text(layer),
            _params_text(layer) if is_layer else "0",
        ]
        if connected:
            row.append(_sources(layer, nodes))
        if trainable:
            row.append(("Y" if layer.trainable else "N") if is_layer and layer.weights else "-")
        rows.append(row)
        if expand and hasattr(layer, "layers"):
            rows += _rows(layer, expand, trainable, connected, prefix + "    ")
    return rows


def _wrap(cell: str, width: int) -> list[str]:
    return [cell[i : i + width] for i in range(0, len(cell), width)] or [""]


def _select(rows: list[list[str]], layer_range: tuple[str, str] | None) -> list[list[str]]:
    if layer_range is None:
        return rows
    names = [row[0].split(" (")[0] for row in rows]
    for name in layer_range:
        if name not in names:
            raise ValueError(f"summary: layer_range names {name!r}, which is not among the layers {names}.")
    first, last = names.index(layer_range[0]), names.index(layer_range[1])
    return rows[first : last + 1]


def _table(header: list[str], rows: list[list[str]], widths: list[int]) -> list[str]:
    def line(left: str, middle: str, right: str, stroke: str) -> str:
        return left + middle.join(stroke * (w + 2) for w in widths) + right

    def cells(row: list[str], bar: str) -> list[str]:
        wrapped = [_wrap(cell, w) for cell, w in zip(row, widths, strict=True)]
        out = []
        for i in range(max(len(w) for w in wrapped)):
            parts = []
            for j, (column, w) in enumerate(zip(wrapped, widths, strict=True)):
                text = column[i] if i < len(column) else ""
                parts.append(text.rjust(w) if j == 2 else text.ljust(w))
            out.append(f"{bar} " + f" {bar} ".join(parts) + f" {bar}")
        return out

    lines = [line("┏", "┳", "┓", "━"), *cells(header, "┃"), line("┡", "╇", "┩", "━")]
    for i, row in enumerate(rows):
        if i:
            lines.append(line("├", "┼", "┤", "─"))
        lines += cells(row, "│")
    return [*lines, line("└", "┴", "┘", "─")]


def summary_text(
    model: Layer,
    line_length: int | None = None,
    positions: list[float] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: tuple[str, str] | None = None,
) -> str:
    """Return the summary of a model; the arguments are those of `Model.summary`.

    Raises:
        ValueError: `layer_range` names a layer that does not exist.
    """
    from shutil import get_terminal_size

    model._graph_model()  # of a Sequential that was called on data; its shapes are shown
    connected = not _is_chain(model)
    header = ["Layer (type)", "Output Shape", "Param #"]
    header += ["Connected to"] if connected else []
    header += ["Trainable"] if show_trainable else []
    rows = _select(_rows(model, expand_nested, show_trainable, connected), layer_range)
    width = line_length or min(get_terminal_size((96, 24)).columns, 100)
    frame = 3 * len(header) + 1
    if positions:
        shares = [b - a for a, b in zip([0.0, *positions], positions, strict=False)][: len(header)]
        widths = [max(4, int(share * (width - frame))) for share in shares]
    else:
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
        while sum(widths) + frame > max(width, 48):
            widths[widths.index(max(widths))] -= 1
    lines = [f'Model: "{model.name}"', *_table(header, rows, widths)]
    trainable, rest = model.trainable_weights, model.non_trainable_weights
    optimizer = getattr(model, "optimizer", None)
    slots = optimizer.variables if optimizer is not None and optimizer.built else []
    lines.append(f" Total params: {_count([*trainable, *rest, *slots])[1]}")
    lines.append(f" Trainable params: {_count(trainable)[1]}")
    lines.append(f" Non-trainable params: {_count(rest)[1]}")
    if not model.built:
        lines.append(
            " Sizes are known once the model has an input: begin with keras.Input((features,)), or call `build`."
        )
    if slots:
        lines.append(f" Optimizer params: {_count(slots)[1]}")
    return "\n".join(lines)
