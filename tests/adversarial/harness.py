"""Programs that try to make compiled code go wrong, and the one way in which each of them is judged.

A program is a generator function. It gets `compiled`, makes functions with it, calls them, and yields what came:

    PROGRAMS = Programs("PyTorch", refusal="runs as plain Python")

    @PROGRAMS.add("global state", "autocast: compiled within, called without", "equal")
    def autocast_then_plain(compiled):
        multiply = compiled(lambda x: x @ x)
        with torch.autocast("cpu"):
            yield multiply(X)
        yield multiply(X)

`judge` runs it twice: once with `compiled` being an entry of a backend (`backend.compile`, a compiled step, `predict`: whatever makes
a function of arrays out of a function of arrays), and once with one that returns the function as it is. What the two runs yield is
compared one by one. So a program never says what would be right: that is what the same code gives uncompiled. All that
is mutable in a program (modules, lists, generators) must be made inside it, as it runs twice; what it changes of the process it puts
back. Both runs start with the same seeds (`prepare`).

The outcome is one of these, and a program states the one that it expects:

- `equal`: all results are the same, and nothing was said.
- `refused`: all results are the same, and a `RuntimeWarning` told that the function is not compiled, and why.
- `read once`: the function went on with what Python found when it was compiled first, as `jax.jit` and `tf.function` do. For
  that the first result must be right, all others of the compiled run must be the same, and those of the plain run must differ.

Anything else is wrong, and an AssertionError whatever the program expects. An error that the compiled run raises, and the plain one
does not, goes through as it is.

A test module parametrizes over its programs, and over entries; `table` makes the rows of `docs/generated/compiled_programs.md`:

    @pytest.mark.parametrize("program", PROGRAMS, ids=str)
    def test_program(program, backend):
        assert judge(program, backend.compile) == program.outcome

    def test_the_page_has_the_table():
        assert page_has(PROGRAMS)  # `python tests/adversarial/write_page.py` writes it
"""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from polykeras.common import nested

Outcome: TypeAlias = Literal["equal", "refused", "read once"]
Entry: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Makes a compiled function of a function."""

OUTCOMES: tuple[Outcome, ...] = ("equal", "refused", "read once")
PAGE = Path(__file__).parents[2] / "docs" / "generated" / "compiled_programs.md"


@dataclass(frozen=True)
class Program:
    """A program that tries to make compiled code go wrong.

    Attributes:
        kind: the heading under which it stands in the table.
        text: what it does, a row of the table.
        outcome: what is expected of it.
        run: the generator function.
        refusal: a pattern for the beginning of the warning of a refusal on this framework.
        reason: a pattern that the warning of a refusal must hold too.
        rtol: how far results may differ; 0 for the same bits.
    """

    kind: str
    text: str
    outcome: Outcome
    run: Callable[[Entry], Iterator[Any]]
    refusal: str
    reason: str
    rtol: float

    def __str__(self) -> str:
        return self.run.__name__


@dataclass
class Programs(Sequence[Program]):
    """The programs of one framework.

    Attributes:
        framework: its name, as in the heading of `docs/generated/compiled_programs.md`.
        refusal: a pattern for warnings that tell a refusal.
        rtol: how far results may differ, where a program does not say it.
    """

    framework: str
    refusal: str
    rtol: float = 0.0
    _all: list[Program] = field(default_factory=list)

    def add(
        self, kind: str, text: str, outcome: Outcome, reason: str = "", rtol: float | None = None
    ) -> Callable[[Callable[[Entry], Iterator[Any]]], Callable[[Entry], Iterator[Any]]]:
        """Return a decorator that adds a program; `reason` is for refused ones, see `Program`."""
        assert outcome in OUTCOMES
        assert bool(reason) == (outcome == "refused"), f"{text}: the reason of a refusal is to be stated, and only that"

        def added(run: Callable[[Entry], Iterator[Any]]) -> Callable[[Entry], Iterator[Any]]:
            assert all(run.__name__ != str(known) for known in self), f"two programs are named {run.__name__}"
            assert all(text != known.text for known in self), f"two programs say {text!r}"
            tolerance = self.rtol if rtol is None else rtol
            self._all.append(Program(kind, text, outcome, run, self.refusal, reason, tolerance))
            return run

        return added

    def __getitem__(self, index: Any) -> Any:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)


def plain(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as it is: the entry of the run that says what is right."""
    return fn


