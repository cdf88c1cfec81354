"""Strategies over the arguments of calls that fit a model."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import strategies as st

from differential.programs.vocabulary import DENSE, FIRST, LOSSES, METRICS


class Made(NamedTuple):
    """A model of a program: its name, and what it takes and gives."""

    name: str
    inputs: tuple[str, ...]
    heads: tuple[str, ...]
    form: str = "single"  # of the outputs: single, list or dict
    x_form: str = "single"
    names: tuple[str, ...] = ()  # of the outputs
    kind: str = "functional"
    layers: frozenset[str] = frozenset()  # the classes of its layers, and "mask" if one makes masks
    deferred: bool = False  # whether it is built by its first call


def of_head(table: dict[str, list[Any]], head: str) -> st.SearchStrategy[Any]:
    """Return a strategy over a table's entries for a head; `one` takes what `real` takes."""
    return st.sampled_from(table["real" if head == "one" else head])


@st.composite
def trunks(draw: st.DrawFn, kind: str, without: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Draw the layers that lead from an input to features, without some classes."""
    allowed = [layer for layer in DENSE if layer["class"] not in without]
    return draw(st.sampled_from(FIRST[kind])) + draw(st.lists(st.sampled_from(allowed), max_size=2))


@st.composite
def losses(draw: st.DrawFn, made: Made) -> Any:
    """Draw a loss in one of the forms that fit the outputs of a model."""
    each = [draw(of_head(LOSSES, head)) for head in made.heads]
    if len(each) == 1:
        return draw(st.sampled_from([each[0], each])) if made.form == "list" else each[0]
    if draw(st.booleans()):
        each[draw(st.integers(0, len(each) - 1))] = None
    if made.form == "dict" or (made.names and draw(st.booleans())):
        return {"each": dict(zip(made.names, each, strict=True))}
    return each


@st.composite
def metrics(draw: st.DrawFn, made: Made) -> Any:
    """Draw metrics: none, a list, a list of lists, or by name."""
    each = [draw(st.lists(of_head(METRICS, head), max_size=2, unique_by=str)) for head in made.heads]
    if len(each) == 1:
        return draw(st.sampled_from([None, each[0]]))
    form = draw(st.sampled_from(["none", "lists", "dict"]))
    if form == "none":
        return None
    if made.form == "dict" or (form == "dict" and made.names):
        return {"each": dict(zip(made.names, each, strict=True))}
    return each


@st.composite
def weights_of_losses(draw: st.DrawFn, made: Made) -> Any:
    """Draw weights of the losses, or none."""
    if draw(st.booleans()):
        return None
    each = [draw(st.sampled_from([0.5, 1.0, 2.0])) for _ in made.heads]
    return dict(zip(made.names, each, strict=True)) if made.form == "dict" else each if len(each) > 1 else each[0]


@st.composite
def data(draw: st.DrawFn, made: Made, arrays: bool, generators: bool, rows: list[int]) -> dict[str, Any]:
    """Draw data for a model: how many rows, in which form, with weights or without."""
    forms = ["arrays", "arrays", "pydataset", "tf_data"] + ["generator"] * generators
    if made.x_form == "single" and len(made.heads) == 1:
        forms += ["loader"] + (["frame"] if made.inputs == ("vector",) and made.heads[0] in ("real", "yes") else [])
    outputs = (
        "dict" if made.form == "dict" or (made.names and len(made.heads) > 1 and draw(st.booleans())) else made.form
    )
    return {
        "seed": draw(st.integers(0, 5)),
        "rows": draw(st.sampled_from(rows)),
        "batch": 4,
        "form": "arrays" if arrays else draw(st.sampled_from(forms)),
        "weighted": draw(st.booleans()) and len(made.heads) == 1,
        "inputs": made.inputs,
        "input_names": input_names(made.inputs),
        "x_form": made.x_form,
        "heads": made.heads,
        "output_names": made.names or [f"output_{i}" for i in range(len(made.heads))],
        "y_form": outputs,
    }


def classes_in(trunks: list[list[dict[str, Any]]]) -> frozenset[str]:
    """Return the classes of layers, "mask" if one makes masks, and "constraint" if one has weights that are constrained."""
    layers = [each for trunk in trunks for each in trunk]
    masks = any(each["class"] == "Masking" or "mask_zero" in each["config"] for each in layers)
    constraints = any("kernel_constraint" in each["config"] for each in layers)
    return frozenset([each["class"] for each in layers] + ["mask"] * masks + ["constraint"] * constraints)


def input_names(kinds: tuple[str, ...]) -> list[str]:
    """Return the names of a model's inputs."""
    return [f"x{place}_{kind}" for place, kind in enumerate(kinds)]


def losses_in(loss: Any) -> list[Any]:
    """Return the losses of the outputs."""
    return (
        loss
        if isinstance(loss, list)
        else list(loss["each"].values())
        if isinstance(loss, dict) and "each" in loss
        else [loss]
    )
