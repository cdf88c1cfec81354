"""The torch backend of polykeras. Importing this package imports no framework; loading the backend does."""

from polykeras.backend import Backend, Provider


def _load() -> Backend:
    from polykeras_torch.backend import TorchBackend

    return TorchBackend()


provider = Provider(framework="torch", load=_load, priority=20, install='pip install "polykeras[torch]"')
