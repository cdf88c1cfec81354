"""The tensorflow backend of polykeras. Importing this package imports no framework; loading the backend does."""

from polykeras.backend import Backend, Provider


def _load() -> Backend:
    from polykeras_tensorflow.backend import TensorflowBackend

    return TensorflowBackend()


provider = Provider(
    framework="tensorflow",
    load=_load,
    priority=10,
    install='pip install "polykeras[tensorflow]"',
    tested=("2.18", "2.21"),
)
