"""What Keras 2 had and nothing here is like: each says what to do instead."""

from __future__ import annotations

from typing import Any


def _gone(name: str, instead: str) -> NotImplementedError:
    return NotImplementedError(f"`{name}` of Keras 2 is not there any more: {instead}")


def HDF5Matrix(datapath: Any, dataset: str, start: int = 0, end: int | None = None, normalizer: Any = None) -> Any:
    """Raise: arrays are read with h5py."""
    raise _gone(
        "HDF5Matrix",
        f"read the array, `h5py.File({datapath!r})[{dataset!r}][start:end]`, or batches of it in a `PyDataset`.",
    )


def multi_gpu_model(model: Any, gpus: Any = None, cpu_merge: bool = True, cpu_relocation: bool = False) -> Any:
    """Raise: a model runs on one device."""
    raise _gone("multi_gpu_model", "train the model itself, which runs on one GPU.")


def get_session(op_input_list: Any = ()) -> Any:
    """Raise: there are no sessions."""
    raise _gone("get_session", "values are there at once; read them with `keras.ops.convert_to_numpy(x)`.")


def set_session(session: Any) -> None:
    """Raise: there are no sessions."""
    raise _gone("set_session", "leave it out; options of a GPU are set with the framework, such as `tf.config`.")
