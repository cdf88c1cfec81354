"""Pictures of models, by Graphviz if it is installed, otherwise by matplotlib."""

from __future__ import annotations

import os
import shutil
from html import escape
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from polykeras.utils.model_graph import Cluster, Shown, graph_of

if TYPE_CHECKING:
    from polykeras.models import Model

_INSTALL = "Install Graphviz and `pip install pydot`, or `pip install matplotlib`."


def model_to_dot(
    model: Model,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Any:
    """Return a model as a pydot graph.

    Args:
        model: a built model.
        show_shapes: whether to show the shapes of inputs and outputs.
        show_dtype: whether to show the dtypes of outputs.
        show_layer_names: whether to show the names of layers besides their classes.
        rankdir: `"TB"` from top to bottom, `"LR"` from left to right.
        expand_nested: whether nested models are shown in detail.
        dpi: dots per inch.
        subgraph: whether to return a cluster for another graph.
        show_layer_activations: whether to show activations.
        show_trainable: whether to show which layers are trainable.
        splines: the shape of the lines, see Graphviz.

    Returns:
        A `pydot.Dot`, or a `pydot.Cluster`.

    Raises:
        ValueError: if the model is not built.
        ImportError: if pydot is not installed.
    """
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    cluster, lines = graph_of(model, shown, expand_nested)
    try:
        pydot = import_module("pydot")
    except ImportError as error:
        raise ImportError("model_to_dot needs pydot: pip install pydot") from error
    if subgraph:
        graph = _dot_cluster(pydot, cluster)
    else:
        graph = pydot.Dot(rankdir=rankdir, concentrate="true", dpi=str(dpi), splines=splines)
        _fill(pydot, graph, cluster)
    for source, target in lines:
        graph.add_edge(pydot.Edge(str(source), str(target), penwidth="2"))
    return graph


def _dot_cluster(pydot: Any, cluster: Cluster) -> Any:
    graph = pydot.Cluster(f'"{cluster.name}"', label=f'"{cluster.name}"', style="dashed", labeljust="l")
    _fill(pydot, graph, cluster)
    return graph


def _fill(pydot: Any, graph: Any, cluster: Cluster) -> None:
    for name, (title, *rest) in cluster.boxes.items():
        rows = f'<tr><td bgcolor="black"><font color="white"><b>{escape(title)}</b></font></td></tr>'
        rows += "".join(f"<tr><td>{escape(text)}</td></tr>" for text in rest)
        label = f'<<table border="0" cellborder="1" cellspacing="0" cellpadding="8">{rows}</table>>'
        graph.add_node(pydot.Node(str(name), label=label, shape="plain", fontname="Helvetica"))
    for inner in cluster.clusters:
        graph.add_subgraph(_dot_cluster(pydot, inner))


def plot_model(
    model: Model,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Any:
    """Draw a model to a file, by Graphviz if `dot` and pydot are installed, otherwise by matplotlib.

    Args:
        model: a built model.
        to_file: the file; its suffix gives the format, by default `.png`.
        show_shapes: see `model_to_dot`.
        show_dtype: see `model_to_dot`.
        show_layer_names: see `model_to_dot`.
        rankdir: see `model_to_dot`.
        expand_nested: see `model_to_dot`.
        dpi: see `model_to_dot`.
        show_layer_activations: see `model_to_dot`.
        show_trainable: see `model_to_dot`.
        splines: see `model_to_dot`.

    Returns:
        The picture in a form that notebooks show if IPython is installed, else None.

    Raises:
        ValueError: if the model is not built.
        ImportError: if neither of them is installed.
    """
    path = os.fspath(to_file)
    file_format = os.path.splitext(path)[1][1:] or "png"
    told = (show_shapes, show_dtype, show_layer_names)
    if shutil.which("dot") and _has("pydot"):
        more = (show_layer_activations, show_trainable, splines)
        dot = model_to_dot(model, *told, rankdir, expand_nested, dpi, False, *more)
        dot.write(path, format=file_format)
    else:
        shown = Shown(*told, show_layer_activations, show_trainable)
        _draw(*graph_of(model, shown, expand_nested), path, file_format, rankdir, dpi)
    if file_format == "pdf" or not _has("IPython"):
        return None
    return import_module("IPython.display").Image(filename=path)


def _has(module: str) -> bool:
    return find_spec(module) is not None


def _draw(cluster: Cluster, lines: list[tuple[int, int]], path: str, file_format: str, rankdir: str, dpi: int) -> None:
    """Draw boxes in rows, ordered by their distance from the inputs."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"plot_model needs a program that draws. {_INSTALL}") from error
    boxes = cluster.all_boxes()
    ranks = _ranks(list(boxes), lines)
    rows: dict[int, list[int]] = {}
    for name, rank in ranks.items():
        rows.setdefault(rank, []).append(name)
    wide = 0.09 * max(len(text) for texts in boxes.values() for text in texts) + 0.6
    high = 0.22 * max(map(len, boxes.values())) + 0.5
    widest, levels = max(map(len, rows.values())), len(rows)
    across = rankdir in ("LR", "RL")
    size = (levels * (wide + 0.4), widest * high) if across else (widest * wide, levels * high)
    places = {
        name: (rank + 0.5, (i + 0.5) * widest / len(row)) for rank, row in rows.items() for i, name in enumerate(row)
    }
    if not across:
        places = {name: (y, x) for name, (x, y) in places.items()}
    figure = Figure(figsize=size, layout="tight")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0, levels if across else widest)
    axes.set_ylim(widest if across else levels, 0)
    marks = {
        name: axes.annotate(
            "\n".join(texts), places[name], ha="center", va="center", fontsize=9, bbox={"boxstyle": "round", "fc": "w"}
        )
        for name, texts in boxes.items()
    }
    for source, target in lines:
        arrow = {"arrowstyle": "->", "patchA": marks[source].get_bbox_patch(), "patchB": marks[target].get_bbox_patch()}
        axes.annotate("", places[target], places[source], arrowprops=arrow)
    figure.savefig(path, format=file_format, dpi=dpi)


def _ranks(names: list[int], lines: list[tuple[int, int]]) -> dict[int, int]:
    """Return for each box the length of the longest path to it, starting with 0."""
    ranks = dict.fromkeys(names, 0)
    for _ in names:
        moved = False
        for source, target in lines:
            if ranks[target] <= ranks[source]:
                ranks[target], moved = ranks[source] + 1, True
        if not moved:
            break
    used = {rank: i for i, rank in enumerate(sorted(set(ranks.values())))}
    return {name: used[rank] for name, rank in ranks.items()}
