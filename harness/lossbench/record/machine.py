"""What a run ran on: enough to tell unlike machines apart and to read a number a year later; no secrets, no host name.

Nothing here imports a framework: versions come from the installed metadata. What cannot be read is left out.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]  # it publishes no types

Fact = str | int | float

PACKAGES: Final = (
    *("lossbench", "tensorflow", "tensorflow-cpu", "keras", "torch", "jax", "jaxlib", "optax"),
    *("numpy", "scipy", "pandas", "pyarrow", "mpmath", "python-flint", "pytest", "pytest-benchmark"),
)
_CPUFREQ: Final = Path("/sys/devices/system/cpu/cpu0/cpufreq")
_TURBO: Final = (
    (Path("/sys/devices/system/cpu/intel_pstate/no_turbo"), "0"),
    (_CPUFREQ.parent.parent / "cpufreq/boost", "1"),
)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _processor() -> str:
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model", "Hardware"):
            return value.strip()
    return platform.processor() or platform.machine()


def _container() -> str:
    """Which kind of container, as far as its traces tell; empty for none."""
    if Path("/.dockerenv").exists():
        return "docker"
    if Path("/run/.containerenv").exists():
        return "podman"
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    groups = _text(Path("/proc/1/cgroup"))
    return next((kind for kind in ("docker", "kubepods", "lxc") if kind in groups), "")


def _processor_limit() -> float:
    """CPUs that the control group allows; 0 where it sets no limit."""
    quota, _, period = _text(Path("/sys/fs/cgroup/cpu.max")).partition(" ")
    return round(int(quota) / int(period), 2) if quota.isdigit() and period.isdigit() else 0.0


def cpu_facts() -> dict[str, Fact]:
    """Processor, memory and load now."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 0
    turbo = next((("on" if _text(path) == on else "off") for path, on in _TURBO if _text(path)), "")
    frequency = psutil.cpu_freq()
    load = psutil.getloadavg()
    return {
        "machine.cpu": _processor(),
        "machine.architecture": platform.machine(),
        "machine.cores": psutil.cpu_count(logical=False) or 0,
        "machine.threads": psutil.cpu_count() or 0,
        "machine.threads_allowed": allowed,
        "machine.cpus_limit": _processor_limit(),
        "machine.memory_bytes": psutil.virtual_memory().total,
        "machine.memory_available_bytes": psutil.virtual_memory().available,
        "machine.governor": _text(_CPUFREQ / "scaling_governor"),
        "machine.turbo": turbo,
        "machine.frequency_mhz": round(frequency.current) if frequency else 0,
        "machine.load_1min": round(load[0], 2),
        "machine.load_5min": round(load[1], 2),
        "machine.container": _container(),
    }


def versions() -> dict[str, Fact]:
    """Installed versions by package name, without importing any; what is not installed is left out."""
    found: dict[str, Fact] = {}
    for name in PACKAGES:
        try:
            found[f"version.{name}"] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit(folder: Path) -> dict[str, Fact]:
    """Commit of the repository around a folder and whether it has changes; empty without git or outside one."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    revision, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    if revision is None:
        return {}
    return {"commit.id": revision, "commit.dirty": "unknown" if changes is None else "yes" if changes else "no"}


def facts(folder: Path | None = None) -> dict[str, Fact]:
    """Everything about machine, versions and commit (of the repository around `folder`, else the current one)."""
    system = {
        "python.version": platform.python_version(),
        "python.implementation": platform.python_implementation(),
        "python.compiler": platform.python_compiler(),
        "system.name": platform.system(),
        "system.release": platform.release(),
        "system.platform": sys.platform,
        "system.byteorder": sys.byteorder,
    }
    return cpu_facts() | system | versions() | commit(folder or Path.cwd())
