"""The wheel without any framework or with one alone, on every Python from 3.11 to 3.13 that is found: `make installs`.

Each gets an empty environment with the wheel and what it depends on. Without a framework it reads somebody's run:
report, gate, history, export, query's absence in a sentence, and what doctor advises. With one (`--backend torch`, a
gigabyte or more each) it makes a run of its own in an empty folder, with report and gate. One line an environment.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import release

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
FRAMEWORKS = ("tensorflow", "keras", "torch", "jax", "jaxlib", "optax")
BROUGHT = {"tensorflow": ("tensorflow", "keras"), "torch": ("torch",), "jax": ("jax", "jaxlib", "optax")}
"""Extra -> the frameworks that it installs, and no others."""
Said = dict[str, tuple[list[str], int, str]]
"""Name -> a command's words, its status, and what stands in its output."""


def interpreters() -> dict[str, Path]:
    """Version -> an interpreter of it that runs."""
    found = {}
    for version in VERSIONS:
        managed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        for place in filter(None, [shutil.which(f"python{version}"), *managed]):
            told = _ran([str(place), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
            if told.returncode == 0 and told.stdout.strip() == version:
                found[version] = Path(place)
                break
    return found


def environment(python: Path, wheel: Path, folder: Path, extras: str = "") -> Path:
    """An empty environment with the wheel in it; its interpreter."""
    _done([str(python), "-m", "venv", str(folder)])
    own = folder / "bin" / "python"
    pip = [str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _done([*pip, "--constraint", str(ROOT / "pins.txt"), f"{wheel}{extras}"])
    return own


def tried(python: Path, run: Path, folder: Path) -> dict[str, str]:
    """What the commands that read results do in that environment: name -> `fine`, or what went wrong.

    run: a recorded run, copied first: it is somebody else's. folder: an empty one to work in.
    """
    theirs = folder / "results" / run.name
    shutil.copytree(run, theirs)
    said: Said = {
        "report": (["report", run.name], 0, "index.html"),
        "baseline": (["baseline", run.name, "--to", "kept"], 0, "is the baseline"),
        "gate": (["gate", run.name, "--baseline", "kept"], 0, "nothing got worse"),
        "export": (["export", run.name, "--format", "openmetrics"], 0, "# EOF"),
        "show": (["show", "huber"], 0, "huber"),
        "list": (["list"], 0, "huber"),
        "query": (["query", "SELECT 1"], 2, "pip install 'lossbench[query]'"),
        "run": (["run", "--loss", "huber"], 2, "lossbench doctor"),
        "doctor": (["doctor"], 1, "pip install 'lossbench[torch]'"),
    }
    return _answers(python, said, folder) | present(python, ())


def tried_with(python: Path, backend: str, folder: Path) -> dict[str, str]:
    """What a run with this one framework does there, in an empty folder: name -> `fine`, or what went wrong."""
    (other, _) = sorted({*BROUGHT} - {backend})
    said: Said = {
        "doctor": (["doctor"], 0, f"pip install 'lossbench[{other}]'"),
        "run": (["run", "--profile", "quick", "--loss", "huber"], 0, "index.html"),
        "baseline": (["baseline", "--to", "kept"], 0, "is the baseline"),
        "gate": (["gate", "--baseline", "kept"], 0, "nothing got worse"),
    }
    results = _answers(python, said, folder) | present(python, BROUGHT[backend])
    counted = _ran([str(python), "-c", COUNTED.format(backend=backend)], cwd=folder)
    results["answers"] = "fine" if counted.returncode == 0 else counted.stdout + counted.stderr
    results["page"] = "fine" if (folder / "reports" / "latest" / "index.html").is_file() else "no page"
    return results


COUNTED = """
from pathlib import Path
import pandas as pd
cells = pd.read_parquet(next(Path("results").glob("*T*Z-*/cells.parquet")))
ok = set(cells[cells["status"] == "ok"]["lane"].str.split("-").str[0])
assert ok == {{"{backend}"}}, (ok, cells["status"].value_counts().to_dict())
print(len(cells))
"""
"""All that was answered was answered by the one framework, and something was."""


def _answers(python: Path, said: Said, folder: Path) -> dict[str, str]:
    results = {}
    for name, (words, status, expected) in said.items():
        done = _ran([str(python), "-m", "lossbench", *words], cwd=folder)
        fine = done.returncode == status and expected in done.stdout + done.stderr
        results[name] = "fine" if fine else f"status {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}"
    return results


def present(python: Path, wanted: tuple[str, ...]) -> dict[str, str]:
    """Whether it has these frameworks, in the order of FRAMEWORKS, and no others."""
    found = _ran(
        [str(python), "-c", f"import importlib.util as u; print(*[n for n in {FRAMEWORKS} if u.find_spec(n)])"]
    )
    name = "no framework" if not wanted else "no other framework"
    return {name: "fine" if found.stdout.split() == [*wanted] else found.stdout.strip() + found.stderr.strip()}


def a_run(folder: Path) -> Path:
    """A recorded run to read: the newest of results/, else a small one made now."""
    recorded = sorted((ROOT / "results").glob("*T*Z-*/cells.parquet"))
    if recorded:
        return recorded[-1].parent
    words = ["run", "--profile", "quick", "--loss", "huber", "--dtype", "float32", "--no-report", "--no-practice"]
    _done([sys.executable, "-m", "lossbench", *words, "--results", str(folder)])
    return next(folder.glob("*T*Z-*/cells.parquet")).parent


def _clean() -> dict[str, str]:
    """Nothing of this checkout on the path of the interpreter that is tried."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}


def _ran(command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=_clean(), capture_output=True, text=True, timeout=900, check=False)


def _done(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=900, capture_output=True)


def _said(what: str, results: dict[str, str]) -> Iterable[str]:
    wrong = {name: text for name, text in results.items() if text != "fine"}
    yield f"{what}: {len(results) - len(wrong)} of {len(results)} fine ({', '.join(results)})"
    yield from (f"  {name}: {text}" for name, text in wrong.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", choices=VERSIONS, help="default: every one that is found")
    parser.add_argument("--backend", action="append", choices=(*BROUGHT, "none"), help="default: none")
    parser.add_argument("--run", type=Path, help="a recorded run to read")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found, results = interpreters(), {}
    backends = asked.backend or ["none"]
    with tempfile.TemporaryDirectory(prefix="lossbench-installs-") as scratch:
        place = Path(scratch)
        release.build(ROOT, place / "dist", release.epoch())
        wheel = next((place / "dist").glob("*.whl"))
        run = (asked.run or a_run(place / "runs")).resolve() if "none" in backends else place
        for version in asked.python or VERSIONS:
            if version not in found:
                print(f"Python {version}: not found here", flush=True)
                continue
            for backend in backends:
                folder = place / version / backend
                (folder / "work").mkdir(parents=True)
                extras = "" if backend == "none" else f"[{backend}]"
                own = environment(found[version], wheel, folder / "venv", extras)
                work = folder / "work"
                seen = tried(own, run, work) if backend == "none" else tried_with(own, backend, work)
                what = f"Python {version}" + f" with {backend}" * (backend != "none")
                results[what] = seen
                shutil.rmtree(folder)
                if not asked.json:
                    print("\n".join(_said(what, seen)), flush=True)
    if asked.json:
        print(json.dumps(results, indent=1))
    return int(any(text != "fine" for each in results.values() for text in each.values()))


if __name__ == "__main__":
    sys.exit(main())
