"""What lossbench is made of: every pin with its hashes, every licence looked at, archives that come out the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "show")]

import installs  # noqa: E402 - programs of this repository, not packages of it
import licences  # noqa: E402
import release  # noqa: E402
import synthetic_run  # noqa: E402

HASHED = re.compile(r"([a-z0-9.-]+)==([^ ]+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def hashed(file: str) -> dict[str, tuple[str, int]]:
    """Name -> version and number of hashes; nothing else may stand in the file."""
    text = (ROOT / file).read_text(encoding="utf-8")
    assert HASHED.sub("", text) == "", "only pins and their hashes"
    return {normal(name): (version, hashes.count("--hash")) for name, version, hashes in HASHED.findall(text)}


def test_every_pin_has_its_hashes_and_every_hash_its_pin() -> None:
    pins = {normal(name): version for name, version in licences.pinned()}
    found = hashed("pins-hashes.txt")
    assert {name: version for name, (version, _) in found.items()} == pins, "after a change of pins.txt: make hashes"
    assert found["numpy"][1] > 20, "the files of every platform and Python, not of one"


def test_what_builds_and_checks_a_release_is_hashed_too() -> None:
    assert {"cyclonedx-bom", "pip-audit", "uv"} <= set(hashed("pins-release.txt"))


def test_pins_are_exact_and_cover_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {normal(re.match(r"[\w.-]+", text)[0]) for text in wanted}  # type: ignore[index]
    pins = {normal(name) for name, _ in licences.pinned()}
    assert names - pins <= {"lossbench", "tensorflow", "ray"}, "another platform's and an extra's own are not pinned"


def test_the_page_of_licences_is_current() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8").splitlines()
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in page if line.startswith("| ")}
    for name, version in licences.pinned():
        try:
            there = metadata.version(name)
        except metadata.PackageNotFoundError:
            there = ""  # of an extra that is not installed
        said, where = licences.licence(name) if there else (None, None)
        assert name in rows, "make docs"
        if there.partition("+")[0] == version:
            assert rows[name] == f"| {name} | {version} | {said} | {where} |", "make docs"
    assert set(rows) - {"package", "---"} == {name for name, _ in licences.pinned()}, "make docs"


def test_no_licence_is_outside_of_those_allowed() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8").splitlines()
    rows = [line.split(" | ") for line in page if line.startswith("| ")][2:]
    assert {row[0]: licences.wrong(row[2]) for row in rows if licences.wrong(row[2])} == {}


@pytest.mark.parametrize(
    ("expression", "refused"),
    [
        ("MIT", []), ("Apache-2.0 OR BSD-2-Clause", []), ("(MIT AND MPL-2.0)", []), ("", ["none stated"]),
        ("GPL-3.0-only", ["GPL-3.0-only"]), ("MIT AND AGPL-3.0-or-later", ["AGPL-3.0-or-later"]),
        ("Proprietary", ["Proprietary"]),
    ],
)  # fmt: skip
def test_the_check_of_licences_can_fail(expression: str, refused: list[str]) -> None:
    assert licences.wrong(expression) == refused


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[list[Path]]:
    """Two builds: of two copies of the tree with other times, in other places, under another umask and time zone."""
    pytest.importorskip("hatchling", reason="the build backend is a development tool of pins.txt")
    kinds = []
    for number, (mask, zone) in enumerate(((0o022, "UTC"), (0o077, "Pacific/Auckland"))):
        place = tmp_path_factory.mktemp(f"place{number}")
        before = os.umask(mask)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("TZ", zone)
                tree = place / ("tree" * (number + 1))
                ignored = shutil.ignore_patterns(".git", ".venv", "build", "dist", "__pycache__", ".*_cache", "results")
                shutil.copytree(ROOT, tree, ignore=ignored, copy_function=shutil.copyfile)
                for file in tree.rglob("*.py"):
                    os.utime(file, (time.time() - 10**6 * number,) * 2)
                kinds.append(release.build(tree, place / "dist", "1700000000"))
        finally:
            os.umask(before)
    return kinds


@pytest.mark.slow
def test_wheel_and_sdist_come_out_byte_for_byte_the_same(built: list[list[Path]]) -> None:
    one, other = built
    assert [file.name for file in one] == [file.name for file in other]
    assert {file.suffix for file in one} == {".whl", ".gz"}
    for mine, theirs in zip(one, other, strict=True):
        assert mine.read_bytes() == theirs.read_bytes(), mine.name


@pytest.mark.slow
def test_the_wheel_holds_the_package_its_suites_and_its_licence(built: list[list[Path]]) -> None:
    wheel = next(file for file in built[0] if file.suffix == ".whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"lossbench/__main__.py", "lossbench/suites/regression.py", "lossbench_pytest.py"} <= names
    assert {"lossbench/show/templates/page.html"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names} == {"lossbench", "lossbench_pytest.py", "lossbench-0.1.0.dist-info"}


def test_frameworks_beyond_the_one_asked_for_are_seen() -> None:
    there = [name for name in installs.FRAMEWORKS if find_spec(name)]
    assert there, "the frameworks are installed here"
    assert installs.present(Path(sys.executable), tuple(there)) == {"no other framework": "fine"}
    assert installs.present(Path(sys.executable), tuple(there[1:])) != {"no other framework": "fine"}


@pytest.mark.slow
def test_the_wheel_alone_reads_a_run_without_any_framework(built: list[list[Path]], tmp_path: Path) -> None:
    """In an environment of its own that sees what is installed here, all but the frameworks."""
    wheel = next(file for file in built[0] if file.suffix == ".whl")
    own = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(own)], check=True)
    site = next((own / "lib").glob("python*")) / "site-packages"
    zipfile.ZipFile(wheel).extractall(site)
    for found in Path(next(p for p in sys.path if p.endswith("site-packages"))).iterdir():
        plain = normal(found.name).split("-")[0]
        if plain not in (*installs.FRAMEWORKS, "lossbench", "duckdb", "pip") and not found.name.endswith(".pth"):
            (site / found.name).symlink_to(found)
    run = synthetic_run.record(tmp_path / "made", synthetic_run.make(synthetic_run.catalogue(1).losses))
    (tmp_path / "work").mkdir()
    results = installs.tried(own / "bin" / "python", run, tmp_path / "work")
    assert {name: text for name, text in results.items() if text != "fine"} == {}
