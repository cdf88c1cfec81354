"""Programs that try to make what is compiled on PyTorch go wrong; see `harness`.

`X` and `Y` are two batches of the same shape: what was recorded for one must be right for the other.
"""

from __future__ import annotations

import copy
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from adversarial.harness import Entry, Programs

PROGRAMS = Programs("PyTorch", refusal="runs as plain Python")

X = torch.linspace(-1.0, 1.0, 12).reshape(4, 3)
Y = torch.linspace(0.5, 2.0, 12).reshape(4, 3)


def in_both_orders(fn: Callable[..., Any], compiled: Entry, setting: Callable[[], AbstractContextManager[Any]]) -> Any:
    """Yield what a function gives first within a setting and then without, and first without and then within."""
    first = compiled(fn)
    with setting():
        yield first(X)
    yield first(X)
    with setting():
        yield first(Y)
    second = compiled(fn)
    yield second(X)
    with setting():
        yield second(X)
    yield second(Y)


@contextmanager
def put_back(get: Callable[[], Any], put: Callable[[Any], Any], value: Any) -> Iterator[None]:
    """Set something for the whole process within the block."""
    before = get()
    put(value)
    try:
        yield
    finally:
        put(before)


# ---- settings of the process and of the thread -----------------------------------------------------------------------

SETTINGS = "settings of the process or the thread"


@PROGRAMS.add(SETTINGS, "`torch.autocast`, in both orders", "equal")
def autocast(compiled: Entry) -> Iterator[Any]:
    yield from in_both_orders(lambda x: (x @ x.T).float(), compiled, lambda: torch.autocast("cpu", torch.bfloat16))


@PROGRAMS.add(SETTINGS, "`torch.autocast` to two dtypes, one after the other", "equal")
def autocast_dtypes(compiled: Entry) -> Iterator[Any]:
    multiply = compiled(lambda x: (x @ x.T).float())
    for dtype in (torch.bfloat16, torch.float16, torch.bfloat16):
        with torch.autocast("cpu", dtype):
            yield multiply(X)


@PROGRAMS.add(SETTINGS, "`torch.autocast` switched off within itself", "equal")
def autocast_off_within(compiled: Entry) -> Iterator[Any]:
    multiply = compiled(lambda x: (x @ x.T).float())
    with torch.autocast("cpu", torch.bfloat16):
        yield multiply(X)
        with torch.autocast("cpu", enabled=False):
            yield multiply(X)
        yield multiply(Y)


