"""`utils.get_file`, from servers in this process and from `file:` URLs."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from polykeras.utils import get_file
from polykeras.utils.archives import extract_archive

BYTES = bytes(range(256)) * 2000
SHA = hashlib.sha256(BYTES).hexdigest()
MD5 = hashlib.md5(BYTES).hexdigest()


class Server:
    """Serves one file, and breaks off where it is told to.

    Attributes:
        content: the bytes of the file.
        tag: its version, as an ETag; None for none.
        cuts: after how many bytes each next answer ends; the others are whole.
        asked: the `Range` of each request.
    """

    def __init__(self) -> None:
        self.content = BYTES
        self.tag: str | None = '"1"'
        self.cuts: list[int] = []
        self.asked: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/files/data.bin"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.asked.append(wanted)
        if "missing" in handler.path:
            handler.send_error(404)
            return
        body, first = self.content, 0
        if wanted and handler.headers.get("If-Range") == self.tag:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
            if first >= len(body):
                handler.send_error(416)
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        if self.tag:
            handler.send_header("ETag", self.tag)
        handler.send_header("Content-Length", str(len(body) - first))
        handler.end_headers()
        handler.wfile.write(body[first:][: self.cuts.pop(0) if self.cuts else None])

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = Server()
    yield served
    served.close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = get_file(origin=server.url)
    assert path == str(tmp_path / "home" / "datasets" / "data.bin")
    assert Path(path).read_bytes() == BYTES
    assert get_file(origin=server.url, file_hash=SHA) == path
    assert get_file(origin=server.url, md5_hash=MD5) == path
    assert server.asked == [None]
    assert files(Path(path).parent) == ["data.bin"]
    assert f"Downloading data from {server.url}" in capsys.readouterr().out
    get_file(origin=server.url, force_download=True)
    assert len(server.asked) == 2


def test_names_and_folders(server: Server, tmp_path: Path) -> None:
    path = get_file("other.bin", server.url, cache_dir=tmp_path / "here", cache_subdir="sub/deep")
    assert path == str(tmp_path / "here" / "sub" / "deep" / "other.bin")
    assert get_file(tmp_path.joinpath("x").name, server.url, cache_subdir=str(tmp_path / "abs")) == str(
        tmp_path / "abs/x"
    )
    for name in ("a/b", ".."):
        with pytest.raises(ValueError, match="name without folders"):
            get_file(name, server.url)
    with pytest.raises(ValueError, match="no file name"):
        get_file(origin="http://127.0.0.1/")
    with pytest.raises(ValueError, match="`origin`"):
        get_file("a")


def test_a_wrong_hash_is_an_error_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"its hash is {SHA}; expected {'0' * 64}"):
        get_file(origin=server.url, file_hash="0" * 64)
    assert files(tmp_path / "home" / "datasets") == []
    with pytest.raises(ValueError, match='"auto", "sha256" or "md5"'):
        get_file(origin=server.url, file_hash=SHA, hash_algorithm="crc")


def test_a_file_with_another_hash_is_downloaded_anew(server: Server, tmp_path: Path) -> None:
    old = tmp_path / "home" / "datasets" / "data.bin"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    assert Path(get_file(origin=server.url)).read_bytes() == b"old"
    assert Path(get_file(origin=server.url, file_hash=SHA)).read_bytes() == BYTES


def test_a_broken_connection_is_gone_on_with(server: Server) -> None:
    server.cuts = [200_000, 100_000]
    assert Path(get_file(origin=server.url, file_hash=SHA)).read_bytes() == BYTES
    assert server.asked == [None, "bytes=200000-", "bytes=300000-"]


def test_a_later_call_goes_on(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000, 1000, 1000]
    with pytest.raises(OSError, match="the connection ended after 102000 of 512000 bytes"):
        get_file(origin=server.url)
    assert files(tmp_path / "home" / "datasets") == ["data.bin.part", "data.bin.part.json"]
    assert Path(get_file(origin=server.url)).read_bytes() == BYTES
    assert server.asked[-1] == "bytes=102000-"
    assert files(tmp_path / "home" / "datasets") == ["data.bin"]


@pytest.mark.parametrize("tag", ['"2"', 'W/"1"', None])
def test_parts_of_two_versions_are_not_mixed(server: Server, tag: str | None) -> None:
    server.cuts = [100_000] * 3
    server.tag = tag if tag != '"2"' else '"1"'
    with pytest.raises(OSError, match="the connection ended"):
        get_file(origin=server.url)
    server.content, server.tag = BYTES[::-1], tag
    assert Path(get_file(origin=server.url)).read_bytes() == BYTES[::-1]


def test_all_of_it_was_there_already(server: Server, tmp_path: Path) -> None:
    server.cuts = [100_000] * 3
    with pytest.raises(OSError, match="the connection ended"):
        get_file(origin=server.url)
    (tmp_path / "home" / "datasets" / "data.bin.part").write_bytes(BYTES)
    assert Path(get_file(origin=server.url)).read_bytes() == BYTES


def test_refusals_name_the_url(server: Server) -> None:
    with pytest.raises(OSError, match="URL fetch failure on .*missing: 404"):
        get_file(origin=server.url + ".missing")


def test_file_urls(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a file.txt").write_text("text")
    path = get_file("copy.txt", (tmp_path / "a file.txt").as_uri())
    assert Path(path).read_text() == "text"
    assert server.asked == []
    with pytest.raises(OSError, match="URL fetch failure"):
        get_file("none", (tmp_path / "none").as_uri())


# ---- archives ------------------------------------------------------------------------------------------------------


def tar(path: Path, members: dict[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            data = b"" if isinstance(content, tarfile.TarInfo) else content
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def test_archives_are_unpacked_where_keras_does(server: Server, tmp_path: Path) -> None:
    source = tar(tmp_path / "flowers.tgz", {"flowers/a.txt": b"a", "flowers/b": link("flowers/b", "a.txt")}).as_uri()
    datasets = tmp_path / "home" / "datasets"
    assert get_file(origin=source, extract=True) == str(datasets / "flowers.tgz")
    assert get_file("flowers", source, untar=True) == str(datasets / "flowers")
    assert get_file("f.tgz", source, extract=True) == str(datasets / "f_extracted")
    assert files(datasets) == [
        "f.tgz",
        "f_extracted",
        "flowers",
        "flowers.tgz",
        "flowers.tgz_archive",
        "flowers_archive",
    ]
    for folder in ("flowers.tgz", "flowers", "f_extracted"):
        assert (datasets / folder / "flowers" / "b").read_text() == "a"


def test_zip_archives(server: Server, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/y.txt", "y")
    folder = Path(get_file(origin=(tmp_path / "a.zip").as_uri(), extract=True))
    assert (folder / "x" / "y.txt").read_text() == "y"
    (folder / "x" / "y.txt").write_text("mine")
    get_file(origin=(tmp_path / "a.zip").as_uri(), extract=True)
    assert (folder / "x" / "y.txt").read_text() == "mine"
    get_file(origin=(tmp_path / "a.zip").as_uri(), extract=True, force_download=True)
    assert (folder / "x" / "y.txt").read_text() == "y"


def test_what_is_no_archive_is_warned_of(server: Server, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with pytest.warns(UserWarning, match=r"is not an archive \('auto'\)"):
        get_file(origin=(tmp_path / "text").as_uri(), extract=True)
    with pytest.raises(ValueError, match='"auto", "tar", "zip" or None'):
        extract_archive(str(tmp_path / "text"), str(tmp_path / "out"), "rar")


HOSTILE = {
    "parent": {"good": b"", "../evil": b"x"},
    "deep parent": {"a/../../evil": b"x"},
    "absolute": {"/evil": b"x"},
    "drive": {"C:\\evil": b"x"},
    "backslash": {"..\\evil": b"x"},
    "link out": {"l": link("l", "../.."), "l/evil": b"x"},
    "absolute link": {"l": link("l", "/"), "l/evil": b"x"},
    "hard link out": {"l": link("l", "../evil", tarfile.LNKTYPE)},
    "device": {"d": link("d", "", tarfile.CHRTYPE)},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_archives_that_leave_their_folder_are_refused(kind: str, tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", HOSTILE[kind], "w")
    inner = tmp_path / "in"
    with pytest.raises(ValueError, match="not safe to unpack"):
        extract_archive(str(path), str(inner / "out"))
    assert files(inner) == []
    assert files(tmp_path) == ["a.tar", "in"]


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil"])
def test_so_are_zips(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good", "")
        archive.writestr(name, "x")
    with pytest.raises(ValueError, match="not safe to unpack"):
        extract_archive(str(tmp_path / "a.zip"), str(tmp_path / "in" / "out"))
    assert files(tmp_path / "in") == []
