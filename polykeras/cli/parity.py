"""Run a model on several backends from the same seed, and show where they differ.

The comparison covers the initial weights; the outputs, the loss and the gradients of the first
batch; and the losses, the weights and the outputs after one epoch of training. An error is the
largest difference in an array, divided by the largest element of that array in the reference (or
by a tenth of the largest of its kind, if that is more, so that gradients that consist of rounding
errors do not count). The reference is the backend that needs no framework, if it takes part.

If outputs differ, the first layer whose output differs is named (in models that are a graph).

The exit status is 1 if an error exceeds its tolerance, or if a backend fails while others run.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polykeras.autodiff import value_and_grad
from polykeras.backend import registry, use_backend
from polykeras.cli.choices import chosen_backends, runs_nowhere
from polykeras.cli.data import add_data_arguments, first_rows, prepared_experiment, row_count
from polykeras.cli.differences import Arrays, Difference, difference
from polykeras.cli.errors import CommandError, ScriptError, one_line
from polykeras.cli.models import add_model_arguments
from polykeras.cli.page import Cell, page
from polykeras.cli.texts import print_json, table
from polykeras.common import nested
from polykeras.models import Functional, Model
from polykeras.random import set_random_seed

START = "weights at the start"
_TRAINED = ("losses of an epoch", "weights after it", "outputs after it")
QUANTITIES = (START, "outputs", "loss of the first batch", "gradients", *_TRAINED)
_LAYERS = "outputs of layers"
_START_TOLERANCE = 1e-6


@dataclass(slots=True)
class Comparison:
    """The result of the command.

    Attributes:
        reference: the name of the reference backend.
        versions: the versions of the frameworks, by backend.
        tolerances: the tolerances, by quantity.
        differences: the differences, by backend, then by quantity.
        first_layers: the first layer whose output exceeds the tolerance, by backend.
        failures: the messages of backends that could not run, by backend.
        notes: notes on what was drawn and chosen.
    """

    reference: str
    versions: dict[str, str]
    tolerances: dict[str, float]
    differences: dict[str, dict[str, Difference]] = field(default_factory=dict)
    first_layers: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def beyond(self) -> list[tuple[str, str, Difference]]:
        """Return the backend, quantity and difference of each exceeded tolerance."""
        return [
            (name, quantity, found)
            for name, row in self.differences.items()
            for quantity, found in row.items()
            if not found.error <= self.tolerances[quantity]
        ]

    def agrees(self) -> bool:
        """Return whether all backends ran, and none exceeded a tolerance."""
        return not self.failures and not self.beyond()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_model_arguments(parser, with_data=True)
    add_data_arguments(parser, samples=64)
    parser.add_argument("--backends", metavar="A,B", help="default: all that are installed")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=1e-4,
        metavar="E",
        help="the tolerance of outputs, loss and gradients; default: %(default)g",
    )
    parser.add_argument(
        "--tolerance-trained",
        type=float,
        default=1e-3,
        metavar="E",
        help="the tolerance of the results of training; default: %(default)g",
    )
    parser.add_argument("--html", metavar="FILE", help="also write the table as a page")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Compare, print the findings, and return the exit status."""
    comparison = compare(chosen_backends(options.backends), options)
    if options.html:
        Path(options.html).write_text(_page(comparison, options.model), encoding="utf-8")
    if options.json:
        print_json(_as_json(comparison))
    else:
        print(_text(comparison))
        if options.html:
            print(f"The page is in {options.html}.")
    return 0 if comparison.agrees() else 1


def compare(names: list[str], options: argparse.Namespace) -> Comparison:
    """Run the model on each backend, and compare the results with those of the first one that runs.

    Args:
        names: the backends, the reference first.
        options: the options of the command.

    Raises:
        CommandError: if no backend runs the model.
    """
    tolerances = {
        quantity: float(options.tolerance_trained if quantity in _TRAINED else options.tolerance)
        for quantity in QUANTITIES
    }
    comparison = Comparison("", {}, tolerances | {START: _START_TOLERANCE})
    expected: dict[str, Arrays] = {}
    for name in names:
        try:
            with use_backend(name) as backend:
                measured, notes = _measure(options)
        except Exception as error:
            if isinstance(error, CommandError) and not isinstance(error, ScriptError):
                raise  # an error in the arguments, not of a backend
            comparison.failures[name] = one_line(error)
            continue
        comparison.versions[name] = backend.version
        if not expected:
            comparison.reference, comparison.notes, expected = name, notes, measured
        else:
            comparison.differences[name] = {key: difference(measured[key], expected[key]) for key in QUANTITIES}
            for here, there in zip(measured[_LAYERS], expected[_LAYERS], strict=False):
                if difference([here], [there]).error > options.tolerance:
                    comparison.first_layers[name] = there[0]
                    break
    if not expected:
        raise runs_nowhere(options.model, comparison.failures)
    return comparison


