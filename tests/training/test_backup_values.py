"""What a backup can hold comes back as it was; what it cannot is said so."""

from __future__ import annotations

import json
import math
import random
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polykeras import seeds
from polykeras.training.callbacks import Callback
from polykeras.training.data.orders import Orders
from polykeras.training.resuming.encoding import can_encode, decode, encode
from polykeras.training.resuming.files import BackupFiles

pytestmark = pytest.mark.cpu_only("equal bits, which sums on a GPU need not have")

VALUES: dict[str, Any] = {
    "nothing": None,
    "bools": [True, False],
    "small and large ints": [0, -1, 2**53 + 1, 2**63, -(2**64), 2**200],
    "floats": [0.1, -0.0, 1e-320, math.inf, -math.inf],
    "text": ["", "ünï", "\ud800", '"$'],
    "tuples in dicts": {"a": (1, (2.0, None)), "b": {}},
    "keys that are no text": {(1, 2): "x", 3: "y"},
    "keys that look like ours": {"$array": 0, "$": 1},
    "sets": {frozenset({1, 2}), frozenset()},
    "queues": [deque([1, 2], maxlen=2), deque()],
}


def through(value: Any) -> Any:
    arrays: list[np.ndarray] = []
    return decode(json.loads(json.dumps(encode(value, arrays))), arrays)


@pytest.mark.parametrize("name", VALUES)
def test_plain_data_come_back(name: str) -> None:
    value = VALUES[name]
    assert can_encode(value)
    found = through(value)
    assert repr(found) == repr(value)
    assert found == value


@pytest.mark.parametrize(
    "value",
    [
        [i / 7 for i in range(100)],
        tuple(range(-50, 50)),
        deque([2**62] * 100),
        [2**70] * 100,
        [1, 1.0] * 50,
        [True, 1] * 50,
        set(range(100)),
    ],
)
def test_many_numbers_come_back(value: Any) -> None:
    found = through({"a": value})["a"]
    assert repr(found) == repr(value)
    assert list(map(type, found)) == list(map(type, value))


def test_many_numbers_take_little_text() -> None:
    arrays: list[np.ndarray] = []
    assert len(json.dumps(encode({"a": [0.1] * 10**5, "b": [*range(10**5)]}, arrays))) < 100
    assert len(arrays) == 2


def test_messages_do_not_print_values() -> None:
    class Loud:
        def __repr__(self) -> str:
            raise AssertionError("printed")

    with pytest.raises(TypeError, match="a value of type Loud is neither plain data nor a NumPy array"):
        encode([Loud()], [])


def test_queues_keep_their_length() -> None:
    assert through(deque([1, 2], maxlen=2)).maxlen == 2


def test_nan_comes_back() -> None:
    assert math.isnan(through([float("nan")])[0])


@pytest.mark.parametrize("dtype", ["float16", "float64", "complex64", "uint64", "bool", "int8"])
def test_arrays_come_back(dtype: str) -> None:
    for value in (np.arange(6).reshape(2, 3).astype(dtype), np.zeros((0, 2), dtype), np.array(1, dtype)):
        found = through({"a": [value]})["a"][0]
        assert isinstance(found, np.ndarray)
        assert (found.dtype, found.shape, found.tobytes()) == (value.dtype, value.shape, value.tobytes())
    scalar = through(np.array(1).astype(dtype)[()])
    assert type(scalar) is np.dtype(dtype).type


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("value", [object(), [print], {"a": {1: b"x"}}, endless(), np.array([None]), 1 + 2j])
def test_other_things_are_refused(value: Any) -> None:
    assert not can_encode(value)
    with pytest.raises(TypeError):
        encode(value, [])


@pytest.mark.parametrize("value", [defaultdict(int, a=1), Counter("aab"), OrderedDict(a=1)])
def test_other_classes_of_dicts_would_not_come_back(value: Any) -> None:
    assert not can_encode({"a": [value]})
    assert through({"a": [value]}) == {"a": [dict(value)]}  # as logs are kept, of which nothing else is asked


