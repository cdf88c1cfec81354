"""Rules of the code that no linter knows.

Nobody asks for a backend's name, everything public says what it is, and private names of frameworks are in one module.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import polykeras
from polykeras.backend import Backend

pytestmark = pytest.mark.whole

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
    if module.startswith("polykeras.integrations."):
        pytest.importorskip(module.split(".")[2])
    found = {name: missing(obj, function) for name, obj, function in own(importlib.import_module(module))}
    assert {name: absent for name, absent in found.items() if absent} == {}


# ---- private names of frameworks are in one module a backend -------------------------------------------------------

BACKENDS = sorted(path for path in (ROOT / "backends").iterdir() if path.is_dir())
FRAMEWORKS = {"jax", "jaxlib", "torch", "tensorflow", "autograd", "numpy", "ml_dtypes"}
# Modules for which their frameworks promise nothing.
UNPROMISED = re.compile(
    r"(torch\.multiprocessing\.reductions|jax\.(extend|interpreters)|jaxlib|tensorflow\.(python|core|compiler)"
    r"|autograd\.(core|tracer|util|numpy\.numpy_(boxes|vspaces)))(\W|$)"
)
# Kernels without an underscore, but with arguments that nobody documents.
KERNELS = re.compile(r"\b(aten|ops)\.(native_|mkldnn_|_|\w+_backward\b|flatten_dense_tensors)")


def is_hidden(word: str) -> bool:
    """Return whether a name of one word says that it is private."""
    return (word.startswith("_") and not word.endswith("__")) or word == "__internal__"


def is_private(name: str) -> bool:
    """Return whether a framework promises nothing about a dotted name."""
    return UNPROMISED.match(name) is not None or any(map(is_hidden, re.split("[.:]", name)))


def members(source: str) -> set[str]:
    """Return the names of what classes define, and of attributes that are set."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", part)]
                found |= {getattr(target, "id", None) or getattr(target, "name", "") for target in targets}
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
    return found


def private_names(source: str, own: set[str]) -> list[tuple[int, str]]:
    """Return the private names of frameworks in a source, with their lines; `own` are the names of members of ours."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if (is_hidden(node.attr) and node.attr not in own) or KERNELS.search(name):
                names = [name]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if is_private(alias.name)]
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name for name in full if name.split(".")[0] in FRAMEWORKS and is_private(name)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("attr"):
            words = [argument.value for argument in node.args[1:2] if isinstance(argument, ast.Constant)]
            names = [word for word in words if is_hidden(str(word)) and word not in own]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            dotted = re.fullmatch(r"(\w+)([.:]\w+)+", node.value)
            names = [node.value] if dotted and dotted[1] in FRAMEWORKS and is_private(node.value) else []
        found += [(node.lineno, name) for name in names]
    return found


def test_private_names_are_found() -> None:
    source = (
        "import jax._src.core\nfrom torch._C import x\nfrom torch import _C, nn\nfrom jax.interpreters import ad\n"
        "from torch.utils._python_dispatch import Mode\na = tf.__internal__.b\nc = x._version + self._own\n"
        'd = getattr(x, "_shape")\ne = find("tensorflow.python.eager:context")\nf = torch._C._g()\n'
        "h = aten.native_batch_norm(i)\nj = aten.add.Tensor\nk = jax.extended\nfrom jax import extend as l\n"
        "from polykeras_torch.x import _own\nx.__array__\n"
    )
    lines = sorted(line for line, _ in private_names(source, {"_own"}))
    assert lines == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11, 14]


@pytest.mark.parametrize("folder", BACKENDS, ids=lambda path: path.name)
def test_private_names_are_in_one_module(folder: Path) -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))}
    contract = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "polykeras" / "backend").rglob("*.py"))]
    own = {name for source in (*sources.values(), *contract) for name in members(source)}
    found = {path.name: private_names(source, own) for path, source in sources.items() if path.name != "private.py"}
    assert len(found) > 10
    assert {path: names for path, names in found.items() if names} == {}


def test_the_rest_of_the_house_has_no_private_names() -> None:
    folder = ROOT / "polykeras"
    found = [
        (path.name, name)
        for path in sorted(folder.rglob("*.py"))
        for _, name in private_names(path.read_text(encoding="utf-8"), set())
        if name.partition(".")[0] in FRAMEWORKS
    ]
    assert found == []
