"""Files that are made to do harm, each by a function here, and a process that loads them under watch.

`python -m saving.corpus` (with `tests` and the root on the path) prints a table of all of them. Each names the advisory
after which it is made, where there is one; those marked "(record not seen)" are known to us from other texts only.

Flaws of HDF5's own library (CVE-2024-29157, CVE-2026-26200 and many more) have no file here: they take files that are
made byte by byte. `fuzz.py` looks for them.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # tests import it too, and set what counts for their own processes
    os.environ.setdefault("POLYKERAS_BACKEND", "numpy")

import numpy as np

import polykeras as keras
from polykeras.saving.files import hdf5_texts

SECONDS = 10
MEMORY = 2**30


@dataclass(frozen=True)
class Attack:
    """A file that must be refused.

    Attributes:
        name: for people.
        suffix: of the file, which says how it is loaded.
        make: writes it.
        reason: a pattern that the message must match.
        source: the advisory.
    """

    name: str
    suffix: str
    make: Callable[[Lab], None]
    reason: str
    source: str = ""


class Lab:
    """A folder in which one attack happens.

    Attributes:
        path: the file to write.
        canary: a file that exists if code of the attack ran.
        secret: a file outside of the folder. It is a named pipe, so that whoever opens it waits.
    """

    def __init__(self, folder: Path, name: str, suffix: str) -> None:
        self.folder = folder / "lab"
        self.folder.mkdir()
        self.path = self.folder / f"{name}{suffix}"
        self.canary = folder / "canary"
        self.secret = folder / "secret"
        os.mkfifo(self.secret)

    @property
    def code(self) -> str:
        """Python code that makes the canary."""
        return f"open({str(self.canary)!r}, 'w').close()"


ATTACKS: dict[str, Attack] = {}


def attack(suffix: str, reason: str, source: str = "") -> Callable[[Callable[[Lab], None]], Callable[[Lab], None]]:
    """Return a decorator that adds an attack of the function's name."""

    def add(make: Callable[[Lab], None]) -> Callable[[Lab], None]:
        name = make.__name__.strip("_").replace("_", "-")
        assert name not in ATTACKS, name
        ATTACKS[name] = Attack(name, suffix, make, reason, source)
        return make

    return add


# ---- what attacks begin with -----------------------------------------------------------------------------------


def model() -> Any:
    """Return the model whose files are changed, and to which files of weights are loaded."""
    keras.utils.set_random_seed(1)
    x = keras.Input((4,), name="x")
    y = keras.layers.Dense(2, name="second")(keras.layers.Dense(3, activation="relu", name="first")(x))
    made = keras.Model(x, y, name="valid")
    made.compile("adam", "mse", metrics=["mae"])
    return made


@cache
def _valid_file(suffix: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"valid{suffix}")
        (model().save if suffix == ".keras" else model().save_weights)(path)
        return {file.name: file.read_bytes() for file in sorted(Path(folder).iterdir())}


def write_weights(path: Path) -> None:
    """Write a valid file of weights, with those beside it of which it is a list."""
    suffix = path.name[path.name.index(".") :]
    for name, data in _valid_file(suffix).items():
        (path if name == f"valid{suffix}" else path.with_name(name)).write_bytes(data)