@PROGRAMS.add(SETTINGS, "`torch.autocast` within the function, around a part of it", "equal")
def autocast_inside(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            low = x @ x.T
        return low.float() + x @ x.T

    yield from in_both_orders(fn, compiled, lambda: torch.autocast("cpu", torch.bfloat16))


@PROGRAMS.add(SETTINGS, "the cache of `torch.autocast`, which keeps a weight that changes afterwards", "equal")
def autocast_cache(compiled: Entry) -> Iterator[Any]:
    linear = nn.Linear(3, 3)
    fn = compiled(lambda x: linear(x).detach().float())
    with torch.autocast("cpu", torch.bfloat16):
        linear(X)  # casts the weight, and keeps it until the end of the block
        yield fn(X)
    with torch.no_grad():
        linear.weight.fill_(2.0)
    with torch.autocast("cpu", torch.bfloat16):
        yield fn(X)


@PROGRAMS.add(SETTINGS, "`torch.no_grad`, where Python asks for it", "equal")
def grad_mode(compiled: Entry) -> Iterator[Any]:
    yield from in_both_orders(lambda x: x * (2.0 if torch.is_grad_enabled() else 3.0), compiled, torch.no_grad)


@PROGRAMS.add(SETTINGS, "`torch.no_grad` around a function of a parameter", "refused", "differentiated by torch")
def grad_mode_of_a_parameter(compiled: Entry) -> Iterator[Any]:
    weight = nn.Parameter(torch.tensor([2.0, 3.0, 4.0]))
    fn = compiled(lambda x: x * weight)
    with torch.no_grad():
        yield fn(X).requires_grad
    result = fn(X)
    result.sum().backward()
    yield weight.grad


@PROGRAMS.add(SETTINGS, "`torch.inference_mode`", "equal")
def inference_mode(compiled: Entry) -> Iterator[Any]:
    yield from in_both_orders(lambda x: (x * 2.0).exp(), compiled, torch.inference_mode)


@PROGRAMS.add(SETTINGS, "a tensor that was made in `torch.inference_mode`, and is changed there", "equal")
def inference_tensor(compiled: Entry) -> Iterator[Any]:
    with torch.inference_mode():
        scale = torch.ones(3)
    fn = compiled(lambda x: x * (scale * 2 + 1).exp())
    yield fn(X)
    with torch.inference_mode():
        scale.fill_(2.0)
    yield fn(X)


@PROGRAMS.add(SETTINGS, "`torch.set_default_dtype`", "equal")
def default_dtype(compiled: Entry) -> Iterator[Any]:
    yield from in_both_orders(
        lambda x: x + torch.ones(3),
        compiled,
        lambda: put_back(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    )


@PROGRAMS.add(SETTINGS, "`torch.set_default_device`, where Python asks for it", "equal")
def default_device(compiled: Entry) -> Iterator[Any]:
    @contextmanager
    def setting() -> Iterator[None]:
        torch.set_default_device("meta")
        try:
            yield
        finally:
            torch.set_default_device(None)

    fn = compiled(lambda x: x * (2.0 if torch.get_default_device().type == "meta" else 3.0))
    yield fn(X)
    with setting():
        yield fn(X)
    yield fn(Y)


@PROGRAMS.add(SETTINGS, "`with torch.device(...)` around a function that makes tensors", "equal")
def device_context(compiled: Entry) -> Iterator[Any]:
    yield from in_both_orders(lambda x: x + torch.ones(3) * 2, compiled, lambda: torch.device("cpu"))


@PROGRAMS.add(SETTINGS, "`torch.use_deterministic_algorithms`, where Python asks for it", "equal")
def deterministic(compiled: Entry) -> Iterator[Any]:
    yield from in_both_orders(
        lambda x: x * (2.0 if torch.are_deterministic_algorithms_enabled() else 3.0),
        compiled,
        lambda: put_back(torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True),
    )


@PROGRAMS.add(SETTINGS, "`torch.set_float32_matmul_precision`, where Python asks for it", "equal")
def matmul_precision(compiled: Entry) -> Iterator[Any]:
    yield from in_both_orders(
        lambda x: x * (2.0 if torch.get_float32_matmul_precision() == "medium" else 3.0) @ x.T,
        compiled,
        lambda: put_back(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "medium"),
    )


@PROGRAMS.add(SETTINGS, "which kernel computes attention (`torch.nn.attention.sdpa_kernel`)", "equal")
def attention_kernel(compiled: Entry) -> Iterator[Any]:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def fn(x: Any) -> Any:
        x = x[None, None] * 3
        return F.scaled_dot_product_attention(x, x, x)

    yield from in_both_orders(fn, compiled, lambda: sdpa_kernel(SDPBackend.MATH))


@PROGRAMS.add(SETTINGS, "`torch.set_flush_denormal`, with numbers so small that are computed once", "equal")
def subnormals(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        tiny = torch.full((3,), 1e-30) * 1e-10
        return x * 0 + tiny * 1e30

    def switch(on: bool) -> None:
        torch.set_flush_denormal(on)

    yield from in_both_orders(fn, compiled, lambda: put_back(lambda: False, switch, True))


@PROGRAMS.add(SETTINGS, "a `TorchFunctionMode` that changes what functions give", "equal")
def function_mode(compiled: Entry) -> Iterator[Any]:
    from torch.overrides import TorchFunctionMode

    class Doubled(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            return result * 2 if getattr(func, "__name__", "") == "exp" else result

    yield from in_both_orders(lambda x: torch.exp(x), compiled, Doubled)


@PROGRAMS.add(SETTINGS, "a `TorchDispatchMode` that changes what operators give", "equal")
def dispatch_mode(compiled: Entry) -> Iterator[Any]:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Doubled(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            return result * 2 if func is torch.ops.aten.exp.default else result

    yield from in_both_orders(lambda x: torch.exp(x), compiled, Doubled)


@PROGRAMS.add(SETTINGS, "`torch.vmap` and `torch.func.grad` around a compiled function", "equal")
def functional_transforms(compiled: Entry) -> Iterator[Any]:
    fn = compiled(lambda x: (x * x).sum(-1))
    yield fn(X)
    yield torch.vmap(fn)(X[:, None]).reshape(-1)
    yield torch.func.grad(lambda x: fn(x).sum())(X)
    yield fn(Y)


@PROGRAMS.add(SETTINGS, "hooks on what autograd saves (`saved_tensors_hooks`)", "equal")
def saved_tensors(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            return torch.autograd.grad((leaf * leaf).sum(), leaf)[0]

    def halved() -> Any:
        return torch.autograd.graph.saved_tensors_hooks(lambda x: x.detach() * 0.5, lambda x: x)

    yield from in_both_orders(fn, compiled, halved)


@PROGRAMS.add(SETTINGS, "`torch.autograd.set_detect_anomaly`: an error where a gradient is nan", "equal")
def anomaly(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            return torch.autograd.grad(((leaf - leaf).sqrt() * 0).sum(), leaf)[0]

    compute = compiled(fn)
    yield compute(X)
    with torch.autograd.set_detect_anomaly(True, check_nan=True):
        try:
            yield compute(X)
        except RuntimeError as error:
            yield "nan" in str(error)


@PROGRAMS.add(SETTINGS, "the number of threads", "equal")
def number_of_threads(compiled: Entry) -> Iterator[Any]:
    yield from in_both_orders(
        lambda x: x @ x.T, compiled, lambda: put_back(torch.get_num_threads, torch.set_num_threads, 2)
    )


# ---- modules of torch ------------------------------------------------------------------------------------------------

MODULES = "modules of torch"


def with_modules(compiled: Entry, module: nn.Module, change: Callable[[], Any]) -> Iterator[Any]:
    """Yield what a module gives before it is changed, afterwards, and for another batch."""
    fn = compiled(lambda x: module(x).detach())
    for seed in range(2):
        torch.manual_seed(seed)
        yield fn(X)
    change()
    for seed, x in enumerate((X, Y)):
        torch.manual_seed(seed)
        yield fn(x)


@PROGRAMS.add(MODULES, "`module.eval()` after a first call", "equal")
def eval_of_a_module(compiled: Entry) -> Iterator[Any]:
    module = nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5))
    yield from with_modules(compiled, module, module.eval)


@PROGRAMS.add(MODULES, "`module.train()` after a first call", "equal")
def train_of_a_module(compiled: Entry) -> Iterator[Any]:
    module = nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5)).eval()
    yield from with_modules(compiled, module, module.train)


@PROGRAMS.add(MODULES, "`eval()` of a part whose `forward` is called by the module that holds it", "equal")
def eval_of_a_hidden_part(compiled: Entry) -> Iterator[Any]:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x: Any) -> Any:
            return self.drop.forward(x)

    module = Holder()
    yield from with_modules(compiled, module, module.drop.eval)


@PROGRAMS.add(MODULES, "`eval()` of a module whose `forward` is called by itself", "equal")
def eval_of_a_forward(compiled: Entry) -> Iterator[Any]:
    module = nn.Dropout(0.5)
    yield from with_modules(compiled, module.forward, module.eval)


@PROGRAMS.add(MODULES, "`eval()` of a module whose flag is given to `F.dropout`", "equal")
def eval_of_a_flag(compiled: Entry) -> Iterator[Any]:
    module = nn.Dropout(0.5)
    yield from with_modules(compiled, lambda x: F.dropout(x, module.p, module.training), module.eval)


@PROGRAMS.add(MODULES, "a module that each run makes", "equal")
def module_made_within(compiled: Entry) -> Iterator[Any]:
    fn = compiled(lambda x: nn.Softmax(-1)(nn.Dropout(0.5).eval()(x)))
    yield fn(X)
    yield fn(Y)


@PROGRAMS.add(MODULES, "the rate of a dropout", "equal")
def rate_of_a_module(compiled: Entry) -> Iterator[Any]:
    module = nn.Dropout(0.5)
    yield from with_modules(compiled, module, lambda: setattr(module, "p", 0.1))


@PROGRAMS.add(MODULES, "an entry of a list that is an attribute", "equal")
def list_of_a_module(compiled: Entry) -> Iterator[Any]:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scales = [1.0, 2.0]

        def forward(self, x: Any) -> Any:
            return x * sum(self.scales)

    module = Scaled()
    yield from with_modules(compiled, module, lambda: module.scales.append(3.0))


@PROGRAMS.add(MODULES, "another activation in a `Sequential`", "equal")
def part_of_a_module(compiled: Entry) -> Iterator[Any]:
    module = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    yield from with_modules(compiled, module, lambda: module.__setitem__(1, nn.Tanh()))


@PROGRAMS.add(MODULES, "another parameter in place of one", "equal")
def parameter_of_a_module(compiled: Entry) -> Iterator[Any]:
    module = nn.Linear(3, 3)
    yield from with_modules(compiled, module, lambda: setattr(module, "weight", nn.Parameter(torch.ones(3, 3))))


@PROGRAMS.add(MODULES, "a parameter changed in place, under `no_grad`", "equal")
def parameter_in_place(compiled: Entry) -> Iterator[Any]:
    module = nn.Linear(3, 3)

    def change() -> None:
        with torch.no_grad():
            module.weight.mul_(2.0)

    yield from with_modules(compiled, module, change)


@PROGRAMS.add(MODULES, "`parameter.data` filled, and replaced", "equal")
def parameter_data(compiled: Entry) -> Iterator[Any]:
    module = nn.Linear(3, 3)

    def change() -> None:
        module.weight.data.fill_(0.5)
        module.bias.data = torch.ones(3)

    yield from with_modules(compiled, module, change)


@PROGRAMS.add(MODULES, "`module.to(torch.float64)`", "equal")
def module_to(compiled: Entry) -> Iterator[Any]:
    module = nn.Linear(3, 3)
    fn = compiled(lambda x: module(x.to(module.weight.dtype)).detach())
    yield fn(X)
    module.to(torch.float64)
    yield fn(X)


@PROGRAMS.add(MODULES, "`load_state_dict`", "equal")
def load_state_dict(compiled: Entry) -> Iterator[Any]:
    module, other = nn.Linear(3, 3), nn.Linear(3, 3)
    yield from with_modules(compiled, module, lambda: module.load_state_dict(other.state_dict()))


@PROGRAMS.add(MODULES, "a buffer, of which constants are computed, filled through `.data`", "equal")
def buffer_data(compiled: Entry) -> Iterator[Any]:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", torch.ones(3))

        def forward(self, x: Any) -> Any:
            return x * (self.scale * 2 + 1).exp()

    module = Scaled()
    yield from with_modules(compiled, module, lambda: module.scale.data.fill_(0.0))


@PROGRAMS.add(MODULES, "batch normalization in training, which changes its buffers", "refused", "does not hold")
def batch_normalization(compiled: Entry) -> Iterator[Any]:
    module = nn.BatchNorm1d(3)
    yield from with_modules(compiled, module, module.eval)
    yield module.running_mean


@PROGRAMS.add(MODULES, "batch normalization in inference, trained in between", "equal")
def batch_normalization_in_inference(compiled: Entry) -> Iterator[Any]:
    module = nn.BatchNorm1d(3).eval()

    def change() -> None:
        module.train()
        module(Y)
        module.eval()

    yield from with_modules(compiled, module, change)


@PROGRAMS.add(MODULES, "a module that counts its calls", "refused", "another attribute")
def counting_module(compiled: Entry) -> Iterator[Any]:
    class Counting(nn.Module):
        calls = 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return x * self.calls

    module = Counting()
    yield from with_modules(compiled, module, module.eval)
    yield module.calls


@PROGRAMS.add(MODULES, "a module that keeps its last output", "refused", "another attribute")
def keeping_module(compiled: Entry) -> Iterator[Any]:
    class Keeping(nn.Module):
        def forward(self, x: Any) -> Any:
            self.last = x * 2
            return self.last + 1

    module = Keeping()
    fn = compiled(module)
    for x in (X, Y):
        fn(x)
        yield module.last


@PROGRAMS.add(MODULES, "a forward hook", "refused", "has hooks")
def forward_hook(compiled: Entry) -> Iterator[Any]:
    module, calls = nn.Linear(3, 3), []
    handle = module.register_forward_hook(lambda module, args, result: calls.append(1) or result * 2)
    yield from with_modules(compiled, module, handle.remove)
    yield len(calls)


@PROGRAMS.add(MODULES, "a forward hook that is registered after a first call", "refused", "has hooks")
def later_forward_hook(compiled: Entry) -> Iterator[Any]:
    module, calls = nn.Linear(3, 3), []

    def hook(module: Any, args: Any, result: Any) -> Any:
        calls.append(1)
        return result * 2

    yield from with_modules(compiled, module, lambda: module.register_forward_hook(hook))
    yield len(calls)


@PROGRAMS.add(MODULES, "a forward pre-hook of a part", "refused", "has hooks")
def pre_hook_of_a_part(compiled: Entry) -> Iterator[Any]:
    module = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    module[1].register_forward_pre_hook(lambda module, args: (args[0] - 1,))
    yield from with_modules(compiled, module, module.eval)


@PROGRAMS.add(MODULES, "a backward hook", "refused", "has hooks")
def backward_hook(compiled: Entry) -> Iterator[Any]:
    module = nn.Linear(3, 3)
    module.register_full_backward_hook(lambda module, grads, upstream: (grads[0] * 2,))

    def fn(x: Any) -> Any:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            return torch.autograd.grad(module(leaf).sum(), leaf)[0]

    gradient = compiled(fn)
    yield gradient(X)
    yield gradient(Y)


@PROGRAMS.add(MODULES, "a hook on all modules, before and after a first call", "refused", "has hooks")
def global_hook(compiled: Entry) -> Iterator[Any]:
    from torch.nn.modules.module import register_module_forward_hook

    module = nn.Linear(3, 3)
    fn = compiled(lambda x: module(x).detach())
    yield fn(X)
    handle = register_module_forward_hook(lambda module, args, result: result * 2)
    try:
        yield fn(X)
    finally:
        handle.remove()
    yield fn(Y)


@PROGRAMS.add(MODULES, "scripts of TorchScript, set to inference after a first call", "refused", "TorchScript")
def script_module(compiled: Entry) -> Iterator[Any]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        script = torch.jit.script(nn.Dropout(0.5))
        trace = torch.jit.trace_module(nn.Dropout(0.5).eval(), {"forward": X})
    for module in (script, nn.Sequential(script), trace):
        module.train(module is not trace)
        yield from with_modules(compiled, module, module.eval)


@PROGRAMS.add(MODULES, "spectral normalization, which changes its vectors in training", "refused", "does not hold")
def spectral_norm(compiled: Entry) -> Iterator[Any]:
    module = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3))
    yield from with_modules(compiled, module, module.eval)


