"""MNIST: found where it lies, else fetched, and never used unless its checksums are right.

Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits (1998): four IDX files.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lossbench.lanes.backends.base import cache_folder
from lossbench.spec.errors import BadInput
from lossbench.spec.training import Array

SUMS: Final[dict[str, str]] = {
    "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""SHA-256 of each file, unpacked."""
AXES: Final = {"images": 3, "labels": 1}
MAX_BYTES: Final = 2**26
"""Of a file when unpacked; the largest has 47 MB. What is cut has another checksum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Grey pictures (samples, 28, 28) as bytes and their labels. white: the brightest. note: where they come from."""

    train: Array
    train_labels: Array
    test: Array
    test_labels: Array
    note: str
    white: int = 255
    genuine: bool = True


def folders(named: Path | None) -> dict[str, Path]:
    """Where MNIST may lie, in the order in which it is looked for."""
    places: dict[str, Path] = {}
    if named is not None:
        places["--data"] = named
    if os.environ.get("LOSSBENCH_DATA"):
        places["LOSSBENCH_DATA"] = Path(os.environ["LOSSBENCH_DATA"])
    places["the user's cache"] = cache_folder() / "mnist"
    checkout = Path(__file__).resolve().parents[3]
    places["shared/data of a development checkout"] = checkout.parent / "shared" / "data" / "mnist"
    return places


def lying(places: Mapping[str, Path]) -> Images | None:
    """MNIST from the first folder that has it. BadInput where a file of it is damaged, or `--data` has none."""
    for name, folder in places.items():
        files = {part: file_in(folder, part) for part in SUMS}
        if all(files.values()):
            return read({part: file for part, file in files.items() if file}, f"{name}: {folder}")
        if name == "--data":
            missing = ", ".join(part for part, file in files.items() if file is None)
            raise BadInput(
                subject=f"--data {folder}",
                expected="the four IDX files of MNIST, gzipped or not",
                received=f"no {missing}",
                remedy="name another folder, or leave the option out to look elsewhere",
            )
    return None


def file_in(folder: Path, part: str) -> Path | None:
    """The file of a part, under the names that are in use."""
    digits = AXES[part.partition("-")[2]]
    for stem in (f"{part}-idx{digits}-ubyte", f"{part}.idx{digits}-ubyte"):
        for ending in (".gz", ""):
            if (folder / f"{stem}{ending}").is_file():
                return folder / f"{stem}{ending}"
    return None


def read(files: Mapping[str, Path], note: str) -> Images:
    """The pictures of four files. BadInput where a checksum is wrong."""
    arrays = {part: parsed(part, _unpacked(file), str(file)) for part, file in files.items()}
    return made(arrays, note)


def made(arrays: Mapping[str, Array], note: str) -> Images:
    """Pictures and labels by part."""
    return Images(
        train=arrays["train-images"],
        train_labels=arrays["train-labels"].astype(np.int32),
        test=arrays["t10k-images"],
        test_labels=arrays["t10k-labels"].astype(np.int32),
        note=note,
    )


def parsed(part: str, content: bytes, where: str) -> Array:
    """An IDX file's array, once its checksum is right. BadInput."""
    found = hashlib.sha256(content).hexdigest()
    if found != SUMS[part]:
        raise BadInput(
            subject=where,
            expected=f"MNIST's {part} with SHA-256 {SUMS[part][:12]}...",
            received=f"{found[:12]}... ({len(content)} bytes)",
            remedy="delete the file and let it be fetched again, or name another folder with --data",
        )
    axes = AXES[part.partition("-")[2]]
    shape = struct.unpack_from(f">{axes}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def idx(array: Array) -> bytes:
    """The IDX file of an array of bytes; the converse of `parsed`."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def _unpacked(file: Path) -> bytes:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            return stream.read(MAX_BYTES)
    except (OSError, EOFError, zlib.error) as fault:
        raise BadInput(
            subject=str(file), expected="a readable gzip file", received=str(fault),
            remedy="delete the file and let it be fetched again, or name another folder with --data",
        ) from fault  # fmt: skip


def kept(arrays: Mapping[str, Array]) -> None:
    """Writes the files into the user's cache, for the next run; a full disk is no reason to stop this one."""
    folder = cache_folder() / "mnist"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part, array in arrays.items():
            file = folder / f"{part}-idx{AXES[part.partition('-')[2]]}-ubyte.gz"
            fresh = file.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(gzip.compress(idx(array), 6))
            fresh.replace(file)
    except OSError:
        return
