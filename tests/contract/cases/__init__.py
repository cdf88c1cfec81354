"""All cases, one line each, a file a family (as in `polykeras/backend`)."""

from __future__ import annotations

from contract.cases import (
    activations,
    arithmetic,
    arrays,
    convolution,
    creation,
    decompositions,
    elementwise,
    indexing,
    linalg,
    losses,
    nn,
    random,
    reduction,
    shaping,
    statistics,
)
from contract.table import Case

FAMILIES = (
    arrays,
    creation,
    elementwise,
    arithmetic,
    shaping,
    reduction,
    statistics,
    indexing,
    linalg,
    decompositions,
    activations,
    nn,
    convolution,
    losses,
    random,
)
CASES: tuple[Case, ...] = tuple(case for family in FAMILIES for case in family.CASES)
