"""Print the sizes of the code: methods, overrides, lines, lengths, import chains, and what the tests hold.

Run it with `make count`. `count_tests.py` counts what only a collection of the tests tells.
"""

from __future__ import annotations

import ast
import re
import statistics
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from known_differences import FROM_KERAS, KNOWN

ROOT = Path(__file__).parents[1]
LIBRARY = sorted((ROOT / "polykeras").rglob("*.py"))
CONTRACT = sorted((ROOT / "polykeras/backend/families").glob("*.py"))
BACKENDS = {path.name.removeprefix("polykeras_"): path for path in sorted((ROOT / "backends").glob("polykeras_*"))}
FRAMEWORKS = frozenset(BACKENDS) | {"symbolic"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def lines(paths: list[Path]) -> int:
    return sum(path.read_text(encoding="utf-8").count("\n") for path in paths)


def functions(paths: list[Path]) -> Iterator[Function]:
    for path in paths:
        yield from (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def length(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1  # type: ignore[attr-defined]


def decorators(function: Function) -> set[str]:
    heads = (node.func if isinstance(node, ast.Call) else node for node in function.decorator_list)
    return {head.id for head in heads if isinstance(head, ast.Name)}


def methods(*names: str) -> set[str]:
    """Return the names of the contract's methods with one of these decorators."""
    return {function.name for function in functions(CONTRACT) if decorators(function) & set(names)}


def overrides(folder: Path, composites: set[str]) -> set[str]:
    """Return the composites that the classes (or assignments in classes) of a backend's folder define again."""
    names = set()
    for path in folder.rglob("*.py"):
        for owner in (node for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)):
            names |= {node.name for node in owner.body if isinstance(node, Function)}
            targets = [target for node in owner.body if isinstance(node, ast.Assign) for target in node.targets]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names & composites


def public_ops() -> int:
    """Return how many names `polykeras.ops` exports, by the `__all__` lists of its files."""
    names: set[str] = set()
    for path in (ROOT / "polykeras/ops").glob("*.py"):
        for node in tree(path).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                names |= {part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
    return len(names)


def docstring_lines(path: Path) -> int:
    """Return the lines of a file's docstrings."""
    owners = ast.Module | ast.ClassDef | Function
    found = (node for node in ast.walk(tree(path)) if isinstance(node, owners) and ast.get_docstring(node) is not None)
    return sum(length(node.body[0]) for node in found)


def comparisons(path: Path) -> int:
    """Return how many comparisons of a file have a backend's name on one side."""
    sides = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Compare))
    constants = ({part.value for part in ast.walk(node) if isinstance(part, ast.Constant)} for node in sides)
    return sum(any(isinstance(value, str) and value in FRAMEWORKS for value in values) for values in constants)


def private_names(path: Path) -> int:
    """Return how many names of its framework a backend's `private.py` takes by `find`."""

    def calls(node: ast.AST) -> int:
        return sum(isinstance(n, ast.Call) and getattr(n.func, "id", "") == "find" for n in ast.walk(node))

    loops = [n for n in ast.walk(tree(path)) if isinstance(n, ast.ListComp | ast.SetComp | ast.DictComp)]
    again = sum(calls(loop) * (len(getattr(loop.generators[0].iter, "elts", ())) - 1) for loop in loops)
    return calls(tree(path)) + again


def programs() -> list[tuple[str, str]]:
    """Return frameworks and how their adversarial programs end, as the page says, to which tests hold them."""
    page = (ROOT / "docs/generated/compiled_programs.md").read_text(encoding="utf-8")
    return re.findall(r"<!-- programs: (\w+) -->\n\d+ programs: (.*)\.", page)


def imports() -> dict[str, set[str]]:
    """Return which modules of polykeras each of them imports when it is run, as lint-imports counts it."""
    import grimp

    graph = grimp.build_graph("polykeras", exclude_type_checking_imports=True)
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def cycle_and_chain(edges: dict[str, set[str]]) -> tuple[str, object]:
    """Return a cycle of imports ("0" if there is none), and the number of modules in the longest chain of imports."""
    depth: dict[str, int] = {}
    try:
        for module in TopologicalSorter(edges).static_order():
            depth[module] = 1 + max((depth[other] for other in edges[module]), default=0)
    except CycleError as error:
        return "at least 1: " + " -> ".join(reversed(error.args[1])), "endless"
    return "0", max(depth.values())


def rows() -> Iterator[tuple[str, object]]:
    """Yield the lines of the table."""
    required, composites = methods("required", "abstractmethod"), methods("op")
    yield "required methods of the contract", len(required)
    yield "composites", len(composites)
    yield "public ops", public_ops()
    for name, folder in (BACKENDS | {"symbolic": ROOT / "polykeras/backend/symbolic"}).items():
        again = len(overrides(folder, composites))
        yield f"{name}: composites overridden / lines", f"{again} / {lines([*folder.rglob('*.py')])}"
    for name, folder in BACKENDS.items():
        engine = [folder / file for file in ("collectives.py", "workers.py", "stages.py") if (folder / file).exists()]
        yield (
            f"{name}: engine of several workers, lines / of these docstrings",
            " / ".join(map(str, (lines(engine), sum(map(docstring_lines, engine))))),
        )
    yield "library, without backends/: files / lines", f"{len(LIBRARY)} / {lines(LIBRARY)}"
    yield "comparisons with a backend's name outside backends/", sum(map(comparisons, LIBRARY))
    for name, folder in BACKENDS.items():
        if found := private_names(folder / "private.py"):
            yield f"{name}: private names, each with a plain form, taken away in turn", found
    for framework, outcomes in programs():
        yield f"{framework}: adversarial programs", outcomes
    kinds = Counter(entry.kind for entry in FROM_KERAS)
    yield "known differences from Keras", ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    yield "known differences between frameworks", len(KNOWN)
    sizes = [lines([path]) for path in LIBRARY]
    yield "file length, median / max", f"{statistics.median(sizes):.0f} / {max(sizes)}"
    lengths = [length(function) for function in functions(LIBRARY)]
    p90 = statistics.quantiles(lengths, n=10)[-1]
    yield "function length, median / p90", f"{statistics.median(lengths):.0f} / {p90:.0f}"
    yield "docstring share, % of lines", round(100 * sum(map(docstring_lines, LIBRARY)) / lines(LIBRARY))
    try:
        cycle, chain = cycle_and_chain(imports())
    except ModuleNotFoundError:
        cycle = chain = "not counted: `pip install grimp`"
    yield "import cycles", cycle
    yield "longest import chain, modules", chain


if __name__ == "__main__":
    for label, value in rows():
        print(f"{label:<70}{value:>12}")
