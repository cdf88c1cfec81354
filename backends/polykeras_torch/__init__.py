"""The torch backend of polykeras. Importing this package imports no framework; loading the backend does."""

from collections.abc import Iterator
from typing import Any

from polykeras.backend import Backend, Provider


def _load() -> Backend:
    from polykeras_torch.backend import TorchBackend
    from polykeras_torch.native.handles import accept_handles

    accept_handles()
    return TorchBackend()


def _seed(seed: int) -> None:
    import torch

    torch.manual_seed(seed)


def _batches_of(source: Any) -> Iterator[Any]:
    from polykeras_torch.loaders import batches_of

    return batches_of(source)


_LAYER_METHODS = """
    add_module apply bfloat16 buffers children cpu cuda double eval float forward get_buffer get_parameter
    get_submodule half load_state_dict modules named_buffers named_children named_modules named_parameters parameters
    register_buffer register_forward_hook register_forward_pre_hook register_module register_parameter requires_grad_
    share_memory state_dict to train zero_grad
"""

_FAST_PATHS = {
    "borrowed-memory": "host memory that is used in place",
    "fused-updates": "optimizers' rules by PyTorch's own kernels",
    "gathered-steps": "batches of several steps gathered at once",
    "in-place-results": "results in the memory of dead arguments",
    "index-add": "few gradients of lookups added in order",
    "one-thread": "steps of small products in one thread",
    "recorder": "compiled functions recorded once and repeated",
    "slices": "batches of a stream cut out of their buffer",
}

provider = Provider(
    framework="torch",
    load=_load,
    priority=20,
    install='pip install "polykeras[torch]"',
    tested=("2.6", "2.15"),
    seed=_seed,
    batches_of=_batches_of,
    layer_methods=frozenset(_LAYER_METHODS.split()),
    fast_paths=_FAST_PATHS,
)
