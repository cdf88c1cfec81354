"""Names of machines and their ports, as launchers write them."""

from __future__ import annotations

import re


def split(address: str, where: str) -> tuple[str, int]:
    """Return the host and the port of `"host:port"`.

    Args:
        address: the text. The host may be an IPv6 address in brackets.
        where: who gave it, for the message.

    Raises:
        ValueError: it is malformed.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{where}: expected addresses as 'host:port', such as '10.0.0.1:1234'; received {address!r}.")
    return host, int(port)


def is_local(host: str) -> bool:
    """Return whether a name means this machine on every machine."""
    return host in ("localhost", "::1", "[::1]") or host.startswith("127.")


def consecutive(host: str, port: int, count: int) -> tuple[str, ...]:
    """Return addresses on one host, from a port on."""
    return tuple(f"{host}:{port + i}" for i in range(count))


def expand(text: str, where: str) -> list[str]:
    """Return the names of a list of nodes of SLURM, such as `"node[01-03,07],login"`.

    Args:
        text: names with commas between them; brackets hold numbers and ranges, whose width is kept.
        where: who gave it, for the message.

    Raises:
        ValueError: it is malformed.
    """
    found = []
    for name in re.findall(r"(?:[^,\[\]]|\[[^\[\]]*\])+", text):
        parts = re.split(r"\[([^\]]*)\]", name)  # texts, and between them what was in brackets
        names = [parts[0]]
        for numbers, rest in zip(parts[1::2], parts[2::2], strict=True):
            names = [start + number + rest for start in names for number in _numbers(numbers, text, where)]
        found += names
    if not found or text.count("[") != text.count("]"):
        raise ValueError(f"{where}: expected names of nodes such as 'node[01-03,07]'; received {text!r}.")
    return found


def _numbers(ranges: str, text: str, where: str) -> list[str]:
    found = []
    for part in ranges.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None:
            raise ValueError(f"{where}: expected numbers or ranges such as '01-03' in brackets; received {text!r}.")
        first, last = match[1], match[2] or match[1]
        found += [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    return found


def tasks_of_nodes(text: str) -> list[int]:
    """Return how many tasks run on each node, from SLURM's `"2(x3),1"`; nothing if the text is another one."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part.strip())
        if match is None:
            return []
        found += [int(match[1])] * int(match[2] or 1)
    return found
