"""What is told of a difference from Keras."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class FromKeras:
    """One difference that stays.

    Attributes:
        subjects: what is compared, as `ops.sparsemax` or `metrics.IoU`; several by spaces.
        case: a pattern (as for file names) of the cases of `tests/differential` (of layers, of `tests/recorded`) in which
            it shows; several by ` | `.
        kind: `value`, `dtype`, `shape`, `error` (we refuse what Keras takes), `symbolic` (on unknown sizes), `gradient`,
            `exchange` (a layer case of `tests/contract` that files do not carry over).
        ours: what we give.
        keras: what Keras 3.15 gives.
        proof: why ours stays: a formula, a source, numbers.
    """

    subjects: str
    case: str
    kind: str
    ours: str
    keras: str
    proof: str

    def covers(self, subject: str, case: str, kind: str) -> bool:
        """Return whether this entry speaks of one comparison."""
        return kind == self.kind and subject in self.subjects.split() and self.names(case)

    def names(self, case: str) -> bool:
        """Return whether the pattern fits the name of a case."""
        return any(fnmatchcase(case, pattern) for pattern in self.case.split(" | "))


INTEGERS = "* int32 | * int8 | * uint8 | * bool"
HALVES = "* float16 | * bfloat16"
"""Cases in these dtypes."""
