"""Which axis of an array of random numbers counts samples, where workers share a batch.

A row of random numbers follows from the place of its sample in the whole batch, and what is drawn for all samples is
the same on all workers. A shape alone does not say which of the two it is: there may be four samples and four features.
So a step is run on shapes for two numbers of samples. What differs between the shapes of a draw counts samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

Shape = tuple[int, ...]

_recorded: ContextVar[list[Shape] | None] = ContextVar("polykeras_recorded_draws", default=None)
_folded: ContextVar[bool] = ContextVar("polykeras_folded_samples", default=False)


@contextmanager
def folded_samples() -> Iterator[None]:
    """A context in which an axis holds several things of each sample, those of one sample after another."""
    token = _folded.set(True)
    try:
        yield
    finally:
        _folded.reset(token)


@contextmanager
def recorded_draws() -> Iterator[list[Shape]]:
    """A context that gives the shapes of the random numbers that are drawn in it."""
    shapes: list[Shape] = []
    token = _recorded.set(shapes)
    try:
        yield shapes
    finally:
        _recorded.reset(token)


def note_draw(shape: Sequence[int]) -> None:
    """Note that random numbers of a shape are drawn."""
    shapes = _recorded.get()
    if shapes is not None:
        shapes.append(_Noted(map(int, shape)))


class _Noted(tuple[int, ...]):
    """A shape, and whether it was drawn in `folded_samples`."""

    folded: bool

    def __init__(self, *_: object) -> None:
        self.folded = _folded.get()


@dataclass(frozen=True, slots=True)
class _Draw:
    """One draw of a step.

    Attributes:
        shape: for some number of samples.
        growth: what is added to it for each further sample; 0 for axes of a fixed size.
    """

    shape: Shape
    growth: tuple[float, ...]
    rows: int

    def fits(self, shape: Shape, rows: int) -> bool:
        if len(shape) != len(self.shape):
            return False
        grown = (n + by * (rows - self.rows) for n, by in zip(self.shape, self.growth, strict=True))
        return all(abs(n - size) < 0.5 for n, size in zip(grown, shape, strict=True))

    @property
    def axis(self) -> int | None:
        """The axis that counts samples; None if there is none.

        Raises:
            ValueError: it has samples in another way.
        """
        axes = [i for i, by in enumerate(self.growth) if by]
        if not axes:
            return None
        if len(axes) > 1 or self.growth[axes[0]] * self.rows != self.shape[axes[0]]:
            raise ValueError(
                f"Random numbers of the shape {self.shape} are drawn for {self.rows} samples, but not one or several "
                "for each sample: the workers that share a batch cannot draw those of the whole batch. Draw an array "
                "whose first axis counts the samples, or train on one worker."
            )
        return axes[0]


@dataclass(frozen=True, slots=True)
class Draws:
    """The draws of a step.

    Attributes:
        draws: what is known; nothing for a step that does not run on shapes.
    """

    draws: tuple[_Draw, ...] = ()

    @classmethod
    def compared(cls, few: Sequence[Shape], many: Sequence[Shape], rows: Sequence[int]) -> Draws:
        """Return the draws of a step that ran for two numbers of samples.

        Args:
            few: the shapes for the first number.
            many: the shapes for the second one.
            rows: the numbers of samples.
        """
        if [len(shape) for shape in few] != [len(shape) for shape in many]:  # the step asks for the number of samples
            return cls()
        more = rows[1] - rows[0]
        found: dict[tuple[Shape, Shape], _Draw] = {}
        for a, b in zip(few, many, strict=True):
            growth = tuple((n - m) / more for m, n in zip(a, b, strict=True))
            if max(growth, default=0) > 1 and not getattr(a, "folded", True):
                warnings.warn(
                    f"Random numbers of the shape {tuple(a)} are drawn for {rows[0]} samples. Workers that share the "
                    "batch take those of one sample to follow one another. If they lie otherwise, as where two "
                    "batches are joined, the numbers are as random, but not those of one worker.",
                    UserWarning,
                    stacklevel=2,
                )
            found[a, b] = _Draw(tuple(a), growth, rows[0])
        return cls(tuple(found.values()))

    def sample_axis(self, shape: Sequence[int], rows: int) -> int | None:
        """Return the axis of a draw that counts samples, or several numbers for each sample; None if there is none.

        Args:
            shape: the shape of the draw.
            rows: the number of samples of this worker.

        Raises:
            ValueError: that cannot be told.
        """
        size = tuple(map(int, shape))
        axes = {draw.axis for draw in self.draws if draw.fits(size, rows)}
        if len(axes) > 1:
            raise ValueError(
                f"Random numbers of the shape {size} are drawn for each sample in one place of this step, and for all "
                f"samples in another: with {rows} samples on a worker, the two cannot be told apart. Pass another "
                "batch_size."
            )
        if axes:
            return axes.pop()
        return 0 if size and size[0] == rows else None  # code that does not run on shapes
