"""A Python file as a suite: imported under a name of its own, or only described where it needs a framework.

The process that plans must never import a framework, and a worker only its own.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from lossbench.spec import inherited
from lossbench.spec.errors import BadInput
from lossbench.spec.functions import FRAMEWORKS, Function, functions, imported
from lossbench.spec.loss import Loss

DESCRIBE_LIMIT_SECONDS = 180
PREFIX = "lossbench_suite_"

T = TypeVar("T")
_LIGHT = sys.stdlib_module_names | {"numpy", "lossbench"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a file holds. objects: the functions themselves, empty where the file was only described."""

    path: Path
    losses: tuple[Loss, ...] = ()
    functions: Mapping[str, Function] = field(default_factory=dict)
    objects: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()


def read(path: Path, package: str, backend: str | None, version: str = "") -> Contents | None:
    """The contents of a suite file; None where it belongs to another framework than this worker's.

    backend: the worker's; empty where no framework may be imported; None: whichever is imported already.
    version: a mark in the module's name, so that one file can be imported several times.
    """
    wanted = imported(_tree(path))
    needed = {FRAMEWORKS[root] for root in wanted if root in FRAMEWORKS}
    imported_already = {b for root, b in FRAMEWORKS.items() if root in sys.modules}
    loaded = imported_already if backend is None else {backend} - {""}
    light = wanted <= (_LIGHT | {"."} if package else _LIGHT)
    if loaded and needed and not needed & loaded:
        return None
    if not light and not loaded:
        described = describe(path, path.parent if package else None, path.stat().st_mtime_ns)
        if not described.losses_named:
            return described.contents
        if described.frameworks:
            raise BadInput(
                subject=f"{path}",
                expected="Loss values in a file that imports no framework",
                received=f"{', '.join(described.losses_named)} beside {', '.join(described.frameworks)}",
                remedy="take the framework from `m` in the bindings, or move plain functions to a file of their own",
            )
    return inspect_module(load(path, package, version), path)


def inspect_module(module: ModuleType, path: Path) -> Contents:
    """The Loss values and functions of an imported module."""
    losses = {id(v): v for v in vars(module).values() if isinstance(v, Loss)}
    found, passed_over = functions(module, path)
    return Contents(
        path=path,
        losses=tuple(losses.values()),
        functions=found,
        objects={name: getattr(module, name) for name in found},
        passed_over=tuple(passed_over),
    )


def load(path: Path, package: str = "", version: str = "") -> ModuleType:
    """Import a file; its folder goes to the end of the path, so that it finds its neighbours and shadows nothing."""
    if package:
        return _guarded(path, lambda: importlib.import_module(f"{package}.{path.stem}"))
    name = f"{PREFIX}{path.stem}_{_mark(path)}{version}"
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInput(subject=str(path), expected="a Python file", received="another", remedy="name a .py file")
    module, loader = importlib.util.module_from_spec(spec), spec.loader

    def execute() -> ModuleType:
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    return _guarded(path, execute)


def folder_package(folder: Path, name: str = "", version: str = "") -> str:
    """Make a folder importable as a package of its own name, so that files can import their neighbours with a dot."""
    name = name or f"{PREFIX}{folder.name}_{_mark(folder)}{version}"
    if name not in sys.modules:
        init = folder / "__init__.py"
        locations = [str(folder)]
        spec = (
            importlib.util.spec_from_file_location(name, init, submodule_search_locations=locations)
            if init.exists()
            else importlib.machinery.ModuleSpec(name, None, is_package=True)
        )
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        module.__path__ = locations
        sys.modules[name] = module
        loader = spec.loader
        if loader is not None:
            _guarded(init, partial(loader.exec_module, module))
    return name


def needs_neighbours(path: Path) -> bool:
    """Whether a file imports with a dot, and so only as a member of its folder's package."""
    return "." in imported(_tree(path))


def needs_framework(path: Path) -> bool:
    """Whether a file names a framework in an import of its own."""
    return bool(imported(_tree(path)) & FRAMEWORKS.keys())


def _mark(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError, OSError) as fault:
        raise _unreadable(path, fault) from fault


def _guarded(path: Path, act: Callable[[], T]) -> T:
    try:
        return act()
    except BadInput:
        raise
    except (Exception, SystemExit) as fault:  # somebody's file may raise anything while it is imported
        raise _unreadable(path, fault) from fault


def _unreadable(path: Path, fault: BaseException) -> BadInput:
    frames = [f.lineno for f in traceback.extract_tb(fault.__traceback__) if f.filename == str(path)]
    line = frames[-1] if frames else 1
    if isinstance(fault, SyntaxError):
        line, fault = fault.lineno or 1, SyntaxError(fault.msg)
    where = f"{path}:{line}" if not isinstance(fault, OSError) or frames else str(path)
    said = fault.strerror if isinstance(fault, OSError) and not frames else f"{type(fault).__name__}: {fault}"
    return BadInput(
        subject=f"suite file {where}",
        expected="a Python file that can be imported",
        received=" ".join(str(said).split()),
        remedy="correct the file; `python FILE` shows the whole traceback",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the describing process saw."""

    contents: Contents
    losses_named: tuple[str, ...]
    frameworks: tuple[str, ...]


@lru_cache(maxsize=64)
def describe(path: Path, folder: Path | None, _changed_ns: int) -> Described:
    """Import a file in a process of its own (see `lossbench.spec.describe`) and take its word."""
    package_home = str(Path(__file__).resolve().parents[2])
    paths = [package_home, os.environ.get("PYTHONPATH", "")]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    environ = {**inherited.environ(), **quiet, "PYTHONPATH": os.pathsep.join(p for p in paths if p)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lossbench.spec.describe", str(path), *([str(folder)] if folder else [])],
            env=environ,
            capture_output=True,
            text=True,
            timeout=DESCRIBE_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise _unreadable(path, fault) from fault
    try:
        told = json.loads(done.stdout)
    except json.JSONDecodeError as fault:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise BadInput(
            subject=f"suite file {path}",
            expected="a Python file that can be imported",
            received=f"a process that ended with {done.returncode}: {last}",
            remedy="correct the file; `python FILE` shows the whole traceback",
        ) from fault
    if "bad_input" in told:
        raise BadInput(**told["bad_input"])
    found = {f["name"]: Function(**{**f, "backends": tuple(f["backends"])}) for f in told["functions"]}
    return Described(
        contents=Contents(path=path, functions=found, passed_over=tuple(told["passed_over"])),
        losses_named=tuple(told["losses"]),
        frameworks=tuple(told["frameworks"]),
    )
