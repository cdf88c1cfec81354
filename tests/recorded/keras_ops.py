"""What Keras gives for calls of ops: those of an op as one program where that is possible."""

from __future__ import annotations

from differential import opponent
from differential.opponent import keras
from recorded.ops import TABLE, public_names
from recorded.store import Records

AT_ONCE = 60
"""Calls in one program: where a kernel is missing for one of them, all run one by one."""


def record(records: Records) -> dict[str, str]:
    """Add the names of ops, and calls that are new or have other arrays than before. What Keras refuses is left out."""
    records.public = public_names(keras().ops)
    recorded = {name for name, case in records.cases.items() if case["given"] == TABLE[name].given}
    wanted = {name: run for name, run in TABLE.items() if name not in recorded | records.left_out.keys()}
    calls = {
        name: opponent.Call(lambda *a, r=run: r.function(keras().ops, *a), run.arrays) for name, run in wanted.items()
    }
    whole = [name for name, run in wanted.items() if run.whole]
    results = opponent.one_by_one({name: calls[name] for name in set(calls) - set(whole)})
    for first in range(0, len(whole), AT_ONCE):
        results |= opponent.together({name: calls[name] for name in whole[first : first + AT_ONCE]})
    for name, result in results.items():
        if result.error:
            records.left_out[name] = f"Keras: {result.error}"
        else:
            records.cases[name] = {"given": wanted[name].given, "value": list(result.leaves)}
    return {}
