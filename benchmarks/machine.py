"""What a run was measured on: the processor, its caches, the versions of packages, the load."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

CPU = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
PACKAGES = ("jax", "tensorflow", "tensorflow-cpu", "torch", "keras", "numpy")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}


def _cpu_field(field: str) -> str | None:
    """Return a field of the first processor in /proc/cpuinfo, None elsewhere."""
    lines = CPU.read_text().splitlines() if CPU.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == field), None)


def _cache(level: int) -> int | None:
    for index in CACHES.glob("index*"):
        if (index / "level").read_text().strip() == str(level):
            text = (index / "size").read_text().strip()
            return int(text[:-1]) * UNITS[text[-1]]
    return None


def load() -> float:
    """Return the load average of the last minute: how many wanted to run, we among them."""
    return round(os.getloadavg()[0], 2)


def machine() -> dict[str, Any]:
    """Return what a run is measured on; None stands for what this machine does not tell."""
    flags = _cpu_field("flags")
    installed = [package for package in PACKAGES if any(importlib.metadata.distributions(name=package))]
    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_field("model name"),
        "avx512f": None if flags is None else "avx512f" in flags.split(),
        "l3_bytes": _cache(3),
        "cores": os.cpu_count(),
        "load": load(),
        "versions": {package: importlib.metadata.version(package) for package in installed},
    }