def valid_members() -> dict[str, bytes]:
    """Return the members of a valid `.keras` file."""
    with zipfile.ZipFile(io.BytesIO(_valid_file(".keras")["valid.keras"])) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_archive(lab: Lab, changed: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> None:
    """Write a `.keras` file that is valid but for some members."""
    with zipfile.ZipFile(lab.path, "w", kind) as archive:
        for name, data in (valid_members() | changed).items():
            archive.writestr(name, data)


def write_config(lab: Lab, config: Any) -> None:
    """Write a config: into a `.keras` file, or as JSON."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    if lab.path.suffix == ".json":
        lab.path.write_bytes(text)
    else:
        write_archive(lab, {"config.json": text})


def valid_config() -> Any:
    """Return the config of the valid model."""
    return json.loads(valid_members()["config.json"])


def entry(class_name: str, config: Any = None, module: str | None = "keras.layers", **more: Any) -> dict[str, Any]:
    """Return the description of an object."""
    about = {"module": module, "class_name": class_name, "config": {} if config is None else config}
    return about | {"registered_name": None} | more


def named(module: str, name: str, registered: str | None = "function") -> dict[str, Any]:
    """Return the description of a function."""
    return {"module": module, "class_name": "function", "config": name, "registered_name": registered}


def tensor(name: str, node: int = 0, place: int = 0) -> dict[str, Any]:
    """Return the description of a symbolic tensor."""
    about = {"shape": [None, 4], "dtype": "float32", "keras_history": [name, node, place]}
    return {"class_name": "__keras_tensor__", "config": about}


def functional(*layers: dict[str, Any], shape: Any = (None, 4), **kwargs: Any) -> dict[str, Any]:
    """Return the config of a model in which some layers are called one after the other."""
    entries = [entry("InputLayer", {"batch_shape": shape, "name": "x"}, name="x", inbound_nodes=[])]
    last = "x"
    for i, layer in enumerate(layers):
        name = f"layer_{i}"
        if isinstance(layer.get("config"), dict):
            layer["config"].setdefault("name", name)
        node = {"args": [tensor(last)], "kwargs": kwargs}
        entries.append({"name": name, "inbound_nodes": [node], **layer})
        last = name
    first = int(bool(layers) and layers[-1].get("class_name") == "Functional")  # which counts as called when it is made
    config = {"name": "m", "layers": entries, "input_layers": [["x", 0, 0]], "output_layers": [[last, first, 0]]}
    return entry("Functional", config, "keras.src.models.functional", registered_name="Functional")


def npy(array: np.ndarray, header: bytes | None = None) -> bytes:
    """Return an array in NumPy's format, or its data behind another header."""
    if header is None:
        file = io.BytesIO()
        np.lib.format.write_array(file, array)
        return file.getvalue()
    header += b" " * (64 - (11 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + array.tobytes()


# ---- the process -----------------------------------------------------------------------------------------------


def load(path: Path, target: Any) -> Any:
    """Load a file in the way that its suffix says."""
    name = path.name
    if name.endswith(".config.json"):
        return keras.models.model_from_json(path.read_text(encoding="utf-8", errors="surrogateescape"))
    if name.endswith((".keras", ".h5")) and not name.endswith(".weights.h5"):
        return keras.saving.load_model(path)
    target.load_weights(path)
    return target


class Watch:
    """Notes what Python opens, starts or connects to; outside of what every program reads."""

    _FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
    _FORBIDDEN += ("os.fork", "pickle.find_class", "marshal.loads", "ctypes.dlopen", "urllib.Request", "os.symlink")

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.allowed is None:
            return
        if event == "marshal.loads" and sys._getframe(1).f_code.co_filename.startswith("<frozen importlib"):
            return  # Python reads what it compiled of a module
        if event == "subprocess.Popen" and args[1][:3] == [sys.executable, "-P", os.fspath(hdf5_texts.PROGRAM)]:
            return  # our own: libhdf5 is not trusted with texts
        if event in self._FORBIDDEN:
            self.seen.append(f"{event} {args[:2]!r}"[:200])
        elif event == "open" and isinstance(args[0], (str, bytes)):
            path = os.path.realpath(os.fsdecode(args[0]))
            if not path.startswith(self.allowed) and path != os.path.realpath(tempfile.gettempdir()):  # a nameless file
                self.seen.append(f"open {path}")


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def run(name: str, watch: Watch) -> dict[str, Any]:
    """Return what happens when the file of an attack is loaded."""
    attack = ATTACKS[name]
    target = model()
    before = [w.numpy() for w in target.variables]
    found: dict[str, Any] = {"name": name, "error": "", "events": []}
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder), attack.name, attack.suffix)
        attack.make(lab)
        # Python compiles what it imports, and libraries are loaded late.
        watch.allowed = (str(lab.folder.resolve()), "/proc/", sys.prefix, sys.base_prefix, os.getcwd(), "/usr/lib")
        watch.allowed += (os.path.realpath(tempfile.gettempdir()) + "/tmp", os.path.realpath(sys.base_prefix), "/dev/")
        Path("/proc/self/clear_refs").write_text("5")
        started, memory = time.process_time(), _peak()
        signal.alarm(4 * SECONDS)  # by the clock, for what only waits
        try:
            load(lab.path, target)
        except BaseException as error:  # all that may happen is to be told
            kinds = [c.__name__ for c in type(error).__mro__]
            found |= {"error": type(error).__name__, "kinds": kinds, "message": str(error)}
            found |= {key: getattr(error, key, "") for key in ("path", "place", "reason")}
        finally:
            signal.alarm(0)
            watch.allowed = None
        found |= {"seconds": time.process_time() - started, "peak": _peak() - memory}
        found["file"] = os.fspath(lab.path)
        found["events"], watch.seen = watch.seen, []
        found["canary"] = lab.canary.exists() or sorted(p.name for p in Path(folder).iterdir()) != ["lab", "secret"]
    after = [w.numpy() for w in target.variables]
    found["unchanged"] = all(a.tobytes() == b.tobytes() for a, b in zip(before, after, strict=True))
    return found


class TimeIsUpError(BaseException):
    """An attack took too long."""


def _time_is_up(*_: Any) -> None:
    raise TimeIsUpError


def main(names: list[str]) -> None:
    """Load the files of attacks, and print a line of JSON for each."""
    target = model()
    with tempfile.TemporaryDirectory() as folder:  # what is imported late is imported now
        for suffix in (".keras", ".weights.h5", ".npz", ".safetensors", ".weights.json"):
            path = Path(folder, f"valid{suffix}")
            (target.save if suffix == ".keras" else target.save_weights)(path)
            load(path, target)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY,) * 2)
    signal.signal(signal.SIGALRM, _time_is_up)
    watch = Watch()
    for name in names:
        print(json.dumps({"begins": name}), flush=True)
        print(json.dumps(run(name, watch)), flush=True)


def table() -> str:
    """Return a table of all attacks."""
    rows = [f"{a.source or '-':42} {a.suffix:14} {a.name}" for a in sorted(ATTACKS.values(), key=lambda a: a.source)]
    return "\n".join(rows)


def load_attacks() -> None:
    """Import the modules that hold the attacks."""
    from saving import attacks_archives, attacks_arrays, attacks_configs, attacks_sizes  # noqa: F401


if __name__ == "__main__":
    from saving import corpus  # this module under its own name, to which attacks are added

    corpus.load_attacks()
    corpus.main(sys.argv[1:]) if len(sys.argv) > 1 else print(corpus.table())