@PROGRAMS.add(MODULES, "parametrized weights that are kept (`parametrize.cached`)", "refused", "are kept")
def cached_parametrization(compiled: Entry) -> Iterator[Any]:
    from torch.nn.utils import parametrize

    class Doubled(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2

    module = nn.Linear(3, 3)
    parametrize.register_parametrization(module, "weight", Doubled())
    fn = compiled(lambda x: module(x).detach())
    with parametrize.cached():
        yield fn(X)
    with torch.no_grad():
        module.parametrizations.weight.original.fill_(1.0)
    yield fn(X)


@PROGRAMS.add(MODULES, "a recurrent module of torch", "equal")
def recurrent_module(compiled: Entry) -> Iterator[Any]:
    module = nn.GRU(3, 2)
    fn = compiled(lambda x: module(x[:, None])[0].detach())
    yield fn(X)
    with torch.no_grad():
        module.weight_ih_l0.mul_(2.0)
    yield fn(Y)


@PROGRAMS.add(MODULES, "a module that is not called: a function asks for its `training` flag", "equal")
def flag_of_a_module(compiled: Entry) -> Iterator[Any]:
    module = nn.Dropout(0.5)
    fn = compiled(lambda x: x * 2 if module.training else x)
    yield fn(X)
    module.eval()
    yield fn(X)


# ---- tensors and arrays from outside ---------------------------------------------------------------------------------

OUTSIDE = "tensors and arrays from outside"


def folded(compiled: Entry, scale: Tensor, change: Callable[[], Any]) -> Iterator[Any]:
    """Yield what a function of a tensor gives, of which it computes more, before and after that is changed."""
    fn = compiled(lambda x: x * (scale * 2 + 1).exp() + scale)
    yield fn(X)
    yield fn(Y)
    change()
    yield fn(X)


@PROGRAMS.add(OUTSIDE, "a tensor changed in place", "equal")
def tensor_in_place(compiled: Entry) -> Iterator[Any]:
    scale = torch.ones(3)
    yield from folded(compiled, scale, lambda: scale.add_(1.0))


@PROGRAMS.add(OUTSIDE, "a tensor changed through `.data`", "equal")
def tensor_data(compiled: Entry) -> Iterator[Any]:
    scale = torch.ones(3)
    yield from folded(compiled, scale, lambda: scale.data.fill_(0.5))


@PROGRAMS.add(OUTSIDE, "a tensor whose `.data` is replaced", "equal")
def tensor_data_replaced(compiled: Entry) -> Iterator[Any]:
    scale = torch.ones(3)
    yield from folded(compiled, scale, lambda: setattr(scale, "data", torch.zeros(3)))


@PROGRAMS.add(OUTSIDE, "a tensor whose `.data` becomes of another shape and dtype", "equal")
def tensor_data_of_another_shape(compiled: Entry) -> Iterator[Any]:
    scale = torch.ones(3)
    yield from folded(compiled, scale, lambda: setattr(scale, "data", torch.zeros(1, dtype=torch.float64)))


@PROGRAMS.add(OUTSIDE, "two tensors of the same memory, of which one gets another", "equal")
def one_of_two_aliases(compiled: Entry) -> Iterator[Any]:
    one = torch.ones(3)
    other = one.detach()
    fn = compiled(lambda x: x * one + other)
    yield fn(X)
    other.data = torch.zeros(3)
    yield fn(X)


@PROGRAMS.add(OUTSIDE, "a tensor that shares memory with a NumPy array", "equal")
def tensor_of_numpy(compiled: Entry) -> Iterator[Any]:
    host = np.ones(3, "float32")
    yield from folded(compiled, torch.from_numpy(host), lambda: host.fill(0.5))


@PROGRAMS.add(OUTSIDE, "a NumPy array that is taken as a tensor in each run", "equal")
def numpy_array(compiled: Entry) -> Iterator[Any]:
    host = np.ones(3, "float32")
    fn = compiled(lambda x: x * (torch.from_numpy(host) * 2 + 1).exp())
    yield fn(X)
    host[:] = 0.5
    yield fn(X)


@PROGRAMS.add(OUTSIDE, "a NumPy array that is taken as a tensor twice in each run", "equal")
def numpy_array_twice(compiled: Entry) -> Iterator[Any]:
    host = np.ones(3, "float32")
    fn = compiled(lambda x: x * torch.from_numpy(host) + torch.from_numpy(host)[1:2].exp())
    yield fn(X)
    host[:] = 0.5
    yield fn(X)


@PROGRAMS.add(OUTSIDE, "a NumPy array that is copied into a tensor in each run", "read once")
def numpy_array_copied(compiled: Entry) -> Iterator[Any]:
    host = np.ones(3, "float32")
    fn = compiled(lambda x: x * torch.tensor(host))
    yield fn(X)
    host[:] = 0.5
    yield fn(X)


@PROGRAMS.add(OUTSIDE, "the value of a tensor, which Python reads", "refused", "looks at a value")
def value_of_a_tensor(compiled: Entry) -> Iterator[Any]:
    scale = torch.tensor(2.0)
    fn = compiled(lambda x: x * float(scale))
    yield fn(X)
    scale.data.fill_(3.0)
    yield fn(X)


@PROGRAMS.add(OUTSIDE, "a branch by a tensor", "refused", "looks at a value")
def branch_by_a_tensor(compiled: Entry) -> Iterator[Any]:
    flag = torch.tensor(True)
    fn = compiled(lambda x: x * 2 if flag else x)
    yield fn(X)
    flag.fill_(False)
    yield fn(X)


@PROGRAMS.add(OUTSIDE, "a view of a large tensor, to whose memory nothing may be written", "equal")
def view_of_a_tensor(compiled: Entry) -> Iterator[Any]:
    scale = torch.ones(4096)
    fn = compiled(lambda x: (scale.view(64, 64) * 2 + x.sum()).exp().mean())
    yield fn(X)
    yield fn(Y)
    yield scale


@PROGRAMS.add(OUTSIDE, "a tensor that the function changes in place", "refused", "does not hold")
def changed_tensor(compiled: Entry) -> Iterator[Any]:
    calls = torch.zeros(())
    fn = compiled(lambda x: x + calls.add_(1))
    yield fn(X)
    yield fn(Y)
    yield calls


@PROGRAMS.add(OUTSIDE, "a tensor that is resized between two calls", "equal")
def resized_tensor(compiled: Entry) -> Iterator[Any]:
    scale = torch.ones(3)
    yield from folded(compiled, scale, lambda: scale.resize_(1))


@PROGRAMS.add(OUTSIDE, "another tensor under the same name", "read once")
def reassigned_tensor(compiled: Entry) -> Iterator[Any]:
    held = {"scale": torch.ones(3)}
    fn = compiled(lambda x: x * held["scale"])
    yield fn(X)
    held["scale"] = torch.zeros(3)
    yield fn(X)


@PROGRAMS.add(OUTSIDE, "gradients that gather in a parameter (`backward`)", "refused", "leaves gradients")
def gathered_gradients(compiled: Entry) -> Iterator[Any]:
    weight = nn.Parameter(torch.ones(3))

    def fn(x: Any) -> Any:
        with torch.enable_grad():
            loss = (x * weight).sum()
            loss.backward()
        return loss.detach()

    compute = compiled(fn)
    for x in (X, Y):
        yield compute(x)
        yield weight.grad


@PROGRAMS.add(OUTSIDE, "gradients that a parameter has gathered before", "refused", "reads the gradient of a tensor")
def read_gradients(compiled: Entry) -> Iterator[Any]:
    weight = nn.Parameter(torch.ones(3))
    fn = compiled(lambda x: x * weight.grad)
    for factor in (2.0, 3.0):
        weight.grad = None
        (weight * factor).sum().backward()
        yield fn(X)


@PROGRAMS.add(OUTSIDE, "a parameter that is asked for no gradient any more", "refused", "differentiated by torch")
def frozen_parameter(compiled: Entry) -> Iterator[Any]:
    weight = nn.Parameter(torch.ones(3), requires_grad=False)
    fn = compiled(lambda x: x * weight)
    yield fn(X).requires_grad
    weight.requires_grad_()
    yield fn(X).requires_grad


# ---- values that are read out of sight -------------------------------------------------------------------------------

VALUES = "values that are read, and sizes that depend on them"


def refused(text: str, reason: str, name: str, fn: Callable[[Any], Any]) -> None:
    """Add a program that calls a function with two batches, and is refused."""

    def run(compiled: Entry) -> Iterator[Any]:
        call = compiled(fn)
        yield call(X)
        yield call(Y)

    run.__name__ = name
    PROGRAMS.add(VALUES, text, "refused", reason)(run)


def _out_of_sight(x: Any) -> Any:
    result = torch.empty(4, 3)
    result.numpy()[...] = 1.0
    return result + x


def _unseen_kernel(x: Any) -> Any:
    """Compute as compiled kernels of torch's compiler do: in memory that no operator made, and from outside."""
    from torch._C._dynamo.guards import _empty_strided_cpu

    result = _empty_strided_cpu((4, 3), (3, 1), torch.float32)
    with torch._C._DisableTorchDispatch():
        result.copy_(x * 2)
    return result


def _lengths(x: Any) -> Any:
    return (x[:, 0] > 0.9).to(torch.int64).cpu() + 1


def _packed(x: Any) -> Any:
    packed = nn.utils.rnn.pack_padded_sequence(x[..., None], _lengths(x), batch_first=True, enforce_sorted=False)
    return nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)[0].sum()


