"""Files of arrays that are larger than they are, lie elsewhere, or are no arrays."""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from saving.corpus import Lab, attack, entry, functional, npy, valid_members, write_archive, write_weights

GROUP = "layers/dense/vars"
FIRST = f"{GROUP}/0"
LINK, ELSEWHERE, TOO_LARGE = "is a link", "in other files", "are made of"


@contextmanager
def _hdf5(lab: Lab, path: Path | None = None) -> Iterator[Any]:
    """Yield a valid file of weights, to be changed."""
    path = path or lab.path
    write_weights(path)
    with h5py.File(path, "r+") as file:
        yield file


def _in_both(
    name: str, reason: str, source: str = ""
) -> Callable[[Callable[[Any, Lab], None]], Callable[[Any, Lab], None]]:
    """Return a decorator for a change of weights, in a file of their own and in one of a model."""

    def add(change: Callable[[Any, Lab], None]) -> Callable[[Any, Lab], None]:
        def alone(lab: Lab) -> None:
            with _hdf5(lab) as file:
                change(file, lab)

        def within(lab: Lab) -> None:
            path = lab.folder / "inner.weights.h5"
            path.write_bytes(valid_members()["model.weights.h5"])
            with h5py.File(path, "r+") as file:
                change(file, lab)
            write_archive(lab, {"model.weights.h5": path.read_bytes()})

        alone.__name__, within.__name__ = name, f"{name}_in_a_model"
        attack(".weights.h5", reason, source)(alone)
        attack(".keras", reason, source)(within)
        return change

    return add


# ---- HDF5: data elsewhere --------------------------------------------------------------------------------------


@_in_both("an_external_link", LINK, "CVE-2026-1669")
def _external_link(file: Any, lab: Lab) -> None:
    del file[FIRST]
    file[FIRST] = h5py.ExternalLink(str(lab.secret), "/data")


@_in_both("a_group_that_is_an_external_link", LINK, "Keras 3.15.1, pull request 23168")
def _external_group(file: Any, lab: Lab) -> None:
    del file["layers/dense"]
    file["layers/dense"] = h5py.ExternalLink(str(lab.secret), "/")


@_in_both("a_soft_link", LINK, "Keras 3.12.3, pull request 22900")
def _soft_link(file: Any, lab: Lab) -> None:
    file["elsewhere"] = file[FIRST][()]
    del file[FIRST]
    file[FIRST] = h5py.SoftLink("/elsewhere")


@_in_both("a_link_that_leads_to_itself", LINK)
def _soft_circle(file: Any, lab: Lab) -> None:
    del file[FIRST]
    file[FIRST] = h5py.SoftLink(f"/{FIRST}")


@_in_both("external_storage", ELSEWHERE, "CVE-2026-1669")
def _external_storage(file: Any, lab: Lab) -> None:
    shape = file[FIRST].shape
    del file[FIRST]
    file.create_dataset(FIRST, shape, "float32", external=[(str(lab.secret), 0, h5py.h5f.UNLIMITED)])


@_in_both("a_virtual_data_set", ELSEWHERE, "CVE-2026-12480")
def _virtual(file: Any, lab: Lab) -> None:
    shape = file[FIRST].shape
    layout = h5py.VirtualLayout(shape=shape, dtype="float32")
    layout[:] = h5py.VirtualSource(str(lab.secret), "data", shape=shape)
    del file[FIRST]
    file.create_virtual_dataset(FIRST, layout)


# ---- HDF5: sizes -----------------------------------------------------------------------------------------------


@_in_both("a_shape_bomb", f"has shape|{TOO_LARGE}", "CVE-2026-0897")
def _shape_bomb(file: Any, lab: Lab) -> None:
    del file[FIRST]
    file.create_dataset(FIRST, (10**6, 10**6), "float32", chunks=(1024, 1024), compression="gzip")


def _of_large_model(lab: Lab, change: Callable[[Any], None]) -> None:
    """Write a model of a large layer, whose weights are made by `change`."""
    path = lab.folder / "inner.weights.h5"
    with h5py.File(path, "w") as file:
        change(file.create_group(GROUP))
    config = functional(entry("Dense", {"units": 30_000}), shape=(None, 30_000))
    write_archive(lab, {"config.json": json.dumps(config).encode(), "model.weights.h5": path.read_bytes()})


