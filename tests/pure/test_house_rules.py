"""Rules of the house that no linter knows: nobody asks for a backend's name, and everything public says what it is."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import polykeras
from polykeras.backend import Backend

ROOT = Path(__file__).parents[2]
NAMES = {"jax", "torch", "tensorflow", "numpy"}
SOURCES = [path for folder in ("polykeras", "benchmarks", "examples") for path in sorted((ROOT / folder).rglob("*.py"))]


def names_asked_for(source: str) -> list[tuple[int, str]]:
    """Return the backends' names, with their lines, to which something is compared."""
    asked: list[ast.AST] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            asked += [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            asked.append(node.value)
    # What is in a tuple that is searched counts; what is an argument of a call on one side does not.
    groups = (node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node] for node in asked)
    literals = [part for group in groups for part in group]
    return [(part.lineno, part.value) for part in literals if isinstance(part, ast.Constant) and part.value in NAMES]


def test_comparisons_are_found() -> None:
    source = (
        'a = b.name == "jax"\nif "torch" != c: pass\nd in ("numpy", e)\nmatch f:\n    case "tensorflow": pass\n'
        'g("jax") == h\nuse("numpy")\ni == "mse"\n'
    )
    assert names_asked_for(source) == [(1, "jax"), (2, "torch"), (3, "numpy"), (5, "tensorflow")]


def test_nobody_asks_which_backend_it_is() -> None:
    assert len(SOURCES) > 100
    found = {str(path.relative_to(ROOT)): names_asked_for(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


# ---- everything public has annotations and a docstring -----------------------------------------------------------

MODULES = ["polykeras", *(info.name for info in pkgutil.walk_packages(polykeras.__path__, "polykeras."))]


def own(module: ModuleType) -> Iterator[tuple[str, Any, Any]]:
    """Yield `(name, object, function)` for what a module defines; the function of a class is its `__init__` or None."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if isinstance(value, FunctionType):
            yield name, value, value
        elif inspect.isclass(value):
            yield name, value, vars(value).get("__init__")
            for part, member in vars(value).items():
                function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
                if isinstance(function, FunctionType) and not part.startswith("_"):
                    # An override says no more than it must: the class's attribute finds the documentation of its base.
                    yield f"{name}.{part}", member if isinstance(member, property) else getattr(value, part), function


def missing(obj: Any, function: Any) -> list[str]:
    """Return what is not there: the docstring, or annotations. Parts of a backend are documented in the contract."""
    absent = [] if inspect.getdoc(obj) or hasattr(Backend, getattr(obj, "__name__", "")) else ["docstring"]
    if isinstance(function, FunctionType):
        parameters = inspect.signature(function).parameters.values()
        absent += [p.name for p in parameters if p.annotation is p.empty and p.name not in ("self", "cls")]
        absent += [] if "return" in function.__annotations__ else ["return"]
    return absent


def test_what_is_missing_is_found() -> None:
    def bare(self, x, y: int): ...

    assert missing(bare, bare) == ["docstring", "x", "return"]
    assert missing(missing, missing) == []


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_annotated_and_documented(module: str) -> None:
    found = {name: missing(obj, function) for name, obj, function in own(importlib.import_module(module))}
    assert {name: absent for name, absent in found.items() if absent} == {}