refused("`if` by a value", "looks at a value", "branch", lambda x: x * 2 if x.sum() > 1 else x * 3)
refused("`item`", "looks at a value", "item", lambda x: x * x.sum().item())
refused("`tolist`", "reads the values", "as_list", lambda x: x * sum(x[0].tolist()))
refused("`numpy`", "reads the values", "as_numpy", lambda x: x + float(x.numpy().max()))
refused("`numpy.asarray`", "reads the values", "as_array", lambda x: x + float(np.asarray(x).max()))
refused("`numpy.from_dlpack`", "reads the values", "by_dlpack", lambda x: x + float(np.from_dlpack(x).max()))
refused(
    "a capsule of DLPack and back",
    "out of sight",
    "capsule",
    lambda x: torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(x * 2)) + 1,
)
refused("`data_ptr`", "reads the values", "address", lambda x: x + 0 * (x.data_ptr() > 0))
refused("`untyped_storage`", "reads the values", "storage", lambda x: x + x.untyped_storage()[3])
refused("`copy.deepcopy`", "reads the values", "deep_copy", lambda x: copy.deepcopy(x) * 2)
refused("`Tensor.apply_`", "behind torch's back", "apply", lambda x: x.clone().apply_(lambda v: v + 1))
refused("`Tensor.data` set", "behind torch's back", "set_data", lambda x: _with_data(x) + 1)
refused("memory that NumPy fills", "filled out of sight|reads the values", "filled_by_numpy", _out_of_sight)
refused(
    "a kernel that torch's dispatcher does not see", "out of sight", "unseen_kernel", lambda x: _unseen_kernel(x) + 1
)
refused("a boolean mask as an index", "shape of a result", "mask", lambda x: x[x > 0.6].sum())
refused("`masked_select`", "shape of a result", "masked_select", lambda x: x.masked_select(x > 0.6).sum())
refused("`nonzero`", "shape of a result", "nonzero", lambda x: torch.nonzero(x > 0.6).sum())
refused("`unique`", "shape of a result", "unique", lambda x: x.round().unique())
refused("`bincount`", "shape of a result|looks at", "bincount", lambda x: torch.bincount((x.reshape(-1) + 1).long()))
refused("`tensor_split` by a tensor", "splits a tensor", "split", lambda x: x.tensor_split(_lengths(x)[-1:])[0].sum())
refused(
    "`repeat_interleave` by a tensor",
    "shape of a result",
    "repeat",
    lambda x: x.repeat_interleave(_lengths(x), 0).sum(),
)
refused(
    "`segment_reduce`",
    "behind torch's back",
    "segment_reduce",
    lambda x: torch.segment_reduce(x, "sum", lengths=torch.tensor([1, 3])),
)
refused("packed sequences", "behind torch's back", "packed", _packed)
refused("a number as an index (`x[i]` with a tensor)", "looks at a value", "index", lambda x: x[(x[0, 0] > 0).long()])
refused("`range` over a tensor", "looks at a value", "loop", lambda x: x * sum(range((x.sum() > 1).long() + 2)))
refused("`torch.equal`", "looks at a value", "equality", lambda x: x + float(torch.equal(x, Y)))
refused("`torch.allclose`", "looks at a value", "closeness", lambda x: x + float(torch.allclose(x, Y)))
refused("a tensor in text", "looks at a value|reads the values", "text", lambda x: x * len(f"{x.sum():.1f}"))
refused("a sparse tensor in the function", "sparse", "sparse", lambda x: torch.sparse.mm(x.to_sparse(), x.T))
refused("a quantized tensor in the function", "of another kind|behind", "quantized", lambda x: _quantized(x))
refused("a nested tensor in the function", "of another kind|nested|followed", "nested", lambda x: _nested(x))
refused("a tensor of another class in the function", "of another kind|does not hold", "subclass", lambda x: _masked(x))
refused("a hook on a tensor", "registers a hook", "tensor_hook", lambda x: _hooked(x))
refused("`resize_`", "changes the shape|behind", "resize", lambda x: x.clone().resize_(2, 2))
refused("`set_`", "changes the shape|behind|at an offset", "set", lambda x: torch.empty(0).set_(x.clone()))
refused("`transpose_`", "changes the shape", "transpose", lambda x: x.clone().transpose_(0, 1))
refused("a custom operator", "an unknown operator", "custom", lambda x: _custom(x))


