"""What the workers of a run must agree on: it is compared at the start, so that nobody waits for what never comes."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence

import numpy as np

from polykeras import seeds
from polykeras.backend import Backend
from polykeras.common.release import __version__
from polykeras.distribution.connections import current_job

DOINGS = (
    "starts `fit`",
    "trains",
    "evaluates",
    "ends an epoch of `fit`",
    "calls `train_on_batch`",
    "calls `test_on_batch`",
)
"""What a worker does when it exchanges numbers with the others."""

_WORDS = 8  # of a message: all have one length, as workers that do different things could not tell it otherwise

LONGEST = 20_000  # characters of a value that travel
SHOWN = 120  # characters of a value in a message

_SAME_CODE = "Run the same program, with the same arguments, on all workers."
_SAME_VERSIONS = "Install the same versions on all machines."
_SAME_DATA = "Give all workers the same data in the same order; each takes its rows of every batch itself."
HINTS = {
    "polykeras": _SAME_VERSIONS,
    "python": _SAME_VERSIONS,
    "framework": _SAME_VERSIONS,
    "backend": "Choose one backend for all workers, for instance by POLYKERAS_BACKEND.",
    "seed": "Call `keras.utils.set_random_seed` with one number on all workers, or on none before `initialize`.",
    "model": _SAME_CODE,
    "compile": _SAME_CODE,
    "variables": _SAME_CODE,
    "weights": (
        "Make the model after `keras.distribution.initialize()`, or call `keras.utils.set_random_seed` first; read "
        "weights from a file on all workers, or on none."
    ),
    "samples": _SAME_DATA,
    "validation": _SAME_DATA,
    "batch_size": "`batch_size` counts the rows of all workers together, and is the same on all of them.",
    "epochs": _SAME_CODE,
    "validation_freq": _SAME_CODE,
    "begins": (
        "Pass the same `initial_epoch`. Workers that go on from a backup must all see its folder: put it where all "
        "machines find it."
    ),
    "callbacks": "Give the same callbacks to all workers. Only worker 0 writes files.",
}
"""What to do if the workers give different values for a fact, by its name. Other names may be used as well."""


def facts_of_process(backend: Backend) -> dict[str, str]:
    """Return what does not depend on a model: versions, the backend and the seed."""
    return {
        "polykeras": __version__,
        "python": platform.python_version(),
        "framework": backend.version,
        "backend": backend.name,
        "seed": str(seeds.process_seed()),
    }


def exchanged(backend: Backend, doing: str, own: Sequence[int]) -> np.ndarray:
    """Return the numbers of all workers, ints `(workers, numbers)`. All processes must call this.

    Args:
        backend: the connected backend.
        doing: what this worker does, one of `DOINGS`.
        own: the numbers of this worker, seven at most, within int32.

    Raises:
        RuntimeError: the workers do different things.
    """
    words = np.zeros(_WORDS, np.int32)
    words[: 1 + len(own)] = DOINGS.index(doing), *own
    found = _gathered(backend, words)
    if len(set(found[:, 0])) > 1:
        does = [f"{_names(np.flatnonzero(found[:, 0] == i))} {DOINGS[i]}" for i in sorted(set(found[:, 0]))]
        raise RuntimeError(
            f"The workers of this run do different things: {'; '.join(does)}. All must call `fit`, `evaluate` and "
            "steps on single batches in the same order, also in callbacks."
        )
    return found[:, 1 : 1 + len(own)]


def check_agreement(backend: Backend, facts: Mapping[str, str]) -> None:
    """Compare facts of all workers. All processes must call this; if they agree, they exchange 28 bytes each.

    Args:
        backend: the connected backend.
        facts: texts by names. Long ones are compared whole, and shown in part.

    Raises:
        RuntimeError: the facts differ. The message, the same on all workers, says which, where, and what to do.
    """
    if backend.workers() == 1:
        return
    told = {name: _in_short(text) for name, text in facts.items()}
    text = json.dumps(told, sort_keys=True).encode()
    digests = exchanged(backend, "starts `fit`", np.frombuffer(hashlib.sha256(text).digest()[:28], np.int32).tolist())
    if (digests == digests[0]).all():
        return
    longest = _gathered(backend, np.array([len(text)], np.int32)).max()
    texts = _gathered(backend, np.frombuffer(text.ljust(-(-longest // 4) * 4), np.int32))
    raise RuntimeError(disagreement([json.loads(each.tobytes()) for each in texts]))


def disagreement(facts: Sequence[Mapping[str, str]]) -> str:
    """Return the message for facts that differ.

    Args:
        facts: the facts of each worker, by their names.
    """
    lines, hints = [], []
    for name in dict.fromkeys(name for each in facts for name in each):
        workers: dict[str, list[int]] = {}
        for number, each in enumerate(facts):
            workers.setdefault(each.get(name, "(nothing)"), []).append(number)
        if len(workers) > 1:
            shown = zip(_where_they_differ(list(workers)), workers.values(), strict=True)
            lines.append(f"- {name}: " + "; ".join(f"{value} on {_names(who)}" for value, who in shown))
            hints += [HINTS[name]] if name in HINTS and HINTS[name] not in hints else []
    return "\n".join(
        [f"The {len(facts)} workers of this run do not agree. They gave different values for:", *lines, *hints]
    )


def _where_they_differ(values: Sequence[str]) -> list[str]:
    """Return texts; of long ones the part around the first character that differs."""
    first = next((i for i, letters in enumerate(zip(*values, strict=False)) if len(set(letters)) > 1), 0)
    start = max(0, first - SHOWN // 2)
    return [text if len(text) <= SHOWN else f"...{text[start : start + SHOWN]}..." for text in values]


def _names(workers: Sequence[int] | np.ndarray) -> str:
    """Return `"worker 1"`, or `"workers 0-2, 5"`."""
    starts = [place for place, number in enumerate(workers) if not place or workers[place - 1] != number - 1]
    runs = [workers[start:end] for start, end in zip(starts, [*starts[1:], len(workers)], strict=True)]
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return f"worker{'s' if len(workers) > 1 else ''} {', '.join(texts)}"


def _in_short(text: str) -> str:
    """Return a text, or its begin and its hash if it is long: they differ where the whole texts do."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}... (sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]})"


def _gathered(backend: Backend, words: np.ndarray) -> np.ndarray:
    """Return the int32 words of all workers, `(workers, words)`; each has as many.

    This is one sum of what the host made, and faster than `all_gather`: each chunk of steps waits for it.
    """
    told = np.zeros((backend.workers(), len(words)), np.int32)
    told[current_job().rank] = words
    return np.asarray(backend.to_numpy(backend.all_reduce([backend.asarray(told)])[0]))
