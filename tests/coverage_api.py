"""Write docs/generated/coverage.md: which names, signatures and members of the installed Keras are here.

Run it with `make coverage-api`. Nothing is called: names are looked up, signatures and class bodies are read. The page is the same each time
for the same release of Keras.
"""

from __future__ import annotations

import ast
import inspect
import os
import pkgutil
import textwrap
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "numpy")
PAGE = Path(__file__).parents[1] / "docs" / "generated" / "coverage.md"

QUANTIZED_STATE = """
    g_idx awq_scales awq_unpacked_column_size gptq_unpacked_column_size embeddings_scale embeddings_zero inputs_amax_history
    inputs_quantizer inputs_scale is_awq_calibrated is_gptq_calibrated kernel_amax_history kernel_scale kernel_zero
    original_kernel_shape outputs_grad_amax_history outputs_grad_scale quantization_axis quantization_config quantized_kernel
    reverse_embeddings_scale reverse_embeddings_zero variable_serialization_spec kernel_shape
"""
LAYERS_WITHIN = """
    auto_contrast equalization random_brightness random_color_degeneration random_contrast random_hue random_posterization
    random_rotation random_saturation random_sharpness random_shear random_translation solarization concat
"""
DETAILS = """
    get_clipped_bbox get_elastic_transform_params get_shifted_bbox get_transformed_x_y height_lower height_upper width_lower
    width_upper idf_weights_const lookup_table num_documents token_counts token_document_counts real_kernel imag_kernel
    interpolate_pr_auc lr_adjust transpose_last_axis zeropower_via_newtonschulz5 momentums value feature_dim strong_hash
    output_dtype implementation axis
"""
MASKS_OF_CELLS = """
    get_dropout_mask get_recurrent_dropout_mask reset_dropout_mask reset_recurrent_dropout_mask dropout_mask_count
"""
QUANTIZED = "Dense EinsumDense Embedding ReversibleEmbedding"

