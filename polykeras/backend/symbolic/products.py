"""Shape rules of products, linear algebra and windows."""

from __future__ import annotations

from collections.abc import Sequence

from polykeras.backend.symbolic.dims import Dims, agree, broadcast, is_known, meet


def matmul_shape(a: Dims, b: Dims) -> Dims:
    """Return the shape of a matrix product, including NumPy's rules for vectors and batches.

    Raises:
        ValueError: if an operand is a scalar, or the inner sizes differ.
    """
    if not a or not b or not agree(a[-1], b[-2:][0]):
        raise ValueError(
            f"matmul: expected the last axis of x1 to match the {'second to last' if len(b) > 1 else 'only'} axis of "
            f"x2; received shapes {a} and {b}."
        )
    rows = a[-2:-1] if len(a) > 1 else ()
    columns = b[-1:] if len(b) > 1 else ()
    return broadcast(a[:-2], b[:-2], where="matmul") + rows + columns


def _expand(labels: str, ndim: int, subscripts: str) -> list[str]:
    """Return one label for each axis. The axes of `...` are numbered from the right, since they broadcast."""
    before, dots, after = labels.partition("...")
    extra = ndim - len(before) - len(after)
    if extra < 0 or (extra and not dots) or (not (before + after).isalpha() and before + after):
        raise ValueError(f"einsum: {labels!r} in {subscripts!r} does not describe an operand of {ndim} axes.")
    return [*before, *(f"...{i}" for i in range(extra, 0, -1)), *after]


def einsum_shape(subscripts: str, shapes: Sequence[Dims]) -> Dims:
    """Return the shape of an Einstein sum.

    Args:
        subscripts: such as `"bij,bjk->bik"`. Without `->`, the result has the labels that occur once, alphabetically.
        shapes: the shapes of the operands.

    Raises:
        ValueError: if the subscripts do not fit the operands, or the sizes of one label differ.
    """
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(shapes):
        raise ValueError(f"einsum: {subscripts!r} describes {len(terms)} operands; received {len(shapes)}.")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, n in zip(_expand(term, len(shape), subscripts), shape, strict=True):
            m = sizes.setdefault(label, n)
            if agree(m, n):
                sizes[label] = meet(m, n)
            elif label.startswith("...") and 1 in (m, n):  # only the axes of `...` broadcast
                sizes[label] = max(m, n)
            else:
                raise ValueError(
                    f"einsum: label {label!r} of {subscripts!r} has sizes {m} and {n}; received shapes "
                    f"{', '.join(map(str, shapes))}."
                )
    dots = sorted((label for label in sizes if label.startswith("...")), key=lambda label: -int(label[3:]))
    if not arrow:
        letters = [c for c in inputs if c.isalpha()]
        output = "..." * bool(dots) + "".join(sorted(c for c in letters if letters.count(c) == 1))
    before, ellipsis, after = output.partition("...")
    result = [*before, *(dots if ellipsis else ()), *after]
    missing = [label for label in result if label not in sizes]
    if missing or len(set(result)) < len(result):
        raise ValueError(f"einsum: the output of {subscripts!r} repeats a label or has one that no operand has.")
    return tuple(sizes[label] for label in result)


def square(shape: Dims, where: str) -> Dims:
    """Check and return the shape of a batch of square matrices.

    Raises:
        ValueError: if the last two sizes differ, or there are fewer than two axes.
    """
    if len(shape) < 2 or not agree(shape[-1], shape[-2]):
        raise ValueError(f"{where}: expected square matrices, shape (..., n, n); received shape {shape}.")
    return (*shape[:-2], *(meet(*shape[-2:]),) * 2)


def solve_shape(a: Dims, b: Dims, where: str) -> Dims:
    """Return the shape of the solution `x` of `a @ x == b`."""
    a = square(a, where)
    vector = len(b) == len(a) - 1
    full = (*b, 1) if vector else b
    if len(full) < 2 or not agree(full[-2], a[-1]):
        raise ValueError(f"{where}: expected b with {a[-1]} rows for a of shape {a}; received shape {b}.")
    batch = broadcast(a[:-2], full[:-2], where=where)
    return batch + (a[-1],) + (() if vector else full[-1:])


def _check_window(name: str, rank: int, **arguments: Sequence[object]) -> None:
    for argument, values in arguments.items():
        if len(values) != rank:
            raise ValueError(f"{name}: expected {rank} values in `{argument}`, one per axis; received {values}.")


def windows(
    name: str,
    spatial: Dims,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> Dims:
    """Return how many windows fit along each spatial axis.

    Raises:
        ValueError: if no window fits, or an argument does not have one value for each axis.
    """
    _check_window(name, len(spatial), window=window, strides=strides, padding=padding, dilation=dilation)
    result = []
    for n, k, s, (before, after), d in zip(spatial, window, strides, padding, dilation, strict=True):
        extent = d * (k - 1) + 1
        count = (n + before + after - extent) // s + 1
        if is_known(count) and count < 1:
            raise ValueError(
                f"{name}: a window of extent {extent} does not fit in the padded spatial shape: received spatial shape "
                f"{spatial}, window {tuple(window)}, padding {padding}, dilation {tuple(dilation)}."
            )
        result.append(count)
    return tuple(result)


def conv_shape(
    inputs: Dims,
    kernel: Dims,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Dims:
    """Return the shape of `conv_nd`."""
    if len(inputs) < 3 or len(kernel) != len(inputs):
        raise ValueError(
            f"conv: expected inputs (batch, *spatial, channels) and a kernel (*window, channels / groups, filters) of "
            f"as many axes; received shapes {inputs} and {kernel}."
        )
    if not agree(inputs[-1], kernel[-2] * groups) or kernel[-1] % groups:
        raise ValueError(
            f"conv: expected channels == {groups} * {kernel[-2]} and filters divisible by {groups} (groups={groups}); "
            f"received inputs of shape {inputs} and a kernel of shape {kernel}."
        )
    return (inputs[0], *windows("conv", inputs[1:-1], kernel[:-2], strides, padding, dilation), kernel[-1])


def conv_transpose_shape(
    inputs: Dims, kernel: Dims, strides: Sequence[int], padding: Sequence[tuple[int, int]], dilation: Sequence[int]
) -> Dims:
    """Return the shape of `conv_transpose_nd`."""
    if len(inputs) < 3 or len(kernel) != len(inputs) or not agree(inputs[-1], kernel[-1]):
        raise ValueError(
            f"conv_transpose: expected inputs (batch, *spatial, channels) and a kernel (*window, filters, channels); "
            f"received shapes {inputs} and {kernel}."
        )
    rank = len(inputs) - 2
    _check_window("conv_transpose", rank, strides=strides, padding=padding, dilation=dilation)
    spatial = tuple(
        (n - 1) * s + d * (k - 1) + 1 - before - after
        for n, k, s, (before, after), d in zip(inputs[1:-1], kernel[:-2], strides, padding, dilation, strict=True)
    )
    return (inputs[0], *spatial, kernel[-2])
