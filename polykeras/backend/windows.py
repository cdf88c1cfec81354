"""Windows that move over spatial axes: their sizes and padding."""

from __future__ import annotations

from collections.abc import Sequence

Padding = Sequence[tuple[int, int]]
PerAxis = int | Sequence[int]
"""One number for all spatial axes, or one for each."""


def per_axis(value: PerAxis, ndim: int, name: str) -> tuple[int, ...]:
    """Return `value` as one positive int for each of `ndim` spatial axes.

    Raises:
        ValueError: if there are fewer or more, or one is not positive.
    """
    values = (value,) * ndim if isinstance(value, int) else tuple(value)
    if len(values) != ndim or any(v < 1 for v in values):
        raise ValueError(f"`{name}` must be a positive int, or {ndim} of them; received {value}.")
    return values


def window_padding(
    padding: str, sizes: Sequence[int], window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the explicit padding `(before, after)` of each spatial axis.

    `"valid"` adds nothing. `"same"` gives `ceil(n / stride)` windows, as TensorFlow does: it adds
    `max((ceil(n / stride) - 1) * stride + dilation * (window - 1) + 1 - n, 0)` in all, the smaller half before.
    `"causal"` adds `dilation * (window - 1)` before, so that no window sees later elements.

    Raises:
        ValueError: if `padding` has another value.
    """
    spans = [d * (k - 1) + 1 for k, d in zip(window, dilation, strict=True)]
    if padding == "valid":
        return [(0, 0)] * len(spans)
    if padding == "causal":
        return [(span - 1, 0) for span in spans]
    if padding != "same":
        raise ValueError(f"`padding` must be 'valid', 'same' or (for convolutions) 'causal'; received {padding!r}.")
    totals = []
    for n, span, s in zip(sizes, spans, strides, strict=True):
        total = span - s + -n % s
        totals.append(total if span >= s else max(total, 0))  # if it cannot be negative, `n` need not be known
    return [(total // 2, total - total // 2) for total in totals]


def transpose_padding(
    padding: str, window: Sequence[int], strides: Sequence[int], output_padding: Sequence[int | None]
) -> list[tuple[int, int]]:
    """Return how much of the full output of a transposed convolution is dropped along each spatial axis.

    The full output of `n` inputs has `(n - 1) * stride + window` elements, where `window` includes the dilation.
    `"valid"` keeps `(n - 1) * stride + max(window, stride)` of them, and `"same"` keeps `n * stride`. Both are the
    adjoint of the convolution with that padding. With `output_padding`, `(n - 1) * stride + window + output_padding`
    elements are kept, or `(n - 1) * stride + window % 2 + output_padding` with `"same"`.
    """
    drops = []
    for k, s, extra in zip(window, strides, output_padding, strict=True):
        if padding == "valid":
            drops.append((0, min(k - s, 0) if extra is None else -extra))
        elif padding == "same":
            total = k - s if extra is None else k - k % 2 - extra
            before = max(total, 0) // 2
            drops.append((before, total - before))
        else:
            raise ValueError(f"`padding` must be 'valid' or 'same'; received {padding!r}.")
    return drops