REASONS = {
    "*.get_quantization_layer_structure": "a method of models alone: only they are quantized by GPTQ and AWQ",
    "*.add_metric": "in Keras 3 it only raises an error",
    "*.activation": "only layers that have an activation have one; Keras's base class sets it for a moment",
    "*.rematerialized_call": "Keras's way to `RematScope`; functions are wrapped by `remat`",
    "*.backend": "Keras's switch between frameworks in maps over `tf.data`; here ops find theirs",
    "*.convert_weight": "as `backend`",
    "Layer.variable_serialization_spec": "a detail of Keras's quantized layers",
    "*.nnx_operations": "a detail of Keras's way through Flax's nnx",
    "*.quantized_build": "a method that Keras's quantized layers call themselves",
    "*.quantized_call": "a method that Keras's quantized layers call themselves",
    **dict.fromkeys(
        (f"*.{name}" for name in QUANTIZED_STATE.split()),
        "state of quantized layers, which is kept beside the layer here",
    ),
    **dict.fromkeys(
        (f"*.{name}" for name in LAYERS_WITHIN.split()), "a layer within; here they are in a list, in their order"
    ),
    **dict.fromkeys((f"*.{name}" for name in DETAILS.split()), "a detail of how Keras computes"),
    **dict.fromkeys((f"*.{name}" for name in MASKS_OF_CELLS.split()), "masks of dropout are made for a whole sequence"),
    **dict.fromkeys(
        (
            f"{cls}.*"
            for cls in [
                "GPTQConfig",
                "AWQConfig",
                "QuantizationConfig",
                "Int4QuantizationConfig",
                "Int8QuantizationConfig",
                "Float8QuantizationConfig",
                "AWQDTypePolicy",
                "GPTQDTypePolicy",
                "Int4DTypePolicy",
            ]
        ),
        "a detail of how Keras resolves defaults; a mode is a word here",
    ),
    "ExportArchive.*": "exporting is an issue of its own",
    "Function.*": "a function of a graph is no operation here, and has no form in files",
    "OrbaxCheckpoint.checkpointer": "Orbax's functions are called without an object that keeps steps",
    "OrbaxCheckpoint.is_*": "several processes of JAX are refused",
    "StatelessScope.original_scope": "scopes lie over each other here, none is put aside",
    "SymbolicScope.original_scope": "scopes lie over each other here, none is put aside",
    "CustomObjectScope.backup": "scopes lie over each other here, none is put aside",
    "KerasFileEditor.*": "the file itself is what is edited; there is no model, and text is printed",
    "*.accumulator": "the variable has the metric's name, as `true_positives`",
    "Optimizer.build": "there `variables`; `var_list` in all other optimizers of Keras",
    "SGD.build": "there `variables`; `var_list` in all other optimizers of Keras",
    "Adadelta.update_step": "`gradient` in all other optimizers of Keras",
    "*.compute_mask": "Keras has no name for the first argument",
    "RNN.build": "states have the shapes that the cell says",
    "Bidirectional.build": "states have the shapes that the cells say",
    "InputLayer.call": "an input layer passes its input on",
    "RandomGrayscale.*": "the names of all other image layers",
    "TextVectorization.build": "there is nothing to build",
    "CSVLogger.*": "the file is closed between epochs, so that it is complete whatever happens",
    "TensorBoard.summary": "a module of TensorFlow; events are written without it",
    "ProgbarLogger.progbar": "the bar is the callback itself",
    "DeviceMesh.backend_mesh": "a mesh is plain data, which each backend reads",
    "TensorLayout.backend_layout": "a layout is plain data, which each backend reads",
    "*.distribute_tf_dataset": "`fit` takes the rows of a process from batches of any source",
    "keras.export.*": "exporting is an issue of its own",
    "keras.dtype_policies.*": "a mode is a word here",
    "keras.quantizers.*": "a detail of how Keras computes",
    "keras.optimizers.legacy.*": "in Keras 3 they only raise an error; here they are today's optimizers",
    "keras.Variable": "how a variable is laid out over devices: an issue of its own",
    "keras.ops.arange": "None means 1 there",
    **dict.fromkeys((f"keras.layers.{name}" for name in QUANTIZED.split()), "sizes follow from the kernel's"),
}
"""Why what is left out is left out: patterns of paths (`keras.losses.ctc`), or of members (`Layer.path`)."""

OPEN = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)

FILLED_IN = ("rank", "pool_mode", "pool_dimensions")
"""Arguments of Keras's base classes that its own subclasses fill in: they are read as theirs by `**kwargs`."""


def modules(package: ModuleType) -> Iterator[str]:
    """Yield the public modules of Keras, by their paths."""
    yield package.__name__
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if module.ispkg and not module.name.startswith(("keras.src", "keras._tf_keras")):
            yield from modules(import_module(module.name))


def public(module: Any) -> list[str]:
    return sorted(name for name in vars(module) if not name.startswith("_") and name != "src")


def resolve(path: str) -> Any:
    """Return what polykeras has at a path of Keras, or None."""
    try:
        return import_module(path.replace("keras", "polykeras", 1))
    except ModuleNotFoundError:
        parent, _, name = path.rpartition(".")
        return getattr(resolve(parent), name, None) if parent else None


