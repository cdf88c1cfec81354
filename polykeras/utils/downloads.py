"""Downloads of files from a URL, completely or not at all. An interrupted download is resumed."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

from polykeras.utils.progbar import Progbar

CHUNK = 1 << 16
ATTEMPTS = 3


def download(origin: str, target: Path) -> None:
    """Download the file at a URL to `target`.

    Until it is complete, the received data are in a file with the additional suffix `.part`. A broken connection is
    opened again. A later call resumes an earlier one if the server says that it is the same file.

    Args:
        origin: an `http:`, `https:`, `ftp:` or `file:` URL.
        target: the path of the file; its folder must exist.

    Raises:
        OSError: if the server, or the network, fails; received data are kept for the next call.
    """
    part = target.with_name(target.name + ".part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _fetch(origin, part)
            break
        except urllib.error.HTTPError as error:
            if error.code == 416 and part.exists():  # nothing is left: the part is complete, or the file got shorter
                forget_part(target)
                continue
            raise OSError(f"URL fetch failure on {origin}: {error.code} -- {error.msg}") from error
        except urllib.error.URLError as error:
            raise OSError(f"URL fetch failure on {origin}: {error.reason}") from error
        except (OSError, HTTPException) as error:
            if attempt == ATTEMPTS:
                raise OSError(f"URL fetch failure on {origin}: {error}. Call again to resume the download.") from error
    os.replace(part, target)
    _notes(part).unlink(missing_ok=True)


def forget_part(target: Path) -> None:
    """Remove the remains of an interrupted download of `target`."""
    part = target.with_name(target.name + ".part")
    for path in (part, _notes(part)):
        path.unlink(missing_ok=True)


def _notes(part: Path) -> Path:
    """Return the file that notes the URL and the version of a part."""
    return part.with_name(part.name + ".json")


def _fetch(origin: str, part: Path) -> None:
    begun, version = _left_behind(origin, part)
    request = urllib.request.Request(origin, headers={"User-Agent": "polykeras", "Accept-Encoding": "identity"})
    if begun:
        # The server sends the rest if the file still has that version, and the whole file otherwise.
        request.add_header("Range", f"bytes={begun}-")
        request.add_header("If-Range", version)
    with urllib.request.urlopen(request) as answer:
        if not (getattr(answer, "status", 200) == 206 and _begins_at(answer) == begun):
            begun = 0
            part.unlink(missing_ok=True)
            version = _version(answer)
            _notes(part).write_text(json.dumps({"origin": origin, "version": version}), encoding="utf-8")
        length = answer.headers.get("Content-Length")
        total = begun + int(length) if length and length.isdecimal() else None
        _copy(answer, part, begun, total)


def _copy(answer: Any, part: Path, begun: int, total: int | None) -> None:
    bar = Progbar(total, unit_name="byte")
    done = begun
    with open(part, "ab") as file:
        while block := answer.read(CHUNK):
            file.write(block)
            done += len(block)
            bar.update(done)
    if total is None:
        bar.update(done, finalize=True)
    elif done != total:
        raise ConnectionError(f"the connection ended after {done} of {total} bytes")


def _left_behind(origin: str, part: Path) -> tuple[int, str]:
    """Return the number of bytes from an earlier call, and the version of the file."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        notes = json.loads(_notes(part).read_text(encoding="utf-8"))
        if notes["origin"] == origin and notes["version"]:
            return part.stat().st_size, notes["version"]
    return 0, ""


def _version(answer: Any) -> str:
    """Return the server's name for this version, or "" if it does not promise equal bytes."""
    tag = answer.headers.get("ETag", "")
    return "" if tag.startswith("W/") else tag


def _begins_at(answer: Any) -> int | None:
    unit, _, place = answer.headers.get("Content-Range", "").partition(" ")
    first = place.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else None
