"""What the model of cost says of machines that are not here. All numbers of hardware are published ones, or assumed.

Sources: NVIDIA, DGX H100 User Guide, for NVLink (900 GB/s, both directions together) and the network (400 Gb/s a GPU);
Llama Team, The Llama 3 Herd of Models (arXiv:2407.21783), for 400 TFLOP/s that a GPU reached, and for 419 unexpected
interruptions in 54 days of 16,384 GPUs.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.distributed.cost import Link, both, daly, ring, step_seconds, tree, useful, waiting, young

REACHED = 0.8  # of a link's bandwidth; assumed
SPREAD = 0.02  # of the times of a step; assumed
FLOPS = 400e12
NVLINK, INFINIBAND, ETHERNET = 450e9, 50e9, 12.5e9  # bytes a second that a GPU, a GPU, a node sends
NVLINK_HOP, INFINIBAND_HOP, ETHERNET_HOP = 2e-6, 5e-6, 30e-6  # seconds; assumed
BACKWARD = 2 / 3  # of the time of a step, in which a sum can be hidden
NODE = 8
NODE_FAILURES = 54 * 86400 * (16384 / NODE) / 419  # mean seconds between failures of a node


@dataclass(frozen=True)
class Model:
    """A transformer that is trained.

    Attributes:
        label: what tables say.
        parameters: their number.
        tokens: of a GPU in a step.
    """

    label: str
    parameters: float
    tokens: int

    @property
    def compute(self) -> float:
        """Seconds of a step on one GPU: six operations for each parameter and token."""
        return 6 * self.parameters * self.tokens / FLOPS


@dataclass(frozen=True)
class Cluster:
    """Nodes of eight GPUs.

    Attributes:
        label: what tables say.
        nodes: their number.
        a_gpu: bytes a second that a GPU sends to other nodes, 0 for a single node.
        hop: seconds until a small message is at another node.
    """

    label: str
    nodes: int
    a_gpu: float = INFINIBAND
    hop: float = INFINIBAND_HOP

    @property
    def gpus(self) -> int:
        """The number of GPUs."""
        return NODE * self.nodes

    @property
    def link(self) -> Link:
        """What a sum over all GPUs takes."""
        inner = ring(NVLINK_HOP, REACHED * NVLINK, NODE)
        if self.nodes == 1:
            return inner
        # Each GPU has an eighth of the sums of its node, and adds it up with its peers of the other nodes.
        return both(inner, tree(self.hop, REACHED * self.a_gpu, self.nodes), NODE)


MODELS = (Model("110 M parameters", 110e6, 16384), Model("1.3 B parameters", 1.3e9, 16384))
CLUSTERS = (
    Cluster("8 GPUs, NVLink", 1),
    Cluster("64 nodes, InfiniBand", 64),
    Cluster("1,000 nodes, InfiniBand", 1000),
    Cluster("64 nodes, 100 Gb/s Ethernet a node", 64, ETHERNET / NODE, ETHERNET_HOP),
    Cluster("1,000 nodes, 100 Gb/s Ethernet a node", 1000, ETHERNET / NODE, ETHERNET_HOP),
)


def efficiency(model: Model, cluster: Cluster, *, bytes_a_parameter: int = 4, overlap: bool = False) -> float:
    """Return the share of a GPU's time in which it computes, between 0 and 1."""
    compute, link = model.compute, cluster.link
    seconds = step_seconds(
        compute,
        bytes_a_parameter * model.parameters,
        link,
        slowest=waiting(SPREAD, cluster.gpus),
        agreement=link.latency,
        hidden=BACKWARD * compute if overlap else 0.0,
    )
    return compute / seconds


def scaling() -> list[list[str]]:
    """Return the table of efficiencies: as `fit` does it, with the sum hidden, and that in bfloat16."""
    rows = [["model", "cluster", "compute", "sum of the gradients", "`fit`", "overlapped", "overlapped, bfloat16"]]
    for model in MODELS:
        for cluster in CLUSTERS:
            total = cluster.link.seconds(4 * model.parameters)
            ways = ({}, {"overlap": True}, {"overlap": True, "bytes_a_parameter": 2})
            shares = [f"{100 * efficiency(model, cluster, **way):.0f} %" for way in ways]
            rows.append([model.label, cluster.label, f"{1e3 * model.compute:.0f} ms", f"{1e3 * total:.0f} ms", *shares])
    return rows


def backups() -> list[list[str]]:
    """Return the table of the best times between two backups, for a restart of five minutes."""
    rows = [["nodes", "a failure each", "a backup takes", "Young", "Daly", "time that counts"]]
    for nodes in (1, 64, 1000):
        failures = NODE_FAILURES / nodes
        for backup in (5.0, 60.0, 300.0):
            best = daly(backup, failures)
            share = useful(backup, 300.0, failures, best)
            times = (_time(failures), _time(backup), _time(young(backup, failures)), _time(best))
            rows.append([f"{nodes:,}", *times, f"{100 * share:.1f} %"])
    return rows


def _time(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


WEIGHTS, GRADIENTS, SLOTS, BUFFER = 4, 4, 8, 4  # bytes a parameter in float32, with Adam


def _gigabytes(parameters: float, whole: float, cut: float, workers: int) -> str:
    return f"{parameters * (whole + cut / workers) / 1e9:.3g} GB"


def memory() -> list[list[str]]:
    """Return the table of the memory of weights, gradients and Adam's state, without activations and data."""
    strategies = (
        ("nothing", "`DataParallel`", WEIGHTS + GRADIENTS + SLOTS + BUFFER, 0),
        ("the optimizer's state", "no; ZeRO 1", WEIGHTS + GRADIENTS + BUFFER, SLOTS),
        ("gradients too", "no; ZeRO 2", WEIGHTS, GRADIENTS + SLOTS),
        ("weights too", "`ModelParallel` on JAX, PyTorch; ZeRO 3, FSDP", 0, WEIGHTS + GRADIENTS + SLOTS),
    )
    cells = [(size, workers) for size in (1.3e9, 7e9) for workers in (8, 512)]
    heads = [f"{size / 1e9:g} B, {workers} workers" for size, workers in cells]
    rows = [["what is cut over workers", "here", "bytes a parameter", *heads]]
    for what, here, whole, cut in strategies:
        each = " + ".join(part for part in (f"{whole}" if whole else "", f"{cut}/W" if cut else "") if part)
        rows.append([what, here, each, *(_gigabytes(size, whole, cut, workers) for size, workers in cells)])
    return rows
