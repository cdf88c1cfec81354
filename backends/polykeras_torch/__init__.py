"""The torch backend of polykeras. Importing this package imports no framework; loading the backend does."""

from collections.abc import Iterator
from typing import Any

from polykeras.backend import Backend, Provider


def _load() -> Backend:
    from polykeras_torch.backend import TorchBackend

    return TorchBackend()


def _batches_of(source: Any) -> Iterator[Any]:
    from polykeras_torch.loaders import batches_of

    return batches_of(source)


def _lies_ready(source: Any) -> bool:
    from polykeras_torch.loaders import lies_ready

    return lies_ready(source)


provider = Provider(
    framework="torch",
    load=_load,
    priority=20,
    install='pip install "polykeras[torch]"',
    tested=("2.6", "2.15"),
    batches_of=_batches_of,
    lies_ready=_lies_ready,
)
