"""The jax backend of polykeras. Importing this package imports no framework; loading the backend does."""

from polykeras.backend import Backend, Provider


def _load() -> Backend:
    from polykeras_jax.accelerators import share_memory
    from polykeras_jax.backend import JaxBackend
    from polykeras_jax.dispatch import run_where_called

    share_memory()
    run_where_called()
    return JaxBackend()


provider = Provider(
    framework="jax",
    load=_load,
    priority=30,
    install='pip install "polykeras[jax]"',
    tested=("0.8.2", "0.12"),
)
