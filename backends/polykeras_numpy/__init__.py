"""The numpy backend of polykeras. Importing this package imports no framework; loading the backend does."""

from polykeras.backend import Backend, Provider


def _load() -> Backend:
    from polykeras_numpy.backend import NumpyBackend

    return NumpyBackend()


provider = Provider(
    framework=None,
    load=_load,
    priority=0,
    install="pip install polykeras",
    tested=("2.0", "2.5"),
)
