"""Public functions say what they take, what they give and what they raise.

Public is what an `__all__` lists, and what public classes inherit. Ruff has no rule for arguments that nobody mentions: its
D417 looks at sections that are there. Whether a docstring makes sense is for a reader to say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "polykeras"
TREES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}
# Families of the contract last, so that they win: a layer or a loss may have the name of one.
ORDERED = sorted(TREES, key=lambda path: path.startswith("backend/families/"))
CLASSES = {node.name: node for path in ORDERED for node in ast.walk(TREES[path]) if isinstance(node, ast.ClassDef)}
# Paths that are not checked: `applications.constructors.titled` writes the docstrings of these mobile nets.
EXEMPT = ["applications/mobilenet"]
Function = ast.FunctionDef
REFERENCE = re.compile(r"[Aa]rguments (are )?(as|those) ")
RETURNS_NOTHING = re.compile(r"(.*\n)?@(\w+\.)?(cached_|default_)?property|(@.*\n)*def .* -> None:\n")


def public_names() -> set[str]:
    """Return what is listed in an `__all__`, and what public modules without one define."""
    listed: dict[str, set[str]] = {}
    for path, tree in TREES.items():
        for node in tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if isinstance(target, ast.Name) and target.id == "__all__":
                strings = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                listed.setdefault(path, set()).update(strings)
    whole = [TREES[f"{name}.py"] for name in listed["__init__.py"] if f"{name}.py" in TREES.keys() - listed.keys()]
    whole += [tree for path, tree in TREES.items() if path.startswith("legacy/")]  # named by lists of legacy names
    defined = {node.name for tree in whole for node in tree.body if isinstance(node, (Function, ast.ClassDef))}
    return {name for name in defined.union(*listed.values()) if not name.startswith("_")}


def above(node: ast.ClassDef) -> list[ast.ClassDef]:
    """Return the base classes of ours, nearest first."""
    names = [re.split(r"\[", ast.unparse(base))[0].split(".")[-1] for base in node.bases]
    known = [CLASSES[name] for name in names if name in CLASSES and name != node.name]
    return [each for base in known for each in (base, *above(base))]


def methods(node: ast.ClassDef) -> dict[str, Function]:
    """Return what a class defines itself, getters in place of setters."""
    return {part.name: part for part in reversed(node.body) if isinstance(part, Function)}


def parameters(function: Function) -> list[str]:
    """Return the names of the parameters, without `self`."""
    a = function.args
    names = [part.arg for part in (*a.posonlyargs, *a.args) if part.arg not in ("self", "cls")]
    names += [f"*{a.vararg.arg}"] if a.vararg else []
    return names + [part.arg for part in a.kwonlyargs] + ([f"**{a.kwarg.arg}"] if a.kwarg else [])


def statements(node: ast.AST) -> Iterator[str]:
    """Yield what a function itself returns and raises."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, (ast.Return, ast.Raise)):
            yield ast.unparse(part)
        elif not isinstance(part, (Function, ast.Lambda, ast.ClassDef)):
            yield from statements(part)


def missing(function: Function, doc: str, overridden: list[Function]) -> list[str]:
    """Return the sections, and the parameters, that a docstring lacks."""
    named, done = parameters(function), list(statements(function))
    only_raises = isinstance(function.body[-1], ast.Raise) and len(function.body) <= 2  # for subclasses, or not there
    if only_raises or any(set(named) <= set(parameters(base)) for base in overridden):
        return []
    found = []
    if len(named) >= 2 and not REFERENCE.search(doc):
        found += [name for name in named if not re.search(rf"^ *{re.escape(name)}( \(.*\))?:", doc, re.MULTILINE)]
    if any(re.match("raise (?!AssertionError)[A-Z]", text) for text in done) and "Raises:" not in doc:
        found.append("Raises")
    gives = any(re.match("return (?!None)", text) for text in done) and not RETURNS_NOTHING.match(ast.unparse(function))
    if gives and not re.search("Returns:|^Return|^Yield|^[^.]* return ", doc):
        found.append("Returns")
    return found


def lacking(path: str) -> dict[str, list[str]]:
    """Return what the docstrings of a file lack, by the names of the functions. Ops are methods of the contract."""
    found: dict[str, list[str]] = {}
    ops = path.startswith("backend/")
    for node in TREES[path].body:
        if isinstance(node, Function) and node.name in PUBLIC and not ops:
            found[node.name] = missing(node, ast.get_docstring(node) or "", [])
        elif isinstance(node, ast.ClassDef) and node.name in INHERITED:
            own, *inherited = [methods(each) for each in (node, *above(node))]
            for name, function in own.items():
                if name in PUBLIC if ops else not name.startswith("_") or name == "__call__":
                    overridden = [each[name] for each in inherited if name in each]
                    found[f"{node.name}.{name}"] = missing(function, ast.get_docstring(function) or "", overridden)
            maker = next((each["__init__"] for each in (own, *inherited) if "__init__" in each), None)
            if maker and node.name in PUBLIC and not node.keywords:  # keywords make an `__init__`, and document it
                found[node.name] = missing(maker, ast.get_docstring(node) or "", [])
    return {name: parts for name, parts in found.items() if parts}


PUBLIC = public_names()
INHERITED = {node.name for name in PUBLIC & set(CLASSES) for node in (CLASSES[name], *above(CLASSES[name]))}


def test_docstrings_are_whole() -> None:
    assert len(PUBLIC) > 1000
    bad = {path: names for path in sorted(TREES) if (names := lacking(path))}
    assert {path: names for path, names in bad.items() if not re.match("|".join(EXEMPT), path)} == {}
    assert [pattern for pattern in EXEMPT if not any(re.match(pattern, path) for path in bad)] == []


def test_what_is_missing_is_found() -> None:
    source = 'def f(x, *, y=1):\n    """Sum.\n\n    Args:\n        x: a.\n    """\n    if y: raise ValueError(x)\n    return x\n'
    bare = ast.parse(source).body[0]
    assert missing(bare, ast.get_docstring(bare) or "", []) == ["y", "Raises", "Returns"]
    assert missing(bare, "Return it.\n\nArgs:\n    x: a.\n    y: b.\n\nRaises:\n    ValueError: c.", []) == []