def _measure(options: argparse.Namespace) -> tuple[dict[str, Arrays], list[str]]:
    """Run the model on the current backend. Return the arrays of each quantity, and notes on what was chosen."""
    set_random_seed(options.seed)
    experiment, notes = prepared_experiment(options)
    model, x, y, batch = experiment.model, experiment.x, experiment.y, options.batch_size
    set_random_seed(options.seed)  # independent of earlier draws
    outputs = _named("output", model.predict(x, batch_size=batch, verbose=0))
    start = _weights(model)
    first_x, first_y = first_rows(x, batch), first_rows(y, batch)
    variables = model.trainable_variables

    def loss_of_batch() -> Any:
        return model.compute_loss(first_x, first_y, model(first_x, training=True))

    loss, gradients = value_and_grad(loss_of_batch, variables)()
    host = registry.current().to_numpy
    losses = {"loss": host(loss)}
    paths = [variable.path for variable in variables]
    layers = _layer_outputs(model, first_x)
    history = model.fit(x, y, batch_size=batch, epochs=1, verbose=0).history
    notes.append(f"{row_count(x)} samples in batches of {batch}")
    quantities = (
        start,
        outputs,
        list(losses.items()),
        [(path, host(gradient)) for path, gradient in zip(paths, gradients, strict=True)],
        [(name, np.asarray(values)) for name, values in history.items()],
        _weights(model),
        _named("output", model.predict(x, batch_size=batch, verbose=0)),
    )
    return dict(zip(QUANTITIES, quantities, strict=True)) | {_LAYERS: layers}, notes


def _layer_outputs(model: Model, x: Any) -> Arrays:
    """Return the output of each layer of a graph, in the order in which they run; empty for other models."""
    graph = model._graph_model()
    if graph is None:
        return []
    tensors = [(node.operation.name, tensor) for node in graph._graph.nodes for tensor in node.output_tensors]
    outputs = Functional(graph.input, [tensor for _, tensor in tensors]).predict(x, verbose=0)
    return [(name, array) for (name, _), array in zip(tensors, nested.flatten(outputs), strict=True)]


def _weights(model: Model) -> Arrays:
    return [(weight.path, array) for weight, array in zip(model.weights, model.get_weights(), strict=True)]


def _named(name: str, tree: Any) -> Arrays:
    arrays = list(map(np.asarray, nested.flatten(tree)))
    return [(name if len(arrays) == 1 else f"{name} {index}", array) for index, array in enumerate(arrays)]


# ---- printing -------------------------------------------------------------------------------------------------


def _error_text(found: Difference) -> str:
    return "=" if found.error == 0 else "parts" if np.isinf(found.error) else f"{found.error:.0e}"


def _verdicts(comparison: Comparison) -> list[str]:
    """Return a line for each failure and difference, or one that says that all agree."""
    lines = [f"{name} fails: {text}" for name, text in comparison.failures.items()]
    lines += [
        f"{name} differs from {comparison.reference} in {quantity}: {found.where}: {found.here:.7g}, not "
        f"{found.reference:.7g} (error {found.error:.1e}, tolerance {comparison.tolerances[quantity]:.0e})"
        for name, quantity, found in comparison.beyond()
    ]
    lines += [
        f"{name} first differs in the output of layer {layer!r}" for name, layer in comparison.first_layers.items()
    ]
    return lines or [f"All agree within the tolerances: {', '.join(comparison.versions)}."]


def _cells(comparison: Comparison) -> tuple[list[str], list[list[Cell]]]:
    """Return the table: its header, and its rows by quantity."""
    columns = [f"{name} {comparison.versions[name]}" for name in comparison.differences]
    rows = []
    for quantity, tolerance in comparison.tolerances.items():
        found = [row[quantity] for row in comparison.differences.values()]
        cells = [Cell(_error_text(one), "good" if one.error <= tolerance else "bad", one.where) for one in found]
        rows.append([Cell(quantity), Cell(f"{tolerance:.0e}"), *cells])
    return ["largest relative error", "tolerance", *columns], rows


def _notes(comparison: Comparison) -> str:
    reference = f"reference: {comparison.reference} {comparison.versions[comparison.reference]}"
    return "; ".join([reference, *comparison.notes])


def _text(comparison: Comparison) -> str:
    header, cells = _cells(comparison)
    rows = [[cell.text for cell in row] for row in cells]
    found = table(header, rows, range(1, len(header)))
    return "\n\n".join([_notes(comparison), found, "\n".join(_verdicts(comparison))])


def _page(comparison: Comparison, model: str) -> str:
    header, cells = _cells(comparison)
    meaning = (
        'An error is the largest difference in an array, divided by its largest element in the reference. "=" means '
        "that there is none."
    )
    return page(f"Parity of {model}", [_notes(comparison), meaning], _verdicts(comparison), header, cells)


def _as_json(comparison: Comparison) -> dict[str, Any]:
    return {"agrees": comparison.agrees(), **asdict(comparison)}
