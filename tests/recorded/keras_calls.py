"""What Keras gives for calls of losses, metrics, optimizers and activations: those of a family as one program."""

from __future__ import annotations

from differential import opponent
from differential.opponent import keras
from recorded.calls import TABLES, run
from recorded.store import Records, names_in


def record(family: str, records: Records) -> dict[str, str]:
    """Add the calls of a family that are not recorded yet. What Keras refuses is left out."""
    table = TABLES[family]
    records.public = names_in(getattr(keras(), family))
    calls = {
        name: opponent.Call(lambda *a, c=call: run(keras(), c, a), tuple(call.arrays))
        for name, call in table.items()
        if name not in records.cases and call.name in records.public
    }
    # XLA makes a choice of a product with a one-hot vector, which hides what is no number: those run op by op.
    alone = {name: calls.pop(name) for name in list(calls) if name.endswith("not finite")}
    for name, result in (opponent.together(calls) | opponent.one_by_one(alone)).items():
        if result.error:
            records.left_out[name] = f"Keras: {result.error.splitlines()[0]}"
        else:
            records.cases[name] = table[name].data() | {"value": list(result.leaves)}
    return {}
