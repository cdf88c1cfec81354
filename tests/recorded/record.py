"""Records what Keras gives: `PYTHONPATH=tests:. python -m recorded.record [--all] [FAMILY...]`, with Keras and JAX.

Cases that are recorded stay as they are, those that are no more in a table go, and new ones are added; `--all` records
all anew. A case that Keras refuses, and that no list says is to be left out, is printed, and `test_recorded_*.py` misses it.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable

from differential.opponent import keras, quiet
from recorded import calls, keras_calls, keras_layers, keras_ops, layers, ops, store

FAMILIES: dict[str, tuple[dict, Callable[[store.Records], dict[str, str]]]] = {
    "layers": (layers.TABLE, keras_layers.record),
    "ops": (ops.TABLE, keras_ops.record),
    **{name: (table, functools.partial(keras_calls.record, name)) for name, table in calls.TABLES.items()},
}
"""The table of each family, and what adds its cases to its records and returns what went wrong, by name."""


def main(arguments: list[str]) -> None:
    """Record some families, or all."""
    everything, failed = "--all" in arguments, {}
    for family in [name for name in arguments if name != "--all"] or FAMILIES:
        start, (table, record) = time.time(), FAMILIES[family]
        source = f"Keras {keras().__version__} on JAX"
        records = store.Records(source) if everything else store.read_or_new(family, source)
        for cases in (records.cases, records.left_out):
            for name in set(cases) - set(table):
                del cases[name]
        with quiet():
            errors = record(records)
        store.write(family, records)
        counts = f"{len(records.cases)} recorded, {len(records.left_out)} left out, {len(errors)} failed"
        print(f"{family}: {counts}, {time.time() - start:.0f} s")
        failed |= errors
    for name, error in failed.items():
        print(f"  {name}: {error}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main(sys.argv[1:])