@attack(".keras", TOO_LARGE, "CVE-2026-0897")
def a_large_model_of_no_data(lab: Lab) -> None:
    def change(group: Any) -> None:
        group.create_dataset("0", (30_000, 30_000), "float32", chunks=(1000, 1000))
        group.create_dataset("1", data=np.zeros(30_000, "float32"))

    _of_large_model(lab, change)


@attack(".keras", TOO_LARGE)
def a_model_of_many_layers_of_little_data(lab: Lab) -> None:
    path = lab.folder / "inner.weights.h5"
    with h5py.File(path, "w") as file:
        for i in range(100):
            group = file.create_group(f"layers/dense_{i}/vars" if i else GROUP)
            group.create_dataset("0", (500, 500), "float32", chunks=(500, 500), compression="gzip")
            group["1"] = np.zeros(500, "float32")
    config = functional(*(entry("Dense", {"units": 500}) for _ in range(100)), shape=(None, 500))
    write_archive(lab, {"config.json": json.dumps(config).encode(), "model.weights.h5": path.read_bytes()})


@attack(".keras", TOO_LARGE)
def a_large_model_of_one_packed_chunk(lab: Lab) -> None:
    def change(group: Any) -> None:
        made = group.create_dataset("0", (30_000, 30_000), "float32", chunks=(30_000, 30_000), compression="gzip")
        made.id.write_direct_chunk((0, 0), zlib.compress(bytes(10**6)))
        group.create_dataset("1", data=np.zeros(30_000, "float32"))

    _of_large_model(lab, change)


@_in_both("a_chunk_far_larger_than_its_data", TOO_LARGE)
def _large_chunk(file: Any, lab: Lab) -> None:
    shape, data = file[FIRST].shape, file[FIRST][()]
    del file[FIRST]
    file.create_dataset(FIRST, shape, "float32", maxshape=(None, None), chunks=(20_000, 20_000), compression="gzip")
    file[FIRST].id.write_direct_chunk((0, 0), zlib.compress(data.tobytes()))


@_in_both("a_chunk_that_unpacks_without_end", "unpacks to|takes")
def _bomb_chunk(file: Any, lab: Lab) -> None:
    shape = file[FIRST].shape
    del file[FIRST]
    file.create_dataset(FIRST, shape, "float32", chunks=shape, compression="gzip")
    file[FIRST].id.write_direct_chunk((0, 0), zlib.compress(bytes(100_000)))


@_in_both("a_chunk_packed_twice", "packed by the filters")
def _packed_twice(file: Any, lab: Lab) -> None:
    shape = file[FIRST].shape
    del file[FIRST]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(shape)
    plist.set_deflate(9)
    plist.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_OPTIONAL, (9,))
    space = h5py.h5s.create_simple(shape)
    h5py.h5d.create(file[GROUP].id, b"0", h5py.h5t.IEEE_F32LE, space, plist)


@_in_both("a_filter_that_nobody_knows", "packed by the filters")
def _unknown_filter(file: Any, lab: Lab) -> None:
    shape = file[FIRST].shape
    del file[FIRST]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(shape)
    plist.set_filter(31_999, h5py.h5z.FLAG_OPTIONAL, ())
    h5py.h5d.create(file[GROUP].id, b"0", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(shape), plist)


@_in_both("a_filter_of_few", "packed by the filters")
def _scale_offset(file: Any, lab: Lab) -> None:
    data = file[FIRST][()]
    del file[FIRST]
    file.create_dataset(FIRST, data=data, chunks=data.shape, scaleoffset=4)


# ---- HDF5: forms -----------------------------------------------------------------------------------------------


@_in_both("opaque_bytes_without_end", "does not say what kind of data")
def _opaque(file: Any, lab: Lab) -> None:
    shape = file[FIRST].shape
    del file[FIRST]
    made = file.create_dataset(FIRST, shape, "V100000000", chunks=(1, 1))
    made.attrs["dtype"] = "bfloat16"