def test_files_hold_text_and_arrays(tmp_path: Path) -> None:
    files = BackupFiles(tmp_path / "new" / "folder")
    assert files.read() is None
    array = np.arange(3.0)
    files.write({"a": [1]}, {"x/0": array})
    text, arrays = files.read() or ({}, {})
    assert text == {"format": 1, "a": [1]}
    assert arrays["x/0"].tolist() == [0.0, 1.0, 2.0]
    files.remove()
    assert not (tmp_path / "new" / "folder").exists()
    files.remove()


def test_of_two_states_one_is_always_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = BackupFiles(tmp_path, two=True)
    for i in range(3):
        files.write({"i": i}, {})
    assert (files.read() or ({}, {}))[0]["i"] == 2
    files.latest.write_bytes(b"")
    with pytest.warns(UserWarning, match="The state before that one is taken"):
        assert (files.read() or ({}, {}))[0]["i"] == 1

    def refuse(*args: Any) -> None:
        raise OSError("no links here")

    files.write({"i": 3}, {})
    monkeypatch.setattr("os.link", refuse)
    files.write({"i": 4}, {})
    files.latest.unlink()
    files.previous.rename(files.latest)
    assert (files.read() or ({}, {}))[0]["i"] == 3


# ---- random states ---------------------------------------------------------------------------------------------------


def test_generators_go_on() -> None:
    def draw() -> Any:
        key = np.asarray(seeds.key_of(None))
        return seeds.draw_seed(), key.tolist(), random.gauss(0, 1), np.random.normal()

    draw()
    process, others = seeds.process_state(), seeds.global_state()
    expected = draw()
    assert draw() != expected
    seeds.set_process_state(through(process))
    seeds.set_global_state(through(others))
    assert draw() == expected


def test_a_generator_that_a_process_has_not_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds.key_of(None)
    state = seeds.process_state()
    expected = np.asarray(seeds.key_of(None)).tolist(), seeds.draw_seed()
    monkeypatch.setattr(seeds, "_process", seeds._ProcessSeed())
    assert seeds.process_variables() == []
    seeds.set_process_state(state)
    assert (np.asarray(seeds.key_of(None)).tolist(), seeds.draw_seed()) == expected


def test_orders_that_were_drawn_before() -> None:
    orders, again = Orders(), Orders()
    first = [orders.permutation(20).tolist() for _ in range(3)]
    again.repeat(orders.drawn)
    assert [again.permutation(20).tolist() for _ in range(3)] == first
    assert again.drawn == orders.drawn
    assert again.permutation(20).tolist() not in first
    orders.forget()
    assert orders.drawn == []


# ---- callbacks -------------------------------------------------------------------------------------------------------


class Keeps(Callback):
    def __init__(self, a: int = 1, b: Any = None, *, c: str = "c", **kwargs: Any) -> None:
        super().__init__()
        self.a, self.b, self.c = a, b, c
        self.more = kwargs
        self.other = 0
        self._c = c


def test_settings_are_not_state() -> None:
    assert Keeps(2, c="d").get_state() == {"more": {}, "other": 0}
    assert Keeps(2, Path("x")).get_state() == {"more": {}, "other": 0}


def test_settings_that_changed_are_state() -> None:
    callback = Keeps(2, [1], d=4)
    callback.a += 1
    callback.c = callback._c = "e"
    assert callback.get_state() == {"a": 3, "b": [1], "c": "e", "_c": "e", "more": {"d": 4}, "other": 0}


def test_a_state_is_put_back() -> None:
    callback, shared = Keeps(2, [1]), {"x": 1}
    callback.more = shared
    kept = callback.b
    callback.set_state({"a": 5, "b": [2, 3], "more": {"y": 2}, "new": None})
    assert (callback.a, kept, shared) == (5, [2, 3], {"y": 2})
    assert vars(callback)["new"] is None
