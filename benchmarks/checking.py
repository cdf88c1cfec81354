"""`python -m benchmarks --check`: polykeras, Keras and all loops by hand compute the same losses."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.processes import WHO, run

TOLERANCE = 1e-3
# On TensorFlow, Keras's Adam squares the gradient of an embedding slice by slice, before rows that occur twice in a
# batch are summed; on JAX and PyTorch it squares the sum, as polykeras and the loops by hand do on all three.
KERAS_DIFFERS = {("tensorflow", "text_cnn"): 5e-3}


def _error(values: list[float], expected: list[float]) -> float:
    return max(abs(a - b) / abs(b) for a, b in zip(values, expected, strict=True))


def _errors(task: str, results: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return, by the name of a way, the greatest relative errors against polykeras: of losses, and of predictions."""
    *losses, predicted = results["polykeras"][task]["polykeras"]
    *theirs, their_predicted = results["keras"][task]["keras"]
    errors = {"keras": (_error(theirs, losses), _error([their_predicted], [predicted]))}
    for way, values in results["native"][task].items():
        alone = way.startswith("predict: ")
        errors[way] = (0.0, _error(values, [predicted])) if alone else (_error(values, losses), 0.0)
    return errors


def check(frameworks: list[str], tasks: list[str], console: Console) -> bool:
    """Print the greatest errors of each task on each framework; return whether all are within the tolerance."""
    table = Table(title="greatest relative difference from polykeras, over two epochs of eight steps")
    for column in ("framework", "task", "Keras's losses", "losses by hand", "worst way by hand", "predictions"):
        table.add_column(column)
    good = True
    for framework in frameworks:
        results = {}
        for who in WHO:
            results[who] = run(who, framework, ",".join(tasks), "check")
            console.print(f"[dim]{framework}: {who} done[/dim]")
        for task in tasks:
            errors = _errors(task, results)
            predicted = max(error[1] for error in errors.values())
            keras = errors.pop("keras")[0]
            worst = max(errors, key=lambda way: errors[way][0])
            allowed = KERAS_DIFFERS.get((framework, task), TOLERANCE)
            passed = max(errors[worst][0], predicted) <= TOLERANCE and keras <= allowed
            good = good and passed
            cells = [f"{number:.1e}" for number in (keras, errors[worst][0], predicted)]
            table.add_row(framework, task, *cells[:2], worst, cells[2], style="" if passed else "bold red")
    console.print(table)
    known = "".join(f"; Keras's {task} on {framework}: {value:g}" for (framework, task), value in KERAS_DIFFERS.items())
    console.print(f"{'all' if good else 'NOT all'} within {TOLERANCE:g}{known}")
    return good
