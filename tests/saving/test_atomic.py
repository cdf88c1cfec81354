"""Files are there as a whole or not at all: full disks, refused permissions, several writers, readers, crashes."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polykeras as keras
from polykeras.backend import use_backend
from polykeras.saving.files import atomic
from polykeras.saving.files.atomic import atomic_write

pytest.importorskip("h5py")
pytest.importorskip("safetensors")
posix = pytest.mark.skipif(os.name != "posix", reason="locks and signals of POSIX")
SUFFIXES = (".keras", ".h5", ".weights.h5", ".npz", ".safetensors", ".weights.json")
ROOT = Path(__file__).parents[2]


def _model(value: float) -> Any:
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, name="d")])
    model.set_weights([np.full((64, 64), value), np.full(64, value)])
    return model


def _save(model: Any, path: Path, **kwargs: Any) -> None:
    (model.save if path.suffix == ".keras" or path.name.endswith("m.h5") else model.save_weights)(path, **kwargs)


def _value(path: Path) -> float:
    """Return the one number that all weights of a file are; an error where they are not."""
    model = _model(-1.0)
    if path.suffix == ".keras" or path.name.endswith("m.h5"):
        model = keras.saving.load_model(path)
    else:
        model.load_weights(path)
    numbers = {float(x) for w in model.get_weights() for x in np.unique(w)}
    assert len(numbers) == 1, numbers
    return numbers.pop()


def _names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


@pytest.fixture(autouse=True)
def _on_the_host() -> Any:
    with use_backend("numpy"):
        yield


def _write(path: Path, text: str, **kwargs: Any) -> None:
    with atomic_write(path, **kwargs) as part:
        part.write_text(text)


# ---- what goes well --------------------------------------------------------------------------------------------


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    _write(path, "old")
    _write(path, "new")
    assert path.read_text() == "new"
    assert _names(tmp_path) == {"file"}


def test_a_relative_path_stays_where_it_was_even_where_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with atomic_write("file") as part:
        part.write_text("text")
        monkeypatch.chdir(tmp_path / "other")
    assert (tmp_path / "file").read_text() == "text"


def test_a_long_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 120 + ".npz")
    _write(path, "text")
    assert path.read_text() == "text"


@posix
def test_a_link_goes_on_pointing_to_its_target(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to("there/target")
    _write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert _names(tmp_path / "there") == {"target"}


@posix
def test_a_link_that_points_to_nothing_gets_its_target(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("target")
    _write(link, "new")
    assert (tmp_path / "target").read_text() == "new"
    assert link.is_symlink()


@posix
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640, 0o664])
def test_permissions_are_kept_and_nobody_else_reads_meanwhile(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    with atomic_write(path) as part:
        part.write_text("new")
        assert stat.S_IMODE(part.stat().st_mode) & ~mode == 0
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_of_any_other(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        _write(tmp_path / "file", "new")
        (tmp_path / "plain").write_text("other")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


@posix
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_each_format_keep_permissions(suffix: str, tmp_path: Path) -> None:
    _can_save(suffix)
    path = tmp_path / f"m{suffix}"
    before = os.umask(0o027)
    try:
        _save(_model(1.0), path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    _save(_model(2.0), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@posix
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_each_format_writes_is_known_to_be_written(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that puts a file of its own in the place of the part would take the lock away."""
    _can_save(suffix)
    real = atomic._put_in_place
    seen = []

    def put(part: Path, *args: Any) -> None:
        seen.append(part)
        atomic._remove_abandoned(part.parent, part.name[:2])  # as another writer does
        real(part, *args)

    monkeypatch.setattr(atomic, "_put_in_place", put)
    path = tmp_path / f"m{suffix}"
    _save(_model(1.0), path)
    assert seen
    assert _value(path) == 1.0


# ---- what goes wrong -------------------------------------------------------------------------------------------


def test_an_error_in_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyError) as caught, atomic_write(path) as part:
        part.write_text("half")
        raise KeyError("mine")
    assert path.read_text() == "old"
    assert _names(tmp_path) == {"file"}
    assert "is unchanged" in "".join(caught.value.__notes__)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    with pytest.raises(
        FileNotFoundError, match=re.escape(f"There is no folder {str(folder)!r}: {str(folder / 'f')!r}")
    ):
        _write(folder / "f", "text")