@cache
def parameters(function: Any) -> tuple[inspect.Parameter, ...] | None:
    """Return the parameters of a function, or of a class; those of its bases too where it passes `**kwargs` on.

    What comes by `**kwargs` is passed by name alone.
    """
    if not inspect.isclass(function):
        try:
            return tuple(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            return None
    found: dict[str, inspect.Parameter] = {}
    by_name = False
    for base in function.__mro__:
        init = vars(base).get("__init__")
        if not inspect.isfunction(init):
            continue
        own = list(inspect.signature(init).parameters.values())[1:]
        for p in own:
            found.setdefault(p.name, p.replace(kind=p.KEYWORD_ONLY) if by_name and p.kind not in OPEN else p)
        found.pop("kwargs", None)
        by_name = by_name or not any(p.kind is p.VAR_POSITIONAL for p in own)
        if not any(p.kind is p.VAR_KEYWORD for p in own) or not passes_on(init):
            break
    return tuple(found.values())


def passes_on(init: Any) -> bool:
    """Return whether a constructor gives its `**kwargs` to a call, rather than dropping them."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(init)))
    except (OSError, TypeError, SyntaxError):
        return True
    calls = [node for node in ast.walk(body) if isinstance(node, ast.Call)]
    return any(keyword.arg is None for call in calls for keyword in call.keywords)


def plain(default: Any) -> str:
    """Spell a default so that `1` and `(1, 1)`, `'Zeros'` and `'zeros'`, or a function here and there, are the same."""
    if isinstance(default, (tuple, list)) and default and all(value == default[0] for value in default):
        return plain(default[0])
    if isinstance(default, float) and default.is_integer():
        return repr(int(default))
    return getattr(default, "__name__", None) or repr(default).lower()


def differences(theirs: Any, ours: Any) -> str:
    """Return what a call written for Keras would miss here, or nothing."""
    wanted, given = parameters(theirs), parameters(ours)
    if wanted is None or given is None:
        return ""
    empty, said = inspect.Parameter.empty, []
    takes_all = any(p.kind is p.VAR_KEYWORD for p in given)
    if takes_all and any(p.kind is p.VAR_POSITIONAL for p in given):
        return ""
    names = {p.name: p for p in given}
    order = [p.name for p in given if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY)]
    place = 0
    for p in wanted:
        if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) or (p.name in FILLED_IN and inspect.isclass(theirs)):
            continue
        here = names.get(p.name)
        if here is None:
            said += [] if takes_all and p.kind is p.KEYWORD_ONLY else [f"lacks {p.name}"]
        elif p.default is not empty and plain(p.default) != plain(here.default):
            said.append(f"{p.name} is {plain(here.default)}, not {plain(p.default)}")
        elif p.kind is p.POSITIONAL_OR_KEYWORD and order[place : place + 1] != [p.name]:
            said.append(f"{p.name} has another place")
        place += p.kind is p.POSITIONAL_OR_KEYWORD
    known = {p.name for p in wanted}
    own = inspect.signature(ours).parameters  # what a base class needs beside them, this one fills in
    swallows = any(p.kind is p.VAR_KEYWORD for p in wanted)
    for p in given:
        if p.name in own and p.name not in known and p.default is empty and not swallows and p.kind not in OPEN:
            said.append(f"needs {p.name}")
    return "; ".join(said)


@cache
def own_members(cls: type) -> frozenset[str]:
    """Return the public members that a class itself has: in its body, by annotations, or by `self.name = ...`."""
    names = {*vars(cls), *getattr(cls, "__annotations__", {})}
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError):
        tree = ast.Module([], [])
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            names |= {node.attr} if node.value.id == "self" else set()
    return frozenset(name for name in names if not name.startswith("_"))


def members(cls: type, package: str) -> set[str]:
    return {name for base in cls.__mro__ if base.__module__.startswith(package) for name in own_members(base)}


def has_members(cls: type) -> set[str]:
    """Return the members of a class of ours; arguments are kept as attributes of their names."""
    return members(cls, "polykeras") | set(dir(cls)) | {p.name for p in parameters(cls) or ()}


def reason(path: str) -> str:
    return next((why for pattern, why in REASONS.items() if fnmatchcase(path, pattern)), "")


class Report:
    """What was found, by namespace."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, int]] = []
        self.missing: dict[str, list[str]] = {}
        self.signatures: dict[str, str] = {}
        self.compared: dict[int, str] = {}
        self.methods: dict[str, str] = {}
        self.members: dict[str, list[str]] = {}
        self.member_count = [0, 0, 0]

    def namespace(self, path: str) -> None:
        theirs, ours = import_module(path), resolve(path)
        names = public(theirs)
        absent = [name for name in names if resolve(f"{path}.{name}") is None and not hasattr(ours, name)]
        self.rows.append((path, len(names), len(absent)))
        if absent:
            self.missing[path] = absent
        for name in names:
            if name not in absent:
                self.compare(f"{path}.{name}", getattr(theirs, name), getattr(ours, name))

    def compare(self, path: str, theirs: Any, ours: Any) -> None:
        if id(theirs) in self.compared or not callable(theirs):
            return
        self.compared[id(theirs)] = path
        said = differences(theirs, ours)
        if said:
            self.signatures[path] = said
        if inspect.isclass(theirs) and inspect.isclass(ours):
            self.compare_members(theirs, ours)

    def compare_members(self, theirs: type, ours: type) -> None:
        wanted = members(theirs, "keras")
        bases = [base for base in theirs.__mro__[1:] if id(base) in self.compared]
        inherited = {name for base in bases for name in self.members.get(base.__name__, ())}
        lacks = wanted - has_members(ours)
        self.member_count[0] += len(wanted)
        self.member_count[1] += len(lacks)
        told = {name for name in lacks if any(reason(f"{base.__name__}.{name}") for base in theirs.__mro__)}
        self.member_count[2] += len(lacks - told)
        if lacks - inherited:
            self.members[theirs.__name__] = sorted(lacks - inherited)
        for name in sorted(vars(theirs)):
            a, b = vars(theirs)[name], getattr(ours, name, None)
            if not name.startswith("_") and inspect.isfunction(a) and callable(b):
                owner = inspect.getattr_static(ours, name)
                said = differences(a, owner if inspect.isfunction(owner) else b)
                if said and said != "lacks self":
                    self.methods[f"{theirs.__name__}.{name}"] = said


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    align = ["---", *("---:" if row.isdigit() else "---" for row in (rows[0][1:] if rows else head[1:]))]
    return [f"| {' | '.join(row)} |" for row in (head, tuple(align), *rows)]


def with_reasons(found: dict[str, str], kind: str) -> list[str]:
    if not found:
        return ["None."]
    return table((kind, "difference", "why it stays"), [(f"`{p}`", d, reason(p)) for p, d in sorted(found.items())])


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)"


