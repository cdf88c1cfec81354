"""Check this installation: Python, backends, their versions and devices, file formats, what is missing.

Each installed backend is loaded in a process of its own and computes a product. The exit status is
1 if something that is configured does not work: the config file, a variable POLYKERAS_..., the
default backend, or an installed framework that cannot be loaded.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from importlib import import_module, metadata
from typing import Any

from polykeras import config, fast
from polykeras.backend import BackendInfo, backends, registry
from polykeras.cli.errors import one_line
from polykeras.cli.texts import print_json, table
from polykeras.common.release import __version__

_SECONDS = 180
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
PARTS = (
    ("files .keras, .weights.h5, .weights.json, .h5", "h5py", "h5py", "files"),
    ("files .safetensors", "safetensors", "safetensors", "files"),
    ("files .npz", "numpy", "numpy", ""),
    ("images from files", "PIL", "pillow", "images"),
    ("pictures of models, by Graphviz", "pydot", "pydot", "plots"),
    ("pictures of models and data", "matplotlib", "matplotlib", "plots"),
    ("TensorBoard", "tensorboardX", "tensorboardX", "tensorboard"),
)
"""Features that need a library: the feature, the module, the distribution, and the extra of polykeras that adds it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--probe", metavar="BACKEND", help=argparse.SUPPRESS)  # for its own processes


def run(options: argparse.Namespace) -> int:
    """Check the installation, print the findings, and return the exit status."""
    if options.probe:
        print(json.dumps(probe(options.probe)))
        return 0
    report = examine()
    if options.json:
        print_json(report)
    else:
        print(_text(report))
    return 1 if report["problems"] else 0


def probe(name: str) -> dict[str, Any]:
    """Load a backend and compute with it.

    Args:
        name: the backend's name.

    Returns:
        `version`, `devices`, and `seconds`: the time of loading.

    Raises:
        ImportError: if its framework cannot be loaded.
        ValueError: if no backend has that name, or its product is wrong.
    """
    begin = time.perf_counter()
    backend = registry.load(name)
    seconds = time.perf_counter() - begin
    product = backend.to_numpy(backend.matmul(backend.ones((2, 3), "float32"), backend.ones((3, 2), "float32")))
    if product.tolist() != [[3.0, 3.0], [3.0, 3.0]]:
        raise ValueError(f"{name}: a product of ones must be 3 everywhere; it is {product.tolist()}.")
    return {"version": backend.version, "devices": list(backend.devices()), "seconds": seconds}


def examine() -> dict[str, Any]:
    """Return all findings of the command. `problems` is a list of texts, empty if all is well."""
    python, settings = _python(), _settings()
    default = _default_backend()
    found = _backends(backends())
    problems = [text for text in (python["problem"], *settings["problems"], default["problem"]) if text]
    problems += [
        f"Backend {name!r} is installed but does not work: {one['problem']}"
        for name, one in found.items()
        if one["problem"] and one["problem"] not in problems
    ]
    return {
        "polykeras": __version__,
        "python": python,
        "machine": {
            "system": platform.platform(),
            "processors": os.cpu_count(),
            "usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "thread_settings": {name: os.environ[name] for name in _THREADS if name in os.environ},
        },
        "settings": settings,
        "default_backend": default,
        "backends": found,
        "parts": [_part(*part) for part in PARTS],
        "graphviz": shutil.which("dot"),
        "problems": problems,
    }


def _python() -> dict[str, Any]:
    try:
        classifiers = metadata.metadata("polykeras").get_all("Classifier") or []
    except metadata.PackageNotFoundError:
        classifiers = []
    tested = re.findall(r"Python :: (3\.\d+)", "\n".join(classifiers))
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    note = "" if not tested or here in tested else f"outside of the tested range, {tested[0]} to {tested[-1]}"
    old = sys.version_info < (3, 11)
    return {
        "version": platform.python_version(),
        "executable": sys.executable,
        "tested": f"{tested[0]} to {tested[-1]}" if tested else "",
        "note": note,
        "problem": f"Python {here} is too old: polykeras needs 3.11 or newer." if old else "",
    }


def _settings() -> dict[str, Any]:
    """Return the config file, polykeras's environment variables, and the problems with them."""
    problems: list[str] = []
    reads = (lambda: config.read_config(config.config_path()), config.settings, fast.enabled, fast.explaining)
    for read in reads:
        try:
            read()
        except (ValueError, OSError) as error:
            problems.append(one_line(error))
    problems = list(dict.fromkeys(problems))  # `settings` reads the config file too
    variables = {name: value for name, value in os.environ.items() if name.startswith("POLYKERAS_")}
    return {
        "config_file": str(config.config_path()),
        "config_file_exists": config.config_path().exists(),
        "variables": variables,
        "problems": problems,
    }