def _failing(real: Callable[..., Any], at: int, code: int, seen: list[int]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        seen[0] += 1
        if seen[0] == at:
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    return call


@pytest.mark.parametrize("name", ["open", "fsync", "replace", "chmod"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_refusal_of_the_system_leaves_the_old_file(
    name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, name, _failing(getattr(os, name), 1, code, [0]))
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            _write(path, "new")
    assert caught.value.errno == code
    assert caught.value.__notes__, "the error says what became of the file"
    assert path.read_text() == "old"
    assert _names(tmp_path) == {"file"}


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write to any folder")
def test_a_folder_that_is_read_only_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as caught:
            _write(path, "new")
    finally:
        tmp_path.chmod(0o700)
    assert "Nothing was written" in "".join(caught.value.__notes__)
    assert path.read_text() == "old"


@posix
def test_folders_that_cannot_be_synchronized_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic.os, "fsync", _failing(os.fsync, 2, errno.EINVAL, [0]))
    _write(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


@posix
def test_a_file_system_without_links_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic.os, "link", _failing(os.link, 1, errno.EPERM, [0]))
    _write(tmp_path / "file", "new", overwrite=False)
    assert (tmp_path / "file").read_text() == "new"
    assert _names(tmp_path) == {"file"}


def _can_save(suffix: str) -> None:
    if suffix == ".h5":
        pytest.importorskip("polykeras.saving.legacy.files")


@pytest.mark.parametrize("suffix", SUFFIXES)
@posix
def test_a_full_disk_leaves_the_old_file(suffix: str, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the system refuses whoever writes, HDF5's library as well."""
    import resource

    _can_save(suffix)
    path = tmp_path / f"m{suffix}"
    _save(_model(1.0), path)
    names = _names(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for limit in (0, 1, 500, 3000, 9000, 15_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
            try:
                with pytest.raises((OSError, RuntimeError)) as caught:
                    _save(_model(2.0), path)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert "is unchanged" in "".join(getattr(caught.value, "__notes__", ())), limit
            assert _names(tmp_path) == names, limit
            assert _value(path) == 1.0
    finally:
        signal.signal(signal.SIGXFSZ, handler)
    _save(_model(2.0), path)
    assert _value(path) == 2.0


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["fsync", "replace", "open"])
def test_a_refusal_at_any_call_leaves_the_old_file_of_each_format(
    suffix: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _can_save(suffix)
    path = tmp_path / f"m{suffix}"
    _save(_model(1.0), path)
    names = _names(tmp_path)
    failed = 0
    for at in range(1, 8):
        seen = [0]
        with monkeypatch.context() as patch:
            patch.setattr(atomic.os, name, _failing(getattr(os, name), at, errno.ENOSPC, seen))
            try:
                _save(_model(2.0), path)
            except OSError:
                failed += 1
        if seen[0] < at:
            break
        if _value(path) == 1.0:
            assert _names(tmp_path) == names
        else:  # the folder could not be synchronized, or what the old list named not be removed
            assert _value(path) == 2.0
            _save(_model(1.0), path)
            names = _names(tmp_path)
    assert failed


# ---- several at the same time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5", ".npz", ".safetensors", ".weights.json"])
def test_a_reader_sees_the_old_file_or_the_new_one(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    _save(_model(0.0), path)
    stop = threading.Event()
    seen: list[float] = []
    errors: list[BaseException] = []

    def read() -> None:
        with use_backend("numpy"):
            while not stop.is_set():
                try:
                    seen.append(_value(path))
                except BaseException as error:
                    errors.append(error)
                    return

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(1, 25):
        _save(_model(float(i)), path)
    stop.set()
    reader.join()
    assert not errors, errors[:1]
    assert seen == sorted(seen)
    assert _value(path) == 24.0


_WRITER = """
import os, sys
from pathlib import Path
from polykeras.saving.files.atomic import atomic_write
path, text, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for i in range(count):
    with atomic_write(path) as part:
        with open(part, "w") as file:
            for _ in range(20):
                file.write(text * 1000)
                file.flush()
"""


def _start(code: str, *args: Any) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@posix
def test_two_writers_leave_the_file_of_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a" * 20_000)
    writers = [_start(_WRITER, path, letter, 150) for letter in "ab"]
    while any(writer.poll() is None for writer in writers):
        text = path.read_text()
        assert len(text) == 20_000
        assert len(set(text)) == 1
    for writer in writers:
        assert writer.communicate()[1] == ""
        assert writer.returncode == 0
    assert _names(tmp_path) == {"file"}


_KILLED = """
import os, signal, sys
import polykeras.saving.files.atomic as atomic
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(atomic.os, sys.argv[2], die)
with atomic.atomic_write(sys.argv[1]) as part:
    part.write_text("half")
"""


@posix
@pytest.mark.parametrize("name", ["fsync", "replace", "chmod"])
def test_a_writer_that_is_killed_leaves_the_old_file_and_the_next_one_cleans_up(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    writer = _start(_KILLED, path, name)
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    left = _names(tmp_path) - {"file"}
    assert len(left) == 1
    assert left.pop().endswith(".part")
    _write(path, "new")
    assert path.read_text() == "new"
    assert _names(tmp_path) == {"file"}


_SAVES = """
import os, signal, sys
from polykeras.backend import registry
import numpy as np, polykeras as keras
import polykeras.saving.files.atomic as atomic
real, at, seen = os.replace, int(sys.argv[2]), 0
def die(*args, **kwargs):
    global seen
    seen += 1
    if seen == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)
atomic.os.replace = die
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, name="d")])
model.set_weights([np.full((64, 64), 2.0), np.full(64, 2.0)])
(model.save if sys.argv[1].endswith(("m.keras", "m.h5")) else model.save_weights)(sys.argv[1])
"""


@posix
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_process_that_is_killed_while_it_saves_leaves_the_old_file(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _can_save(suffix)
    monkeypatch.setenv("POLYKERAS_BACKEND", "numpy")
    path = tmp_path / f"m{suffix}"
    _save(_model(1.0), path)
    writer = _start(_SAVES, path, 1)
    errors = writer.communicate()[1]
    assert writer.returncode == -signal.SIGKILL, errors
    assert _value(path) == 1.0
    _save(_model(3.0), path)
    assert _value(path) == 3.0
    assert not [name for name in _names(tmp_path) if name.endswith(".part")]


def test_a_part_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_write(path) as first:
        first.write_text("first")
        _write(path, "second")
        assert first.exists()
        assert path.read_text() == "second"
    assert path.read_text() == "first"


@posix
def test_a_part_that_is_removed_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = atomic.fcntl.flock
    removed: list[str] = []

    def flock(handle: int, operation: int) -> None:
        if not removed:
            removed.extend(p.name for p in tmp_path.iterdir())
            for name in removed:
                (tmp_path / name).unlink()
        real(handle, operation)

    monkeypatch.setattr(atomic.fcntl, "flock", flock)
    _write(tmp_path / "file", "text")
    assert removed
    assert (tmp_path / "file").read_text() == "text"
    assert _names(tmp_path) == {"file"}


# ---- without overwriting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_there_is_not_replaced(suffix: str, tmp_path: Path) -> None:
    _can_save(suffix)
    path = tmp_path / f"m{suffix}"
    _save(_model(1.0), path, overwrite=False)
    names = _names(tmp_path)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        _save(_model(2.0), path, overwrite=False)
    assert _value(path) == 1.0
    assert _names(tmp_path) == names


def test_a_file_that_comes_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(FileExistsError, match="overwrite=True"), atomic_write(path, overwrite=False) as part:
        part.write_text("late")
        path.write_text("first")
    assert path.read_text() == "first"
    assert _names(tmp_path) == {"file"}


_RACER = """
import sys
from polykeras.saving.files.atomic import atomic_write
sys.stdin.readline()
try:
    with atomic_write(sys.argv[1], overwrite=False) as part:
        part.write_text(sys.argv[2])
    print("wrote")
except FileExistsError:
    print("exists")
"""


@posix
def test_of_several_writers_that_do_not_overwrite_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "file"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, str(path), str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for i in range(3)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    told = [racer.communicate()[0].strip() for racer in racers]
    assert sorted(told) == ["exists", "exists", "wrote"]
    assert path.read_text() == str(told.index("wrote"))


# ---- several files ---------------------------------------------------------------------------------------------


def test_a_list_of_files_removes_those_of_the_list_before_it_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.json"
    _save(_model(1.0), path, max_shard_size=17_000 / 2**30)
    first = _names(tmp_path)
    assert first == {"m.weights.json", "m_00000.weights.h5"}
    mine = tmp_path / "mine.weights.h5"
    mine.write_text("mine")
    listed = json.loads(path.read_text())
    listed["weight_map"]["/other/vars"] = mine.name
    path.write_text(json.dumps(listed))
    _save(_model(2.0), path)
    assert _value(path) == 2.0
    assert mine.read_text() == "mine", "a list may name any file"
    assert _names(tmp_path) == {"m.weights.json", "m_00000.weights.h5", "m_00001.weights.h5", "mine.weights.h5"}
    assert (tmp_path / "m_00000.weights.h5").stat().st_size < 2000, "is empty: Keras looks for a file of this name"
    _save(_model(3.0), path)
    assert _value(path) == 3.0
    assert _names(tmp_path) == {"m.weights.json", "m_00000.weights.h5", "m_00002.weights.h5", "mine.weights.h5"}