def page(report: Report, version: str) -> str:
    total, absent = (sum(row[i] for row in report.rows) for i in (1, 2))
    compared, differ = len(report.compared), len(report.signatures)
    wanted, lacks, unexplained = report.member_count
    missing = {f"{path}.{name}": "missing" for path, names in report.missing.items() for name in names}
    members = {f"{cls}.{name}": "missing" for cls, names in report.members.items() for name in names}
    lines = [
        f"# What polykeras has of Keras {version}",
        "",
        "`make coverage-api` writes this page. It reads names, signatures and class bodies; how things behave is what the tests are for, and [shown.md](../shown.md) says which.",
        "",
        f"- Names: {share(total - absent, total)}, each path counted.",
        f"- Signatures of classes and functions that are here: {share(compared - differ, compared)} equal (names, order, defaults; more optional arguments may follow).",
        f"- Members of these classes: {share(wanted - lacks, wanted)}, inherited ones counted in each class; with those that are left out for a reason {share(wanted - unexplained, wanted)}.",
        "",
        "## Names by namespace",
        "",
        *table(("namespace", "names", "missing"), [(f"`{p}`", str(n), str(a)) for p, n, a in report.rows]),
        "",
        "## Missing names",
        "",
        *with_reasons(missing, "name"),
        "",
        "## Signatures that differ",
        "",
        *with_reasons(report.signatures, "class or function"),
        "",
        "## Methods whose signatures differ",
        "",
        *with_reasons(report.methods, "method"),
        "",
        "## Missing members",
        "",
        "Listed at the class that brings them, not again at those that inherit them.",
        "",
        *with_reasons(members, "member"),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    keras = import_module("keras")
    report = Report()
    for path in sorted(modules(keras)):
        report.namespace(path)
    text = page(report, keras.__version__)
    PAGE.write_text(text, encoding="utf-8")
    print("\n".join(text.splitlines()[4:7]))


if __name__ == "__main__":
    main()
