"""Wheel and sdist that come out byte for byte the same, with a bill of materials and checksums beside: `make release`.

Times in the archives are those of the commit (SOURCE_DATE_EPOCH), modes are normal ones, and files are in one order:
hatchling sees to that. The bill of materials (CycloneDX) lists what pins.txt installs here.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def epoch(root: Path = ROOT) -> str:
    """Seconds since 1970 of the commit that is checked out; as given where SOURCE_DATE_EPOCH is set."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    command = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    return given or subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def build(root: Path, into: Path, seconds: str) -> list[Path]:
    """Wheel and sdist of a checkout, with the build backend that is installed."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", str(into), str(root)]
    subprocess.run(command, env={**os.environ, "SOURCE_DATE_EPOCH": seconds}, check=True, capture_output=True)
    return sorted(into.glob("lossbench-*"))


def bill(tool: Path, into: Path) -> Path:
    """CycloneDX in JSON, of the environment that runs this, without times and serial numbers."""
    written = into / "lossbench.cdx.json"
    subprocess.run(
        [str(tool), "environment", sys.executable, "--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible",
         "--mc-type", "application", "--of", "JSON", "-o", str(written)],
        check=True, capture_output=True,
    )  # fmt: skip
    return written


def checksums(files: list[Path], into: Path) -> Path:
    """As `sha256sum --check` reads them."""
    written = into / "SHA256SUMS"
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    written.write_text("".join(lines), encoding="utf-8")
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "dist")
    parser.add_argument("--sbom", type=Path, required=True, help="the program cyclonedx-py")
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    for old in asked.into.iterdir():
        old.unlink()
    made = [*build(ROOT, asked.into, epoch()), bill(asked.sbom, asked.into)]
    for file in [*made, checksums(made, asked.into)]:
        print(f"{file.stat().st_size:>9} {file}")


if __name__ == "__main__":
    main()