def _quiet(make: Callable[[], Tensor]) -> Tensor:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that they are prototypes
        return make()


def _with_data(x: Any) -> Any:
    y = torch.zeros(4, 3)
    y.data = x * 2
    return y


def _quantized(x: Any) -> Any:
    return _quiet(lambda: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8).dequantize())


def _nested(x: Any) -> Any:
    return _quiet(lambda: torch.nested.to_padded_tensor(torch.nested.as_nested_tensor([x[:1], x[1:]]), 0.0))


def _masked(x: Any) -> Any:
    return (x * 2).as_subclass(Marked).exp().as_subclass(Tensor)


def _hooked(x: Any) -> Any:
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        leaf.register_hook(lambda gradient: gradient * 2)
        return torch.autograd.grad((leaf * leaf).sum(), leaf)[0]


@torch.library.custom_op("polykeras_adversarial::twice", mutates_args=())
def _custom(x: Tensor) -> Tensor:
    return torch.from_numpy(x.detach().numpy() * 2)


@PROGRAMS.add(VALUES, "`histc`, whose bounds are those of the data", "equal")
def histogram(compiled: Entry) -> Iterator[Any]:
    fn = compiled(lambda x: torch.histc(x, 4))
    yield fn(X)
    yield fn(Y)


@PROGRAMS.add(VALUES, "a mask as an index to write to", "equal")
def masked_write(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        y = x.clone()
        y[y > 0.6] = 0.0
        return y

    write = compiled(fn)
    yield write(X)
    yield write(Y)


class Marked(Tensor):
    """A class of tensors."""


# Arguments that are no blocks of numbers. These programs are for functions: data of a model are arrays.
ARGUMENTS = "arguments of other kinds"


KINDS: dict[str, tuple[str, Callable[[], Tensor], Callable[[Any], Any]]] = {
    "sparse_argument": ("a sparse tensor, and a dense one of its shape", X.to_sparse, lambda x: x @ torch.ones(3, 2)),
    "csr_argument": ("a tensor of sparse rows", X.to_sparse_csr, lambda x: x @ torch.ones(3, 2)),
    "nested_argument": (
        "a nested tensor",
        lambda: torch.nested.nested_tensor([X[:1], X[1:]]),
        lambda x: torch.nested.to_padded_tensor(x, 0.0) if x.is_nested else x,
    ),
    "quantized_argument": (
        "a quantized tensor",
        lambda: torch.quantize_per_tensor(X, 0.1, 0, torch.qint8),
        lambda x: x.dequantize() * 2,
    ),
    "marked_argument": (
        "a tensor of another class",
        lambda: X.as_subclass(Marked),
        lambda x: x * (2 if isinstance(x, Marked) else 3),
    ),
}


def _of_a_kind(make: Callable[[], Tensor], fn: Callable[[Any], Any]) -> Callable[[Entry], Iterator[Any]]:
    def run(compiled: Entry) -> Iterator[Any]:
        call = compiled(fn)
        for x in (X, _quiet(make), Y, _quiet(make)):
            yield call(x).as_subclass(Tensor)

    return run


for _name, (_text, _make, _fn) in KINDS.items():
    _run = _of_a_kind(_make, _fn)
    _run.__name__ = _name
    PROGRAMS.add(ARGUMENTS, _text, "refused", "sparse, or of another")(_run)


# ---- memory ----------------------------------------------------------------------------------------------------------

MEMORY = "views, aliases and changes in place"


def equal(text: str, name: str, fn: Callable[[Any], Any]) -> None:
    """Add a program that calls a function with two batches, and looks whether they were left alone."""

    def run(compiled: Entry) -> Iterator[Any]:
        call = compiled(fn)
        for x in (X.clone(), Y.clone(), X.clone()):
            yield call(x)
            yield x

    run.__name__ = name
    PROGRAMS.add(MEMORY, text, "equal")(run)


def _changed_view(x: Any) -> Any:
    y = x * 1
    y[1:3].mul_(2)
    y.t()[0].add_(1)
    return y, y.sum()


def _changed_after_read(x: Any) -> Any:
    y = x * 2
    before = y + 0
    y.add_(1)
    return before - y


def _changed_constant(x: Any) -> Any:
    total = torch.zeros(3)
    doubled = total * 2
    for row in x:
        total += row
    return total + doubled


def _list_in_place(x: Any) -> Any:
    parts: list[Any] = [x[0]]
    parts.extend(row * 2 for row in x)
    parts[0] = parts[1] + parts[2]
    return torch.stack(parts)


equal("a view of a result, changed in place", "changed_view", _changed_view)
equal("a tensor changed after it was read", "changed_after_read", _changed_after_read)
equal("a constant that becomes a sum of data", "changed_constant", _changed_constant)
equal("`out=` with memory that was made before", "out", lambda x: torch.exp(x, out=torch.empty(4, 3)) + 1)
equal("`expand`, whose rows are one memory", "expanded", lambda x: x[:1].expand(4, 3) + x)
equal("`as_strided` from the beginning", "strided", lambda x: (x * 1).as_strided((2, 2), (3, 1)) * 2)
equal("a view as integers of the same size", "bits", lambda x: (x * 2).view(torch.int32) & 255)
equal("complex numbers, conjugated without a copy", "conjugate", lambda x: (torch.complex(x, x).conj() * 1j).real + 0)
equal("lists and dicts that the function fills", "filled_list", _list_in_place)
equal(
    "lists as indices, to read and to write",
    "list_index",
    lambda x: (x * 1).index_fill_(0, torch.tensor([1]), 0.0)[[0, 2]],
)
equal("`unbind`, `split` and `chunk`", "parts", lambda x: sum(x.unbind(0)) + x.split(1)[0] - x.chunk(2)[1][0])
equal("a result that is an argument, twice", "argument", lambda x: [x, x, x[1:]])
equal("a result that is a constant", "constant", lambda x: [torch.arange(3), x + 1])


@PROGRAMS.add(MEMORY, "results that the caller changes in place", "equal")
def changed_results(compiled: Entry) -> Iterator[Any]:
    scale = torch.ones(3)
    fn = compiled(lambda x: [scale, torch.ones(3), x * 2, x])
    for _ in range(2):
        results = fn(X.clone())
        yield results
        for result in results[1:3]:
            result.fill_(7.0)


# ---- random numbers, time and Python ---------------------------------------------------------------------------------

PYTHON = "random numbers, time, and what Python holds"


@PROGRAMS.add(PYTHON, "random numbers of torch", "equal")
def torch_random(compiled: Entry) -> Iterator[Any]:
    fn = compiled(lambda x: F.dropout(x, 0.5) + torch.rand(3) + torch.empty(3).normal_() + torch.randperm(3))
    for _ in range(3):
        torch.manual_seed(5)
        yield fn(X)
        yield fn(X)


@PROGRAMS.add(PYTHON, "random numbers that no result needs: the generator goes on all the same", "equal")
def unused_random(compiled: Entry) -> Iterator[Any]:
    fn = compiled(lambda x: (torch.rand(3), x + 1)[1])
    for _ in range(3):
        yield fn(X)
        yield torch.rand(1)


@PROGRAMS.add(PYTHON, "a seed of torch that is set in each run", "refused", "seeded or drawn")
def torch_seed(compiled: Entry) -> Iterator[Any]:
    fn = compiled(lambda x: torch.manual_seed(3) and x + torch.rand(3))
    for _ in range(3):
        yield fn(X)


@PROGRAMS.add(PYTHON, "a seed of torch that is set in each run, after the draw", "refused", "seeded or drawn")
def torch_seed_afterwards(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        result = x + torch.rand(3)
        torch.manual_seed(3)
        return result

    call = compiled(fn)
    for _ in range(3):
        yield call(X)


@PROGRAMS.add(
    PYTHON, "dropout in `torch.utils.checkpoint`, which draws the same numbers twice", "refused", "seeded or drawn"
)
def checkpoint(compiled: Entry) -> Iterator[Any]:
    from torch.utils.checkpoint import checkpoint as recomputed

    def fn(x: Any) -> Any:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            result = recomputed(lambda x: F.dropout(x * x, 0.5), leaf, use_reentrant=False)
            return result.detach(), torch.autograd.grad(result.sum(), leaf)[0]

    gradient = compiled(fn)
    for _ in range(3):
        yield gradient(X)


@PROGRAMS.add(PYTHON, "random numbers of a generator of torch", "refused", "torch.Generator")
def torch_generator(compiled: Entry) -> Iterator[Any]:
    generator = torch.Generator().manual_seed(3)
    fn = compiled(lambda x: x + torch.rand(3, generator=generator))
    yield fn(X)
    yield fn(X)
    generator.manual_seed(3)
    yield fn(X)


@PROGRAMS.add(PYTHON, "`numpy.random`", "refused", "random numbers of Python or NumPy")
def numpy_random(compiled: Entry) -> Iterator[Any]:
    fn = compiled(lambda x: x + float(np.random.rand()))
    for _ in range(3):
        yield fn(X)


@PROGRAMS.add(PYTHON, "`random`", "refused", "random numbers of Python or NumPy")
def python_random(compiled: Entry) -> Iterator[Any]:
    fn = compiled(lambda x: x + random.random())
    for _ in range(3):
        yield fn(X)


@contextmanager
def beside_a_thread() -> Iterator[None]:
    """Let another thread live within the block, as notebooks and progress bars have one; it does nothing."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait, args=(60,))
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@PROGRAMS.add(PYTHON, "`numpy.random` beside an idle thread", "refused", "random numbers of Python or NumPy")
def numpy_random_beside_a_thread(compiled: Entry) -> Iterator[Any]:
    with beside_a_thread():
        yield from numpy_random(compiled)


@PROGRAMS.add(PYTHON, "`random` beside an idle thread", "refused", "random numbers of Python or NumPy")
def python_random_beside_a_thread(compiled: Entry) -> Iterator[Any]:
    with beside_a_thread():
        yield from python_random(compiled)


@PROGRAMS.add(PYTHON, "a seed of torch that is set in each run, beside an idle thread", "refused", "seeded or drawn")
def torch_seed_beside_a_thread(compiled: Entry) -> Iterator[Any]:
    with beside_a_thread():
        yield from torch_seed_afterwards(compiled)


@PROGRAMS.add(PYTHON, "random numbers of torch beside an idle thread", "equal")
def torch_random_beside_a_thread(compiled: Entry) -> Iterator[Any]:
    with beside_a_thread():
        yield from torch_random(compiled)


@PROGRAMS.add(
    PYTHON, "random numbers that are drawn in a thread of the function", "refused", "random numbers of Python"
)
def random_in_a_thread(compiled: Entry) -> Iterator[Any]:
    def fn(x: Any) -> Any:
        drawn: list[float] = []
        thread = threading.Thread(target=lambda: drawn.append(float(np.random.rand())))
        thread.start()
        thread.join()
        return x + drawn[0]

    call = compiled(fn)
    for _ in range(3):
        yield call(X)


@PROGRAMS.add(PYTHON, "a generator of NumPy that a function holds", "read once")
def numpy_generator(compiled: Entry) -> Iterator[Any]:
    generator = np.random.default_rng(0)
    fn = compiled(lambda x: x + float(generator.random()))
    for _ in range(3):
        yield fn(X)


@PROGRAMS.add(PYTHON, "the time", "read once")
def clock(compiled: Entry) -> Iterator[Any]:
    fn = compiled(lambda x: x + time.time())
    for now in (0.0, 1.0):
        with mock.patch("time.time", return_value=now):
            yield fn(X)


@PROGRAMS.add(PYTHON, "a number that a function finds in its surroundings", "read once")
def closed_number(compiled: Entry) -> Iterator[Any]:
    held = {"scale": 2.0}
    fn = compiled(lambda x: x * held["scale"])
    yield fn(X)
    held["scale"] = 3.0
    yield fn(X)


@PROGRAMS.add(PYTHON, "a list that a function finds in its surroundings, changed in place", "read once")
def closed_list(compiled: Entry) -> Iterator[Any]:
    scales = [1.0, 2.0]
    fn = compiled(lambda x: x * sum(scales))
    yield fn(X)
    scales.append(3.0)
    yield fn(X)


@PROGRAMS.add(PYTHON, "`print` of text: it prints while the function is recorded, and not again", "read once")
def printed(compiled: Entry) -> Iterator[Any]:
    import contextlib
    import io

    out = io.StringIO()
    fn = compiled(lambda x: print("called", file=out) or x + 1)
    with contextlib.redirect_stdout(out):
        for _ in range(3):
            fn(X)
            yield out.getvalue().count("called")


@PROGRAMS.add(
    PYTHON, "a list to which a function appends: it does while the function is recorded, and not again", "read once"
)
def appended(compiled: Entry) -> Iterator[Any]:
    calls: list[int] = []
    fn = compiled(lambda x: calls.append(1) or x + 1)
    for _ in range(3):
        fn(X)
        yield len(calls)


@PROGRAMS.add(PYTHON, "an error that a function raises in its first call only", "equal")
def error_at_first(compiled: Entry) -> Iterator[Any]:
    fails = [True]

    def fn(x: Any) -> Any:
        if fails.pop() if fails else False:
            raise KeyError("the function's own")
        return x + 1

    call = compiled(fn)
    for _ in range(3):
        try:
            yield call(X)
        except KeyError as error:
            yield str(error)


@PROGRAMS.add(PYTHON, "other shapes and dtypes, and the first ones again", "equal")
def shapes_and_dtypes(compiled: Entry) -> Iterator[Any]:
    fn = compiled(lambda x: x.sum(0) * x.shape[0] + x.element_size())
    for x in (X, X[:2], X.double(), Y, Y[:2], X.T, X.t().contiguous()):
        yield fn(x)