@_in_both("texts_for_numbers", "no numbers")
def _texts(file: Any, lab: Lab) -> None:
    shape = file[FIRST].shape
    del file[FIRST]
    file.create_dataset(FIRST, data=np.full(shape, b"x", object), dtype=h5py.string_dtype())


@_in_both("lists_for_numbers", "no numbers")
def _vlen(file: Any, lab: Lab) -> None:
    shape = file[FIRST].shape
    del file[FIRST]
    file.create_dataset(FIRST, shape, dtype=h5py.vlen_dtype(np.float32))


@_in_both("references_for_numbers", "no numbers")
def _references(file: Any, lab: Lab) -> None:
    shape = file[FIRST].shape
    del file[FIRST]
    file.create_dataset(FIRST, shape, dtype=h5py.ref_dtype)


@_in_both("records_for_numbers", "no numbers")
def _records(file: Any, lab: Lab) -> None:
    shape = file[FIRST].shape
    del file[FIRST]
    file.create_dataset(FIRST, shape, dtype=[("a", "f4"), ("b", "f8")])


@_in_both("nothing_for_numbers", "no numbers|has the shape|not iterable")
def _null(file: Any, lab: Lab) -> None:
    del file[FIRST]
    file[FIRST] = h5py.Empty("f4")


@_in_both("a_group_for_an_array", "is not an array")
def _group_for_array(file: Any, lab: Lab) -> None:
    del file[FIRST]
    file.create_group(FIRST)


@_in_both("an_array_for_a_group", "is not a group|received 0 arrays")
def _array_for_group(file: Any, lab: Lab) -> None:
    del file[GROUP]
    file[GROUP] = np.zeros(3)


@_in_both("a_group_in_itself", "is not an array")
def _circle(file: Any, lab: Lab) -> None:
    del file[FIRST]
    file[FIRST] = file[GROUP]


@attack(".weights.h5", "names in one group")
def names_without_end(lab: Lab) -> None:
    with _hdf5(lab) as file:
        array, group = file[FIRST].id, file[GROUP].id
        for i in range(100_001):
            h5py.h5o.link(array, group, b"n%d" % i)


@attack(".weights.h5", "truncated|nable")
def a_file_cut_short(lab: Lab) -> None:
    write_weights(lab.path)
    lab.path.write_bytes(lab.path.read_bytes()[:-1000])


@attack(".weights.h5", "nable|signature")
def no_hdf5(lab: Lab) -> None:
    lab.path.write_bytes(b"cos\nsystem\n(S'id'\ntR." * 100)


@attack(".weights.h5", "heap is inconsistent")
def a_heap_without_end(lab: Lab) -> None:
    """The library looks for the end of what is free, which is 0 bytes long; found by `fuzz.py`."""
    write_weights(lab.path)
    data = bytearray(lab.path.read_bytes())
    at = data.index(b"GCOL") + 16
    data[at : at + 16] = bytes(16)
    lab.path.write_bytes(data)


@attack(".weights.h5", "heap is inconsistent")
def heaps_within_heaps(lab: Lab) -> None:
    """Each of 32,000 begins in an object of the one before and goes on to the end of the file."""
    write_weights(lab.path)
    with lab.path.open("ab") as file:
        start, count = file.tell(), 2**15
        end = start + 32 * count
        for at in range(start, end, 32):
            file.write(struct.pack("<H6xQ5s3xQ", 1, 16, b"GCOL\x01", end - at - 16))


# ---- NumPy -----------------------------------------------------------------------------------------------------


