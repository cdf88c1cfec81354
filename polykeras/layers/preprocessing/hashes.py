"""Hash functions with TensorFlow's results, by which Keras's layers assign values to bins."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np

_WORD = 2**64 - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_CROSS = 0xC6A4A7935BD1E995
_CROSS_START = 0xDECAFCAFFE  # TensorFlow's key for crossed columns


def _turn(x: int, bits: int) -> int:
    """Return a word rotated to the right."""
    x &= _WORD
    return (x >> bits | x << (64 - bits)) & _WORD


def _fold(x: int) -> int:
    x &= _WORD
    return x ^ x >> 47


def _pair(u: int, v: int, factor: int) -> int:
    """Hash two words into one."""
    a = _fold((u ^ v) * factor)
    return _fold((v ^ a) * factor) * factor & _WORD


def _mixed(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """Mix 32 bytes into two words."""
    w, x, y, z = struct.unpack_from("<4Q", s, at)
    a += w
    b = _turn(b + a + z, 21)
    middle = a + x + y
    return (middle + z) & _WORD, (b + _turn(middle, 44) + a) & _WORD


def fingerprint(s: bytes) -> int:
    """Return FarmHash's 64-bit fingerprint of `s` (Pike and Alakuijala, 2014: `farmhashna`)."""
    n = len(s)
    factor = _K2 + 2 * n

    def word(at: int) -> int:
        return int.from_bytes(s[at : at + 8], "little")

    if n > 64:
        return _long(s)
    if n > 16:
        k = _K2 if n > 32 else _K1
        a, b, c, d = word(0) * k, word(8), word(n - 8) * factor, word(n - 16) * _K2
        y = _turn(a + b, 43) + _turn(c, 30) + d
        z = a + _turn(b + _K2, 18) + c
        if n <= 32:
            return _pair(y & _WORD, z & _WORD, factor)
        z = _pair(y & _WORD, z & _WORD, factor)
        e, f, g, h = word(16) * factor, word(24), (y + word(n - 32)) * factor, (z + word(n - 24)) * factor
        return _pair((_turn(e + f, 43) + _turn(g, 30) + h) & _WORD, (e + _turn(f + a, 18) + g) & _WORD, factor)
    if n >= 8:
        a, b = word(0) + _K2, word(n - 8)
        return _pair((_turn(b, 37) * factor + a) & _WORD, (_turn(a, 25) + b) * factor & _WORD, factor)
    if n >= 4:
        first, last = int.from_bytes(s[:4], "little"), int.from_bytes(s[-4:], "little")
        return _pair(n + (first << 3), last, factor)
    if n:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[-1] << 2)
        return _fold(y * _K2 ^ z * _K0) * _K2 & _WORD
    return _K2


def _long(s: bytes) -> int:
    n = len(s)
    y = (81 * _K1 + 113) & _WORD
    z = _fold(y * _K2 + 113) * _K2 & _WORD
    v, w = (0, 0), (0, 0)
    x = (81 * _K2 + int.from_bytes(s[:8], "little")) & _WORD

    def round_(at: int, x: int, y: int, z: int, factor: int, times: int) -> tuple[int, int, int, tuple, tuple]:
        words = struct.unpack_from("<8Q", s, at)
        x = _turn(x + y + v[0] + words[1], 37) * factor & _WORD
        y = _turn(y + v[1] + words[6], 42) * factor & _WORD
        x ^= w[1] * times & _WORD
        y = (y + v[0] * times + words[5]) & _WORD
        z = _turn(z + w[0], 33) * factor & _WORD
        return z, y, x, _mixed(s, at, v[1] * factor, x + w[0]), _mixed(s, at + 32, z + w[1], y + words[2])

    for at in range(0, (n - 1) // 64 * 64, 64):
        x, y, z, v, w = round_(at, x, y, z, _K1, 1)
    factor = _K1 + ((z & 255) << 1)
    w = ((w[0] + (n - 1 & 63)) & _WORD, w[1])
    v = ((v[0] + w[0]) & _WORD, v[1])
    w = ((w[0] + v[0]) & _WORD, w[1])
    x, y, z, v, w = round_(n - 64, x, y, z, factor, 9)
    first = _pair(v[0], w[0], factor) + _fold(y) * _K0 + z
    return _pair(first & _WORD, (_pair(v[1], w[1], factor) + x) & _WORD, factor)


def keyed(s: bytes, key: Sequence[int]) -> int:
    """Return the SipHash-2-4 of `s` (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012)."""
    k0, k1 = (k & _WORD for k in key)
    v0, v1 = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    v2, v3 = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573
    padded = s + bytes(7 - len(s) % 8) + bytes([len(s) & 255])
    words = struct.unpack(f"<{len(padded) // 8}Q", padded)
    for i, word in enumerate((*words, None)):
        if word is None:
            v2 ^= 255
        else:
            v3 ^= word
        for _ in range(2 if i < len(words) else 4):
            v0, v2 = (v0 + v1) & _WORD, (v2 + v3) & _WORD
            v1, v3 = _turn(v1, 51) ^ v0, _turn(v3, 48) ^ v2
            v0, v2 = _turn(v0, 32), (v2 + v1) & _WORD
            v0 = (v0 + v3) & _WORD
            v1, v3 = _turn(v1, 47) ^ v2, _turn(v3, 43) ^ v0
            v2 = _turn(v2, 32)
        v0 ^= word or 0
    return v0 ^ v1 ^ v2 ^ v3


def bins(values: Iterable[bytes], count: int, salt: Sequence[int] | None = None) -> np.ndarray:
    """Return the bin of each value, int64: by `fingerprint`, or by `keyed` if there is a salt."""
    known: dict[bytes, int] = {}
    found = []
    for value in values:
        if value not in known:
            known[value] = (fingerprint(value) if salt is None else keyed(value, salt)) % count
        found.append(known[value])
    return np.array(found, np.int64)


def crossed(columns: Iterable[Sequence[bytes | int]], count: int) -> np.ndarray:
    """Return the bin of each row of several columns, int64. Integers are used as they are, bytes by `fingerprint`."""
    known: dict[tuple[bytes | int, ...], int] = {}
    found = []
    for row in zip(*columns, strict=True):
        if row not in known:
            total = _CROSS_START
            for part in row:
                number = fingerprint(part) if isinstance(part, bytes) else part & _WORD
                total = (total ^ _CROSS ^ _fold(number * _CROSS) * _CROSS & _WORD) * _CROSS & _WORD
                total = _fold(_fold(total) * _CROSS)
            known[row] = total % count
        found.append(known[row])
    return np.array(found, np.int64)