def judge(
    program: Program,
    entry: Entry,
    prepare: Callable[[], None] = lambda: None,
    to_host: Callable[[Any], Any] = np.asarray,
    reference: Entry = plain,
) -> Outcome:
    """Return the outcome of a program.

    Args:
        program: runs twice.
        entry: compiles functions.
        prepare: seeds the framework; Python's and NumPy's generators are seeded here.
        to_host: makes a NumPy array of one of the framework.
        reference: makes the function that says what is right, where an entry does more than to call it once.

    Raises:
        AssertionError: a compiled result is wrong, or the reason of a refusal is another one than stated.
    """
    want, _ = _results(program, reference, prepare, to_host)
    got, said = _results(program, entry, prepare, to_host)
    assert want, f"{program} yields nothing to compare"
    assert len(got) == len(want), f"{program}: {len(got)} results when compiled, {len(want)} otherwise"
    told = [message for message in said if re.search(program.refusal, message)]
    if all(_same(*pair, program.rtol) for pair in zip(got, want, strict=True)):
        if not told:
            return "equal"
        assert any(re.search(program.reason, message) for message in told), f"{program}: refused, but for {told}"
        return "refused"
    if _is_read_once(program, got, want) and not told:
        return "read once"
    wrong = [i for i, pair in enumerate(zip(got, want, strict=True)) if not _same(*pair, program.rtol)]
    lines = [f"{program}: wrong in silence" if not told else f"{program}: wrong, though it was refused"]
    lines += [f"result {i}: {got[i]!r} when compiled, {want[i]!r} otherwise" for i in wrong]
    raise AssertionError("\n".join(lines))


def _results(
    program: Program, entry: Entry, prepare: Callable[[], None], to_host: Callable[[Any], Any]
) -> tuple[list[Any], list[str]]:
    """Return what a run yields, on the host, and the RuntimeWarnings that came."""
    random.seed(0)
    np.random.seed(0)
    prepare()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        # Copied at once: what was yielded may change afterwards.
        results = [nested.map_structure(lambda leaf: _copied(leaf, to_host), result) for result in program.run(entry)]
    return results, [str(warning.message) for warning in caught if issubclass(warning.category, RuntimeWarning)]


def _copied(leaf: Any, to_host: Callable[[Any], Any]) -> Any:
    return leaf if leaf is None or isinstance(leaf, (str, bool, int, float)) else np.array(to_host(leaf))


def _same(got: Any, want: Any, rtol: float) -> bool:
    """Return whether two results have the same structure, dtypes, shapes and values; nan is nan."""
    (ours, one), (theirs, other) = nested.flatten_with_def(got), nested.flatten_with_def(want)
    return one == other and all(_equal(a, b, rtol) for a, b in zip(ours, theirs, strict=True))


def _equal(a: Any, b: Any, rtol: float) -> bool:
    if type(a) is not type(b):
        return False
    if not isinstance(a, np.ndarray):
        return a == b
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if rtol and a.dtype.kind in "fc":
        return np.allclose(a, b, rtol=rtol, atol=rtol, equal_nan=True)
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def _is_read_once(program: Program, got: Sequence[Any], want: Sequence[Any]) -> bool:
    """Return whether each call gave what the first one gave, and the first one was right."""
    first = _same(got[0], want[0], program.rtol)
    return first and all(_same(result, got[0], program.rtol) for result in got)


def table(programs: Programs) -> str:
    """Return the rows of programs as they stand in the page: by kind, in the order in which they were added."""
    lines = ["| what | outcome |", "| --- | --- |"]
    for kind in dict.fromkeys(program.kind for program in programs):
        lines.append(f"| **{kind}** | |")
        lines += [f"| {program.text} | {program.outcome} |" for program in programs if program.kind == kind]
    counts = ", ".join(f"{sum(p.outcome == outcome for p in programs)} {outcome}" for outcome in OUTCOMES)
    return "\n".join([f"{len(programs)} programs: {counts}.", "", *lines])


def page_has(programs: Programs) -> bool:
    """Return whether the page has the table of these programs, between its two marks for the framework."""
    return _between(programs)[1] == table(programs)


def write_page(programs: Programs) -> None:
    """Put the table of programs into the page, between its two marks for the framework."""
    before, _, after = _between(programs)
    PAGE.write_text(f"{before}{table(programs)}{after}")


def _between(programs: Programs) -> tuple[str, str, str]:
    first, last = f"<!-- programs: {programs.framework} -->\n", f"\n<!-- end: {programs.framework} -->"
    before, _, rest = PAGE.read_text().partition(first)
    found, mark, after = rest.partition(last)
    assert mark, f"{PAGE.name} has no marks {first.strip()} and {last.strip()}"
    return before + first, found, last + after
