"""Rearrangement of axes by a pattern."""

from __future__ import annotations

import re
from functools import lru_cache
from math import prod

from polykeras.backend.spec import Array, Family, op

Group = tuple[str, ...]
"""The names that share one axis: several in parentheses, one, or none for an axis of size 1."""

_TOKEN = re.compile(r"\s*(\.\.\.|[A-Za-z]\w*|[()1])")


def _parse_side(text: str, pattern: str) -> tuple[Group, ...]:
    groups: list[Group] = []
    inside: list[str] | None = None
    place = 0
    text = text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"rearrange: {text[place:].strip()!r} is not valid in a pattern; received {pattern!r}.")
        token, place = match[1], match.end()
        if token == "(" and inside is None:
            inside = []
        elif token == ")" and inside is not None:
            groups.append(tuple(inside))
            inside = None
        elif token in "()" or (token == "..." and inside is not None):
            raise ValueError(f"rearrange: {token!r} is misplaced in {pattern!r}.")
        elif inside is not None:
            inside += [] if token == "1" else [token]
        else:
            groups.append(() if token == "1" else (token,))
    if inside is not None:
        raise ValueError(f"rearrange: a parenthesis is left open in {pattern!r}.")
    return tuple(groups)


@lru_cache(maxsize=256)
def _parse(pattern: str) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f"rearrange: a pattern has one '->'; received {pattern!r}.")
    left, right = (_parse_side(side, pattern) for side in sides)
    names = [[name for group in side for name in group] for side in (left, right)]
    if sorted(names[0]) != sorted(names[1]) or len(set(names[0])) != len(names[0]):
        raise ValueError(f"rearrange: each name must appear once on each side of '->'; received {pattern!r}.")
    return left, right


class Rearranging(Family):
    """Rearrangement in the notation of A. Rogozhnikov, "Einops" (2022)."""

    @op("tensor")
    def rearrange(self, tensor: Array, pattern: str, **axes_lengths: int) -> Array:
        """Return `tensor` with its axes reordered, merged or split.

        Args:
            tensor: an array.
            pattern: the axes before and after, such as `"b (h w) c -> b c h w"`: parentheses hold the parts of one
                axis, `...` stands for any axes, `1` for one of size 1.
            **axes_lengths: the sizes of parts; one in each pair of parentheses may be left out.

        Raises:
            ValueError: if the pattern is malformed, or does not fit the shape.
        """
        left, right = _parse(pattern)
        shape = self.shape(tensor)
        dots = len(shape) - len(left) + 1
        if ("...",) in left:
            extra = tuple(f"...{i}" for i in range(dots))
            left, right = (
                tuple(part for g in side for part in ([(name,) for name in extra] if g == ("...",) else [g]))
                for side in (left, right)
            )
        if dots < 0 or len(left) != len(shape):
            raise ValueError(f"rearrange: the pattern {pattern!r} does not fit an array of shape {shape}.")
        sizes: dict[str, int] = dict(axes_lengths)
        for group, size in zip(left, shape, strict=True):
            unknown = [name for name in group if name not in sizes]
            known = prod(sizes[name] for name in group if name in sizes)
            if len(unknown) == 1 and size % known == 0:
                sizes[unknown[0]] = size // known
            elif unknown or known != size:
                raise ValueError(
                    f"rearrange: an axis of size {size} does not split into ({' '.join(group)}) with {axes_lengths}; "
                    f"pattern {pattern!r}, shape {shape}."
                )
        names = [name for group in left for name in group]
        order = [names.index(name) for group in right for name in group]
        split = self.transpose(self.reshape(tensor, [sizes[name] for name in names]), order)
        return self.reshape(split, [prod(sizes[name] for name in group) for group in right])