def _default_backend() -> dict[str, Any]:
    try:
        name, where = registry.default_choice()
    except (ValueError, OSError):  # an invalid config file, which the settings report
        return {"name": "", "chosen_by": "", "problem": ""}
    known = {info.name: info for info in backends()}
    problem = ""
    if name not in known or not known[name].installed:
        try:
            registry.load(name)
        except (ValueError, ImportError) as error:
            problem = f"The default backend is chosen by {where}. {one_line(error)}"
    return {"name": name, "chosen_by": where, "problem": problem}


def _backends(known: list[BackendInfo]) -> dict[str, dict[str, Any]]:
    """Return the facts about each backend, and the result of loading it. The processes run side by side."""
    command = [sys.executable, "-P", "-m", "polykeras", "doctor", "--probe"]
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # The command names the backend to load. A broken default must not affect it.
    environment = {name: value for name, value in os.environ.items() if name not in registry.ENVIRONMENT}
    started = {
        info.name: subprocess.Popen([*command, info.name], text=True, env=environment, **pipes)
        for info in known
        if info.installed
    }
    found = {}
    for info in known:
        told = _told(started[info.name]) if info.installed else {}
        found[info.name] = {
            "installed": info.installed,
            "works": "version" in told,
            "version": told.get("version") or info.version,
            "tested": info.tested,
            "devices": told.get("devices", []),
            "seconds_to_load": told.get("seconds"),
            "install": "" if info.installed else info.install,
            "note": info.note,
            "problem": told.get("problem", ""),
        }
    return found


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the output of a probe, or the problem that it had."""
    try:
        printed, errors = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"problem": f"it was not loaded within {_SECONDS} s."}
    if process.returncode == 0:
        return json.loads(printed.strip().splitlines()[-1])
    lines = [line for line in errors.strip().splitlines() if line.strip()]
    reason = lines[-1].removeprefix("polykeras: ") if lines else "no reason given."
    return {
        "problem": reason if process.returncode > 0 else f"its process ended by signal {-process.returncode}: {reason}"
    }


def _part(purpose: str, module: str, distribution: str, extra: str) -> dict[str, Any]:
    version, problem = "", ""
    try:
        import_module(module)
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        version = "?"
    except Exception as error:  # a missing or a broken library
        problem = one_line(error)
    install = f'pip install "polykeras[{extra}]"' if problem else ""
    return {"purpose": purpose, "needs": distribution, "version": version, "install": install, "problem": problem}


def _text(report: dict[str, Any]) -> str:
    python, machine, settings, default = (report[key] for key in ("python", "machine", "settings", "default_backend"))
    lines = [
        f"polykeras {report['polykeras']}",
        f"Python {python['version']} ({python['executable']})" + (f", {python['note']}" if python["note"] else ""),
        f"{machine['system']}, {machine['usable']} of {machine['processors']} processors",
        f"config file: {settings['config_file']}" + ("" if settings["config_file_exists"] else " (there is none)"),
    ]
    lines += [f"{name}={value}" for name, value in (machine["thread_settings"] | settings["variables"]).items()]
    lines.append(f"default backend: {default['name'] or '?'}, chosen by {default['chosen_by'] or '?'}")
    header = ("backend", "works", "version", "tested", "devices", "loaded in", "to do")
    rows = [
        (
            name,
            "yes" if one["works"] else "no" if one["installed"] else "not installed",
            one["version"],
            one["tested"],
            ", ".join(one["devices"]),
            f"{one['seconds_to_load']:.1f} s" if one["works"] else "",
            one["install"] or ("not the releases that were tested" if one["note"] else ""),
        )
        for name, one in report["backends"].items()
    ]
    parts = [
        (part["purpose"], part["needs"], part["version"] or "missing", part["install"]) for part in report["parts"]
    ]
    parts.append(
        (
            "pictures of models, by Graphviz",
            "dot",
            "found" if report["graphviz"] else "missing",
            "" if report["graphviz"] else "install Graphviz, or use matplotlib",
        )
    )
    problems = [f"PROBLEM: {text}" for text in report["problems"]] or ["Everything that is configured works."]
    tables = (table(header, rows), table(("for", "needs", "version", "to do"), parts))
    return "\n\n".join(["\n".join(lines), *tables, "\n".join(problems)])
