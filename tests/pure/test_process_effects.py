"""The sources change nothing in a process but what `docs/process_wide_effects.md` lists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "process_wide_effects.md"
SOURCES = [path for folder in ("polykeras", "backends") for path in sorted((ROOT / folder).rglob("*.py"))]

# Names, the last parts of what is called, that change a process.
CALLS = {
    "register_at_fork", "putenv", "unsetenv", "chdir", "umask", "mallopt", "setrlimit", "setlocale", "sched_setaffinity",
    "setswitchinterval", "setrecursionlimit", "settrace", "setprofile",
    "filterwarnings", "simplefilter", "freeze", "set_threshold", "signal", "set_wakeup_fd", "Thread", "basicConfig",
    "seterr", "seed", "manual_seed", "set_seed",
    "set_num_threads", "set_num_interop_threads", "set_flush_denormal", "set_default_dtype", "set_default_device",
    "use_deterministic_algorithms", "set_float32_matmul_precision", "set_printoptions",
    "set_memory_growth", "register_tensor_conversion_function", "set_experimental_options", "set_intra_op_parallelism_threads",
    "enable_numpy_behavior", "set_soft_device_placement", "register_node", "register_pytree_node", "register_lowering",
}  # fmt: skip
FULL = {"gc.disable", "gc.enable", "jax.config.update", "os.environ.setdefault", "os.environ.update", "os.environ.pop"}
MAPPINGS = {"os.environ", "sys.modules"}  # to which items are given
FRAMEWORKS = {"tf", "torch", "jax", "np", "autograd", "ArrayBox", "ArrayVSpace", "optree"}


def effects(source: str) -> set[str]:
    """Return what a source does to a process, by the names of what it calls or changes."""
    found = set()
    nodes = list(ast.walk(ast.parse(source)))
    assigned = [node for node in nodes if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)]
    texts = {ast.unparse(node.targets[0]): ast.unparse(node.value) for node in assigned}
    loops = [node for node in nodes if isinstance(node, ast.For) and "array_types" in ast.unparse(node.iter)]
    owners = FRAMEWORKS | {ast.unparse(loop.target) for loop in loops}  # classes of arrays too
    for node in nodes:
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            last = name.rpartition(".")[2]
            if name in FULL and node.args:
                what = ast.unparse(node.args[0])
                found.add(f"{name}({texts.get(what, what)})")
            elif name in FULL or (last in CALLS and "." in name and not name.startswith("self.")):
                found.add(name)
            elif name == "setattr" and ast.unparse(node.args[0]).partition(".")[0] in owners:
                found.add(f"setattr of {ast.unparse(node.args[0])}")
        elif isinstance(node, ast.Assign | ast.Delete | ast.AugAssign):
            targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
            for target in targets:
                value = ast.unparse(target.value) if isinstance(target, ast.Attribute | ast.Subscript) else ""
                attribute = isinstance(target, ast.Attribute) and value.partition(".")[0] in owners
                if attribute or (isinstance(target, ast.Subscript) and value in MAPPINGS):
                    found.add(ast.unparse(target))
    return found


def test_effects_are_found() -> None:
    source = (
        'os.environ["A"] = "1"\nsignal.signal(2, f)\nsetattr(tf.Tensor, "x", 1)\ntorch.backends.a = True\n'
        'del sys.modules["k"]\ngc.disable()\nself.seed(1)\nfreeze()\nlist.append(x)\nsetattr(layer, "y", 2)\n'
        'os.environ.get("A")\nx = os.environ["A"]\nB = "C"\nos.environ.pop(B)\nkind.x = 1\n'
        "for cls in backend.array_types(): cls.y = 2\n"
    )
    names = ['os.environ["A"]', "signal.signal", "setattr of tf.Tensor", "torch.backends.a", 'sys.modules["k"]']
    assert effects(source) == {
        name.replace('"', "'") for name in [*names, "gc.disable", "cls.y", "os.environ.pop('C')"]
    }


def test_each_effect_is_in_the_table() -> None:
    rows: dict[str, str] = {}  # of each file; a row has the last word of an effect's name
    for row in TABLE.read_text(encoding="utf-8").split("\n"):
        for path in re.findall(r"`((?:polykeras|backends)/[\w/]+\.py)`", row):
            rows[path] = rows.get(path, "") + row
    found = {str(path.relative_to(ROOT)): effects(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert len(found) > 300
    names = [(path, name, re.findall(r"\w+", name)[-1]) for path, names in found.items() for name in names]
    assert [(path, name) for path, name, word in names if word not in rows.get(path, "")] == []
    assert sorted(path for path in rows if path not in found) == [], "the table names files that are not there"