def _npz(lab: Lab, data: bytes, kind: int = zipfile.ZIP_STORED) -> None:
    plain = lab.folder / "plain.npz"
    write_weights(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(lab.path, "w", kind) as new:
        for name in old.namelist():
            new.writestr(name, data if name == f"{FIRST}.npy" else old.read(name))


def _header(descr: str, shape: str, order: str = "False") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()


def _npy_attack(name: str, reason: str, header: bytes, source: str = "", data: Any = None) -> None:
    def make(lab: Lab) -> None:
        _npz(lab, npy(np.zeros((4, 3), "float32") if data is None else data, header))

    make.__name__ = name
    attack(".npz", reason, source)(make)


_npy_attack(
    "a_shape_bomb_of_numpy", "has shape", _header("'<f4'", "(1000000, 1000000)"), "Keras 3.12.3, pull request 23016"
)
_npy_attack("a_negative_shape", "has the shape|negative", _header("'<f4'", "(-4, -3)"))
_npy_attack("a_shape_of_bools", "has the shape|shape", _header("'<f4'", "(True, 3)"))
_npy_attack("a_dtype_of_long_texts", "no numbers|not a valid dtype", _header("'<U1000000000'", "(4, 3)"))
_npy_attack("a_dtype_of_many_bytes", "Unknown dtype|its name says", _header("'|V1000000000'", "(4, 3)"))
_npy_attack(
    "a_dtype_with_a_shape", "Unknown dtype|no numbers|its name says|descr", _header("'(1000,1000)<f4'", "(4, 3)")
)
_npy_attack("a_dtype_of_records", "no numbers", _header("[('a', '<f4'), ('b', '<f8')]", "(4, 3)"))
_npy_attack("a_dtype_of_objects", "no numbers", _header("'|O'", "(4, 3)"), "Keras 3.15.1, pull request 23047")
_npy_attack(
    "a_header_with_code",
    "header|malformed|parse|Cannot",
    b"{'descr': __import__('os').system('id'), 'fortran_order': False, 'shape': (4, 3)}",
)
_npy_attack("a_header_nested_without_end", "header|parse|Cannot|nested", b"(" * 9000 + b")" * 9000)
_npy_attack(
    "too_few_numbers", "expected|read|EOF|reshape", _header("'<f4'", "(4, 3)"), data=np.zeros((2, 2), "float32")
)
_npy_attack("too_many_numbers", "more than an array", _header("'<f4'", "(4, 3)"), data=np.zeros((9, 9), "float32"))


@attack(".npz", "no numbers", "Keras 3.15.1, pull request 23047")
def a_pickled_array(lab: Lab) -> None:
    class Payload:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {lab.canary}",)

    import io

    file = io.BytesIO()
    np.lib.format.write_array(file, np.array([Payload()], object), allow_pickle=True)
    _npz(lab, file.getvalue())


@attack(".npz", "magic|format")
def a_pickle_for_an_array(lab: Lab) -> None:
    _npz(lab, b"cos\nsystem\n(S'touch " + str(lab.canary).encode() + b"'\ntR.")


@attack(".npz", TOO_LARGE, "Keras 3.12.3, pull request 23016")
def an_array_that_unpacks_without_end(lab: Lab) -> None:
    _npz(lab, npy(np.zeros((5000, 5000), "float32")), zipfile.ZIP_DEFLATED)


@attack(".npz", "two arrays|comes twice")
def two_arrays_of_one_name(lab: Lab) -> None:
    write_weights(lab.path)
    with zipfile.ZipFile(lab.path, "a") as archive:
        archive.writestr(FIRST, npy(np.zeros((4, 3), "float32")))


@attack(".npz", "lies outside")
def an_array_outside(lab: Lab) -> None:
    write_weights(lab.path)
    with zipfile.ZipFile(lab.path, "a") as archive:
        archive.writestr("../canary", b"x")


# ---- safetensors -----------------------------------------------------------------------------------------------


def _safetensors(lab: Lab, change: Callable[[dict[str, Any]], None] | None, size: int | None = None) -> None:
    write_weights(lab.path)
    data = lab.path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    if change is not None:
        change(header)
    text = json.dumps(header).encode()
    lab.path.write_bytes(struct.pack("<Q", len(text) if size is None else size) + text + data[8 + length :])


def _header_attack(name: str, reason: str, key: str, value: Any) -> None:
    def make(lab: Lab) -> None:
        _safetensors(lab, lambda header: header[FIRST].update({key: value}))

    make.__name__ = name
    attack(".safetensors", reason)(make)


INVALID = "nvalid|header|offset|overflow|shape|Incomplete|incomplete"
_header_attack("a_shape_bomb_of_safetensors", INVALID, "shape", [10**6, 10**6])
_header_attack("a_shape_that_overflows", INVALID, "shape", [2**32, 2**32])
_header_attack("a_shape_of_fractions", INVALID, "shape", [4.5, 3])
_header_attack("offsets_beyond_the_file", INVALID, "data_offsets", [0, 10**12])
_header_attack("offsets_that_overlap", INVALID, "data_offsets", [4, 52])
_header_attack("offsets_backwards", INVALID, "data_offsets", [48, 0])
_header_attack("a_dtype_that_is_none", INVALID, "dtype", "OBJECT")


@attack(".safetensors", "bytes of header")
def a_header_without_end(lab: Lab) -> None:
    _safetensors(lab, None, 2**62)


@attack(".safetensors", "nested")
def a_deep_header(lab: Lab) -> None:
    text = b"[" * 50_000 + b"]" * 50_000
    lab.path.write_bytes(struct.pack("<Q", len(text)) + text)


@attack(".safetensors", "is no dict")
def a_header_that_is_a_list(lab: Lab) -> None:
    lab.path.write_bytes(struct.pack("<Q", 2) + b"[]")


@attack(".safetensors", "header|small|nvalid|JSON|Expecting")
def no_safetensors(lab: Lab) -> None:
    lab.path.write_bytes(b"\1\0\0")


# ---- several files ---------------------------------------------------------------------------------------------


def _sharded(lab: Lab, change: Callable[[Any], Any]) -> None:
    write_weights(lab.path)
    listed = json.loads(lab.path.read_text())
    changed = change(listed)
    lab.path.write_text(json.dumps(listed if changed is None else changed))


def _place_attack(name: str, reason: str, place: Callable[[Lab], Any]) -> None:
    def make(lab: Lab) -> None:
        _sharded(lab, lambda listed: listed["weight_map"].update({f"/{GROUP}": place(lab)}))

    make.__name__ = name
    attack(".weights.json", reason)(make)


BESIDE = "is no file beside"
_place_attack("a_shard_outside", BESIDE, lambda lab: "../secret")
_place_attack("a_shard_outside_with_a_suffix", BESIDE, lambda lab: "../secret.h5")
_place_attack("a_shard_at_the_root", BESIDE, lambda lab: f"{lab.secret}.h5")
_place_attack("a_shard_on_a_server", BESIDE, lambda lab: "http://127.0.0.1:9/x.h5")
_place_attack("a_shard_with_a_zero", BESIDE, lambda lab: "x\0.h5")
_place_attack("a_shard_that_is_missing", "there is no file", lambda lab: "missing.h5")
_place_attack("a_shard_that_is_a_number", "names no files", lambda lab: 7)
_place_attack("a_shard_that_is_a_list_of_lists", "names no files", lambda lab: [["x.h5"]])
_place_attack("shards_without_end", "names more than", lambda lab: [f"{i}.h5" for i in range(1000)])


@attack(".weights.json", "there is no file")
def a_shard_that_is_a_link(lab: Lab) -> None:
    def change(listed: Any) -> None:
        os.symlink(lab.secret, lab.folder / "linked.h5")
        listed["weight_map"][f"/{GROUP}"] = "linked.h5"

    _sharded(lab, change)


@attack(".weights.json", "there is no file")
def a_shard_that_is_a_pipe(lab: Lab) -> None:
    def change(listed: Any) -> None:
        os.mkfifo(lab.folder / "pipe.h5")
        listed["weight_map"][f"/{GROUP}"] = "pipe.h5"

    _sharded(lab, change)


@attack(".weights.json", "has no `weight_map`")
def a_list_of_nothing(lab: Lab) -> None:
    _sharded(lab, lambda listed: [])


@attack(".weights.json", "has no `weight_map`")
def a_list_whose_map_is_text(lab: Lab) -> None:
    _sharded(lab, lambda listed: {"weight_map": "x.h5"})


@attack(".weights.json", LINK, "CVE-2026-1669")
def a_shard_with_an_external_link(lab: Lab) -> None:
    write_weights(lab.path)
    for shard in lab.folder.glob("*.h5"):
        with h5py.File(shard, "r+") as file:
            del file[FIRST]
            file[FIRST] = h5py.ExternalLink(str(lab.secret), "/data")
